"""Batches and the report of an import, on a real ledger."""

import csv
import gc
import json
from pathlib import Path

import pytest

from copydesk.errors import InputError
from copydesk.model import Dialect, Facts, Product, TextFormat
from copydesk.store import Database, products
from producer import importing


def product(sku: str, colour: str = "blue", **more: object) -> str:
    return json.dumps({"sku": sku, "title": f"Stool {sku}", "attributes": {"Colour": colour}, **more})


def take_in(database: Database, tmp_path: Path, *lines: str) -> importing.Taken:
    file = tmp_path / "catalog.jsonl"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return importing.take_in(database, "acme", file, "auto", tmp_path / "reports" / "report.csv")


def counts(taken: importing.Taken) -> tuple[int, int, int]:
    return taken.imported.new, taken.imported.changed, taken.imported.unchanged


def report_of(taken: importing.Taken) -> list[dict[str, str]]:
    assert taken.report is not None
    with taken.report.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_file_larger_than_a_batch_is_taken_whole_and_counted_once(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PRODUCTS_AT_ONCE", 3)
    lines = [product(str(number)) for number in range(8)]
    assert counts(take_in(sqlite_database, tmp_path, *lines)) == (8, 0, 0)
    lines[7] = product("7", "red")
    assert counts(take_in(sqlite_database, tmp_path, *lines)) == (0, 1, 7)


def test_long_texts_end_a_portion_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PRODUCTS_AT_ONCE", 4)
    monkeypatch.setattr(importing, "CHARACTERS_AT_ONCE", 10)
    texts = ["", "", "", "", "short", "short", "a long one", "", ""]
    items = [Product(str(place), Facts(""), text, TextFormat.PLAIN, Dialect.JSONL) for place, text in enumerate(texts)]

    assert [len(portion) for portion in importing.portions(iter(items))] == [4, 2, 1, 2]


def test_the_garbage_collector_runs_again_after_an_import_that_failed(
    sqlite_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    with pytest.raises(InputError, match="--report"):
        take_in(sqlite_database, tmp_path, "{")
    assert gc.isenabled()


def test_without_problems_there_is_no_report(sqlite_database: Database, tmp_path: Path) -> None:
    taken = take_in(sqlite_database, tmp_path, product("one"))
    assert taken.report is None
    assert not (tmp_path / "reports").exists()


def test_bad_rows_of_any_batch_stand_in_one_report_in_the_files_order(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PRODUCTS_AT_ONCE", 2)
    taken = take_in(sqlite_database, tmp_path, "{", product("one"), product("one"), product("two"), product(""))
    assert counts(taken) == (2, 0, 0)
    assert (taken.errors, taken.warnings) == (3, 0)
    assert [(row["line"], row["level"], row["code"]) for row in report_of(taken)] == [
        ("1", "error", "json.invalid"), ("3", "error", "sku.duplicate"), ("5", "error", "sku.missing"),
    ]  # fmt: skip
    assert all(row["message"] for row in report_of(taken))


def test_a_text_for_a_product_that_is_not_there_is_an_error_with_its_line(
    sqlite_database: Database, tmp_path: Path
) -> None:
    take_in(sqlite_database, tmp_path, product("one", description="old"))
    taken = take_in(
        sqlite_database, tmp_path,
        json.dumps({"sku": "one", "title": "Stool one", "description": "new"}),
        json.dumps({"sku": "ghost", "title": "Ghost", "description": "boo"}),
    )  # fmt: skip
    assert counts(taken) == (0, 1, 0)
    assert taken.errors == 1
    [row] = report_of(taken)
    assert (row["line"], row["sku"], row["code"]) == ("2", "ghost", "sku.unknown")


def test_a_file_that_cannot_be_used_makes_no_shop(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        take_in(sqlite_database, tmp_path, "")
    with sqlite_database.read() as connection, pytest.raises(InputError):
        products.find_shop(connection, "acme")


def test_a_file_of_nothing_but_bad_rows_is_reported_and_stores_no_product(
    sqlite_database: Database, tmp_path: Path
) -> None:
    taken = take_in(sqlite_database, tmp_path, "{", "{")
    assert counts(taken) == (0, 0, 0)
    assert taken.errors == 2
