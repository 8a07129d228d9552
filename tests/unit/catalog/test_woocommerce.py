from collections.abc import Callable

import pytest

from copydesk.model import Dialect, TextFormat

from .conftest import Catalog

Load = Callable[[str], Catalog]
HEADER = (
    "ID,Type,SKU,Name,Published,Short description,Description,Weight (kg),Length (cm),Regular price,Categories,Tags,"
    "Brands,Parent,Attribute 1 name,Attribute 1 value(s),Attribute 1 visible,Attribute 1 global,Meta: _x\n"
)


def row(number: str, kind: str, sku: str, name: str, parent: str = "", value: str = "", weight: str = "") -> str:
    label = "Colour" if value else ""
    return f'{number},{kind},{sku},{name},1,,<p>x</p>,{weight},,9,"A > B, C",,Fern,{parent},{label},"{value}",1,0,y\n'


def test_a_product_has_its_units_category_and_attributes(load: Load) -> None:
    catalog = load(
        HEADER
        + r'7,simple,MUG,Mug &amp; lid,1,short,<p>Tall</p>,0.5,12,9,"Home > Mugs, Sale","tin, camp",Fern,,Colour,'
        r'"Red, Blue\, dark",1,0,y' + "\n"
    )

    (product,) = catalog.products
    assert (product.sku, product.dialect, product.text_format) == ("MUG", Dialect.WOOCOMMERCE, TextFormat.HTML)
    assert product.description == "<p>Tall</p>"
    assert product.source == {"ID": "7", "SKU": "MUG", "Name": "Mug &amp; lid"}
    assert product.facts.lines() == [
        ("Title", "Mug & lid"),
        ("Brand", "Fern"),
        ("Category", "Mugs"),
        ("Weight", "0.5 kg"),
        ("Length", "12 cm"),
        ("Tags", "tin, camp"),
        ("Colour", "Red, Blue, dark"),
    ]
    assert catalog.problems == []


def test_variations_add_their_values_to_the_parent_before_them(load: Load) -> None:
    catalog = load(
        HEADER
        + row("1", "variable", "MUG", "Mug", value="Red, Blue")
        + row("2", "variation", "MUG-B", "Mug - Blue", parent="id:1", value="Blue")
        + row("3", "variation", "MUG-G", "Mug - Green", parent="MUG", value="Green")
        + row("4", '"variation, virtual"', "X", "Other", parent="id:99", value="Grey")
        + row("5", '"simple, downloadable"', "PAN", "Pan")
    )

    assert [product.sku for product in catalog.products] == ["MUG", "PAN"]
    assert catalog.products[0].facts.attributes == (("Colour", "Red, Blue, Green"),)
    assert catalog.problems == []


def test_a_product_without_sku_is_known_by_its_id(load: Load) -> None:
    (product,) = load(HEADER + row("12", "simple", "", "Mug")).products

    assert product.sku == "id:12"


def test_only_products_are_products(load: Load) -> None:
    catalog = load(
        HEADER + row("1", "subscription", "S", "Box") + row("2", "external", "E", "Mug") + row("3", "", "F", "Pan")
    )

    assert catalog.codes == [(2, "S", "type.unsupported")]
    assert [product.sku for product in catalog.products] == ["E", "F"]


def test_duplicate_keys_and_missing_ones_are_refused(load: Load) -> None:
    catalog = load(
        HEADER
        + row("1", "simple", "A", "Mug")
        + row("2", "simple", "A", "Pan")
        + row("", "simple", "", "Pot")
        + row("4", "simple", "B", "")
        + "5,simple\n"
    )

    assert catalog.codes == [
        (3, "A", "sku.duplicate"),
        (4, "", "sku.missing"),
        (5, "B", "title.missing"),
        (6, "id:5", "row.unreadable"),
    ]


@pytest.mark.parametrize(
    ("cell", "value"), [("0.5", "0.5 kg"), ('"0,5"', "0,5 kg"), ("2 kg", "2 kg"), ("0", ""), ("", "")]
)
def test_the_unit_of_the_header_goes_with_the_number(load: Load, cell: str, value: str) -> None:
    (product,) = load(HEADER + row("1", "simple", "A", "Mug", weight=cell)).products

    assert dict(product.facts.attributes).get("Weight", "") == value


def test_pounds_and_inches_are_kept(load: Load) -> None:
    (product,) = load("SKU,Name,Weight (lbs),Height (in)\nA,Mug,1.5,4\n").products

    assert product.facts.attributes == (("Weight", "1.5 lbs"), ("Height", "4 in"))


def test_decimal_commas_in_attribute_values_stay_together(load: Load) -> None:
    (product,) = load(HEADER + row("1", "simple", "A", "Mug", value="0,5 l, 1 l")).products

    assert product.facts.attributes == (("Colour", "0,5 l, 1 l"),)


def test_unknown_columns_are_named_and_plugin_fields_are_not(load: Load) -> None:
    catalog = load("SKU,Name,Categories,Shelf,Meta: _yoast\nA,Mug,Mugs,,\n")

    assert catalog.codes == [(1, "", "columns.unknown")]
    assert catalog.problems[0].message.endswith(": Shelf")


def test_a_file_of_key_name_and_text_updates_texts_only(load: Load) -> None:
    catalog = load("ID,SKU,Name,Description\n12,,Mug,<p>Tall</p>\n")

    (update,) = catalog.updates
    assert (update.sku, update.title, update.description, update.line) == ("id:12", "Mug", "<p>Tall</p>", 2)
