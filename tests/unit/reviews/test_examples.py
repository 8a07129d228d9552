from pathlib import Path

import pytest

from copydesk.model import Product, Review
from producer import catalog, reviews

EXAMPLES = Path(catalog.__file__).parents[1] / "examples"
SHARED = Path(catalog.__file__).parents[3] / "shared" / "data"


def test_the_example_is_40_reviews_of_the_demo_shop_in_several_languages() -> None:
    items = list(reviews.read(EXAMPLES / "reviews.jsonl"))
    found = [item for item in items if isinstance(item, Review)]
    products = {item.sku for item in catalog.read(EXAMPLES / "catalog-shopify.csv") if isinstance(item, Product)}

    assert len(found) == 40
    assert [item.code for item in items if isinstance(item, reviews.Problem)] == ["text.instructs"]
    assert {review.sku for review in found} - products == {"no-such-lamp"}
    assert sum(any("\u4e00" <= char <= "\u9fff" for char in review.text) for review in found) == 8


@pytest.mark.parametrize(("name", "number"), [("amazon_reviews_en.jsonl", 149), ("reviews_zh.jsonl", 2000)])
def test_real_labelled_reviews_are_read_without_a_problem(name: str, number: int) -> None:
    file = SHARED / name
    if not file.is_file():
        pytest.skip(f"{file} is not there: it is no part of the project")
    items = list(reviews.read(file))

    assert len([item for item in items if isinstance(item, Review)]) >= number
    assert {item.code for item in items if isinstance(item, reviews.Problem)} <= {"text.instructs"}
