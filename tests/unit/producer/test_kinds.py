"""`copydesk kinds` tells what can be written; `export products` takes texts of every kind out of the ledger."""

import csv
import json
from pathlib import Path

import pytest
from databases import Ledger, product, some

from copydesk.errors import InputError
from copydesk.settings import Rules, Settings, Shop
from copydesk.store import Database
from producer import exporting, kinds


@pytest.fixture
def ledger(sqlite_database: Database) -> Ledger:
    return Ledger(sqlite_database)


def live(ledger: Ledger, kind: str, text: str, **order: object) -> None:
    ledger.approved(f"run of {kind}", text=text, kind=kind, **order)
    ledger.publish(kind=kind)


def exported(ledger: Ledger, path: Path, file_format: str, **how: str) -> dict[str, int]:
    report = exporting.write(ledger.database, Settings(), ledger.shop, path, file_format, **how)  # type: ignore[arg-type]
    return dict(report.apart)


def column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [row[name] for row in csv.DictReader(stream)]


def test_kinds_are_listed_with_their_limits_in_both_languages() -> None:
    listed = {(one.kind, one.language): one.limits for one in kinds.listed(Settings())}
    assert listed["seo_title", "en"] == "3 to 14 words, 70 characters with blanks and marks, one line"
    assert listed["bullets", "en"] == "6 to 70 words, 3 to 5 bullets"
    assert listed["description", "zh"] == "30 to 300 characters"


def test_limits_are_those_of_the_settings_where_a_kind_has_none() -> None:
    listed = {(one.kind, one.language): one.limits for one in kinds.listed(Settings(rules=Rules(max_words=44)))}
    assert listed["description", "en"] == "12 to 44 words"


def test_the_list_as_json_holds_all_rules(capsys: pytest.CaptureFixture[str]) -> None:
    kinds.show(kinds.listed(Settings(), "demo"), as_json=True)
    told = {(one["kind"], one["language"]): one for one in json.loads(capsys.readouterr().out)}
    assert told["email", "en"]["rules"]["required"] == ["Subject"]
    assert told["translation", "zh"]["translates"] is True


def test_seo_texts_go_out_with_the_descriptions_where_nothing_is_erased(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product(1), product(2, source={"SEO title": "The shop's own"}))
    live(ledger, "description", "new {sku}")
    live(ledger, "seo_title", "title {sku}", skus=["sku1"])

    apart = exported(ledger, tmp_path / "out.csv", "shopify")

    assert column(tmp_path / "out.csv", "SEO title") == ["title sku1", "The shop's own"]
    assert apart == {}


def test_seo_texts_are_told_apart_where_a_column_of_them_would_erase_the_shops(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(*some(3))
    live(ledger, "description", "new {sku}", skus=["sku1", "sku2"])
    live(ledger, "seo_title", "title {sku}", skus=["sku1", "sku3"])

    assert exported(ledger, tmp_path / "out.csv", "shopify") == {"seo_title": 2}
    assert "SEO" not in (tmp_path / "out.csv").read_text("utf-8")
    assert exported(ledger, tmp_path / "seo.csv", "shopify", kind="seo_title") == {}
    assert column(tmp_path / "seo.csv", "SEO title") == ["title sku1", "title sku3"]


def test_a_text_that_was_taken_back_to_nothing_is_not_written(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product())
    live(ledger, "bullets", "- one")
    ledger.undo(kind="bullets")
    exported(ledger, tmp_path / "out.jsonl", "jsonl", kind="bullets")
    assert (tmp_path / "out.jsonl").read_text("utf-8") == ""


def test_a_translation_goes_out_in_its_own_language(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product())
    live(ledger, "translation-en", "<p>new</p>")
    exported(ledger, tmp_path / "out.jsonl", "jsonl", kind="translation-en")
    record = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert (record["kind"], record["text"], record["locale"]) == ("translation-en", "new", "en")


def test_what_is_no_copy_is_not_exported(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no copy of the kind 'reply'"):
        exporting.write(ledger.database, Settings(), "demo", tmp_path / "out", "jsonl", kind="reply")


def test_the_label_of_the_shop_counts_where_none_is_named(ledger: Ledger, tmp_path: Path) -> None:
    ledger.take_in(product())
    live(ledger, "ad", "Meet it.")
    settings = Settings(shops={"demo": Shop(label="cn")})
    exporting.write(ledger.database, settings, "demo", tmp_path / "out.jsonl", "jsonl", kind="ad")
    assert "人工智能生成" in (tmp_path / "out.jsonl").read_text("utf-8")
