import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from copydesk.errors import InputError
from copydesk.markup import to_html, to_plain
from copydesk.model import Dialect, LiveText, TextFormat
from producer.catalog import ExportReport, TextUpdate, read, write


def row(
    sku: str = "mug",
    text: str = "<p>Tall</p>",
    title: str = "Mug",
    dialect: Dialect | None = Dialect.SHOPIFY_LEGACY,
    text_format: TextFormat = TextFormat.HTML,
    source: dict[str, str] | None = None,
) -> LiveText:
    return LiveText(sku, text, title, text_format, dialect, source or {}, "en")


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


@pytest.mark.parametrize(
    ("dialect", "header"),
    [
        (Dialect.SHOPIFY_LEGACY, ["Handle", "Title", "Body (HTML)"]),
        (Dialect.SHOPIFY, ["Title", "URL handle", "Description"]),
        (Dialect.WOOCOMMERCE, ["Handle", "Title", "Body (HTML)"]),
        (None, ["Handle", "Title", "Body (HTML)"]),
    ],
)
def test_only_key_title_and_text_are_written_to_shopify(
    tmp_path: Path, dialect: Dialect | None, header: list[str]
) -> None:
    path = tmp_path / "out.csv"

    report = write([row(dialect=dialect), row("pan", dialect=Dialect.JSONL)], path, "shopify")

    written = cells(path)
    assert written[0] == header
    assert [dict(zip(header, line, strict=True)).get("Title") for line in written[1:]] == ["Mug", "Mug"]
    assert report == ExportReport(written=2, neutralised=0, skipped=0)


def test_the_title_goes_back_as_it_came(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    write([row(title="Mug & lid", source={"Title": "Mug &amp; lid"})], path, "shopify")

    assert cells(path)[1] == ["mug", "Mug &amp; lid", "<p>Tall</p>"]


def test_woocommerce_products_keep_their_id(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    known = row("A", dialect=Dialect.WOOCOMMERCE, source={"ID": "7", "SKU": "A", "Name": "Mug"})

    write(
        [known, row("id:12", source={"ID": "12", "SKU": "", "Name": "Pan"}), row("id:13"), row("pot")],
        path,
        "woocommerce",
    )

    assert [line[:3] for line in cells(path)] == [
        ["ID", "SKU", "Name"],
        ["7", "A", "Mug"],
        ["12", "", "Pan"],
        ["13", "", "Mug"],
        ["", "pot", "Mug"],
    ]


@pytest.mark.parametrize("file_format", ["shopify", "woocommerce", "jsonl"])
def test_a_blank_text_is_never_written(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "out"

    report = write([row(text=""), row("pan", text=" \n"), row("pot")], path, file_format)

    assert (report.written, report.skipped) == (1, 2)
    assert [item.sku for item in read(path) if isinstance(item, TextUpdate)] == ["pot"]


def test_jsonl_is_plain_text_with_the_locale(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    write([row(text="<p>Tall &amp; thin.</p><ul><li>Tin</li><li>Cork</li></ul>")], path, "jsonl")

    assert json.loads(path.read_text()) == {
        "sku": "mug",
        "title": "Mug",
        "description": "Tall & thin.\n\n- Tin\n- Cork",
        "locale": "en",
    }


def test_a_text_in_the_wanted_format_is_written_byte_for_byte(tmp_path: Path) -> None:
    html, plain = '<P CLASS=x>A  &  "b"\r\n<script>', "a <b> & \r\n c\n"

    write([row(text=html)], tmp_path / "a.csv", "shopify")
    write([row(text=plain, text_format=TextFormat.PLAIN)], tmp_path / "b.jsonl", "jsonl")

    assert cells(tmp_path / "a.csv")[1][2] == html
    assert json.loads((tmp_path / "b.jsonl").read_text())["description"] == plain


@pytest.mark.parametrize("file_format", ["shopify", "woocommerce", "jsonl"])
@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-5 °C",
        "@home",
        "\tindented",
        "\rback",
        "'=quoted",
        "''-x",
        "'plain",
        'a "b", c\r\nd\n',
        "<p>保温杯</p>",
    ],
)
def test_our_own_export_reads_back_as_it_was(tmp_path: Path, file_format: str, text: str) -> None:
    path = tmp_path / "out"
    kept = TextFormat.PLAIN if file_format == "jsonl" else TextFormat.HTML

    write([row(text=text, text_format=kept)], path, file_format)
    (update,) = read(path)

    assert isinstance(update, TextUpdate)
    assert (update.sku, update.title, update.description) == ("mug", "Mug", text)


def test_cells_that_look_like_formulas_are_neutralised_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    report = write([row("-mug", text="=cmd()", title="+Mug"), row("pan")], path, "shopify")

    assert cells(path)[1] == ["'-mug", "'+Mug", "'=cmd()"]
    assert report.neutralised == 3


def test_an_export_without_rows_is_a_header(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    assert write([], path, "shopify").written == 0
    assert cells(path) == [["Handle", "Title", "Body (HTML)"]]


def test_a_failed_export_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def rows() -> Iterator[LiveText]:
        yield row()
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        write(rows(), path, "shopify")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="use one of shopify"):
        write([], tmp_path / "out", "xml")
    with pytest.raises(InputError, match="check the folder"):
        write([], tmp_path / "none" / "out.csv", "shopify")
    with pytest.raises(InputError, match="check the folder"):
        write([], tmp_path, "shopify")


def test_plain_text_becomes_escaped_paragraphs() -> None:
    assert to_html("Tall & <thin>.\nTin.\n\n\nCork.") == "<p>Tall &amp; &lt;thin&gt;.<br>\nTin.</p>\n<p>Cork.</p>"


def test_lines_that_all_have_a_bullet_become_a_list() -> None:
    assert to_html("• Tall & thin\n• 2 l") == "<ul>\n<li>Tall &amp; thin</li>\n<li>2 l</li>\n</ul>"
    assert to_html("- Tall\nthin") == "<p>- Tall<br>\nthin</p>"


def test_html_becomes_readable_text() -> None:
    assert to_plain("<h2>Mug</h2>\n<p>Tall,<br/>thin&nbsp;&lt;b&gt;.</p><style>p{}</style><p>Tin</p>") == (
        "Mug\n\nTall,\nthin <b>.\n\nTin"
    )


@pytest.mark.parametrize(
    "text", ["One.", "One.\n\nTwo <b> & three.", "Line\nline\n\nEnd", "One.\n\n- Tall & thin\n- Tin\n\nTwo."]
)
def test_plain_text_survives_html_and_back(text: str) -> None:
    assert to_plain(to_html(text)) == text
