"""Evaluations of runs: what is counted, what is compared, and what is said about it."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from databases import Ledger, outcome, product, some

from copydesk import settings
from copydesk.errors import InputError
from copydesk.model import Facts, Product, Reason, Status
from copydesk.settings import Settings
from copydesk.store import Database, runs, tables
from copydesk.store.evaluating import Chosen
from producer import evaluating
from producer.cli import main
from producer.evaluating import Comparison, Evaluation

GOOD = (
    "The {name} by Ridgeway is a red companion for a quiet morning at the window.",
    "Bright red and ready for a long walk, the {name} by Ridgeway stays close all day.",
    "Whoever likes red will reach for the {name} from Ridgeway first, whatever the weather.",
    "Some days need colour: the red {name} by Ridgeway brings it along without a fuss.",
)
"""Texts that no guard refuses, each unlike the others."""

WRONG = "The {name} by Ridgeway weighs 3 kg: an oak companion for a quiet morning, in red."
"""A number and a material that the facts do not hold."""


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def run_of(ledger: Ledger, key: str, texts: dict[str, str], held: tuple[str, ...] = (), **order: Any) -> int:
    """A run with these texts, by sku."""
    run = ledger.plan(key, chunk_size=100, skus=sorted(texts), everything=True, **order).run
    for one in ledger.claim(run):
        status = Status.HELD if one.sku in held else Status.READY
        ledger.settle(outcome(one, status, texts[one.sku].format(name=one.facts.title, sku=one.sku)))
    ledger.close_chunks()
    ledger.finalize(run)
    return run


def evaluated(ledger: Ledger, **which: Any) -> Evaluation:
    return evaluating.evaluate(ledger.database, Settings(), chosen(ledger, **which))


def chosen(ledger: Ledger, run: int | None = None, shop: str | None = None, kind: str | None = None) -> Chosen:
    return evaluating.chosen(ledger.database, run, shop, kind)


def compared(ledger: Ledger, one: int, other: int) -> Comparison:
    return evaluating.compare(ledger.database, Settings(), chosen(ledger, one), chosen(ledger, other))


def test_good_texts_say_nothing_unsupported_and_keep_the_rules(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    run = run_of(ledger, "night", {f"sku{place}": text for place, text in enumerate(GOOD, start=1)})

    found = evaluated(ledger, run=run)

    assert (found.settled, found.texts, found.ready_texts, found.outdated) == (4, 4, 4, 0)
    assert found.by == {("tiny", "description/en@1"): 4}
    assert [found.figures[name] for name in ("unsupported_numbers", "unsupported_claims", "rules_kept")] == [0, 0, 1]
    assert found.figures["near_duplicates"] == 0
    assert found.figures == found.ready
    assert 0.5 < (found.figures["fact_coverage"] or 0) <= 1
    assert found.figures["words"] == pytest.approx(sum(len(text.split()) + 1 for text in GOOD) / 4)
    assert found.figures["characters_per_sentence"] is None


def test_a_wrong_number_and_a_wrong_material_are_counted_and_so_is_why_the_desk_held_it(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = run_of(ledger, "night", {"sku1": GOOD[0], "sku2": WRONG}, held=("sku2",))

    found = evaluated(ledger, run=run)

    assert dict(found.outcomes) == {"ready": 1, "held": 1}
    assert [found.figures[name] for name in ("unsupported_numbers", "unsupported_claims")] == [0.5, 0.5]
    assert [found.ready[name] for name in ("unsupported_numbers", "unsupported_claims")] == [0, 0]


def test_held_drafts_are_counted_once_for_each_code_of_theirs(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    run = ledger.plan().run
    first, second = ledger.claim(run)
    said = (
        Reason("facts.numbers", "says 3 kg"), Reason("facts.numbers", "says 5 l"), Reason("words", "stock", "", True),
    )  # fmt: skip
    ledger.settle(replace(outcome(first, Status.HELD, WRONG.format(name="Thing 1")), reasons=said), outcome(second))
    assert evaluated(ledger, run=run).held_for == {"facts.numbers": 1}


def test_texts_are_judged_by_what_may_be_said_today(ledger: Ledger) -> None:
    ledger.take_in(product(colour="red"))
    run_of(ledger, "night", {"sku1": "The {name} by Ridgeway weighs 3 kg and keeps you company all day in red."})
    assert evaluated(ledger, shop="demo").figures["unsupported_numbers"] == 1

    facts = Facts("Thing 1", "Ridgeway", "Things", (("Colour", "red"), ("Weight", "3000 g")))
    before = product()
    ledger.take_in(Product("sku1", facts, before.description, before.text_format, before.dialect))

    found = evaluated(ledger, shop="demo")
    assert (found.figures["unsupported_numbers"], found.outdated) == (0, 1)


def test_texts_that_are_nearly_the_same_are_found_once_each(ledger: Ledger) -> None:
    ledger.take_in(*some(4))
    same = GOOD[0].format(name="thing")
    run = run_of(ledger, "night", {f"sku{place}": same for place in range(1, 4)} | {"sku4": GOOD[1]})
    assert evaluated(ledger, run=run).figures["near_duplicates"] == 0.5


def chinese(ledger: Ledger, **order: Any) -> int:
    """A run of Chinese texts; the ledger's own recipe has English only."""
    with ledger.database.write() as connection:
        return runs.plan(connection, ledger.shop_id, runs.Order("zh", {}, {"zh": "recipe"}, 4, **order)).run


def test_a_translation_is_judged_by_the_live_text_that_it_translates(ledger: Ledger) -> None:
    ledger.take_in(product(1, description="<p>It holds 500 ml.</p>"), product(2, description="<p>It holds 500 ml.</p>"))
    run = chinese(ledger, kind="translation-zh", language="zh")
    right, wrong = ledger.claim(run)
    ledger.settle(outcome(right, text="容量为500毫升。"), outcome(wrong, text="容量为600毫升。"))

    found = evaluated(ledger, run=run)

    assert (found.chosen.kind, found.texts) == ("translation-zh", 2)
    assert found.figures["unsupported_numbers"] == 0.5
    assert found.figures["fact_coverage"] is None


def test_chinese_is_judged_by_chinese_rules_and_read_by_characters(ledger: Ledger) -> None:
    facts = Facts("保温杯", "山野", "杯子", (("容量", "500 毫升"), ("材质", "不锈钢")), "zh")
    before = product()
    ledger.take_in(Product("cup", facts, "", before.text_format, before.dialect))
    text = "山野保温杯容量500毫升，不锈钢材质，早晨装上热茶，午后依旧温热。放进背包也很轻便，陪你走过每一天。"
    run = chinese(ledger)
    [one] = ledger.claim(run)
    ledger.settle(outcome(one, text=text))

    found = evaluated(ledger, run=run)

    assert [found.figures[name] for name in ("unsupported_numbers", "unsupported_claims")] == [0, 0]
    assert found.figures["reading_ease"] is None
    assert found.figures["characters_per_sentence"] == pytest.approx((24 + 16) / 2, abs=2)
    assert found.figures["fact_coverage"] == 4 / 5  # all but the category


def test_acceptance_is_of_what_people_decided_and_edits_are_measured(ledger: Ledger) -> None:
    ledger.take_in(*some(5))
    run = run_of(ledger, "night", {f"sku{place}": GOOD[place % 4] for place in range(1, 6)})
    first, second, third, fourth, _ = ledger.drafts()
    ledger.decide(first.id, Status.APPROVED)
    ledger.decide(second.id, Status.APPROVED, text=second.text + "!!")
    ledger.decide(third.id, Status.REJECTED)
    with ledger.database.write() as connection:
        by_rule = {"state": "approved", "decided_by": "rule:auto_publish"}
        connection.execute(tables.drafts.update().where(tables.drafts.c.id == fourth.id).values(**by_rule))

    people = evaluated(ledger, run=run).people

    assert (people.decided, people.accepted, people.rejected, people.undone, people.edited) == (3, 2, 1, 0, 1)
    assert people.acceptance == pytest.approx(2 / 3)
    assert people.edit_distance == pytest.approx(2 / (len(second.text) + 2))


def test_what_is_taken_back_was_not_accepted(ledger: Ledger) -> None:
    ledger.take_in(product())
    run = run_of(ledger, "night", {"sku1": GOOD[0]})
    ledger.decide(ledger.drafts()[0].id, Status.APPROVED)
    ledger.publish()
    ledger.undo()
    people = evaluated(ledger, run=run).people
    assert (people.decided, people.accepted, people.undone) == (1, 0, 1)


def test_two_runs_are_compared_on_the_products_of_both(ledger: Ledger) -> None:
    ledger.take_in(*some(30))
    good = {f"sku{place}": GOOD[place % 4] for place in range(1, 31)}
    bad = dict.fromkeys(list(good)[:20], WRONG)
    one = run_of(ledger, "one", bad, held=("sku1",), recipe="small")
    other = run_of(ledger, "other", good, recipe="large")

    found = compared(ledger, one, other)

    assert (found.products, found.texts) == (20, 20)
    assert (found.one.ready, found.other.ready) == (0.95, 1.0)
    assert found.settings == (("model", "small", "large"),)
    numbers = found.differences["unsupported_numbers"]
    assert (numbers.value, numbers.interval) == (1.0, evaluating.Interval(1.0, 1.0))
    alike = found.differences["self_bleu"]
    assert alike.value > 0
    assert alike.interval is None
    back = compared(ledger, other, one)
    assert back.differences["fact_coverage"].value == -found.differences["fact_coverage"].value


def test_what_cannot_be_compared_says_why(ledger: Ledger) -> None:
    ledger.take_in(*some(2))
    one = run_of(ledger, "one", {"sku1": GOOD[0]})
    other = run_of(ledger, "other", {"sku2": GOOD[1]})
    with pytest.raises(InputError, match="no product in common"):
        compared(ledger, one, other)
    with pytest.raises(InputError, match="with itself"):
        compared(ledger, one, one)
    title = evaluating.chosen(ledger.database, None, "demo", "seo_title")
    with pytest.raises(InputError, match="the same kind"):
        evaluating.compare(ledger.database, Settings(), chosen(ledger, one), title)
    with pytest.raises(InputError, match="settled yet"):
        evaluating.evaluate(ledger.database, Settings(), title)


# The command ---------------------------------------------------------------------------------------------------------

Command = Callable[..., int]


@pytest.fixture
def command(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Types a command against the ledger's database; gives the exit status."""
    monkeypatch.setenv("COPYDESK_DATABASE_URL", str(ledger.database.url))

    def run(*words: object) -> int:
        settings.load.cache_clear()
        monkeypatch.setattr(sys, "argv", ["copydesk", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


@pytest.fixture
def two_runs(ledger: Ledger) -> tuple[int, int]:
    ledger.take_in(*some(8))
    good = {f"sku{place}": GOOD[place % 4] for place in range(1, 9)}
    return run_of(ledger, "one", {**good, "sku1": WRONG}, held=("sku1",)), run_of(
        ledger, "other", {sku: f"{text} It is a Thing." for sku, text in good.items()}
    )


def test_a_run_is_evaluated_as_a_table_and_as_json(
    command: Command, two_runs: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", "--run", two_runs[0]) == 0
    shown = capsys.readouterr().out
    assert "run 1, description: 8 drafts, 1 held, 7 ready" in shown
    assert "8 texts by tiny, prompt description/en@1" in shown
    [line] = [one.split() for one in shown.splitlines() if "unsupported numbers" in one]
    assert line[-2:] == ["0.0", "12.5"]
    assert "held: 12.5% of the drafts" in shown
    assert "nobody has decided on any of it yet" in shown

    assert command("evaluate", "--run", two_runs[0], "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["settled"], told["ready"]["texts"], told["all"]["unsupported_numbers"]) == (1, 8, 7, 12.5)


def test_two_runs_are_compared_as_a_table_and_as_json(
    command: Command, two_runs: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", "--run", two_runs[0], "--against", two_runs[1]) == 0
    shown = capsys.readouterr().out
    assert "8 products in common" in shown
    assert "run 2: 8 texts by tiny" in shown
    [line] = [one for one in shown.splitlines() if "words or characters a text" in one]
    assert "*" in line  # four words more in every one
    assert command("evaluate", "--run", two_runs[0], "--against", two_runs[1], "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["one"]["of"] == "run 1"
    assert told["difference"]["words"]["value"] == pytest.approx(told["one"]["words"] - told["other"]["words"])
    assert told["difference"]["unsupported_numbers"]["value"] == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "name one of --run, --shop and --rated"),
        (["--run", 1, "--shop", "demo"], "name one of"),
        (["--run", 1, "--sheet", "s.csv"], "--sheet goes with --against"),
        (["--run", 1, "--kind", "ad"], "--kind goes with --shop"),
        (["--run", 99], "there is no run 99"),
        (["--shop", "nowhere"], "nowhere"),
        (["--run", 1, "--against", 1], "with itself"),
        (["--run", 1, "--key", "k.json"], "--key goes with --rated"),
        (["--shop", "demo", "--kind", "sonnet"], "no copy of the kind 'sonnet'"),
        (["--rated", "nothing.csv"], "nothing.csv is no file"),
    ],
)
def test_wrong_use_ends_with_2_and_a_remedy(
    words: list[object], why: str, command: Command, two_runs: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", *words) == 2
    assert why in capsys.readouterr().err


def test_a_sheet_is_written_rated_and_read(
    command: Command, two_runs: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.csv"
    assert command("evaluate", "--run", two_runs[0], "--against", two_runs[1], "--sheet", sheet, "--items", 5) == 0
    assert "5 items in" in capsys.readouterr().out
    sheet.write_text(sheet.read_text("utf-8-sig").replace(",,,,\n", ",1,y,n,\n"), "utf-8")
    assert command("evaluate", "--rated", sheet, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rated"], told["prefer_one"] + told["prefer_other"], len(told["untrue"])) == (5, 5, 5)


def test_an_experiment_is_assigned_and_its_results_are_read(
    command: Command, two_runs: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "arms.csv"
    assert command("experiment", "assign", "mugs", "--shop", "demo", "--out", out) == 0
    assert "mugs: " in capsys.readouterr().out
    counted = tmp_path / "counted.csv"
    counted.write_text("sku,impressions,conversions\nsku1,100,x\n" + "".join(
        f"sku{place},1000,{place}\n" for place in range(2, 30)
    ), "utf-8")  # fmt: skip
    assert command("experiment", "results", "mugs", counted) == 1
    shown = capsys.readouterr().out
    assert "row 2 is left out: conversions is 'x'" in shown
    assert "not decided: about" in shown
    assert command("experiment", "results", "mugs", counted, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert sum(arm["products"] for arm in told["arms"].values()) == 28
