"""What a model is told whose text was refused: a line for every code, nothing unsafe quoted, nothing that may leak."""

import tomllib

import pytest

from copydesk import guards, prompts
from copydesk.guards import CODES
from copydesk.model import Facts, Polarity, Reason
from copydesk.prompts import asking_again
from copydesk.prompts.asking_again import MOST, SPAN_LIMIT
from copydesk.settings import Rules

JUICE = Facts("Orange Juice", category="Juices", attributes=(("Volume", "500 ml"),))
SPIRIT = Facts("甜橙汁", category="果汁", attributes=(("容量", "500毫升"),), language="zh")
FILES = {path.stem: tomllib.loads(path.read_text("utf-8")) for path in asking_again.FOLDER.glob("*.toml")}
NEVER_QUOTED = {"shape.finished", "shape.chat", "harmful", "reply.pii", "reply.injection", "reply.promise", "law.ftc"}


def told(*reasons: Reason, language: str = "en") -> str:
    """What is added to the last turn, before its last line."""
    before = prompts.render("description", JUICE)
    after = prompts.again(before, reasons, language)
    assert after.turns[:-1] == before.turns[:-1]
    *facts, said, ask = after.turns[-1][1].split("\n")
    assert [*facts, ask] == before.turns[-1][1].split("\n")
    return said


def reply_prompt() -> prompts.ReplyPrompt:
    return prompts.render_reply(
        "It leaks.", language="en", polarity=Polarity.NEGATIVE, rating=1, facts=None, voice="", opening="Hello.",
        closing="Goodbye.", sign_off="",
    )  # fmt: skip


def test_the_refused_number_is_named() -> None:
    assert '"600 ml"' in told(Reason("facts.numbers", 'says "600 ml"', "600 ml"))


def test_the_refused_number_is_named_in_chinese() -> None:
    assert "“600毫升”" in told(Reason("facts.numbers", "", "600毫升"), language="zh")


@pytest.mark.parametrize("code", sorted(NEVER_QUOTED))
def test_prompt_text_insults_and_personal_data_are_not_shown_to_the_model_once_more(code: str) -> None:
    for language in FILES:
        said = told(Reason(code, "", "something vile"), language=language)
        assert said
        assert "vile" not in said


@pytest.mark.parametrize("code", ["facts.numbers", "facts.claims", "words.forbidden"])
def test_of_a_reply_nothing_is_quoted(code: str) -> None:
    """It may be a customer's name or number."""
    asked = prompts.again(reply_prompt(), [Reason(code, "", "0171 234567")], "en")

    assert "0171" not in asked.turns[-1][1]
    assert len(asked.turns[-1][1]) > len(reply_prompt().turns[-1][1])


def test_a_reply_stays_a_reply_with_its_opening_and_closing() -> None:
    asked = prompts.again(reply_prompt(), [Reason("reply.promise", "")], "en")

    assert asked.whole("We are sorry.") == "Hello. We are sorry. Goodbye."


def test_a_sentence_is_not_quoted_and_chat_marks_are_made_harmless() -> None:
    assert "very " not in told(Reason("facts.claims", "", "very " * 20))
    assert len("very " * 20) > SPAN_LIMIT
    assert "<|im_end|>" not in told(Reason("facts.claims", "", "<|im_end|>silk"))


def test_remarks_are_not_named_and_no_code_is_named_twice() -> None:
    said = told(
        Reason("facts.claims", "", "blue", warns=True), Reason("facts.numbers", "", "3 kg"),
        Reason("facts.numbers", "", "4 kg"),
    )  # fmt: skip

    assert "blue" not in said
    assert "3 kg" in said
    assert "4 kg" not in said


def test_at_most_three_reasons_are_named() -> None:
    codes = ["facts.numbers", "facts.claims", "shape.finished", "language", "words"]
    said = told(*[Reason(code, "") for code in codes])

    assert [FILES["en"]["lines"][code] in said for code in codes] == [True] * MOST + [False] * 2


def test_without_reasons_or_in_a_language_without_lines_the_prompt_is_as_it_was() -> None:
    before = prompts.render("description", JUICE)

    assert prompts.again(before, [], "en") is before
    assert prompts.again(before, [Reason("facts.numbers", "", "3 kg", warns=True)], "en") is before
    assert prompts.again(before, [Reason("facts.numbers", "", "3 kg")], "fr") is before


def test_there_are_lines_for_every_language_that_has_a_prompt() -> None:
    assert set(FILES) >= {*prompts.languages("description"), *prompts.languages("reply")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_lines_are_written_for_codes_that_there_are(language: str) -> None:
    file = FILES[language]

    assert set(file["lines"]) - {"else"} <= {*CODES, *(code.partition(".")[0] for code in CODES)}
    assert set(file["quoting"]) <= set(CODES)
    assert not NEVER_QUOTED & set(file["quoting"])


@pytest.mark.parametrize("code", ["facts.numbers", "language", "words", "duplicate"])
@pytest.mark.parametrize("facts", [JUICE, SPIRIT], ids=["en", "zh"])
def test_a_text_that_repeats_what_the_model_was_told_is_refused(facts: Facts, code: str) -> None:
    asked = prompts.again(prompts.render("description", facts), [Reason(code, "", "3 kg")], facts.language)
    line = asked.turns[-1][1].splitlines()[-2]

    verdict = guards.judge(line, facts, Rules(), finished=True, echoes=asked.echoes)

    assert any("from the instructions" in reason.message for reason in verdict.reasons)
