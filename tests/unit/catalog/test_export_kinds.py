"""Texts of other kinds than descriptions: SEO columns of Shopify, JSON lines for all, and nothing erased."""

import csv
import json
from pathlib import Path

import pytest

from copydesk.errors import InputError
from copydesk.model import Dialect, LiveText, Product, TextFormat
from producer.catalog import read, write
from producer.catalog.labels import Labels


def row(
    sku: str = "mug",
    text: str = "<p>Tall</p>",
    dialect: Dialect = Dialect.SHOPIFY_LEGACY,
    text_format: TextFormat = TextFormat.HTML,
    source: dict[str, str] | None = None,
    beside: dict[str, str] | None = None,
    draft: int | None = None,
) -> LiveText:
    return LiveText(sku, text, "Mug", text_format, dialect, source or {}, "en", draft, None, beside or {})


def title(sku: str = "mug", text: str = "Mug, tall", dialect: Dialect = Dialect.SHOPIFY_LEGACY) -> LiveText:
    return row(sku, text, dialect, TextFormat.PLAIN)


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


SEO = ("seo_title", "seo_meta")


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        (Dialect.SHOPIFY_LEGACY, ["Handle", "Title", "Body (HTML)", "SEO Title", "SEO Description"]),
        (Dialect.SHOPIFY, ["Title", "URL handle", "Description", "SEO title", "SEO description"]),
    ],
)
def test_seo_texts_stand_beside_descriptions_in_either_layout(
    tmp_path: Path, dialect: Dialect, header: list[str]
) -> None:
    texts = {"seo_title": "Mug, tall", "seo_meta": "A tall mug."}

    write([row(dialect=dialect, beside=texts)], tmp_path / "out.csv", "shopify", beside=SEO)

    written = cells(tmp_path / "out.csv")
    assert written[0] == header
    assert written[1][3:] == ["Mug, tall", "A tall mug."]


def test_a_row_without_an_seo_text_repeats_the_shops_own(tmp_path: Path) -> None:
    """A blank cell would erase it."""
    own = row("pan", source={"Title": "Mug", "SEO title": "The shop's own"})

    write([row(beside={"seo_title": "Ours"}), own], tmp_path / "out.csv", "shopify", beside=["seo_title"])

    assert [line[3] for line in cells(tmp_path / "out.csv")] == ["SEO Title", "Ours", "The shop's own"]


def test_without_such_texts_there_are_no_columns_for_them(tmp_path: Path) -> None:
    write([row()], tmp_path / "out.csv", "shopify")
    assert cells(tmp_path / "out.csv")[0] == ["Handle", "Title", "Body (HTML)"]


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        (Dialect.SHOPIFY_LEGACY, ["Handle", "Title", "SEO Title"]),
        (Dialect.SHOPIFY, ["Title", "URL handle", "SEO title"]),
    ],
)
def test_a_file_of_one_seo_kind_has_its_column_and_no_description(
    tmp_path: Path, dialect: Dialect, header: list[str]
) -> None:
    write([title(dialect=dialect), title("pan", " ")], tmp_path / "out.csv", "shopify", kind="seo_title")
    written = cells(tmp_path / "out.csv")
    assert written[0] == header
    assert [sorted(line) for line in written[1:]] == [sorted(["mug", "Mug", "Mug, tall"])]


def test_a_title_that_looks_like_a_formula_is_neutralised(tmp_path: Path) -> None:
    report = write([title(text="=A1")], tmp_path / "out.csv", "shopify", kind="seo_title")
    assert cells(tmp_path / "out.csv")[1][2] == "'=A1"
    assert report.neutralised == 1


def test_every_kind_goes_out_as_json_lines_that_name_it(tmp_path: Path) -> None:
    bullets = row(text="- tall\n- thin", text_format=TextFormat.PLAIN)

    write([bullets], tmp_path / "out.jsonl", "jsonl", kind="bullets")

    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8")) == {
        "sku": "mug", "title": "Mug", "kind": "bullets", "text": "- tall\n- thin", "locale": "en",
    }  # fmt: skip


def test_a_label_goes_with_every_kind(tmp_path: Path) -> None:
    ad = row(text="Meet the mug.", text_format=TextFormat.PLAIN, draft=7)
    write([ad], tmp_path / "out.jsonl", "jsonl", Labels("cn", "acme"), kind="ad")
    record = json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
    assert record["text"].startswith("Meet the mug.\n\n")
    assert record["AIGC"]["ProduceID"] == "copydesk-draft-7"


@pytest.mark.parametrize(
    ("kind", "file_format", "remedy"),
    [
        ("bullets", "shopify", "--format jsonl"),
        ("seo_title", "woocommerce", "--format jsonl"),
        ("seo_meta", "google", "--format jsonl"),
    ],
)
def test_a_format_without_a_place_for_a_kind_is_refused(
    tmp_path: Path, kind: str, file_format: str, remedy: str
) -> None:
    with pytest.raises(InputError, match=remedy):
        write([], tmp_path / "out", file_format, kind=kind)


def test_googles_label_is_for_descriptions(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--label none"):
        write([], tmp_path / "out", "jsonl", Labels("google"), kind="bullets")


LEGACY = "Handle,Title,Body (HTML),Vendor,SEO Title,SEO Description\nmug,Mug,<p>x</p>,Acme,Own title,\n"
CURRENT = "Title,URL handle,Description,Vendor,SEO title,SEO description\nMug,mug,<p>x</p>,Acme,Own title,\n"


@pytest.mark.parametrize("content", [LEGACY, CURRENT])
def test_an_import_keeps_the_shops_own_seo_cells_and_takes_them_for_no_facts(tmp_path: Path, content: str) -> None:
    path = tmp_path / "in.csv"
    path.write_text(content, "utf-8")
    (product,) = [item for item in read(path) if isinstance(item, Product)]
    assert product.source == {"Title": "Mug", "SEO title": "Own title", "SEO description": ""}
    assert product.facts.attributes == ()


def test_a_file_without_seo_columns_says_nothing_of_them(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("Handle,Title,Body (HTML),Vendor\nmug,Mug,<p>x</p>,Acme\n", "utf-8")
    (product,) = [item for item in read(path) if isinstance(item, Product)]
    assert product.source == {"Title": "Mug"}
