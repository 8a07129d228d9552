"""Fixtures for tests with real parts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from services.desks import Desk, desk_in

OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    """Opens a migrated desk of this test's own, nothing started; settings by name."""
    with ExitStack() as stack:

        def opened(database_url: str = "", **settings: object) -> Desk:
            desk = stack.enter_context(desk_in(tmp_path / "desk", database_url, **{"sweep_seconds": 1, **settings}))
            desk.migrate()
            return desk

        yield opened
