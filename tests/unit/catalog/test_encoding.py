import codecs
from pathlib import Path

import pytest

from copydesk.errors import InputError
from copydesk.model import Product
from producer.catalog import Problem, read
from producer.catalog.encoding import detect

WESTERN = "Handle,Title,Vendor\nkrug,Größe Crème brûlée “Été”,Jalapeño\n"
CHINESE = "Handle,Title,Vendor\nbei,不锈钢保温杯，户外便携,远山\n"
TRADITIONAL = "Handle,Title,Vendor\nbei,不鏽鋼保溫杯，戶外便攜,遠山的商店\n"


@pytest.mark.parametrize(
    ("text", "written_in", "found"),
    [
        (CHINESE, "utf-8", "utf-8-sig"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "gb18030", "gb18030"),
        (TRADITIONAL, "gb18030", "gb18030"),
        (WESTERN, "utf-8", "utf-8-sig"),
        (WESTERN, "cp1252", "cp1252"),
        ("Handle,Title,Vendor\na,Plain,Ascii\n", "ascii", "utf-8-sig"),
        ("Handle,Title,Vendor\nbei,杯,x\n", "gb18030", "gb18030"),
        ("Handle,Title,Vendor\na,Größe,Jalapeño ÄÖÜ\n", "cp1252", "cp1252"),
        ("Handle,Title,Vendor\na,Größe,x\n", "cp1252", "cp1252"),
        ("Handle,Title,Vendor\na,It’s a mug,x\n", "cp1252", "cp1252"),
        ("Handle,Title,Vendor\na,Café,x\n", "cp1252", "cp1252"),
    ],
)
def test_every_encoding_is_told_and_read_back_exactly(tmp_path: Path, text: str, written_in: str, found: str) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes(text.encode(written_in))

    (product,) = read(path)

    assert detect(path) == found
    assert isinstance(product, Product)
    assert product.source["Title"] == text.split("\n")[1].split(",")[1]


def test_big_endian_utf16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes(codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"))

    (product,) = read(path)

    assert isinstance(product, Product)
    assert product.facts.title == "不锈钢保温杯，户外便携"


@pytest.mark.parametrize("written_in", ["utf-8", "gb18030", "utf-16-le"])
def test_one_broken_byte_costs_one_row_and_not_the_encoding(tmp_path: Path, written_in: str) -> None:
    rows = ["Handle,Title,Vendor", *(f"cup-{number},保温杯{number},远山" for number in range(2000))]
    encoded = [f"{row}\n".encode(written_in) for row in rows]
    broken = b"\x00\xd8" if written_in == "utf-16-le" else b"\xff"
    encoded[7] = encoded[7].replace("保".encode(written_in), broken)
    path = tmp_path / "catalog.csv"
    path.write_bytes((codecs.BOM_UTF16_LE if written_in == "utf-16-le" else b"") + b"".join(encoded))

    items = list(read(path))
    problems = [item for item in items if isinstance(item, Problem)]

    assert [(problem.line, problem.sku, problem.code) for problem in problems] == [(8, "cup-6", "row.undecodable")]
    assert len(items) - len(problems) == 1999


def test_a_problem_never_holds_what_cannot_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes("Handle,Title,Vendor\n杯子杯子".encode() + b"\xff,a,b\n")

    (problem,) = read(path)

    assert isinstance(problem, Problem)
    assert problem.sku.encode("utf-8")


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"", "export it again"),
        (b"\xef\xbb\xbf \n", "export it again"),
        (codecs.BOM_UTF16_LE, "export it again"),
        (b"PK\x03\x04rest of a workbook", "save it as CSV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(64)), "not a text file"),
        ("Handle,Title\na,b\n".encode("utf-16-le"), "not a text file"),
        (b"name,email\na,b\n", "should be a Shopify export"),
        (b"just some words\n", "should be a Shopify export"),
        (b'[{"sku": "a"}]\n', "one object per line"),
        ("Handle,Title,保温杯".encode() + b"\xff\na,b,c\n", "header"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_once_with_the_remedy(
    tmp_path: Path, content: bytes, remedy: str
) -> None:
    path = tmp_path / "catalog.csv"
    path.write_bytes(content)

    with pytest.raises(InputError, match=remedy):
        read(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)


def test_an_unknown_format_and_a_wrong_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text("Handle,Title,Vendor\na,b,c\n")

    with pytest.raises(InputError, match="use one of auto, shopify"):
        read(path, "magento")
    with pytest.raises(InputError, match="woocommerce's columns"):
        read(path, "woocommerce")
