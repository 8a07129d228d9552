from collections.abc import Callable
from pathlib import Path

import pytest

from copydesk.model import Review
from producer.reviews import Item, Problem
from producer.reviews.reading import numbered


class Reviews:
    """What reading a file gave, by kind."""

    def __init__(self, items: list[tuple[int, Item]]) -> None:
        self.reviews = [item for _, item in items if isinstance(item, Review)]
        self.lines = [line for line, item in items if isinstance(item, Review)]
        self.problems = [item for _, item in items if isinstance(item, Problem)]

    @property
    def codes(self) -> list[tuple[int, str]]:
        return [(problem.line, problem.code) for problem in self.problems]


Load = Callable[..., Reviews]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a text to a file and read it as reviews."""

    def _load(text: str, file_format: str = "auto", encoding: str = "utf-8") -> Reviews:
        path = tmp_path / "reviews.txt"
        path.write_text(text, encoding=encoding, newline="")
        return Reviews(list(numbered(path, file_format)))

    return _load
