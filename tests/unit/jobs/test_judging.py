"""One text on its way: the best candidate is taken, a refused one is asked again, with the reason named if so set."""

from dataclasses import dataclass, field

import pytest

from copydesk.engine.base import Completion, Finish, Message
from copydesk.jobs.chunks import Next
from copydesk.jobs.judging import Judged, names_reasons
from copydesk.jobs.ranking import Neighbours
from copydesk.jobs.recipes import Recipe
from copydesk.model import Facts, Lane, Reason, Status
from copydesk.prompts import Prompt
from copydesk.settings import Rules, Sampling
from copydesk.store.drafts import Outcome

FACTS = Facts("Enamel Mug", attributes=(("Colour", "Blue"), ("Volume", "350 ml")))
PROMPT = Prompt((("system", "Be brief."), ("user", "A mug.\nWrite.")), "A mug:", "description/en@1", ("be brief",))

THIN, FULL = "A mug for tea.", "The Enamel Mug is blue and holds 350 ml."


@dataclass(slots=True)
class Item(Judged):
    """Refuses a text for each capital word in it."""

    echoes: list[tuple[str, ...]] = field(default_factory=list)

    def prompt_of_ask(self) -> Prompt:
        return PROMPT

    def judged(self, said: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        self.echoes.append(self.prompt.echoes)
        shouted = [word for word in said.split() if word.isupper() and len(word) > 1]
        return said, tuple(Reason("facts.claims", f'says "{word}"', word) for word in shouted)


def item(
    candidates: int = 1, max_asks: int = 3, name_reasons: str = "never", facts: Facts = FACTS, *, cut_back: bool = False
) -> Item:
    recipe = Recipe(
        engine="openvino", model="tiny", sampling=Sampling(seed=5), max_asks=max_asks, name_reasons=name_reasons,
        rules={"": Rules()}, voice="",
    )  # fmt: skip
    return Item(1, candidates, "tiny", recipe, facts, Neighbours(), cut_back=cut_back)


def answer(one: Item, *texts: str, finish: Finish = Finish.STOP) -> Outcome | Next:
    """Asks, and gives these texts as the answers; what is made of the last of them."""
    request = one.request("r", Lane.CATALOG)
    one.asks, one.answers = one.asks + 1, 0
    for index, text in enumerate(texts):
        one.answers += 1
        made = one.judge(Completion(request.id, index, text, finish, 10, 20))
        assert index == len(texts) - 1 or made is Next.WAIT
    return made


def outcome(made: Outcome | Next) -> Outcome:
    assert isinstance(made, Outcome)
    return made


def asked(one: Item) -> str:
    """The last turn of what would be asked now."""
    message: Message = one.request("r", Lane.CATALOG).messages[-1]
    return message.content


def test_the_best_of_all_candidates_is_taken_and_not_the_first_that_passes() -> None:
    for texts in ([THIN, FULL], [FULL, THIN], [THIN, "NO", FULL, THIN]):
        ended = outcome(answer(item(len(texts)), *texts))
        assert (ended.status, ended.text) == (Status.READY, FULL)


def test_one_candidate_is_taken_as_soon_as_it_passes_and_is_compared_with_nothing() -> None:
    one = item()

    assert outcome(answer(one, THIN)).status is Status.READY
    assert one.neighbours == Neighbours()


def test_texts_that_were_taken_are_neighbours_of_those_after_them() -> None:
    first = item(2)
    answer(first, "Meet this mug for tea in the garden.", "NO")
    second = item(2, facts=Facts("Brass Lamp"))
    second.neighbours = first.neighbours

    alike, other = "Meet this lamp for tea in the garden.", "For the garden and the hall, this is the lamp."
    assert outcome(answer(second, alike, other)).text == other


def test_of_all_asks_the_best_refused_text_is_kept_for_the_person() -> None:
    one = item(2, max_asks=2)

    assert answer(one, "NO AND NO", "The Enamel Mug is blue and holds 350 ml, YES") is Next.ASK
    ended = outcome(answer(one, "BAD", "NO AND NO"))

    assert (ended.status, ended.text) == (Status.HELD, "The Enamel Mug is blue and holds 350 ml, YES")
    assert [reason.span for reason in ended.reasons] == ["YES"]
    assert ended.sampling == Sampling(seed=5).model_dump(), "as the text that is kept was asked for"
    assert ended.asks == 2


def test_nothing_but_failures_is_a_failed_draft() -> None:
    ended = outcome(answer(item(2, max_asks=1), "", "", finish=Finish.FAILED))

    assert (ended.status, ended.text, ended.reasons[0].code) == (Status.FAILED, "", "engine.failed")


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("never", [False] * 5),
        ("always", [False, True, True, True, True]),
        ("alternate", [False, True, False, True, False]),
    ],
)
def test_which_asks_name_the_reason(how: str, named: list[bool]) -> None:
    assert [names_reasons(how, asks) for asks in range(5)] == named


def test_the_next_ask_names_what_was_wrong_with_the_last_answer_and_only_with_that() -> None:
    one = item(name_reasons="always")
    assert asked(one) == "A mug.\nWrite."

    answer(one, "It is BONE china")
    first = asked(one)
    answer(one, "It is STEEL")
    second = asked(one)

    assert "BONE" in first
    assert "STEEL" not in first
    assert "STEEL" in second
    assert "BONE" not in second
    assert first.startswith("A mug.\n")
    assert first.endswith("\nWrite.")


def test_a_line_that_was_said_must_not_come_back_as_copy() -> None:
    one = item(name_reasons="always")
    answer(one, "It is BONE china")
    answer(one, "A mug.")

    before, after = one.echoes
    assert before == PROMPT.echoes
    assert "not in the facts" in after


def test_where_reasons_are_not_named_every_ask_is_the_same() -> None:
    one = item()
    answer(one, "It is BONE china")

    assert asked(one) == "A mug.\nWrite."


def test_after_an_engine_failure_there_is_nothing_to_name() -> None:
    one = item(name_reasons="always")
    answer(one, "", finish=Finish.FAILED)

    assert asked(one) == "A mug.\nWrite."


TWO = "The Enamel Mug is for tea. It is blue."


def test_of_an_answer_whose_end_is_refused_the_sentences_before_it_are_taken() -> None:
    ended = outcome(answer(item(cut_back=True), f"{TWO} It is BEST. It is a"))

    assert (ended.status, ended.text, ended.reasons, ended.asks) == (Status.READY, TWO, (), 1)


def test_an_answer_that_was_cut_at_the_token_limit_is_judged_by_its_whole_sentences() -> None:
    """As copydesk.guards does it: what is cut is not finished, and its beginnings are."""
    one = item(cut_back=True)
    said: list[bool] = []
    real = Item.judged

    def judged(self: Item, said_text: str, *, finished: bool) -> tuple[str, tuple[Reason, ...]]:
        said.append(finished)
        text, reasons = real(self, said_text, finished=finished)
        return text, reasons if finished else (Reason("shape.finished", "was cut off"),)

    one.request("r", Lane.CATALOG)
    one.asks = one.answers = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Item, "judged", judged)
        made = one.judge(Completion("r", 0, f"{TWO} It holds", Finish.LENGTH, 10, 20))

    assert outcome(made).text == TWO
    assert said == [False, True]


def test_what_passes_whole_is_not_cut_and_where_that_is_not_allowed_nothing_is() -> None:
    whole = f"{TWO} It holds 350 ml."
    assert outcome(answer(item(cut_back=True), whole)).text == whole
    assert answer(item(), f"{TWO} It is BEST.") is Next.ASK


def test_a_single_sentence_that_is_left_waits_for_a_fuller_text_which_then_wins() -> None:
    one = item(cut_back=True, max_asks=6)
    assert answer(one, "The Enamel Mug is blue and for tea. It is BEST.") is Next.ASK

    assert outcome(answer(one, TWO)).text == TWO


def test_from_the_third_ask_on_a_single_sentence_will_do_also_one_of_an_earlier_ask() -> None:
    one = item(cut_back=True, max_asks=6)
    assert answer(one, "The Enamel Mug is blue and for tea. It is BEST.") is Next.ASK
    assert answer(one, "It is BEST.") is Next.ASK

    ended = outcome(answer(one, "It is BEST."))
    assert (ended.status, ended.text, ended.asks) == (Status.READY, "The Enamel Mug is blue and for tea.", 3)


def test_with_fewer_asks_allowed_a_single_sentence_will_do_at_the_last_one() -> None:
    ended = outcome(answer(item(cut_back=True, max_asks=1), "The Enamel Mug is blue. It is BEST."))

    assert (ended.status, ended.text) == (Status.READY, "The Enamel Mug is blue.")


def test_a_single_sentence_that_the_model_wrote_itself_is_taken_at_once() -> None:
    assert outcome(answer(item(cut_back=True), "The Enamel Mug is blue.")).asks == 1


def test_where_no_beginning_passes_the_one_with_the_fewest_faults_is_kept() -> None:
    ended = outcome(answer(item(cut_back=True, max_asks=1), "It is BEST. It is BLUE and GOOD."))

    assert (ended.status, ended.text) == (Status.HELD, "It is BEST.")
