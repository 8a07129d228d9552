"""The scripted engine's ordinary text passes the guards, or no test could follow a product to its end."""

from importlib.resources import as_file, files

import pytest

from copydesk import guards, prompts
from copydesk.engine.scripted import write
from copydesk.model import DESCRIPTION, Product
from copydesk.settings import Rules
from producer import catalog


@pytest.mark.parametrize("name", ["catalog-shopify.csv", "catalog-zh.jsonl"])
def test_what_it_writes_of_the_example_catalogs_is_ready(name: str) -> None:
    refused = []
    with as_file(files("producer") / "examples" / name) as file:
        for product in catalog.read(file):
            if isinstance(product, Product):
                text = write(prompts.render(DESCRIPTION, product.facts).turns[-1][1])
                verdict = guards.judge(text, product.facts, Rules(), finished=True)
                refused += [(product.sku, reason.message, text) for reason in verdict.reasons]
    assert not refused
