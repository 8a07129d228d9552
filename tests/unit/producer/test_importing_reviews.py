"""Batches, triage and the report of an import of reviews, on a real ledger."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from copydesk import settings as copydesk_settings
from copydesk.errors import InputError
from copydesk.settings import Replies, Settings, Shop
from copydesk.store import Database, products, tables
from producer import catalog, cli, importing, importing_reviews

EXAMPLES = Path(catalog.__file__).parents[1] / "examples"


def line(review_id: str, text: str = "Holds heat well.", **more: object) -> str:
    return json.dumps({"review_id": review_id, "text": text, "rating": 5, **more}, ensure_ascii=False)


def take_in(
    database: Database, tmp_path: Path, *lines: str, settings: Settings | None = None
) -> importing_reviews.Taken:
    file = tmp_path / "reviews.jsonl"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    report = tmp_path / "reports" / "report.csv"
    return importing_reviews.take_in(database, settings or Settings(), "acme", file, "auto", report)


def counts(taken: importing_reviews.Taken) -> tuple[int, int, int]:
    return taken.imported.new, taken.imported.changed, taken.imported.unchanged


def report_of(taken: importing_reviews.Taken) -> list[dict[str, str]]:
    assert taken.report is not None
    with taken.report.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rows(database: Database) -> dict[str, Any]:
    with database.read() as connection:
        return {row.review_id: row for row in connection.execute(sa.select(tables.reviews))}


def test_a_file_larger_than_a_batch_is_taken_whole_the_same_again_changes_nothing_and_an_edit_is_one(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 3)
    lines = [line(str(number)) for number in range(8)]
    assert counts(take_in(sqlite_database, tmp_path, *lines)) == (8, 0, 0)
    assert counts(take_in(sqlite_database, tmp_path, *lines)) == (0, 0, 8)
    lines[7] = line("7", "It broke.")
    assert counts(take_in(sqlite_database, tmp_path, *lines)) == (0, 1, 7)
    assert rows(sqlite_database)["7"].version == 2


def test_what_is_stored_is_triaged_and_masked(sqlite_database: Database, tmp_path: Path) -> None:
    take_in(
        sqlite_database, tmp_path,
        line("fire", "The stove caught fire, I have burns. Write to nora.bell@example.com", rating=1),
        line("good", "杯子很轻，露营用正合适，朋友也说好看。"),
        line("empty", ""),
    )  # fmt: skip

    found = rows(sqlite_database)
    assert {name: (row.route, row.policy, row.language) for name, row in found.items() if name != "empty"} == {
        "fire": ("safety", "person", "en"), "good": ("ordinary", "draft", "zh"),
    }  # fmt: skip
    assert (found["empty"].route, found["empty"].policy) == ("empty", "ignore")
    assert "nora.bell" not in str(found["fire"].text)


def test_the_shops_own_words_decide_as_well(sqlite_database: Database, tmp_path: Path) -> None:
    settings = Settings(shops={"acme": Shop(replies=Replies(person=("zeppelin",)))})
    take_in(sqlite_database, tmp_path, line("a", "It came by zeppelin."), settings=settings)

    assert rows(sqlite_database)["a"].policy == "person"


def test_an_unknown_product_is_a_warning_with_its_line_and_the_review_is_taken_in(
    sqlite_database: Database, tmp_path: Path
) -> None:
    catalog_file = tmp_path / "catalog.jsonl"
    catalog_file.write_text(json.dumps({"sku": "mug", "title": "Mug", "brand": "Fern"}), "utf-8")
    importing.take_in(sqlite_database, "acme", catalog_file, "auto", tmp_path / "products.csv")
    taken = take_in(sqlite_database, tmp_path, line("a", sku="mug"), line("b", sku="ghost"), line("c"))

    assert counts(taken) == (3, 0, 0)
    assert (taken.errors, taken.warnings) == (0, 1)
    assert [(row["line"], row["sku"], row["level"], row["code"]) for row in report_of(taken)] == [
        ("2", "ghost", "warning", "sku.unknown"),
    ]  # fmt: skip


def test_bad_rows_of_any_batch_stand_in_one_report_and_stop_nobody(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    taken = take_in(sqlite_database, tmp_path, "{", line("a"), line("a", "Something else."), line("b"), "[]", line("c"))

    assert counts(taken) == (3, 0, 0)
    assert [(row["line"], row["code"]) for row in report_of(taken)] == [
        ("1", "json.invalid"), ("3", "review_id.duplicate"), ("5", "json.invalid"),
    ]  # fmt: skip
    assert taken.errors == 3
    assert rows(sqlite_database)["a"].version == 1


def test_a_file_that_cannot_be_used_makes_no_shop(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        take_in(sqlite_database, tmp_path, "")
    with sqlite_database.read() as connection, pytest.raises(InputError):
        products.find_shop(connection, "acme")


def test_the_command_prints_counts_and_its_status_says_whether_a_row_was_refused(tmp_path: Path) -> None:
    settings = copydesk_settings.load()
    database = Database(settings.database)
    database.migrate()
    database.close()
    example = str(EXAMPLES / "reviews.jsonl")
    runner = CliRunner()

    done = runner.invoke(cli.app, ["import", "reviews", example, "--shop", "demo", "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["new"], printed["changed"], printed["errors"]) == (40, 0, 0)
    assert printed["problems"] == {"text.instructs": 1, "sku.unknown": 40}

    bad = tmp_path / "bad.jsonl"
    bad.write_text(line("a") + "\n{\n", "utf-8")
    done = runner.invoke(cli.app, ["import", "reviews", str(bad), "--shop", "demo"])
    assert done.exit_code == 1
    assert "1 new, 0 changed, 0 unchanged reviews" in done.stdout
    assert "json.invalid: 1" in done.stdout
