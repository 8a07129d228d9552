"""An engine for tests of the jobs: each test says what is answered, and sees what was asked."""

from collections.abc import Callable, Collection, Sequence

from copydesk.engine.base import Completion, Deliver, Request, Stats


class Answering:
    """An engine that answers within submit(), as its function says; keeps every request."""

    model = "answering"
    width = 64

    def __init__(self, answer: Callable[[Request], Sequence[Completion]]) -> None:
        self.asked: list[Request] = []
        self.cancelled: list[str] = []
        self._answer = answer

    def submit(self, requests: Sequence[Request], deliver: Deliver) -> None:
        self.asked += requests
        for request in requests:
            for completion in self._answer(request):
                deliver(completion)

    def cancel(self, ids: Collection[str]) -> None:
        self.cancelled += ids

    def stats(self) -> Stats:
        return Stats(width=self.width)

    def drain(self, timeout_seconds: float) -> None:
        pass

    def close(self) -> None:
        pass
