"""Blind rating sheets: what a rater sees, what is wrong with a filled one, and what several raters come to."""

import csv
import json
from pathlib import Path

import pytest
from databases import Ledger, outcome, product, some

from copydesk.errors import InputError
from copydesk.model import Status
from copydesk.store import Database
from copydesk.store.evaluating import Chosen
from producer import evaluating, ratings
from producer.ratings import Key

HEADER = "item,sku,facts,text_1,text_2,better,true_1,true_2,note"


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def two_runs(ledger: Ledger, products: int) -> tuple[Chosen, Chosen]:
    """Run 1 says "first ..." and run 2 "second ..."; of sku1 run 1 is held, and of sku2 both say the same."""
    ledger.take_in(*some(products))
    for word in ("first", "second"):
        run = ledger.plan(word, chunk_size=100, everything=True).run
        for one in ledger.claim(run):
            text = "the same" if one.sku == "sku2" else f"{word} {one.sku}"
            held = one.sku == "sku1" and word == "first"
            ledger.settle(outcome(one, Status.HELD if held else Status.READY, text))
    return evaluating.chosen(ledger.database, 1, None, None), evaluating.chosen(ledger.database, 2, None, None)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_sheet_shows_facts_and_both_texts_and_not_whose_they_are(ledger: Ledger, tmp_path: Path) -> None:
    made = ratings.write(ledger.database, *two_runs(ledger, 40), tmp_path / "s.csv", items=20, seed=1)

    found = rows(tmp_path / "s.csv")
    key = Key.model_validate_json((tmp_path / "s.key.json").read_text("utf-8"))

    assert (made.items, made.same, made.key) == (20, 1, tmp_path / "s.key.json")
    assert [row["item"] for row in found] == [str(number) for number in range(1, 21)]
    assert len({row["sku"] for row in found}) == 20
    assert {"sku1", "sku2"}.isdisjoint(row["sku"] for row in found)
    assert found[0]["facts"].splitlines()[1:] == ["Brand: Ridgeway", "Category: Things", "Colour: red"]
    assert {row[name] for row in found for name in ("better", "true_1", "true_2", "note")} == {""}
    for row in found:
        word = {"one": "first", "other": "second"}[key.items[row["item"]].first]
        assert row["text_1"] == f"{word} {row['sku']}"
    assert 4 <= sum(item.first == "one" for item in key.items.values()) <= 16


def test_the_same_seed_gives_the_same_sheet_and_another_one_another(ledger: Ledger, tmp_path: Path) -> None:
    both = two_runs(ledger, 40)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        ratings.write(ledger.database, *both, tmp_path / f"{name}.csv", items=10, seed=seed)
    assert rows(tmp_path / "a.csv") == rows(tmp_path / "b.csv") != rows(tmp_path / "c.csv")


def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product())
    for text in ("=HYPERLINK(1)", "plain"):
        run = ledger.plan(text, everything=True).run
        ledger.write(run, text=text)
    both = (evaluating.chosen(ledger.database, run, None, None) for run in (1, 2))
    ratings.write(ledger.database, *both, tmp_path / "s.csv", items=1, seed=1)
    [row] = rows(tmp_path / "s.csv")
    assert {row["text_1"], row["text_2"]} == {"'=HYPERLINK(1)", "plain"}


def test_without_two_different_ready_texts_there_is_no_sheet(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no product of which both have a ready text"):
        ratings.write(ledger.database, *two_runs(ledger, 2), tmp_path / "s.csv", items=5, seed=1)
    assert list(tmp_path.glob("s.*")) == []


# Filled in -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A place for a sheet of six items, whose key is there; in every second one text 1 is the other's."""
    items = {str(n): {"sku": f"sku{n}", "first": "other" if n % 2 == 0 else "one"} for n in range(1, 7)}
    key = {"one": "run 1", "other": "run 2", "seed": 1, "items": items}
    (tmp_path / "s.key.json").write_text(json.dumps(key), "utf-8")
    return tmp_path / "s.csv"


def fill(sheet: Path, *lines: str) -> Path:
    """Each line is item, better, true_1, true_2 and note."""
    cells = [line.split(",") for line in lines]
    told = [f"{item},sku{item},facts,one,two,{better},{one},{two},{note}" for item, better, one, two, note in cells]
    sheet.write_text("\n".join([HEADER, *told, ""]), "utf-8")
    return sheet


def test_preferences_and_truth_are_told_by_whose_text_it_was(sheet: Path) -> None:
    fill(sheet, "1,1,y,n,no oak", "2,1,y,y,", "3,1,y,y,", "4,2,n,y,", "5,same,y,y,", "6,,,,")

    found = ratings.read([sheet])

    assert (found.one, found.other, found.items, found.rated, found.raters) == ("run 1", "run 2", 6, 5, 1)
    assert (found.prefer_one, found.prefer_other, found.same) == (3, 1, 1)
    assert found.preference_p == pytest.approx(2 * (1 + 4) / 16)
    assert (found.truth_of_one.true, found.truth_of_one.rated) == (5, 5)
    assert (found.truth_of_other.true, found.truth_of_other.rated) == (3, 5)
    assert found.truth_p == pytest.approx(0.5)  # two against none
    assert [(one.sku, one.of, one.row, one.note) for one in found.untrue] == [
        ("sku1", "run 2", 2, "no oak"), ("sku4", "run 2", 5, ""),
    ]  # fmt: skip
    assert (found.kappa, found.problems) == (None, [])


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("9,sku9,f,a,b,1,y,y,", "no item '9'"),
        ("1,sku2,f,a,b,1,y,y,", "item 1 is the product 'sku1', not 'sku2'"),
        ("1,sku1,f,a,b,3,y,y,", "better is '3': write 1, 2 or same"),
        ("1,sku1,f,a,b,1,maybe,y,", "true_1 is 'maybe': write y or n"),
        ("2,sku2,f,a,b,1,y,y,", "item 2 was rated in an earlier row"),
        ("1,sku1,f,a", "the row has 4 cells"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_others_count(sheet: Path, line: str, why: str) -> None:
    fill(sheet, "2,1,y,y,", "3,2,y,y,")
    with sheet.open("a", encoding="utf-8") as stream:
        stream.write(f"{line}\n")

    found = ratings.read([sheet])

    [problem] = found.problems
    assert (problem.sheet, problem.row) == ("s.csv", 4)
    assert why in problem.why
    assert found.rated == 2


def test_rows_are_counted_as_a_spreadsheet_does_also_where_a_cell_has_several_lines(sheet: Path) -> None:
    fill(sheet, "1,1,y,y,", "2,3,y,y,")
    sheet.write_text(sheet.read_text("utf-8").replace("sku1,facts", 'sku1,"Title: a\nBrand: b\nColour: c"'), "utf-8")
    assert [problem.row for problem in ratings.read([sheet]).problems] == [3]


def test_a_chinese_spreadsheet_with_semicolons_is_read_as_well(sheet: Path) -> None:
    lines = [HEADER.replace(",", ";"), "1;sku1;事实;文本一很好;文本二很好;一样;是;否;没有橡木"]
    sheet.write_bytes("\r\n".join(lines).encode("gb18030"))
    found = ratings.read([sheet])
    assert (found.same, found.truth_of_one.true, found.truth_of_other.true) == (1, 1, 0)
    assert found.untrue[0].note == "没有橡木"


def test_of_several_raters_most_decide_and_one_who_finds_an_error_is_enough(sheet: Path, tmp_path: Path) -> None:
    copies = [tmp_path / f"{name}.csv" for name in ("ann", "bo", "cy")]
    fill(copies[0], "1,1,y,y,", "3,1,y,y,", "5,2,y,y,")
    fill(copies[1], "1,1,n,y,glass", "3,2,y,y,", "5,2,y,y,")
    fill(copies[2], "1,2,y,y,", "3,,y,y,", "5,2,y,y,")

    found = ratings.read(copies, tmp_path / "s.key.json")

    assert (found.raters, found.rated, found.rated_twice) == (3, 3, 3)
    assert (found.prefer_one, found.prefer_other, found.same) == (1, 1, 1)
    assert (found.truth_of_one.true, found.truth_of_one.rated) == (2, 3)
    # ann and bo: agreed 2 of 3, by chance 4 of 9; ann and cy, two items: 1 of 2, by chance 1 of 2; bo and cy as well.
    assert found.kappa == pytest.approx(((2 / 3 - 4 / 9) / (1 - 4 / 9) + 0 + 0) / 3)


def test_a_sheet_without_its_key_or_with_another_file_as_key_is_refused(sheet: Path, tmp_path: Path) -> None:
    fill(sheet, "1,1,y,y,")
    with pytest.raises(InputError, match=r"no\.key\.json is missing"):
        ratings.read([sheet], tmp_path / "no.key.json")
    (tmp_path / "wrong.json").write_text("{}", "utf-8")
    with pytest.raises(InputError, match="is no key"):
        ratings.read([sheet], tmp_path / "wrong.json")


@pytest.mark.parametrize(("content", "why"), [("item,sku\n1,sku1\n", "has no column text_1"), ("", "is empty")])
def test_what_is_no_sheet_is_refused(sheet: Path, content: str, why: str) -> None:
    sheet.write_text(content, "utf-8")
    with pytest.raises(InputError, match=why):
        ratings.read([sheet])
