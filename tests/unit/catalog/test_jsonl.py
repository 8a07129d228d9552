import json
from collections.abc import Callable

import pytest

from copydesk.model import Dialect, TextFormat

from .conftest import Catalog

Load = Callable[[str], Catalog]


def test_every_field_is_read_and_numbers_stay_as_written(load: Load) -> None:
    catalog = load(
        '{"sku": "mug", "title": "Mug", "brand": "Fern", "category": "Mugs", "description": "Tall.\\n<b>",'
        ' "locale": "en-GB",'
        ' "attributes": {"Weight (kg)": 0.50, "Sizes": ["S", 2], "Lid": true, "Cork": false, "X": null}}\n'
    )

    (product,) = catalog.products
    assert (product.sku, product.dialect, product.text_format) == ("mug", Dialect.JSONL, TextFormat.PLAIN)
    assert product.description == "Tall.\n<b>"
    assert product.source == {"title": "Mug"}
    assert (product.facts.brand, product.facts.category, product.facts.language) == ("Fern", "Mugs", "en")
    assert product.facts.attributes == (("Weight (kg)", "0.50"), ("Sizes", "S, 2"), ("Lid", "yes"), ("Cork", "no"))
    assert catalog.problems == []


def test_true_and_false_are_said_in_the_language_of_the_product(load: Load) -> None:
    (product,) = load('{"sku": "a", "title": "露营灯", "attributes": {"挂钩": true, "充电": false}}').products

    assert product.facts.attributes == (("挂钩", "是"), ("充电", "否"))


def test_escaped_nul_characters_are_removed_and_escaped_backslashes_are_not(load: Load) -> None:
    line = (
        r'{"sku": "a\u0000", "title": "A\u0000\u0000 mug", "brand": "B", "description": "te\u0000xt \\u0000 \\\u0000"}'
    )

    (product,) = load(line).products

    assert (product.sku, product.source, product.description) == ("a", {"title": "A mug"}, r"text \u0000 \\"[:-1])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"sku": "a", "title": ', "json.invalid"),
        ('["sku"]', "json.invalid"),
        ('{"sku": "a", "title": "A", "attributes": {"Size": {"cm": 4}}}', "json.invalid"),
        ('{"sku": "a", "title": "A", "attributes": {"Size": [["4"]]}}', "json.invalid"),
        ('{"sku": "a", "title": "A", "attributes": ["Tin"]}', "json.invalid"),
        ('{"sku": "a", "title": ["A"], "attributes": {}}', "json.invalid"),
        ('{"sku": "a", "title": "A", "attributes": {"Weight": NaN}}', "json.invalid"),
        ("[" * 100_000, "json.invalid"),
        ('{"sku": "a", "title": "A", "brand": "\\ud83d"}', "row.undecodable"),
        ('{"title": "A", "brand": "B"}', "sku.missing"),
        ('{"sku": " ", "title": "A", "brand": "B"}', "sku.missing"),
        ('{"sku": "a", "brand": "B"}', "title.missing"),
        (json.dumps({"sku": "a", "title": "A", "description": "x" * 2_000_000}), "cell.too_large"),
        (json.dumps({"sku": "a", "title": "A", "description": "x" * 9_000_000}), "cell.too_large"),
    ],
)
def test_a_bad_line_is_refused_and_the_next_one_is_read(load: Load, line: str, code: str) -> None:
    good = '{"sku": "first", "title": "First", "brand": "B"}\n'

    catalog = load(good + "\n" + line + "\n" + good.replace("first", "last"))

    assert [(line, code) for line, _, code in catalog.codes] == [(3, code)]
    assert [product.sku for product in catalog.products] == ["first", "last"]


def test_the_first_of_two_equal_keys_wins(load: Load) -> None:
    catalog = load('{"sku": 7, "title": "A", "brand": "B"}\n{"sku": "7", "title": "C", "brand": "B"}\n')

    assert [(product.sku, product.facts.title) for product in catalog.products] == [("7", "A")]
    assert catalog.codes == [(2, "7", "sku.duplicate")]


def test_unknown_keys_are_named_once(load: Load) -> None:
    catalog = load(
        '{"sku": "a", "title": "A", "brand": "B", "price": 9}\n{"sku": "b", "title": "A", "brand": "B", "price": 9}\n'
    )

    assert catalog.codes == [(1, "a", "columns.unknown")]
    assert catalog.problems[0].message.endswith(": price")


@pytest.mark.parametrize(
    ("locale", "language", "codes"),
    [
        ("zh-CN", "zh", []),
        ("en_US", "en", []),
        ("zh-Hant-TW", "zh", []),
        ("fr-FR", "fr", ["language.unsupported"]),
        ("中文", "en", ["language.unsupported"]),
        ("", "en", []),
    ],
)
def test_the_locale_decides_the_language(load: Load, locale: str, language: str, codes: list[str]) -> None:
    catalog = load(json.dumps({"sku": "a", "title": "Mug", "brand": "Fern", "locale": locale}, ensure_ascii=False))

    assert catalog.products[0].facts.language == language
    assert [code for _, _, code in catalog.codes] == codes


def test_a_line_without_any_fact_updates_the_text_only(load: Load) -> None:
    catalog = load(
        '{"sku": "a", "title": "A", "description": "New", "locale": "en"}\n'
        '{"sku": "b", "title": "B"}\n'
        '{"sku": "c", "title": "C", "attributes": {}}\n'
    )

    assert [(update.sku, update.description, update.line) for update in catalog.updates] == [
        ("a", "New", 1),
        ("b", None, 2),
    ]
    assert [product.sku for product in catalog.products] == ["c"]
    assert catalog.codes == [(3, "c", "facts.few")]
