"""The scripted engine does what its script says."""

from queue import SimpleQueue

import pytest
from engines import in_thread

from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.scripted import Behaviour, ScriptedBackend, write
from copydesk.settings import Sampling
from copydesk.variety import near_duplicates

FACTS = "Facts:\n- Title: Enamel Mug\n- Brand: Ridgeway\n- Volume: 350 ml\n\nWrite the product description."
LETTERS = "abcdefghijklmnopqrst"
FACTS_ZH = "- 标题: 搪瓷杯\n- 品牌: 山泉\n- 容量: 350 毫升\n请写一段产品描述。"


def ask(content: str, id: str = "1", candidates: int = 1) -> Request:
    return Request(id, (Message("user", content),), "", Sampling(), candidates)


def answers(engine: HostedEngine, *requests: Request) -> list[Completion]:
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit(requests, inbox.put)
    return [inbox.get(timeout=10) for request in requests for _ in range(request.candidates)]


def answer(content: str) -> Completion:
    engine = in_thread(ScriptedBackend)
    (completion,) = answers(engine, ask(content))
    engine.close()
    return completion


def test_the_text_says_the_facts_and_nothing_else() -> None:
    text = write(FACTS)
    assert "Enamel Mug" in text
    assert "350 ml" in text
    assert 25 <= len(text.split()) <= 100
    assert text == write(FACTS)


def test_products_that_differ_in_a_letter_get_texts_of_their_own() -> None:
    """Else every run of a test would end with near-duplicates."""
    texts = [write(f"- Title: Plain Stool {one}{other}\n- Colour: blue") for one in LETTERS for other in LETTERS]
    texts += [write(f"- 标题: 凳子{one}{other}\n- 颜色: 蓝色") for one in LETTERS for other in LETTERS]

    assert near_duplicates(enumerate(texts)) == []


def test_what_is_told_to_say_the_same_of_everything_does() -> None:
    told = [answer(f"- Title: {title}\n- Note: [[scripted:same]]").text for title in ("Mug", "Enamelled Steel Lamp")]
    told += [answer(f"- 标题: {title}\n- 备注: [[scripted:same]]").text for title in ("搪瓷杯", "保温杯")]

    assert [(pair.earlier, pair.later) for pair in near_duplicates(enumerate(told))] == [(0, 1), (2, 3)]


def test_chinese_facts_make_a_chinese_text() -> None:
    text = write(FACTS_ZH)
    assert text.startswith("搪瓷杯，品牌是山泉，容量是350 毫升。")
    assert len(text) >= 30


def test_a_prompt_without_facts_is_answered_too() -> None:
    assert len(write("Tell me something.").split()) > 20


def test_of_a_conversation_only_the_last_turn_counts() -> None:
    engine = in_thread(ScriptedBackend)
    turns = (Message("user", "- Title: Notebook\n[[scripted:fail]]"), Message("assistant", "…"), Message("user", FACTS))
    (completion,) = answers(engine, Request("1", turns, "", Sampling()))
    engine.close()
    assert completion.text == write(FACTS)


@pytest.mark.parametrize(
    ("behaviour", "finish", "says"),
    [
        ("refuse", Finish.STOP, "Sorry"),
        ("garbage", Finish.STOP, "98765"),
        ("cut", Finish.LENGTH, "Enamel Mug"),
        ("empty", Finish.STOP, ""),
        ("fail", Finish.FAILED, ""),
        ("oom", Finish.FAILED, ""),
        ("write", Finish.STOP, "350 ml"),
    ],
)
def test_a_marker_makes_it_misbehave(behaviour: str, finish: Finish, says: str) -> None:
    completion = answer(FACTS + f"[[scripted:{behaviour}]]")
    assert completion.finish is finish
    assert says in completion.text
    assert bool(completion.error) == (finish is Finish.FAILED)
    assert "scripted" not in completion.text


def test_out_of_memory_is_said() -> None:
    assert "out of memory" in answer("[[scripted:oom]]").error


def test_a_marker_that_went_through_a_prompt_still_works() -> None:
    assert answer(FACTS.replace("Mug", "Mug ((scripted:refuse))")).text.startswith("Sorry")


def test_a_counted_marker_wears_off_even_when_the_prompt_around_the_facts_changes() -> None:
    prompt = FACTS.replace("Mug", "Mug [[scripted:empty*2]]")
    engine = in_thread(ScriptedBackend)
    texts = [answers(engine, ask(one))[0].text for one in (prompt, prompt + "\nBe longer.", prompt, prompt)]
    engine.close()
    assert texts == ["", "", write(prompt), write(prompt)]


def test_a_misspelled_marker_fails_that_request_alone() -> None:
    engine = in_thread(ScriptedBackend)
    wrong, right = answers(engine, ask("[[scripted:refuze]]"), ask(FACTS, "2"))
    engine.close()
    assert wrong.finish is Finish.FAILED
    assert "refuze" in wrong.error
    assert right.finish is Finish.STOP


def test_a_function_may_decide_instead_of_markers() -> None:
    def even_empty(request: Request) -> Behaviour | None:
        return Behaviour.EMPTY if "[2]" in request.messages[0].content else None

    engine = in_thread(lambda: ScriptedBackend(behave=even_empty))
    first, second = answers(engine, ask(FACTS, "1"), ask(f"{FACTS} [2]", "2"))
    engine.close()
    assert first.text
    assert not second.text


def test_one_row_that_is_too_large_is_found_and_its_neighbours_are_answered() -> None:
    engine = in_thread(ScriptedBackend)
    asked = [ask(FACTS, "1"), ask(f"{FACTS} [[scripted:oom]]", "2"), ask(FACTS, "3"), ask(FACTS, "4")]
    finishes = {completion.request_id: completion.finish for completion in answers(engine, *asked)}
    engine.close()
    assert finishes == {"1": Finish.STOP, "2": Finish.FAILED, "3": Finish.STOP, "4": Finish.STOP}


def test_closing_does_not_wait_for_the_delay() -> None:
    engine = in_thread(lambda: ScriptedBackend(delay_seconds=3600))
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask(FACTS, "1"), ask(FACTS, "2")], inbox.put)
    engine.close()
    assert {inbox.get(timeout=1).request_id, inbox.get(timeout=1).request_id} == {"1", "2"}
