"""Which queue a worker takes its next message from: what is small and urgent first, and only so much of the catalog.

kombu asks the class named in `queue_order_strategy` before every BRPOP. workers/main.py tells it what the worker holds.
"""

from collections.abc import Callable, Sequence

from tasks.names import CATALOG, REPLIES, UPKEEP

ORDER = (UPKEEP, REPLIES, CATALOG)


def _no_limit() -> bool:
    return True


class LaneCycle:
    """One channel's queues. While `may_take_catalog` says no, the catalog's queue is not asked."""

    def __init__(self) -> None:
        self.may_take_catalog: Callable[[], bool] = _no_limit
        self._queues: list[str] = []

    def update(self, queues: Sequence[str]) -> None:
        """The queues that the channel consumes now."""
        self._queues = sorted(queues, key=lambda queue: ORDER.index(queue) if queue in ORDER else len(ORDER))

    def consume(self, count: int) -> list[str]:  # noqa: ARG002 - kombu passes how many there are
        """The queues to ask, first come first served."""
        return [queue for queue in self._queues if queue != CATALOG or self.may_take_catalog()]

    def rotate(self, last: str) -> str:
        """The order stays."""
        return last
