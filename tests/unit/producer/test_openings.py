"""How alike texts sound, counted."""

from producer.openings import Commonest, Ear, Shared, Variety


def heard(*texts: str, name: str = "", kept: int = 1000) -> Variety:
    ear = Ear(kept)
    for text in texts:
        ear.hear(text, name)
    return ear.variety(5)


def test_openings_are_counted_whatever_their_case_and_the_most_frequent_comes_first() -> None:
    found = heard(
        "This is a mug.", "THIS IS A bowl.", "Meet the cup.", "this is a jug", "Meet the cup, again.", "Else."
    )
    assert found.openings == [Shared("this is a", 3), Shared("meet the cup", 2)]
    assert (found.texts, found.alike, found.is_exact) == (6, 5, True)


def test_the_name_of_the_product_does_not_make_an_opening_another_one() -> None:
    ear = Ear()
    for name in ("Tarn Mug", "Burrow Bottle", "Ridge Tent"):
        ear.hear(f"The {name.upper()} from Fernhill is good.", name)
    assert ear.variety(5).openings == [Shared("the … from fernhill", 3)]


def test_in_chinese_each_character_is_a_word() -> None:
    found = heard("这款保温杯容量大，适合旅行。", "这款保温壶很轻，适合旅行使用。", "这款保温箱结实，适合旅行使用。")
    assert found.openings == [Shared("这款保温", 3)]
    assert heard(*["轻便耐用适合旅行"] * 3, "另一个").phrases[0] == Shared("便耐用适合旅", 3)


def test_a_phrase_counts_once_a_text_and_one_that_overlaps_it_is_left_out() -> None:
    again = "It is perfect for any occasion. It is perfect for any occasion."
    found = heard(again, "Blue, it is perfect for any occasion.", "Red: it is perfect for any occasion!", "Nothing.")
    assert found.phrases == [Shared("is perfect for any", 3)]


def test_words_of_the_facts_of_two_texts_are_no_phrase_yet() -> None:
    assert heard("It is perfect for tea.", "It is perfect for tea.").phrases == []


def test_marks_are_counted_once_a_text() -> None:
    ear = Ear()
    for text in ("Elevate your tea.", "Elevate your day, elevate your night."):
        ear.hear(text, marks=["Elevate your", "elevate your", ""])
    assert ear.variety(5).marks == [Shared("elevate your", 2)]


def test_texts_without_a_word_are_no_texts() -> None:
    assert heard("", "…", " \n") == Variety(0, 0, [], [], [], True)


def test_any_script_is_heard() -> None:
    assert heard("كوب سفر جديد للرحلات", "كوب سفر جديد للبيت").openings == [Shared("كوب سفر جديد", 2)]


def test_of_more_values_than_are_kept_the_frequent_ones_stay_and_counts_are_too_low_by_no_more_than_is_said() -> None:
    counter = Commonest(kept=100)
    for number in range(5000):
        counter.add([f"rare {number}", "common"])
    assert len(counter.counts) <= 101
    assert 5000 - counter.missed <= counter.counts["common"] <= 5000
    assert 0 < counter.missed < 150


def test_numbers_that_may_be_too_low_say_so() -> None:
    assert not heard(*[f"number{one} of all {one}" for one in range(50)], kept=20).is_exact
