"""Figures of predictions against labels, and the labelled files that they come from."""

from pathlib import Path

import pytest

from copydesk.errors import InputError
from copydesk.jobs.evaluation import Labelled, evaluate, read_labelled
from copydesk.model import Polarity

POSITIVE, NEUTRAL, NEGATIVE = Polarity


def test_the_figures_of_a_small_table() -> None:
    pairs = [(POSITIVE, POSITIVE)] * 3 + [(POSITIVE, NEUTRAL), (NEGATIVE, NEGATIVE), (NEGATIVE, POSITIVE)]
    found = evaluate([*pairs, (NEUTRAL, NEUTRAL), (NEUTRAL, NEGATIVE)])
    assert found.texts == 8
    assert found.accuracy == pytest.approx(5 / 8)
    assert found.macro_f1 == pytest.approx((6 / 8 + 2 / 4 + 2 / 4) / 3)
    assert (found.polar, found.polar_accuracy) == (6, pytest.approx(4 / 6))
    assert found.confusion[NEGATIVE, POSITIVE] == 1
    assert sum(found.confusion.values()) == 8


def test_a_label_that_nobody_gave_does_not_spoil_the_mean() -> None:
    found = evaluate([(POSITIVE, POSITIVE), (NEGATIVE, NEGATIVE)])
    assert (found.accuracy, found.macro_f1, found.polar_accuracy) == (1, 1, 1)
    missed = evaluate([(POSITIVE, NEUTRAL), (NEGATIVE, NEUTRAL)])
    assert (missed.accuracy, missed.macro_f1, missed.polar_accuracy) == (0, 0, 0)


def test_without_texts_every_figure_is_zero() -> None:
    found = evaluate([])
    assert (found.texts, found.accuracy, found.macro_f1, found.polar_accuracy) == (0, 0, 0, 0)


def labels(path: Path, content: str) -> list[Polarity]:
    path.write_text(content, encoding="utf-8")
    read, malformed = read_labelled(path)
    assert malformed == []
    return [one.label for one in read]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ('"label": "positive"', POSITIVE),
        ('"label": " Neg "', NEGATIVE),
        ('"label": "neutral", "rating": 5', NEUTRAL),
        ('"polarity": 1.5', POSITIVE),
        ('"polarity": "-0.2"', NEGATIVE),
        ('"polarity": 0', NEUTRAL),
        ('"stars": 2', NEGATIVE),
        ('"rating": "3"', NEUTRAL),
        ('"rating": 4.0', POSITIVE),
    ],
)
def test_a_label_is_a_word_a_number_or_stars(tmp_path: Path, cells: str, expected: Polarity) -> None:
    assert labels(tmp_path / "x.jsonl", f'{{"text": "a mug", {cells}}}\n') == [expected]


def test_a_csv_file_is_read_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "x.CSV"
    path.write_text('\ufeffText,Stars,language\n"a\nmug",5,en\n不错,1,zh\n', encoding="utf-8")
    assert read_labelled(path) == (
        [Labelled(2, "a\nmug", POSITIVE, "en"), Labelled(4, "不错", NEGATIVE, "zh")],
        [],
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"label": "positive"}', "no text: it is read from `text`"),
        ('{"text": " ", "label": "positive"}', "no text"),
        ('{"text": 5, "label": "positive"}', "no text"),
        ('{"text": "a mug"}', "no label: it is read from"),
        ('{"text": "a mug", "label": 1}', "label 1: write positive, neutral or negative"),
        ('{"text": "a mug", "polarity": "high"}', "polarity 'high' is not a number"),
        ('{"text": "a mug", "polarity": NaN}', "polarity nan is not a number"),
        ('{"text": "a mug", "rating": 6}', "rating 6 is not within 1 to 5"),
    ],
)
def test_a_malformed_line_is_reported_and_costs_the_others_nothing(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "x.jsonl"
    good = '{"text": "a mug", "rating": 5}'
    path.write_text(f"{good}\n\n{line}\n{good}", encoding="utf-8")
    read, malformed = read_labelled(path)
    assert [one.line for one in read] == [1, 4]
    assert [one.line for one in malformed] == [3]
    assert malformed[0].why.startswith(why)


def test_a_csv_row_without_a_label_is_reported_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("text,rating\n好,5\nno stars,\nshort\n", encoding="utf-8")
    read, malformed = read_labelled(path)
    assert [one.line for one in read] == [2]
    assert [one.line for one in malformed] == [3, 4]


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused_with_the_remedy(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.jsonl"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read.*name a CSV or JSONL file in UTF-8"):
        read_labelled(path)
