"""Fixtures shared by all tests: no test reads the developer's own settings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from copydesk import settings

pytest_plugins = ["databases"]

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
"""Real products and reviews that some tests use; they are not part of the project."""


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Settings from this test alone: no COPYDESK_* or FLOWER_* variable, no copydesk.toml, an empty data folder."""
    for name in [name for name in os.environ if name.startswith(("COPYDESK_", "FLOWER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COPYDESK_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()
