"""The page of a run: every figure on it, every mark in its place, and nothing that others wrote does anything."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

import copydesk
from copydesk.errors import InputError
from copydesk.model import BATCH, REPLY, SENTIMENT, Facts, Reason, Status, Telemetry, TextFormat
from copydesk.store.reporting import By, Head, Item, Reviewed, Settled
from producer import htmlreport
from producer.htmlreport import Listed, Part, compare, cut, find, shown

START = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
EVIL = (
    "<script>alert(1)</script> \"' & <img src=https://evil.example/x onerror=alert(2)> "
    "\u202emotto\0 مرحبا \U0001f469\u200d\U0001f467 {{ 7 * 7 }}"
)

HEAD = Head(
    run=7, shop="fernhill", kind="description", lane="catalog", run_key="night", state="finished", stopped_because=None,
    queued=5, recipe={"model": "tiny", "engine": "openvino", "sampling": {"temperature": 0.7, "seed": None}},
    outcomes={"ready": 3, "held": 1, "failed": 1}, by=[By("tiny", "description/en@1", 5)], left=5, asks=8,
    prompt_tokens=1500, completion_tokens=400,
    telemetry=Telemetry(completions=8, queue_seconds=4.0, busy_seconds=10.0, sequence_seconds=40.0, width=48),
    created_at=START, started_at=START, finished_at=START + timedelta(seconds=40),
    first_settled_at=START + timedelta(seconds=1), last_settled_at=START + timedelta(seconds=40),
)  # fmt: skip

ITEM = Item(
    draft=3, key="stool", language="en", state=Status.HELD, text="A stool of oak. It weighs 3 kg.", by_person=False,
    reasons=(Reason("facts.numbers", 'says "3 kg", which the facts do not', "3 kg"),), asks=4,
    facts=Facts("Stool", attributes=(("Material", "oak"),)), is_outdated=False,
    before="<p>A stool of pine. It weighs 2 kg.</p>", before_format=TextFormat.HTML, review=None,
)  # fmt: skip


def settled(outcome: str = "ready", second: int = 1, text: str = "This is a stool.", *codes: str) -> Settled:
    return Settled(outcome, "", text, codes, (), START + timedelta(seconds=second))


TEXTS = [
    settled(), settled(), settled(second=9, text="Sit."), settled("held", 20, "Bad.", "facts.numbers", "facts.numbers"),
    settled("failed", 40, "", "engine.failed"),
]  # fmt: skip


class Page(HTMLParser):
    """The tags of a page, its visible text, and what stands in one kind of tag."""

    VOID = ("meta", "link", "rect", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.inside: dict[str, list[str]] = {}
        self.feed(page)
        assert self.open == []
        self.text = " ".join(" ".join(self.inside.get("body", [])).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.inside.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def source(head: Head = HEAD, texts: Sequence[Settled] = TEXTS, items: Sequence[Item] = (ITEM,), **counts: int) -> str:
    sums = htmlreport.add_up(head, iter(texts))
    lists = [Listed("held", counts.get("held", len(items)), len(items), map(shown, items))]
    return "".join(htmlreport.page(head, sums, lists, START + timedelta(hours=1)))


def page(head: Head = HEAD, texts: Sequence[Settled] = TEXTS, items: Sequence[Item] = (ITEM,), **counts: int) -> Page:
    return Page(source(head, texts, items, **counts))


def says(one: Page, *words: str) -> None:
    for said in words:
        assert said in one.text, (said, one.text)


# What it says --------------------------------------------------------------------------------------------------------


def test_the_page_opens_with_what_the_run_came_to() -> None:
    made = page()
    assert made.inside["h1"] == ["3 of 5 descriptions are ready"]
    says(made, "fernhill", "took 40 s", "ready 60%", "Held for a person: 1", "Failed: 1", "texts a second 0.12")
    says(
        made,
        "tiny , description/en@1 : 5 texts",
        "openvino",
        "temperature 0.7",
        "1,500 read, 400 written, 10.0 a second",
    )
    says(made, "4.00 texts at a time of 48 at most")
    assert "seed" not in made.text


def test_reasons_are_told_in_a_merchandisers_words_each_text_once() -> None:
    says(page(), "Of 2 held or failed", "A number that the facts do not hold 1", "The model could not answer 1")


def test_variety_is_told_in_numbers_of_texts() -> None:
    says(page(), "2 of 3 ready texts begin as another one does", "“this is a” 2 of 3")
    says(page(texts=[settled()]), "No two of the 1 ready texts begin alike.")
    says(page(texts=[]), "No text is ready, so there is nothing to compare.")


def twin(outcome: str, number: int, **changes: int) -> Settled:
    message = f"9{number % 10} % the same as the text of mug-{number}"
    return replace(settled(outcome), key=f"stool-{number}", twin=message, **changes)


def test_near_duplicates_are_told_with_the_products_whose_texts_they_are() -> None:
    made = page(texts=[*TEXTS, replace(settled(), resampled=1), twin("held", 1, resampled=2), twin("ready", 2)])
    says(made, "2 were nearly another product's text and written again; 1 is held because it still is, 1 only marked.")
    says(made, "stool-1 91 % the same as the text of mug-1", "stool-2 92 % the same as the text of mug-2")
    assert "more are left out" not in made.text
    assert "another product" not in page().text


def test_of_many_near_duplicates_the_first_are_shown_and_the_others_counted() -> None:
    made = page(texts=[twin("held", number, resampled=2) for number in range(23)])
    says(made, "23 were nearly another product's text and written again; 23 are held because they still are.")
    says(made, "stool-19", "3 more are left out.")
    assert "stool-20" not in made.text


def test_speed_has_a_bar_for_each_span_of_time_and_each_says_what_it_stands_for() -> None:
    sums = htmlreport.add_up(HEAD, iter(TEXTS))
    assert (len(sums.bars), sums.span_seconds) == (40, 1)
    assert [(bar.texts, bar.ready) for bar in sums.bars if bar.texts] == [(2, 2), (1, 1), (1, 0), (1, 0)]
    assert any("2 texts, 2 ready" in title for title in page().inside["title"])


@pytest.mark.parametrize(
    ("seconds", "span"), [(0, 1), (47, 1), (48, 2), (3600, 120), (8 * 3600, 900), (10**8, 10**8 // 48 + 1)]
)
def test_a_bar_stands_for_a_round_time_and_there_are_few_of_them(seconds: float, span: int) -> None:
    assert htmlreport.span_of(seconds) == span
    assert seconds / span < htmlreport.BARS


def test_what_no_worker_looked_at_has_no_bar_and_what_comes_meanwhile_is_in_the_last() -> None:
    late = settled(second=10**6)
    sums = htmlreport.add_up(HEAD, iter([replace(settled(), at=None), late]))
    assert sum(bar.texts for bar in sums.bars) == 1
    assert len(sums.bars) == htmlreport.BARS


def test_a_run_that_goes_on_was_stopped_or_lost_texts_says_so() -> None:
    going = replace(HEAD, state="running", finished_at=None, queued=9)
    says(page(going), "This run is running: 5 of 9 are settled.", "so far")
    says(page(replace(HEAD, stopped_because="it reached its budget")), "It was stopped: it reached its budget.")
    says(page(replace(HEAD, outcomes={"ready": 8}, left=5)), "3 of its texts were removed since.")


def test_a_run_without_a_text_has_a_page_too() -> None:
    nothing = replace(
        HEAD, queued=0, outcomes={}, by=[], left=0, asks=0, telemetry=Telemetry(), started_at=None, recipe={},
        first_settled_at=None, last_settled_at=None,
    )  # fmt: skip
    says(page(nothing, [], []), "0 of 0 descriptions are ready", "Nothing was written: nothing had changed.")


def test_what_is_left_out_is_counted_and_the_command_that_lists_it_named() -> None:
    says(page(held=12), "The first 1 is shown, 11 are left out.", "copydesk drafts list --run 7 --state held")


def test_a_runs_other_outcomes_are_told_where_there_are_any() -> None:
    says(
        page(replace(HEAD, outcomes={"ready": 1, "cancelled": 2, "stale": 1})),
        "Cancelled: 2",
        "Overtaken by an edit: 1",
    )


# Single texts --------------------------------------------------------------------------------------------------------


def test_a_held_text_stands_beside_the_one_before_with_every_mark() -> None:
    made = page()
    assert "".join(made.inside["mark"]) == "Marked" + "3 kg1"
    assert made.inside["ins"] == ["new", "oak", "3"]
    assert made.inside["del"] == ["gone", "pine", "2"]
    says(
        made,
        'A number that the facts do not hold : says "3 kg", which the facts do not',
        "75% of it stood there before",
    )
    says(made, "asked 4 times", "What may be said: 2 facts", "Material oak")


def test_what_became_of_a_text_since_is_told() -> None:
    since = replace(ITEM, state=Status.PUBLISHED, by_person=True, is_outdated=True, asks=1)
    says(page(items=[since]), "asked once · edited by a person · published since · product edited since")


def test_a_text_that_only_warns_is_marked_as_such() -> None:
    warned = replace(ITEM, reasons=(Reason("words", "uses a stock phrase", "oak", warns=True),))
    says(page(items=[warned]), "Only marked : uses a stock phrase")


def test_a_reply_stands_beside_its_review() -> None:
    answer = replace(
        ITEM, key="r-1", text="We are sorry.", before=None, review=Reviewed("Hm", "The leg is loose.", 2, "de"), asks=0
    )
    made = page(replace(HEAD, kind=REPLY), items=[answer])
    says(made, "3 of 5 replies are ready", "The review, 2 of 5 stars Hm The leg is loose.", "The reply We are sorry.")
    says(made, "no model was asked")
    assert "de" in [paragraph.get("lang") for paragraph in made.all("p")]


@pytest.mark.parametrize("kind", [BATCH, SENTIMENT])
def test_a_run_of_another_kind_is_refused_and_told_what_works(kind: str) -> None:
    with pytest.raises(InputError, match=r"`copydesk describe` and `copydesk reply`"):
        htmlreport.check_kind(replace(HEAD, kind=kind))


@pytest.mark.parametrize(
    ("span", "text", "found"),
    [
        ("3 kg", "It weighs 3 kg.", "3 kg"),
        ("made of cream", "It is Made of  Cream, and", "Made of  Cream"),
        ("soft and soft", "Soft, and soft", "Soft, and soft"),
        ("red", "Ridgered, and red", "red"),
        ("600毫升", "容量600毫升，", "600毫升"),
        ("第一", "全国第一", "第一"),
        ("<b>", "a <b>bold", "<b>"),
        ("C++ (x)", "in C++ (x)", "C++ (x)"),
    ],
)
def test_a_span_is_found_as_the_text_has_it(span: str, text: str, found: str) -> None:
    place = find(span, text)
    assert place
    assert text[place.start : place.stop] == found


@pytest.mark.parametrize(("span", "text"), [("", "text"), ("  ", "text"), ("else", "text"), ("x", "")])
def test_a_span_that_is_not_there_marks_nothing(span: str, text: str) -> None:
    assert find(span, text) is None


def test_little_that_stayed_is_not_marked_word_by_word() -> None:
    assert compare("One two three.", "Quite another text stands here now.") == ([], [], "written anew")
    assert compare("The same. ", "The  same.") == ([], [], "the same as before")


def test_chinese_is_compared_character_by_character() -> None:
    gone, new, _ = compare("容量500毫升的保温杯", "容量600毫升的保温杯")
    assert [(one.start, one.stop) for one in (*gone, *new)] == [(2, 5), (2, 5)]


def test_marks_and_changes_may_cross() -> None:
    assert cut("abcdef", [range(1, 4)], {1: range(2, 5), 2: range(2, 3)}) == [
        Part("a", False, False, ()), Part("b", True, False, ()), Part("c", True, True, (2,)),
        Part("d", True, True, ()), Part("e", False, True, (1,)), Part("f", False, False, ()),
    ]  # fmt: skip
    assert cut("", [], {}) == []


def test_long_texts_and_facts_are_cut_and_say_so() -> None:
    long = replace(
        ITEM, text="word " * 2000, facts=Facts("T", attributes=tuple((f"n{i}", "v" * 999) for i in range(99)))
    )
    made = page(items=[long])
    says(made, "… and 7,000 more characters", "v" * 300 + " …")
    assert "v" * 301 not in made.text
    assert len(source(items=[long])) < 80_000


# What it is ----------------------------------------------------------------------------------------------------------


def test_whatever_others_wrote_is_shown_and_does_nothing() -> None:
    attack = Item(
        draft=1, key=EVIL, language=EVIL, state=Status.HELD, text=EVIL, by_person=False, asks=1,
        reasons=(Reason(EVIL, EVIL, EVIL), Reason("facts.claims", EVIL, "<img")),
        facts=Facts(EVIL, EVIL, EVIL, ((EVIL, EVIL),)),
        is_outdated=False, before=EVIL, before_format=TextFormat.PLAIN, review=None,
    )  # fmt: skip
    recipe = {"model": EVIL, "engine": EVIL, "sampling": {EVIL: EVIL}}
    head = replace(
        HEAD, shop=EVIL, run_key=EVIL, state=EVIL, stopped_because=EVIL, by=[By(EVIL, EVIL, 1)], recipe=recipe
    )
    texts = [settled(EVIL), settled(text=EVIL), settled(text=EVIL), settled("held", 2, "", EVIL)]
    made = source(replace(head, outcomes={EVIL: 1, "ready": 2}), texts, [attack])
    read = Page(made)
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in read.tags}
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert re.search(r"[\x00-\x08\x0b-\x1f\u202e]", made) is None
    says(read, "<script>alert(1)</script>", "مرحبا \U0001f469\u200d\U0001f467", "{{ 7 * 7 }}")


def test_half_of_a_surrogate_pair_breaks_no_file() -> None:
    source(items=[replace(ITEM, text="half \ud83d", key="\udc00")]).encode()


def test_nothing_comes_from_outside_and_nothing_could() -> None:
    made = page(items=[ITEM, replace(ITEM, text="see https://evil.example and url(https://evil.example/y)")])
    links = [value for _, attributes in made.tags for name, value in attributes.items() if name in ("href", "src")]
    assert links
    assert all(value == "data:," or (value or "").startswith("#") for value in links)
    assert [made.tags.index(("a", one)) for one in made.all("a")]
    targets = {attributes.get("id") for _, attributes in made.tags}
    assert {value[1:] for value in links if value and value.startswith("#")} <= targets
    [policy] = [meta["content"] for meta in made.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    style = "".join(made.inside["style"])
    assert "url(" not in style
    assert "@import" not in style


def test_headings_descend_a_step_at_a_time_and_every_picture_has_a_name_or_is_decoration() -> None:
    made = page()
    levels = [int(tag[1]) for tag, _ in made.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    named = [one.get("aria-labelledby") for one in made.all("svg") if one.get("role") == "img"]
    assert named == ["outcome-title", "speed-title"]
    assert all(one.get("role") == "img" or one.get("aria-hidden") == "true" for one in made.all("svg"))
    ids = [attributes["id"] for _, attributes in made.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert made.all("html") == [{"lang": "en"}]


def test_texts_name_their_language_and_turn_as_they_are_written() -> None:
    arabic = replace(ITEM, language="ar", text="كوب سفر سعته ٣٥٠ مل", before=None, reasons=())
    [text] = [one for one in page(items=[arabic]).all("p") if one.get("class") == "text"]
    assert text == {"class": "text", "lang": "ar", "dir": "auto"}


def schemes() -> list[dict[str, str]]:
    style = files("producer").joinpath(f"templates/{htmlreport.TEMPLATE}").read_text("utf-8")
    return [dict(re.findall(r"--(\w+):(#\w+)", rule)) for rule in re.findall(r":root\{([^}]*)\}", style)]


def light(colour: str) -> float:
    """Relative luminance, as WCAG 2 reckons it."""
    digits = "".join(2 * one for one in colour[1:]) if len(colour) == 4 else colour[1:]
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark", "paper"])
def test_words_and_charts_stand_out_in_the_light_in_the_dark_and_on_paper(scheme: dict[str, str]) -> None:
    for ground in ("paper", "panel"):
        assert all(contrast(scheme[name], scheme[ground]) >= 4.5 for name in ("ink", "soft", "link"))
    assert all(contrast(scheme["ink"], scheme[ground]) >= 4.5 for ground in ("mark", "ins", "del"))
    assert all(contrast(scheme[name], scheme["paper"]) >= 3 for name in ("ready", "held", "failed", "other", "plain"))


def test_every_reason_in_the_code_has_a_title() -> None:
    sources = [*Path(copydesk.__file__).parent.rglob("*.py"), *Path(copydesk.__file__).parent.rglob("*.toml")]
    written = "\n".join(path.read_text("utf-8") for path in sources)
    codes = set(re.findall(r"Reason\(\s*\"([a-z][\w.-]*)\"", written)) | set(
        re.findall(r'^code = "(.+)"', written, re.M)
    )
    assert len(codes) > 20
    assert [code for code in sorted(codes) if htmlreport.title_of(code) == code] == []
