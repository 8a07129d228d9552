from collections.abc import Callable
from pathlib import Path

import pytest

from copydesk.model import Product
from producer.catalog import Item, Problem, TextUpdate, read


class Catalog:
    """What reading a file gave, by kind."""

    def __init__(self, items: list[Item]) -> None:
        self.products = [item for item in items if isinstance(item, Product)]
        self.updates = [item for item in items if isinstance(item, TextUpdate)]
        self.problems = [item for item in items if isinstance(item, Problem)]

    @property
    def codes(self) -> list[tuple[int, str, str]]:
        return [(problem.line, problem.sku, problem.code) for problem in self.problems]


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Catalog]:
    """Write a text to a file and read it as a catalog."""

    def _load(text: str) -> Catalog:
        path = tmp_path / "catalog.txt"
        path.write_text(text, encoding="utf-8", newline="")
        return Catalog(list(read(path)))

    return _load
