"""Experiments: the same arms for everybody, and results that say how sure they are."""

import csv
import gc
import random
from pathlib import Path

import pytest
from databases import Ledger, product, some
from hypothesis import given
from hypothesis import strategies as st

from copydesk.errors import InputError
from copydesk.store import Database
from producer import experiments, figures
from producer.experiments import Results, arm_of


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def results(tmp_path: Path, *lines: str, share: float = 0.5) -> Results:
    file = tmp_path / "counted.csv"
    file.write_text("\n".join([*lines, ""]), "utf-8")
    return experiments.results("mugs", file, share=share)


# Assigning -----------------------------------------------------------------------------------------------------------


def test_half_of_a_shop_shows_its_new_texts_and_the_rest_what_it_showed_before(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(*some(200))
    ledger.approved(text="New & {sku}.", chunk_size=200)
    file = tmp_path / "arms.csv"

    assigned = experiments.assign(ledger.database, "demo", "description", "mugs", file, share=0.5)

    found = rows(file)
    assert sum(assigned.arms.values()) == len(found) == 200
    assert 75 <= assigned.arms["new"] <= 125
    for row in found:
        number = row["sku"].removeprefix("sku")
        assert row["arm"] == arm_of("mugs", row["sku"], 0.5)
        texts = {"new": f"<p>New &amp; sku{number}.</p>", "before": f"<p>old {number}</p>"}
        assert row["text"] == texts[row["arm"]]


def test_a_text_that_is_live_already_is_tried_too_and_one_that_did_not_change_is_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.take_in(product(1), product(2, description="<p>same</p>"))
    ledger.approved(text="same")
    ledger.publish(render=lambda text, _: f"<p>{text}</p>")

    assigned = experiments.assign(ledger.database, "demo", "description", "mugs", tmp_path / "a.csv", share=1.0)

    assert (assigned.arms, assigned.same) == ({"before": 0, "new": 1}, 1)
    assert rows(tmp_path / "a.csv") == [{"sku": "sku1", "arm": "new", "text": "<p>same</p>"}]


def test_a_shop_without_a_new_text_has_no_experiment_and_no_file(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product())
    with pytest.raises(InputError, match="no description to try"):
        experiments.assign(ledger.database, "demo", "description", "mugs", tmp_path / "a.csv", share=0.5)
    assert list(tmp_path.glob("*.csv")) == []


def test_a_file_that_cannot_be_written_leaves_no_query_open(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger.take_in(*some(3))
    ledger.approved(text="New {sku}.")
    with pytest.raises(InputError, match="cannot be written") as error:
        experiments.assign(ledger.database, "demo", "description", "mugs", tmp_path / "no" / "a.csv", share=0.5)
    ledger.database.close()
    del error
    gc.collect()
    assert caplog.messages == []


@given(st.text(), st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_takes_no_product_back_to_its_text_from_before(
    name: str, sku: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    assert arm_of(name, sku, small) == arm_of(name, sku, small)
    assert (arm_of(name, sku, small), arm_of(name, sku, large)) != ("new", "before")


# Results -------------------------------------------------------------------------------------------------------------


def test_sums_of_the_arms_are_compared_as_two_shares(tmp_path: Path) -> None:
    found = results(tmp_path, "arm,impressions,conversions", "before,1000,30", "new,1000,55")

    assert (found.by_product, found.difference, found.lift) == (False, 0.025, pytest.approx(25 / 30))
    assert found.p == pytest.approx(0.00559, abs=1e-5)
    assert found.decided
    assert found.interval
    assert 0 < found.interval.low < 0.025 < found.interval.high
    said = list(figures.result_lines(found))
    assert "decided: the new texts do better" in said
    assert any("sums only" in line for line in said)


def test_what_is_not_decided_says_how_much_longer_it_takes(tmp_path: Path) -> None:
    found = results(tmp_path, "arm,impressions,conversions", "before,1000,30", "new,1000,36")
    assert not found.decided
    # (1.95996 + 0.84162)^2 (0.03 x 0.97 + 0.036 x 0.964) / 0.006^2 impressions in each arm
    assert found.more_impressions == pytest.approx(2 * (13_911 - 1000), rel=0.001)


def test_the_same_rate_takes_no_number_of_impressions(tmp_path: Path) -> None:
    found = results(tmp_path, "arm,impressions,conversions", "before,1000,30", "new,1000,30")
    assert (found.p, found.more_impressions) == (1.0, None)
    assert any("no number of impressions" in line for line in figures.result_lines(found))


def test_lines_of_products_are_judged_by_products(tmp_path: Path) -> None:
    """A product that sells ten times as well as others would decide alone, were its impressions independent."""
    lines = ["sku,arm,impressions,conversions"]
    lines += [f"a{place},before,1000,10" for place in range(40)]
    lines += [f"b{place},new,1000,{400 if place == 0 else 10}" for place in range(40)]

    by_product = results(tmp_path, *lines)
    sums = results(tmp_path, "arm,impressions,conversions", "before,40000,400", "new,40000,790")

    assert by_product.difference == pytest.approx(sums.difference)
    assert (by_product.decided, sums.decided) == (False, True)
    assert {arm.products for arm in by_product.arms.values()} == {40}
    assert not by_product.has_few_products


def test_the_interval_of_products_holds_the_truth_in_95_of_100_experiments(tmp_path: Path) -> None:
    chance = random.Random(7)
    held = 0
    for _ in range(200):
        lines = ["sku,arm,impressions,conversions"]
        for arm in ("before", "new"):
            for place in range(60):
                impressions = chance.randint(100, 300)
                rate = chance.betavariate(2, 38)  # 5 % on average, in both arms
                lines.append(f"{arm}{place},{arm},{impressions},{round(rate * impressions)}")
        interval = results(tmp_path, *lines).interval
        assert interval
        held += interval.low <= 0 <= interval.high
    assert 180 <= held <= 198


def test_a_sku_alone_is_in_the_arm_it_was_assigned_to_and_its_lines_add_up(tmp_path: Path) -> None:
    lines = [f"sku{place},100,{place % 7}" for place in range(100)]
    found = results(tmp_path, "sku,impressions,conversions", *lines, *lines, share=0.3)
    assert sum(arm.products for arm in found.arms.values()) == 100
    assert sum(arm.impressions for arm in found.arms.values()) == 20_000
    new = sum(arm_of("mugs", f"sku{place}", 0.3) == "new" for place in range(100))
    assert found.arms["new"].products == new
    assert found.has_few_products == (new < 30)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("sku2,,10,x", "conversions is 'x'"),
        ("sku2,,1.000,1", "impressions is '1.000'"),
        ("sku2,,10,11", "more conversions (11) than impressions (10)"),
        (",,10,1", "neither a sku nor an arm"),
        ("sku2,control,10,1", "no arm 'control'"),
        ("sku1,new,10,1", "sku1 was in the arm 'before'"),
        ("sku2,new,10", "the row has 3 cells"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_others_count(tmp_path: Path, line: str, why: str) -> None:
    found = results(tmp_path, "sku,arm,impressions,conversions", "sku1,before,10,1", line)
    [(number, said)] = found.problems
    assert number == 3
    assert why in said
    assert sum(arm.impressions for arm in found.arms.values()) == 10
    assert found.p is None
    assert any("at least two products" in text for text in figures.result_lines(found))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["sku,impressions"], "has no column conversions"),
        (["sku,impressions,conversions"], "no row that can be used: it is empty"),
        (["sku,impressions,conversions", "a,1,2"], "row 2, there are more conversions"),
        (["sku,arm,impressions,conversions", "a,new,2,1", ",new,2,1"], "with a sku and rows without"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, lines: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        results(tmp_path, *lines)
