"""What somebody waits for overtakes the catalog; and the private parts of kombu that this rests on."""

from collections import OrderedDict
from pathlib import Path

import kombu
from kombu.transport import redis

from copydesk.settings import Settings
from services.conftest import OpenDesk
from services.desks import desk_in, until
from tasks.app import transport_options
from tasks.lanes import LaneCycle
from tasks.names import CATALOG, REPLIES, UPKEEP
from workers import heartbeat, lanes

SLOW = [f"stool-{number}" for number in range(12)]


def test_an_urgent_run_overtakes_a_saturating_one(open_desk: OpenDesk) -> None:
    desk = open_desk(chunk_size=3, batch_size=1, chunks_in_flight=2)
    desk.start_broker()
    worker = desk.start_worker()
    desk.import_products(SLOW, "slow")
    desk.import_products(["now"], shop="urgent")
    desk.describe()
    until("the catalog saturates the worker", lambda: desk.states(1).get("writing", 0) == 6)
    run = desk.json("describe", "--shop", "urgent", "--urgent")["run"]
    until("the urgent product is written", lambda: desk.finished(run))
    assert desk.states(1).get("ready", 0) <= 6, "it did not wait for the catalog"
    assert worker.output.count("describe_chunk[run-1.") - worker.output.count("succeeded") <= 4


def test_a_worker_holds_no_more_of_the_catalog_than_its_share(open_desk: OpenDesk) -> None:
    desk = open_desk(chunk_size=1, batch_size=1, chunks_in_flight=2)
    desk.start_broker()
    desk.start_worker()
    desk.import_products(SLOW[:6], "slow")
    desk.describe()
    seen = set()

    def watched() -> bool:
        seen.add(desk.states(1).get("writing", 0))
        return desk.finished(1)

    until("the run finishes", watched)
    assert max(seen) == 2


def test_the_catalog_is_left_out_while_a_worker_has_its_share() -> None:
    cycle = LaneCycle()
    cycle.update([CATALOG, "celery.pidbox", REPLIES, UPKEEP])
    assert cycle.consume(4) == [UPKEEP, REPLIES, CATALOG, "celery.pidbox"]
    cycle.may_take_catalog = lambda: False
    assert cycle.consume(4) == [UPKEEP, REPLIES, "celery.pidbox"]
    assert cycle.rotate(REPLIES) == REPLIES


def test_kombus_private_names_are_where_the_cap_looks_for_them(tmp_path: Path) -> None:
    with desk_in(tmp_path / "other") as desk:
        desk.start_broker()
        options = {**transport_options(Settings(engine="scripted")), "visibility_timeout": 7}
        with (
            kombu.Connection(desk.broker_url, transport_options=options) as connection,
            connection.SimpleQueue(CATALOG) as queue,
        ):
            queue.put({"number": 1})
            message = queue.get(timeout=5)
            channel = message.channel
            assert isinstance(channel._queue_cycle, LaneCycle)
            assert isinstance(channel.qos, heartbeat.LastingQoS)
            assert isinstance(channel.qos._delivered, OrderedDict)
            assert redis.Channel.QoS is heartbeat.LastingQoS
            assert lanes.held(channel.qos, CATALOG) == 1
            message.ack()
            assert lanes.held(channel.qos, CATALOG) == 0
