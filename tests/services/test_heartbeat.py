"""A chunk longer than the visibility timeout starts once; and the private parts of kombu that this rests on."""

import time
from collections import OrderedDict
from pathlib import Path

import kombu
from kombu.transport import redis, virtual

from services.conftest import OpenDesk
from services.desks import desk_in, until
from workers import heartbeat

SLOW = [f"stool-{number}" for number in range(8)]


def test_a_chunk_much_longer_than_the_visibility_timeout_starts_once(open_desk: OpenDesk) -> None:
    desk = open_desk(visibility_timeout_seconds=3, lease_seconds=60, batch_size=1)
    desk.start_broker()
    worker = desk.start_worker()
    desk.start_beat()
    desk.import_products(SLOW, "slow")
    desk.describe()
    until("the chunk is in hand", lambda: "writing" in desk.states(1))
    scores: set[float] = set()

    def seen_to_its_end() -> bool:
        scores.update(score for _, score in desk.broker().zrange("unacked_index", 0, -1, withscores=True))
        return desk.finished(1)

    until("the run finishes", seen_to_its_end)

    assert desk.json("status", 1)["items_per_s"] < 1.2, "it did take its eight seconds"
    assert worker.output.count("describe_chunk[run-1.chunk-0.ring-1] received") == 1
    assert worker.output.count("describe_chunk[") == 2, "received once, succeeded once"
    assert desk.query("SELECT DISTINCT attempt, asks FROM drafts") == [(1, 1)]
    assert len(scores) >= 5, "the score of the message in hand moves on, about once a second"
    until("nothing is left unacknowledged", lambda: not desk.broker().zcard("unacked_index"))


def test_kombus_private_names_are_where_the_heartbeat_looks_for_them(tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk") as desk:
        desk.start_broker()
        connection = kombu.Connection(desk.broker_url, transport_options={"visibility_timeout": 7})
        with connection, connection.channel() as channel:
            qos = channel.qos
            assert isinstance(channel, redis.Channel)
            assert isinstance(qos, virtual.QoS)
            assert (qos.visibility_timeout, qos.unacked_index_key) == (7, "unacked_index")
            assert isinstance(qos._delivered, OrderedDict)
            assert isinstance(qos._dirty, set)
            assert channel.connection_errors


def test_the_heartbeat_moves_what_is_in_hand_and_brings_back_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with desk_in(tmp_path / "desk") as desk:
        desk.start_broker()
        with kombu.Connection(desk.broker_url) as connection, connection.SimpleQueue("work") as queue:
            queue.put({"number": 1})
            message = queue.get(timeout=5)
            qos = message.channel.qos
            tag = message.delivery_tag
            desk.broker().zadd("unacked_index", {tag: 1.0})
            heartbeat.beat(qos)
            assert desk.broker().zscore("unacked_index", tag) > time.time() - 5

            message.ack()
            assert desk.broker().zscore("unacked_index", tag) is None
            heartbeat.beat(qos)
            assert desk.broker().zcard("unacked_index") == 0


def test_the_step_starts_with_the_consumer_of_the_worker_app() -> None:
    from workers.main import app

    assert heartbeat.Heartbeat in app.steps["consumer"]
