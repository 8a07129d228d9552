"""Errors planted in good copy are caught, each by the guard it is for, and good copy passes.

tests/data/planted_descriptions.jsonl holds both, in English and Chinese, judged for a shop that asks for no length.
"""

import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from independent import unsupported

from copydesk.guards import judge, tidy
from copydesk.model import Facts, Verdict
from copydesk.settings import Rules

RULES = Rules(min_words=1, min_chars_zh=1)
LEAST_CAUGHT, MOST_FALSE_ALARMS = 0.98, 0.03

NUMBERS, CLAIMS, CHAT = {"facts.numbers"}, {"facts.claims"}, {"shape.chat"}
MARKS, CONTACT = {"shape.marks"}, {"shape.contact", "shape.hashtag"}
CODES = {
    **dict.fromkeys(["number", "unit", "fraction", "size", "model", "format"], NUMBERS),
    **dict.fromkeys(
        ["material", "colour", "ingredient", "origin", "health", "certificate", "warranty", "claim"], CLAIMS
    ),
    **dict.fromkeys(["refusal", "preamble", "placeholder"], CHAT),
    "chatmarks": CHAT | MARKS,
    "contact": CHAT | CONTACT | NUMBERS | CLAIMS,
    "cut": {"shape.finished"},
    "repeat": {"shape.finished"},
    "foreign": {"language"},
    "html": {"shape.html"},
    "superlative": {"law.cn"},
    "quote": {"law.ftc"},
    "harmful": {"harmful"},
    "stock": {"words"},
}
"""Kind of planted error: the codes of the guards that it is for."""

Row = dict[str, Any]


@cache
def rows() -> list[Row]:
    file = Path(__file__).parents[2] / "data" / "planted_descriptions.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def verdict(row: Row) -> Verdict:
    return judge(tidy(row["text"]), Facts.from_json(row["facts"]), RULES, finished=row["finished"])


def is_caught(row: Row) -> bool:
    return any(reason.code in CODES[row["planted"]] for reason in verdict(row).reasons)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_planted_errors_are_caught_by_the_guard_they_are_for(language: str) -> None:
    planted = [row for row in rows() if row["planted"] and row["language"] == language]
    missed = [(row["planted"], row["text"]) for row in planted if not is_caught(row)]
    assert len(planted) >= 160
    assert len(missed) <= (1 - LEAST_CAUGHT) * len(planted), missed


def test_errors_of_every_kind_are_planted_and_none_is_mostly_missed() -> None:
    caught: dict[str, list[bool]] = defaultdict(list)
    for row in rows():
        if row["planted"]:
            caught[row["planted"]].append(is_caught(row))
    assert caught.keys() == CODES.keys()
    assert [kind for kind, found in caught.items() if sum(found) < 0.75 * len(found)] == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_good_copy_is_not_refused(language: str) -> None:
    good = [row for row in rows() if not row["planted"] and row["language"] == language]
    refused = [(found.reasons, row["text"]) for row in good if not (found := verdict(row)).passed]
    assert len(good) >= 130
    assert len(refused) <= MOST_FALSE_ALARMS * len(good), refused


def test_every_reason_is_a_sentence_with_its_span() -> None:
    for row in rows():
        for reason in verdict(row).reasons:
            assert len(reason.message.split()) >= 2
            assert reason.code


# The second checker --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["number", "unit", "fraction", "material", "certificate"])
def test_a_second_checker_finds_the_planted_facts_on_its_own(kind: str) -> None:
    planted = [row for row in rows() if row["planted"] == kind]
    missed = [row["text"] for row in planted if not unsupported(row["facts"], row["text"])]
    assert len(missed) <= (1 - LEAST_CAUGHT) * len(planted) + 1, missed


def test_a_second_checker_passes_good_copy() -> None:
    good = [row for row in rows() if not row["planted"]]
    alarms = [(found, row["text"]) for row in good if (found := unsupported(row["facts"], row["text"]))]
    assert len(alarms) <= MOST_FALSE_ALARMS * len(good), alarms


def test_no_planted_number_unit_or_certificate_is_ready() -> None:
    kinds = {"number", "unit", "fraction", "certificate"}
    passed = [row for row in rows() if row["planted"] in kinds and verdict(row).passed]
    assert [row["text"] for row in passed] == []
