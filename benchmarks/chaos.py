"""Faults of every kind, committed on a whole installation that works; then an account of every item.

    .venv/bin/python benchmarks/chaos.py [--minutes 10] [--seed 1 | --seeds 1,2,3,4,5] [--every 2.4] [--workers 3]
                                         [--kinds worker-kill,broker-flush] [--again 10] [--keep FOLDER]

Real parts: workers with the scripted engine, beat, Valkey with its append-only file, PostgreSQL with fsync. Runs of
several shops are planned all the time, some of them urgent, and products are edited under them. A seeded schedule
commits a fault every so many seconds, each kind as often as the others. Workers keep books beside the database
(chaos_worker.py); when the faults are over and the runs have ended, every item is accounted for (chaos_account.py).

Exit status 1, with the history of each draft concerned, when anything is lost, written twice, stuck, late or not to be
explained. --minutes is how long faults fall, for each seed; starting and ending come on top. --keep FOLDER keeps logs
and books.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import psycopg
import redis
import workload
from chaos_account import CHUNKS, DRAFTS, RUNS, Account
from chaos_books import ACCEPTED, BOOKS, DROPPED, INTENT, Books
from kombu.exceptions import OperationalError

SHORT = {
    "ENGINE": "scripted",
    "BATCH_SIZE": 8,
    "CHUNK_SIZE": 16,
    "CHUNKS_IN_FLIGHT": 2,
    "REPLIES_IN_FLIGHT": 1,
    "LEASE_SECONDS": 8,
    "ENGINE_HANG_SECONDS": 4,
    "VISIBILITY_TIMEOUT_SECONDS": 10,
    "SWEEP_SECONDS": 2,
    "SHUTDOWN_SECONDS": 10,
}
"""Times short enough that what takes minutes elsewhere takes seconds here."""

END_SECONDS = 150.0
"""Within which all runs end once no more faults fall."""

UNENDED = (
    "SELECT id FROM runs WHERE finished_at IS NULL UNION ALL SELECT run_id FROM chunks WHERE state <> 'done' LIMIT 1"
)

SHOWN = 20
"""Of what is wrong, in full."""

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What falls on one installation."""

    seed: int
    seconds: float
    every_seconds: float
    kinds: Sequence[str]
    workers: int
    again_seconds: float
    keep: Path | None


def main() -> None:
    from chaos_faults import FAULTS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", "--seeds", default="1")
    parser.add_argument("--every", type=float, default=2.4, help="seconds from one fault to the next")
    parser.add_argument("--kinds", default=",".join(FAULTS))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument(
        "--again",
        type=float,
        default=10,
        help="seconds beyond the lease until a killed worker's items are in hand again",
    )
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    if unknown := set(kinds) - FAULTS.keys():
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    plans = [
        Plan(int(seed), given.minutes * 60, given.every, kinds, given.workers, given.again, given.keep)
        for seed in given.seed.split(",")
    ]
    # Celery's app is made of the settings once in a process.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        results = list(pool.map(one_seed, plans))
    sys.exit(told(results, kinds, given.minutes))


def told(results: Sequence[Result], kinds: Sequence[str], minutes: float) -> int:
    """Print what happened; the exit status."""
    for result in results:
        for line in [*result["ended by themselves"], *result["wrong"][:SHOWN]]:
            print(f"seed {result['seed']}: {line}")
    print()
    workload.table([{"fault": kind, **_by_seed(results, kind)} for kind in kinds])
    print()
    wrong = sum(len(result["wrong"]) for result in results)
    rows = [{**result, "wrong": len(result["wrong"])} for result in results]
    hidden = ("committed", "ended by themselves")
    shown = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
    workload.report("chaos", shown, minutes=minutes, faults=sum(row["faults"] for row in shown), wrong=wrong)
    return int(wrong > 0)


def _by_seed(results: Sequence[Result], kind: str) -> Result:
    of_seed = {f"seed {result['seed']}": result["committed"].get(kind, 0) for result in results}
    return {**of_seed, "all": sum(of_seed.values())}


def one_seed(plan: Plan) -> Result:
    """In a process of its own: start everything, commit the faults, wait for the end, account."""
    folder = Path(tempfile.mkdtemp(prefix="copydesk-chaos-"))
    try:
        return _one_seed(plan, folder)
    finally:
        if plan.keep is not None:
            kept = plan.keep / f"seed-{plan.seed}"
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("postgresql"), dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _one_seed(plan: Plan, folder: Path) -> Result:
    from chaos_stage import PostgreSQL

    database = PostgreSQL(folder / "postgresql")
    try:
        _configure(folder, database.url)
        return _storm(plan, folder, database)
    finally:
        database.close()


def _configure(folder: Path, database_url: str) -> None:
    """By the environment, which every process inherits, and by nothing else."""
    from producer.services import free_port

    for name in [name for name in os.environ if name.startswith("COPYDESK_")]:
        del os.environ[name]
    own = {"DATA_DIR": folder, "DATABASE_URL": database_url, "BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}
    os.environ.update({f"COPYDESK_{name}": str(value) for name, value in {**SHORT, **own}.items()})
    (folder / "books").mkdir()
    here = Path(__file__).resolve().parent
    os.environ.update({BOOKS: str(folder / "books"), "PYTHONPATH": f"{here.parent}{os.pathsep}{here}"})
    os.chdir(folder)  # no copydesk.toml


def _storm(plan: Plan, folder: Path, server: Any) -> Result:
    from chaos_shop import Shops
    from chaos_stage import stage

    from copydesk import settings as copydesk_settings
    from copydesk.store import Database

    settings = copydesk_settings.load()
    database = Database(settings.database)
    database.migrate()
    shops = Shops(database, settings, random.Random(plan.seed), folder)
    shops.fill()
    with stage(folder, settings, server, plan.workers) as staged:
        shops.start()
        committed = _commit(plan, staged, shops)
        shops.stop()
        seconds = _wait_for_the_end(staged)
        staged.end(settings.shutdown_seconds + 5)
        account = _account(plan, staged, shops, folder / "books")
    database.close()
    return _result(plan, committed, seconds, staged, shops, account)


def _commit(plan: Plan, staged: Any, shops: Any) -> Counter[str]:
    """Faults as the seed has them, one after the other; what cannot be done now is done with the next."""
    from chaos_faults import FAULTS, NotNow

    chosen = random.Random(f"faults {plan.seed}")
    bags = chain.from_iterable(chosen.sample(kinds, len(kinds)) for kinds in cycle([list(plan.kinds)]))
    began = time.monotonic()
    next_at = began + plan.every_seconds
    due: list[str] = []
    committed: Counter[str] = Counter()
    with (staged.folder / "faults.log").open("a", encoding="utf-8", buffering=1) as log:
        while time.monotonic() < began + plan.seconds:
            staged.tick()
            if time.monotonic() < next_at:
                continue
            next_at += plan.every_seconds
            due.append(next(bags))
            for kind in due[:2]:
                try:
                    did = FAULTS[kind](staged, shops, chosen)
                except (NotNow, redis.RedisError, psycopg.OperationalError, OperationalError) as error:
                    log.write(f"{time.monotonic():.3f} not now: {kind}: {error}\n")
                    continue
                log.write(f"{time.monotonic():.3f} {kind}: {did}\n")
                committed[kind] += 1
                due.remove(kind)
    return committed


def _wait_for_the_end(staged: Any) -> float:
    """Seconds until everything runs again, all runs have ended and no chunk is open."""
    began = time.monotonic()
    while time.monotonic() < began + END_SECONDS:
        staged.tick()
        if staged.is_whole and not staged.database.query(UNENDED):
            break
    return time.monotonic() - began


def _account(plan: Plan, staged: Any, shops: Any, books: Path) -> Account:
    from copydesk.jobs import retry

    return Account(
        drafts=staged.database.query(DRAFTS),
        runs=staged.database.query(RUNS),
        open_chunks=staged.database.query(CHUNKS),
        books=Books.read(books),
        planned=shops.planned,
        kills=staged.kills,
        outages=staged.outages,
        again_seconds=staged.settings.lease_seconds + plan.again_seconds,
        pauses=retry.crash_pauses(staged.settings.max_attempts),
    )


def _result(plan: Plan, committed: Counter[str], seconds: float, staged: Any, shops: Any, account: Account) -> Result:
    wrong = [*map(str, account.wrong), *staged.wrong]
    of_what = Counter(one.what for one in account.wrong)
    outcomes = Counter(row["outcome"] for row in account.drafts)
    books = account.books
    return {
        "seed": plan.seed,
        "faults": committed.total(),
        "kinds": len(committed),
        "runs": len(account.runs),
        "drafts": len(account.drafts),
        **{name: outcomes[name] for name in ("ready", "held", "failed", "stale")},
        "poison": sum(bool(one.poison) for one in shops.planned),
        "accepted": books.count(ACCEPTED),
        "unsure": books.count(INTENT) - books.count(ACCEPTED),
        "dropped": books.count(DROPPED),
        "lost": of_what["lost"] + of_what["unheard of"],
        "twice": of_what["twice"] + of_what["not fenced out"] + of_what["outcomes"],
        "stuck": of_what["stuck"],
        "late": of_what["late"],
        "open": of_what["open"],
        "kills": len(staged.kills),
        "in hand": len(account.again),
        "again s": max((one.seconds for one in account.again), default=0.0),
        "chunk again s": account.chunk_again_seconds,
        "net s": max((one.net_seconds for one in account.again), default=0.0),
        "end s": seconds,
        "wrong": wrong,
        "committed": dict(committed),
        "ended by themselves": staged.ended_by_themselves,
    }


if __name__ == "__main__":
    main()
