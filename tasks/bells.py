"""The relay between the ledger and the broker: chunks that wait are rung, a bounded number at a time."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kombu.exceptions import OperationalError

from copydesk.errors import CopydeskError
from copydesk.model import BATCH, REPLY, SENTIMENT
from copydesk.store import Database, runs
from tasks.app import app
from tasks.names import BATCH_CHUNK, CATALOG, DESCRIBE_CHUNK, REPLIES, REPLY_CHUNK, SENTIMENT_CHUNK

QUEUES = (REPLIES, CATALOG)
"""A run's lane is the name of the queue that its chunks are rung on; the first goes first."""

TASK_OF_KIND = {BATCH: BATCH_CHUNK, REPLY: REPLY_CHUNK, SENTIMENT: SENTIMENT_CHUNK}
"""Of work that is no copy about products."""

REPLIES_IN_BROKER = 64
"""Bells of chunks that somebody waits for; beside those of the catalog."""

_BELL = re.compile(r"run-(?P<run>\d+)\.chunk-(?P<chunk>\d+)\.")

SAFE = {"appendonly": "yes", "maxmemory-policy": "noeviction"}
"""How the broker must be set so that it neither forgets at a restart nor drops bells when it is full."""


class BrokerAway(CopydeskError):
    """The broker does not answer."""


def ring(database: Database, limit: int, room: int = 1) -> int:
    """Ring waiting chunks; returns how many bells the broker took.

    Of the catalog `limit` bells wait in the broker at most, whatever is in workers' hands, so that a shop that comes
    late finds a short queue; none are rung while that leaves less than `room`. What somebody waits for has a bound of
    its own. A bell that the broker did not take waits again, and the next sweep rings it: nothing is lost.

    Raises:
        BrokerAway: the broker does not answer.
    """
    with _channel() as channel:
        free = {REPLIES: REPLIES_IN_BROKER - _length(channel, REPLIES), CATALOG: limit - _length(channel, CATALOG)}
    if free[CATALOG] < room:
        free[CATALOG] = 0
    with database.write() as connection:
        bells = [bell for lane in QUEUES for bell in runs.claim_bells(connection, free[lane], lane)]
    if not bells:
        return 0
    sent = 0
    try:
        with _broker_errors(), app.producer_pool.acquire(block=True) as producer:
            for bell in bells:
                app.send_task(
                    task_of(bell.kind),
                    queue=bell.lane,
                    kwargs={"run": bell.run, "chunk": bell.chunk, "shop": bell.shop},
                    task_id=f"run-{bell.run}.chunk-{bell.chunk}.ring-{bell.rings}",
                    producer=producer,
                )
                sent += 1
    finally:
        if sent < len(bells):
            with database.write() as connection:
                runs.unring(connection, bells[sent:])
    return sent


def task_of(kind: str) -> str:
    """The task that does a kind of work: one writes copy, whatever its kind."""
    return TASK_OF_KIND.get(kind, DESCRIBE_CHUNK)


class Relay:
    """The ringing of one process: who wants it while one thread rings does not ring beside it; it rings once more."""

    def __init__(self) -> None:
        self._ringing = threading.Lock()
        self._wanted = threading.Event()

    def ring(self, database: Database, limit: int, room: int = 1) -> int:
        """As `ring`, which see; 0 where another thread rings for this one as well."""
        rung = 0
        self._wanted.set()
        while self._wanted.is_set() and self._ringing.acquire(blocking=False):
            try:
                self._wanted.clear()
                rung += ring(database, limit, room)
            finally:
                self._ringing.release()
        return rung


def heard() -> set[tuple[int, int]]:
    """Chunks (run, number) whose bell is queued or in a worker's hands: what is rung and not here has lost its bell.

    Raises:
        BrokerAway: the broker does not answer.
    """
    with _channel() as channel:
        queued = [message for queue in QUEUES for message in channel.client.lrange(queue, 0, -1)]
        # kombu puts the prefix before the keys of some commands only, and HVALS is not one of them.
        in_hands = channel.client.hvals(channel.global_keyprefix + channel.unacked_key)
    messages = [*map(json.loads, queued), *(json.loads(delivery)[0] for delivery in in_hands)]
    found = (_BELL.match(str(message["headers"].get("id"))) for message in messages)
    return {(int(one["run"]), int(one["chunk"])) for one in found if one}


def queued() -> int:
    """How many bells wait in the broker. Raises BrokerAway."""
    with _channel() as channel:
        return sum(_length(channel, queue) for queue in QUEUES)


def _length(channel: Any, queue: str) -> int:
    return int(channel.client.llen(queue))


def durability() -> dict[str, str]:
    """The broker's own settings that SAFE names; those it does not tell are left out. Raises BrokerAway."""
    with _channel() as channel:
        try:
            told = channel.client.config_get(*SAFE)
        except channel.connection.client.transport.channel_errors:  # a managed Redis may forbid CONFIG
            return {}
    plain = {_text(name): _text(value) for name, value in told.items()}
    return {name: plain[name] for name in SAFE if name in plain}


def listening_workers(lane: str = CATALOG, timeout_seconds: float = 1.0) -> list[str]:
    """Names of the workers that take chunks of this lane. Raises BrokerAway."""
    with _channel():
        answers = app.control.inspect(timeout=timeout_seconds).active_queues() or {}
    return sorted(name for name, queues in answers.items() if any(queue["name"] == lane for queue in queues))


@contextmanager
def _channel() -> Iterator[Any]:
    with _broker_errors(), app.connection_for_read() as connection:
        # kombu's own way retries for many seconds; whoever asks here wants to know.
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        yield connection.default_channel


@contextmanager
def _broker_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, *app.connection_for_read().connection_errors) as error:
        raise BrokerAway(f"the broker does not answer ({error})") from error


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
