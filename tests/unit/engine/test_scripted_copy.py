"""The scripted engine's ordinary text passes the guards, or no test could follow a product to its end."""

from importlib.resources import as_file, files

import pytest

from copydesk import guards, prompts
from copydesk.engine.scripted import write
from copydesk.jobs import recipes
from copydesk.model import Product
from copydesk.settings import Settings
from producer import catalog

KINDS = [kind for kind in prompts.kinds() if kind != "translation"]


@pytest.mark.parametrize("name", ["catalog-shopify.csv", "catalog-zh.jsonl"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_of_the_example_catalogs_is_ready(kind: str, name: str) -> None:
    refused = []
    with as_file(files("producer") / "examples" / name) as file:
        for product in catalog.read(file):
            if isinstance(product, Product):
                rules = recipes.rules_for(Settings(), "demo", kind, product.facts.language)
                text = write(prompts.render(kind, product.facts).turns[-1][1])
                verdict = guards.judge(text, product.facts, rules, finished=True)
                refused += [(product.sku, reason.message, text) for reason in verdict.reasons]
    assert not refused
