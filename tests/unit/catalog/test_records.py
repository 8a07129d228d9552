import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from copydesk.model import Product
from producer.catalog import read

from .conftest import Catalog

Load = Callable[[str], Catalog]
HEADER = "Handle,Title,Body (HTML),Vendor\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_separator_and_line_end_is_told(load: Load, delimiter: str, end: str) -> None:
    rows = [["Handle", "Title", "Vendor"], ["mug", "Mug", "Fern"], ["pan", "", "Fern"]]

    catalog = load(end.join(delimiter.join(row) for row in rows) + end)

    assert catalog.products[0].facts.brand == "Fern"
    assert catalog.codes == [(3, "pan", "title.missing")]


def test_lines_are_counted_as_an_editor_counts_them(load: Load) -> None:
    catalog = load(HEADER + 'mug,Mug,"<p>\n\nthree lines</p>",Fern\n\n,,,\nbad,row\npan,Pan,"a\nb",Fern\npot,,,\n')

    assert catalog.codes == [(7, "bad", "row.unreadable"), (10, "pot", "title.missing")]
    assert [product.sku for product in catalog.products] == ["mug", "pan"]


def test_too_few_and_too_many_cells_are_refused_with_the_counts(load: Load) -> None:
    catalog = load(HEADER + "a,A\nb,B,,Fern,x\nc,C,,Fern\n")

    assert catalog.codes == [(2, "a", "row.unreadable"), (3, "b", "row.unreadable")]
    assert "2 cells, the header 4" in catalog.problems[0].message
    assert "5 cells, the header 4" in catalog.problems[1].message


def test_a_quote_that_is_never_closed_costs_only_its_own_row(load: Load) -> None:
    catalog = load(
        HEADER + 'a,A,"<p>open,Fern\nb,B,"<p>fine</p>",Fern\nc,C,"<p>fine</p>",Fern\nd,D,"open,Fern\ne,E,,Fern\n'
    )

    assert catalog.codes == [(2, "", "row.unreadable"), (5, "", "row.unreadable")]
    assert [product.sku for product in catalog.products] == ["b", "c", "e"]


def test_a_quote_inside_an_unquoted_cell_is_a_character(load: Load) -> None:
    (product,) = load(HEADER + 'pan,12" pan,,Fern\n').products

    assert product.facts.title == '12" pan'


def test_text_after_a_closing_quote_is_refused(load: Load) -> None:
    catalog = load(HEADER + 'a,"12" pan",,Fern\nb,B,,Fern\n')

    assert catalog.codes == [(2, "", "row.unreadable")]
    assert [product.sku for product in catalog.products] == ["b"]


@pytest.mark.parametrize("body", ["x" * 5_000_000, '"' + f"{'x' * 499}\n" * 10_000 + '"'])
def test_a_cell_of_five_megabytes_costs_its_row_and_little_memory(tmp_path: Path, body: str) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(HEADER + f"a,A,,Fern\nbig,Big,{body},Fern\nc,C,,Fern\n")

    tracemalloc.start()
    catalog = Catalog(list(read(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert catalog.codes == [(3, "big", "cell.too_large")]
    assert [product.sku for product in catalog.products] == ["a", "c"]
    assert peak < 100_000_000


def test_a_line_longer_than_any_record_is_passed_over(load: Load) -> None:
    catalog = load(HEADER + "a,A,,Fern\nbig,Big," + "x" * 20_000_000 + ",Fern\nc,C,,Fern\n")

    assert catalog.codes == [(3, "", "cell.too_large")]
    assert [product.sku for product in catalog.products] == ["a", "c"]


def test_an_overlong_line_inside_an_open_quote_is_passed_over_too(load: Load) -> None:
    catalog = load(HEADER + 'a,A,"open,Fern\nbig,Big,' + "x" * 20_000_000 + ",Fern\nc,C,,Fern\n")

    assert catalog.codes == [(2, "", "row.unreadable"), (3, "", "cell.too_large")]
    assert [product.sku for product in catalog.products] == ["c"]


def test_a_long_description_below_the_limit_is_read(load: Load) -> None:
    (product,) = load(HEADER + f"a,A,{'x' * 500_000},Fern\n").products

    assert len(product.description) == 500_000


def test_nul_characters_are_removed(load: Load) -> None:
    catalog = load(HEADER + "a,A\0 mug,te\0xt,Fern and the rest of the row\n")

    assert catalog.products[0].source == {"Title": "A mug"}
    assert catalog.products[0].description == "text"


def test_of_two_columns_with_one_name_the_first_counts(load: Load) -> None:
    (product,) = load("Handle,Title,Vendor,Vendor\na,A,Fern,Other\n").products

    assert product.facts.brand == "Fern"


def test_rows_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text(HEADER + "".join(f"p{number},Product,,Fern\n" for number in range(20_000)))
    tracemalloc.start()
    first = next(read(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert isinstance(first, Product)
    assert peak < 5_000_000
