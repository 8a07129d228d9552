"""The engine's process: it dies, hangs, comes back or does not, and its parent knows. Real processes, scripted copy."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from engines import in_thread

from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.engine.hosted import ChildProcess, HostedEngine
from copydesk.engine.loop import FAULTS_IN_A_ROW
from copydesk.engine.open import open_engine
from copydesk.engine.scripted import ScriptedBackend
from copydesk.errors import ModelError
from copydesk.settings import Sampling, Settings

OpenOne = Callable[..., HostedEngine]
FACTS = "- Title: Enamel Mug"


def ask(content: str = FACTS, id: str = "1", candidates: int = 1) -> Request:
    return Request(id, (Message("user", content),), "", Sampling(), candidates)


def answers(engine: HostedEngine, *requests: Request) -> list[Completion]:
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit(requests, inbox.put)
    return [inbox.get(timeout=20) for request in requests for _ in range(request.candidates)]


@pytest.fixture
def open_one() -> Iterator[OpenOne]:
    """Opens scripted engines in processes of their own, and closes them."""
    opened: list[HostedEngine] = []

    def make(on_broken: Callable[[str], None] = lambda _why: None, **settings: Any) -> HostedEngine:
        opened.append(open_engine(Settings(engine="scripted", **settings), on_broken))
        return opened[-1]

    yield make
    for engine in opened:
        engine.close()


def children() -> set[int]:
    """Engine processes of this process that live."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if b"copydesk.engine.child" in command and int(parent) == os.getpid() and state not in "ZX":
                    found.add(int(entry.name))
    return found


def test_it_answers_from_a_process_of_its_own(open_one: OpenOne) -> None:
    before = children()
    engine = open_one()
    (child,) = children() - before
    assert answers(engine, ask())[0].finish is Finish.STOP
    engine.close()
    assert child not in children()


def test_after_a_crash_what_was_in_flight_is_closed_and_the_next_request_answered(open_one: OpenOne) -> None:
    engine = open_one()
    answers(engine, ask())
    crashed = answers(engine, ask(f"{FACTS} [[scripted:crash]]"), ask(id="2", candidates=2))
    assert {completion.finish for completion in crashed} == {Finish.CLOSED}
    assert "SIGKILL" in crashed[0].error
    assert answers(engine, ask())[0].finish is Finish.STOP
    stats = engine.stats()
    assert stats.restarts == 1
    assert stats.completed == 2, "sums go on over a restart"


def test_a_process_killed_from_outside_is_replaced(open_one: OpenOne) -> None:
    before = children()
    engine = open_one()
    (child,) = children() - before
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask(f"{FACTS} [[scripted:slow]]")], inbox.put)
    os.kill(child, signal.SIGKILL)
    assert inbox.get(timeout=20).finish is Finish.CLOSED
    assert answers(engine, ask())[0].finish is Finish.STOP


@pytest.mark.parametrize("how", ["hangs", "is stopped"])
def test_a_hang_is_noticed_and_ended(open_one: OpenOne, how: str) -> None:
    before = children()
    engine = open_one(engine_hang_seconds=1)
    (child,) = children() - before
    if how == "is stopped":
        os.kill(child, signal.SIGSTOP)
    began = time.monotonic()
    (hung,) = answers(engine, ask(f"{FACTS} [[scripted:hang]]"))
    assert hung.finish is Finish.CLOSED
    assert "no sign of life" in hung.error
    assert time.monotonic() - began < 10
    assert child not in children()
    assert answers(engine, ask())[0].finish is Finish.STOP


def test_long_work_is_no_hang(open_one: OpenOne) -> None:
    engine = open_one(engine_hang_seconds=1, batch_size=1)
    asked = [ask(f"{FACTS} {number} [[scripted:slow]]", str(number)) for number in range(3)]
    assert {completion.finish for completion in answers(engine, *asked)} == {Finish.STOP}
    assert engine.stats().restarts == 0


def test_an_idle_engine_is_not_taken_for_a_hanging_one(open_one: OpenOne) -> None:
    engine = open_one(engine_hang_seconds=1)
    before = children()
    threading.Event().wait(2.5)  # what is tested is that nothing happens
    assert children() == before
    assert answers(engine, ask())[0].finish is Finish.STOP


def test_an_engine_that_only_dies_gives_up_and_says_so(open_one: OpenOne) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    engine = open_one(told.put)
    for _ in range(FAULTS_IN_A_ROW):
        assert answers(engine, ask(f"{FACTS} [[scripted:crash]]"))[0].finish is Finish.CLOSED
    assert "without an answer" in told.get(timeout=20)
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit([ask()], print)


def test_a_model_that_cannot_be_opened_is_an_error_of_the_parent(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="copydesk model pull"):
        open_engine(Settings(engine="transformers", data_dir=tmp_path))


def test_a_process_that_dies_while_it_opens_is_named() -> None:
    class Dying(ChildProcess):
        def __init__(self) -> None:
            super().__init__(Settings(engine="scripted"))
            self.process.kill()

    with pytest.raises(ModelError, match="SIGKILL while it opened"):
        HostedEngine(Dying)


def test_the_process_does_not_outlive_its_parent() -> None:
    script = (
        "import os, signal, sys\n"
        "from copydesk.engine.base import Message, Request\n"
        "from copydesk.engine.open import open_engine\n"
        "from copydesk.settings import Sampling, Settings\n"
        "engine = open_engine(Settings(engine='scripted'))\n"
        "engine.submit([Request('1', (Message('user', '[[scripted:hang]]'),), '', Sampling())], print)\n"
        "print(engine._host.process.pid, flush=True)\n"
        "sys.stdin.read()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.communicate()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{child}").exists()


def test_what_is_submitted_while_the_engine_comes_back_is_answered(open_one: OpenOne) -> None:
    engine = open_one()
    inbox: SimpleQueue[Completion] = SimpleQueue()
    done = threading.Event()

    def go_on(completion: Completion) -> None:  # in the engine's thread, before the next process is started
        engine.submit([ask(id="next")], inbox.put)
        done.set()

    engine.submit([ask(f"{FACTS} [[scripted:crash]]")], go_on)
    assert done.wait(20)
    assert inbox.get(timeout=20).finish is Finish.STOP


def test_a_step_that_fails_fails_its_rows_and_a_run_of_them_ends_the_process() -> None:
    class Faulty(ScriptedBackend):
        def step(self, tick: Any) -> Any:
            if any("fault" in row.prompt.data for row in self._rows):
                raise ArithmeticError("not a number")
            return super().step(tick)

    engine = in_thread(Faulty)
    (failed,) = answers(engine, ask("fault"))
    assert (failed.finish, failed.error) == (Finish.FAILED, "ArithmeticError: not a number")
    assert answers(engine, ask())[0].finish is Finish.STOP
    engine.close()


def test_draining_ends_what_decodes_and_returns_what_waits(open_one: OpenOne) -> None:
    engine = open_one(batch_size=1)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask(f"{FACTS} {number} [[scripted:slow]]", str(number)) for number in range(3)], inbox.put)
    while not engine.stats().running:
        time.sleep(0.01)
    engine.drain()
    ended = {completion.request_id: completion.finish for completion in (inbox.get(timeout=1) for _ in range(3))}
    assert ended == {"0": Finish.STOP, "1": Finish.CLOSED, "2": Finish.CLOSED}
