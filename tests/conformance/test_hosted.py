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
from engines import Died, in_thread

from copydesk.engine.backend import Prompt
from copydesk.engine.base import Completion, Finish, Message, Request
from copydesk.engine.hosted import DEATHS_IN_A_ROW, ChildProcess, HostedEngine
from copydesk.engine.open import open_engine
from copydesk.engine.scripted import ScriptedBackend
from copydesk.errors import ModelError
from copydesk.settings import Sampling, Settings

OpenOne = Callable[..., HostedEngine]
FACTS = "- Title: Enamel Mug"


def ask(content: str = FACTS, id: str = "1", candidates: int = 1, *, alone: bool = False) -> Request:
    return Request(id, (Message("user", content),), "", Sampling(), candidates, alone=alone)


def marked(behaviour: str, id: str = "1", candidates: int = 1, *, alone: bool = False) -> Request:
    return ask(f"{FACTS} {id} [[scripted:{behaviour}]]", id, candidates, alone=alone)


def answers(engine: HostedEngine, *requests: Request) -> list[Completion]:
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit(requests, inbox.put)
    return [inbox.get(timeout=20) for request in requests for _ in range(request.candidates)]


def finishes(completions: list[Completion]) -> dict[str, set[Finish]]:
    """Of each request."""
    found: dict[str, set[Finish]] = {}
    for completion in completions:
        found.setdefault(completion.request_id, set()).add(completion.finish)
    return found


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


def test_after_a_crash_the_next_request_is_answered_and_sums_go_on(open_one: OpenOne) -> None:
    engine = open_one()
    answers(engine, ask())
    (crashed,) = answers(engine, marked("crash"))
    assert crashed.finish is Finish.CRASHED
    assert "SIGKILL" in crashed.error
    assert answers(engine, ask())[0].finish is Finish.STOP
    stats = engine.stats()
    assert (stats.restarts, stats.completed) == (1, 2)


@pytest.mark.parametrize("behaviour", ["crash", "hang"])
def test_what_was_begun_has_crashed_and_what_waited_is_closed(open_one: OpenOne, behaviour: str) -> None:
    engine = open_one(batch_size=2, engine_hang_seconds=1)
    asked = [marked("slow", "beside"), marked(behaviour, "poison"), ask(id="waits", candidates=2), ask(id="too")]
    assert finishes(answers(engine, *asked)) == {
        "beside": {Finish.CRASHED},
        "poison": {Finish.CRASHED},
        "waits": {Finish.CLOSED},
        "too": {Finish.CLOSED},
    }


def test_when_one_candidate_was_begun_the_others_that_are_owed_crashed_with_it(open_one: OpenOne) -> None:
    engine = open_one(batch_size=2)
    assert finishes(answers(engine, marked("crash", candidates=4), ask(id="waits"))) == {
        "1": {Finish.CRASHED},
        "waits": {Finish.CLOSED},
    }


def test_what_ended_before_the_crash_has_ended(open_one: OpenOne) -> None:
    engine = open_one(batch_size=1)
    assert finishes(answers(engine, ask(id="before"), marked("crash", "poison"), ask(id="after"))) == {
        "before": {Finish.STOP},
        "poison": {Finish.CRASHED},
        "after": {Finish.CLOSED},
    }


def test_a_prompt_that_kills_the_process_as_it_is_read_has_crashed() -> None:
    class Fragile(ScriptedBackend):
        def read(self, request: Request) -> Prompt:
            if "fatal" in request.messages[0].content:
                raise Died  # no Exception, as the panic of a tokenizer in Rust is none
            return super().read(request)

    engine = in_thread(Fragile)
    assert answers(engine, ask("fatal"))[0].finish is Finish.CRASHED
    assert answers(engine, ask())[0].finish is Finish.STOP
    engine.close()


def test_marked_requests_crash_and_hang_however_often_they_are_asked_for(open_one: OpenOne) -> None:
    engine = open_one(engine_hang_seconds=1)
    for behaviour in ("crash*1", "crash*1", "hang*1", "hang*1"):
        assert answers(engine, marked(behaviour))[0].finish is Finish.CRASHED
        assert answers(engine, ask())[0].finish is Finish.STOP


def test_a_process_killed_from_outside_is_replaced(open_one: OpenOne) -> None:
    before = children()
    engine = open_one()
    (child,) = children() - before
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([marked("slow")], inbox.put)
    while not engine.stats().running:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    assert inbox.get(timeout=20).finish is Finish.CRASHED
    assert answers(engine, ask())[0].finish is Finish.STOP


@pytest.mark.parametrize("how", ["hangs", "is stopped"])
def test_a_hang_is_noticed_and_ended(open_one: OpenOne, how: str) -> None:
    before = children()
    engine = open_one(engine_hang_seconds=1)
    (child,) = children() - before
    if how == "is stopped":
        os.kill(child, signal.SIGSTOP)
    began = time.monotonic()
    (hung,) = answers(engine, marked("hang"))
    assert hung.finish is (Finish.CRASHED if how == "hangs" else Finish.CLOSED)  # nobody read it
    assert "no sign of life" in hung.error
    assert time.monotonic() - began < 10
    assert child not in children()
    assert answers(engine, ask())[0].finish is Finish.STOP


def test_long_work_is_no_hang(open_one: OpenOne) -> None:
    engine = open_one(engine_hang_seconds=1, batch_size=1)
    asked = [marked("slow", str(number)) for number in range(3)]
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
    for _ in range(DEATHS_IN_A_ROW):
        assert answers(engine, marked("crash"))[0].finish is Finish.CRASHED
    assert "without an answer" in told.get(timeout=20)
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit([ask()], print)


def test_deaths_that_one_request_alone_brings_about_do_not_end_the_engine(open_one: OpenOne) -> None:
    told: SimpleQueue[str] = SimpleQueue()
    engine = open_one(told.put)
    assert answers(engine, marked("crash"))[0].finish is Finish.CRASHED
    for _ in range(DEATHS_IN_A_ROW):
        assert answers(engine, marked("crash", alone=True))[0].finish is Finish.CRASHED
    assert answers(engine, ask())[0].finish is Finish.STOP
    assert told.empty()


def test_a_request_that_is_alone_takes_nobody_with_it(open_one: OpenOne) -> None:
    engine = open_one()
    asked = [ask(id="before"), marked("crash", "poison", 2, alone=True), ask(id="after"), ask(id="too")]
    assert finishes(answers(engine, *asked)) == {
        "before": {Finish.STOP},
        "poison": {Finish.CRASHED},
        "after": {Finish.CLOSED},
        "too": {Finish.CLOSED},
    }


def test_an_engine_is_stalled_while_it_has_work_and_is_silent(open_one: OpenOne) -> None:
    before = children()
    engine = open_one()
    (child,) = children() - before
    os.kill(child, signal.SIGSTOP)
    assert engine.stats().stalled_seconds == 0
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([ask()], inbox.put)
    began = time.monotonic()
    while engine.stats().stalled_seconds < 1:
        assert time.monotonic() - began < 20
        time.sleep(0.01)
    assert time.monotonic() - began > 0.7  # it is counted in quarters of a second
    os.kill(child, signal.SIGCONT)
    assert inbox.get(timeout=20).finish is Finish.STOP
    assert engine.stats().stalled_seconds == 0


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


def test_a_process_that_is_not_understood_is_ended_as_if_it_had_died() -> None:
    engine = in_thread(ScriptedBackend)
    engine._host._theirs.send_bytes(b"the words of another version")  # type: ignore[union-attr]
    while not engine.stats().restarts:
        time.sleep(0.01)
    assert answers(engine, ask())[0].finish is Finish.STOP
    engine.close()


def test_what_is_submitted_while_the_engine_comes_back_is_answered(open_one: OpenOne) -> None:
    engine = open_one()
    inbox: SimpleQueue[Completion] = SimpleQueue()
    done = threading.Event()

    def go_on(completion: Completion) -> None:  # in the engine's thread, before the next process is started
        engine.submit([ask(id="next")], inbox.put)
        done.set()

    engine.submit([marked("crash")], go_on)
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


def test_of_several_requests_in_a_step_that_fails_nobody_knows_which_is_to_blame() -> None:
    class Faulty(ScriptedBackend):
        def step(self, tick: Any) -> Any:
            if any("fault" in row.prompt.data for row in self._rows):
                raise ArithmeticError("not a number")
            return super().step(tick)

    engine = in_thread(Faulty)
    got = answers(engine, ask(id="beside"), ask("fault", id="fault", candidates=2))
    assert {completion.finish for completion in got} == {Finish.CRASHED}
    alone = answers(engine, ask(id="beside", alone=True), ask("fault", id="fault", candidates=2, alone=True))
    assert finishes(alone) == {"beside": {Finish.STOP}, "fault": {Finish.FAILED}}
    engine.close()


def test_draining_ends_what_decodes_and_returns_what_waits(open_one: OpenOne) -> None:
    engine = open_one(batch_size=1)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([marked("slow", str(number)) for number in range(3)], inbox.put)
    while not engine.stats().running:
        time.sleep(0.01)
    engine.drain(20)
    ended = finishes([inbox.get(timeout=1) for _ in range(3)])
    assert ended == {"0": {Finish.STOP}, "1": {Finish.CLOSED}, "2": {Finish.CLOSED}}
    engine.close()
    engine.drain(20)
    assert inbox.empty()


def test_what_has_not_ended_in_time_is_closed_by_a_drain_and_has_not_crashed(open_one: OpenOne) -> None:
    engine = open_one(batch_size=1)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([marked("hang", str(number)) for number in range(3)], inbox.put)
    while not engine.stats().stalled_seconds:
        time.sleep(0.01)
    began = time.monotonic()
    engine.drain(0.1)
    assert time.monotonic() - began < 20
    assert finishes([inbox.get(timeout=1) for _ in range(3)]) == {str(number): {Finish.CLOSED} for number in range(3)}


class Held:
    """An engine that decodes one row at a time; its first step lasts until close(), or until `dies` is set."""

    def __init__(self) -> None:
        self.dies = threading.Event()
        self.inbox: SimpleQueue[Completion] = SimpleQueue()
        began, dies = threading.Event(), self.dies

        class Backend(ScriptedBackend):
            def step(self, tick: Any) -> Any:
                began.set()
                while not dies.wait(0.01) and not self._closed.is_set():
                    pass
                raise Died

        self.engine = in_thread(lambda: Backend(width=1))
        self.engine.submit([ask(id=str(number)) for number in range(3)], self.inbox.put)
        assert began.wait(20)

    def drain(self) -> tuple[threading.Thread, list[Completion]]:
        """Begin to drain it, with all the time in the world; what comes back at once."""
        draining = threading.Thread(target=self.engine.drain, args=(600,))
        draining.start()
        return draining, [self.inbox.get(timeout=20) for _ in range(2)]


def test_a_drain_hands_back_what_waits_at_once_though_a_step_lasts() -> None:
    held = Held()
    draining, returned = held.drain()
    assert finishes(returned) == {"1": {Finish.CLOSED}, "2": {Finish.CLOSED}}
    held.engine.close()
    draining.join(20)
    assert not draining.is_alive()
    assert held.inbox.get(timeout=1).finish is Finish.CLOSED


def test_a_death_while_it_drains_is_a_crash() -> None:
    held = Held()
    draining, returned = held.drain()
    held.dies.set()
    draining.join(20)
    returned.append(held.inbox.get(timeout=1))
    assert finishes(returned) == {"0": {Finish.CRASHED}, "1": {Finish.CLOSED}, "2": {Finish.CLOSED}}


def test_a_callback_may_drain_the_engine(open_one: OpenOne) -> None:
    engine = open_one(batch_size=1)
    inbox: SimpleQueue[Completion] = SimpleQueue()

    def drain(completion: Completion) -> None:
        engine.drain(20)
        inbox.put(completion)

    engine.submit([ask(id=str(number)) for number in range(3)], drain)
    assert {inbox.get(timeout=20).request_id for _ in range(3)} == {"0", "1", "2"}
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit([ask()], drain)


@pytest.mark.parametrize("how", ["close", "drain"])
def test_an_engine_that_comes_back_is_not_waited_for(how: str) -> None:
    class Silent(ChildProcess):
        """After the first, processes that are stopped before they say a word."""

        started = 0
        coming = threading.Event()

        def __init__(self) -> None:
            super().__init__(Settings(engine="scripted"))
            Silent.started += 1
            if Silent.started > 1:
                self.process.send_signal(signal.SIGSTOP)
                Silent.coming.set()

    engine = HostedEngine(Silent)
    inbox: SimpleQueue[Completion] = SimpleQueue()
    engine.submit([marked("crash")], inbox.put)
    assert Silent.coming.wait(20)
    engine.submit([ask(id="next")], inbox.put)
    if how == "close":
        engine.close()
    else:
        engine.drain(600)
    assert [inbox.get(timeout=1).finish for _ in range(2)] == [Finish.CRASHED, Finish.CLOSED]
