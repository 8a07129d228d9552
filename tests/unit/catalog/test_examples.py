from pathlib import Path

from copydesk.model import Product
from producer import catalog

EXAMPLES = Path(catalog.__file__).parents[1] / "examples"


def test_the_demo_shop_is_48_rich_products_and_two_traps() -> None:
    items = list(catalog.read(EXAMPLES / "catalog-shopify.csv"))
    products = [item for item in items if isinstance(item, Product)]
    problems = [item for item in items if isinstance(item, catalog.Problem)]

    assert len(products) == 50
    assert all(len(product.facts.lines()) > 4 for product in products)
    assert [(problem.sku, problem.code) for problem in problems] == [
        ("trap-talkative-flask", "text.instructs"),
        ("trap-scripted-kettle", "html.unsafe"),
    ]


def test_the_chinese_example_is_12_products_without_a_problem() -> None:
    items = list(catalog.read(EXAMPLES / "catalog-zh.jsonl"))

    products = [item for item in items if isinstance(item, Product)]
    assert len(products) == len(items) == 12
    assert {product.facts.language for product in products} == {"zh"}
