"""The engine's process: `python -m copydesk.engine.child FD PARENT OPENS`; hosted.py starts it and speaks over FD."""

import ctypes
import logging
import os
import signal
import sys
from multiprocessing.connection import Connection

from copydesk.engine.loop import Loop, NotOpened, Opened
from copydesk.engine.open import open_backend, open_classifier_backend
from copydesk.errors import CopydeskError
from copydesk.settings import Settings

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Open the backend that the settings name and run it until the parent closes the pipe, or dies."""
    pipe, parent = Connection(int(sys.argv[1])), int(sys.argv[2])
    open_it = {"engine": open_backend, "classifier": open_classifier_backend}[sys.argv[3]]
    # The worker decides when we end; Ctrl-C and systemd's SIGTERM go to its whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    die_with(parent)
    logging.basicConfig(level=logging.INFO, format="copydesk engine: %(message)s")
    settings: Settings = pipe.recv()
    try:
        backend = open_it(settings)
    except CopydeskError as error:
        pipe.send(NotOpened(error))
        return
    pipe.send(Opened(backend.model))
    try:
        Loop(backend, pipe, width_beside_replies=settings.batch_size_beside_replies).run()
    finally:
        backend.close()


def die_with(parent: int) -> None:
    """Have the kernel end us when the parent dies, though a step hangs: then nobody reads the pipe's end of file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)


if __name__ == "__main__":
    main()
