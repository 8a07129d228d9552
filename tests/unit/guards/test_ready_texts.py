"""What the default model wrote for two real catalogs and the guards let pass (`benchmarks/ready.py --texts`)."""

import json
from pathlib import Path
from typing import Any

from independent import unsupported

from copydesk import guards
from copydesk.model import Facts
from copydesk.settings import Rules

FILE = Path(__file__).parent.parent.parent / "data" / "ready_texts.jsonl"


def texts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


def test_a_checker_that_knows_nothing_of_the_guards_finds_nothing_unsupported_in_them() -> None:
    wrong = {row["text"]: found for row in texts() if (found := unsupported(row["facts"], row["text"]))}
    assert wrong == {}


def test_the_checker_would_find_a_number_a_unit_a_material_and_a_certificate() -> None:
    mug = next(row["facts"] for row in texts() if row["facts"]["title"] == "Tarn Enamel Mug")
    for claim in ("It weighs 141 g.", "It holds 350 l.", "It is of oak.", "It is BPA free."):
        assert unsupported(mug, f"The Tarn Enamel Mug from Fernhill Outfitters. {claim}"), claim


def test_the_guards_still_let_them_pass() -> None:
    """A guard that refuses more of them is stricter than before: run the benchmark again, and say so."""
    refused = [
        row["text"]
        for row in texts()
        if not guards.judge(row["text"], Facts.from_json(row["facts"]), Rules(), finished=True).passed
    ]
    assert len(refused) <= 0.03 * len(texts()), refused
