"""What chaos.py does to an installation. Each fault says what it did, or raises NotNow and is tried again later."""

import os
import random
import signal
import time
from collections.abc import Callable

import psycopg
from chaos_shop import Shops
from chaos_stage import Kill, Process, Stage, children

from tasks.names import CATALOG, DESCRIBE_CHUNK, SWEEP, UPKEEP

BELLS = "SELECT run_id, number, rings, name FROM chunks JOIN runs ON runs.id = run_id JOIN shops ON shops.id = shop_id \
WHERE rings > 0 ORDER BY rung_at DESC LIMIT 12"
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' \
AND pid <> pg_backend_pid()"

STOPPED_SECONDS = 8.0
"""How long after its lease a stopped worker waits for another one to claim what it held."""

LOOK_SECONDS = 0.1

TOLERANCE_SECONDS = 5.0
"""How much later than its settings say a process may do something, on a machine that does much else."""


class NotNow(Exception):
    """The fault cannot be committed at this moment."""


Fault = Callable[[Stage, Shops, random.Random], str]
FAULTS: dict[str, Fault] = {}
"""By name, as --kinds takes them."""


def fault(name: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return register


def _some_worker(stage: Stage, chosen: random.Random) -> Process:
    free = [process for process in stage.workers if process.listens and not process.busy]
    if not free:
        raise NotNow("no worker listens that is not busy with another fault")
    return chosen.choice(free)


def _some_working(stage: Stage, chosen: random.Random) -> Process:
    """A worker that has drafts in hand, and not only for a moment."""
    free = [process for process in stage.workers if process.listens and not process.busy]
    for process in chosen.sample(free, len(free)):
        if stage.in_hands_of(process):
            return process
    raise NotNow("no worker that is not busy with another fault has anything in hand")


@fault("worker-kill")
def worker_kill(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """kill -9."""
    victim = _some_working(stage, chosen)
    victim.asked_to_end = True
    victim.signal(signal.SIGKILL)
    at = time.monotonic()
    victim.child.process.wait(10)
    stage.kills.append(Kill(at, victim.pid, stage.writing()))
    return victim.child.name


@fault("worker-stop")
def worker_stop(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """SIGSTOP past the lease, until another worker has in hand what this one had; then SIGCONT: it is fenced out."""
    victim = _some_working(stage, chosen)
    victim.busy = True
    victim.signal(signal.SIGSTOP)
    had = stage.in_hands_of(victim)
    deadline = time.monotonic() + stage.settings.lease_seconds + STOPPED_SECONDS

    def look() -> None:
        if _somebody_else_has(stage, had) or time.monotonic() > deadline:
            victim.signal(signal.SIGCONT)
            victim.busy = False
        else:
            stage.later(LOOK_SECONDS, look)

    stage.later(stage.settings.lease_seconds, look)
    return victim.child.name


def _somebody_else_has(stage: Stage, had: dict[int, str]) -> bool:
    try:
        writing = stage.writing()
    except psycopg.OperationalError:  # it is down
        return False
    return any(writing[draft][0] != token for draft, token in had.items() if draft in writing)


@fault("worker-term")
def worker_term(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """SIGTERM; another one is started when it has ended."""
    victim = _some_worker(stage, chosen)
    victim.busy = victim.asked_to_end = True
    process, name, seconds = victim.child.process, victim.child.name, stage.settings.shutdown_seconds
    process.terminate()

    def look() -> None:
        victim.busy = False
        if process.poll() is None:
            stage.wrong.append(f"{name} still ran {seconds + TOLERANCE_SECONDS:.0f} s after SIGTERM")
            process.kill()
        elif process.returncode:
            stage.wrong.append(f"{name} ended with status {process.returncode} after SIGTERM")

    stage.later(seconds + TOLERANCE_SECONDS, look)
    return name


@fault("engine-kill")
def engine_kill(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """kill -9 of the engine's process under its worker."""
    victim = _some_working(stage, chosen)
    for pid in children(victim.pid):
        os.kill(pid, signal.SIGKILL)
    return f"the engine of {victim.child.name}"


@fault("engine-hang")
def engine_hang(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """SIGSTOP for the engine's process; its worker has to notice, and to end it."""
    victim = _some_working(stage, chosen)
    for pid in children(victim.pid):
        os.kill(pid, signal.SIGSTOP)
    return f"the engine of {victim.child.name}"


@fault("broker-kill")
def broker_kill(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """kill -9, and started again with its append-only file."""
    if not stage.broker.runs:
        raise NotNow("it is down")
    stage.broker.child.kill()
    seconds, began = chosen.uniform(0, 3), time.monotonic()

    def start() -> None:
        stage.broker.child.start()
        stage.outages.append((began, time.monotonic()))

    stage.later(seconds, start)
    return f"for {seconds:.1f} s"


@fault("broker-flush")
def broker_flush(stage: Stage, _shops: Shops, _chosen: random.Random) -> str:
    """FLUSHALL: every message is gone."""
    stage.flush()
    return "FLUSHALL"


@fault("database-kill")
def database_kill(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """kill -9 of the postmaster; it recovers from its log."""
    began = time.monotonic()
    stage.database.kill()
    return _start_again(stage, chosen, began)


@fault("database-restart")
def database_restart(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """A fast stop, which cuts every connection."""
    began = time.monotonic()
    stage.database.stop("fast")
    return _start_again(stage, chosen, began)


def _start_again(stage: Stage, chosen: random.Random, began: float) -> str:
    time.sleep(chosen.uniform(0, 1))
    stage.database.start()
    stage.outages.append((began, time.monotonic()))
    return f"for {time.monotonic() - began:.1f} s"


@fault("database-cut")
def database_cut(stage: Stage, _shops: Shops, _chosen: random.Random) -> str:
    """Every connection is ended by the server."""
    return f"{len(stage.database.query(CUT))} connections"


@fault("bell-twice")
def bell_twice(stage: Stage, _shops: Shops, chosen: random.Random) -> str:
    """Messages that were sent are sent again, twice each."""
    rung = stage.database.query(BELLS)
    if not rung:
        raise NotNow("nothing was rung yet")
    some = chosen.sample(rung, min(6, len(rung)))
    with stage.client() as client:
        for row in [*some, *some]:
            client.send_task(
                DESCRIBE_CHUNK,
                kwargs={"run": row["run_id"], "chunk": row["number"], "shop": row["name"]},
                queue=CATALOG,
                task_id=f"run-{row['run_id']}.chunk-{row['number']}.ring-{row['rings']}",
            )
    return f"{len(some)} bells"


@fault("sweeps-at-once")
def sweeps_at_once(stage: Stage, _shops: Shops, _chosen: random.Random) -> str:
    with stage.client() as client:
        for _ in range(6):
            client.send_task(SWEEP, queue=UPKEEP)
    return "6 sweeps"


@fault("beat-kill")
def beat_kill(stage: Stage, _shops: Shops, _chosen: random.Random) -> str:
    """kill -9; its schedule file stays as it is."""
    if not stage.beat.runs:
        raise NotNow("it is down")
    stage.beat.asked_to_end = True
    stage.beat.signal(signal.SIGKILL)
    return "beat"


@fault("poison-crash")
def poison_crash(_stage: Stage, shops: Shops, _chosen: random.Random) -> str:
    """One item of a chunk ends the engine whenever it is asked for."""
    shops.plant("crash")
    return "in a chunk of its own run"


@fault("poison-hang")
def poison_hang(_stage: Stage, shops: Shops, _chosen: random.Random) -> str:
    """One item of a chunk hangs the engine whenever it is asked for."""
    shops.plant("hang")
    return "in a chunk of its own run"
