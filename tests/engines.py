"""Engines for tests: a loop in a thread of this process, and the backends that run in it."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe

from copydesk.engine.backend import Backend, Broken
from copydesk.engine.hosted import HostedEngine
from copydesk.engine.loop import Loop, Opened


class Died(BaseException):
    """Ends a loop as the death of its process would, wherever in its backend it is raised."""


class ThreadHost:
    """A loop in a thread, where ChildProcess has one in a process."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.pipe, self._theirs = Pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._theirs, suppress(OSError, Broken, Died):  # killed at once, or it died
            self._theirs.send(Opened(self.backend.model))
            loop = Loop(self.backend, self._theirs)
            try:
                loop.run()
            finally:
                for row in loop.scheduler.running:  # a backend may be used again by the next test
                    self.backend.remove(row)
        self.backend.close()

    def kill(self) -> str:
        with suppress(OSError), socket.socket(fileno=os.dup(self.pipe.fileno())) as end:  # ended already
            end.shutdown(socket.SHUT_RDWR)
        self.backend.close()
        self._thread.join()
        return "ended"


def in_thread(open_backend: Callable[[], Backend]) -> HostedEngine:
    """An engine whose loop runs in a thread."""
    return HostedEngine(lambda: ThreadHost(open_backend()))
