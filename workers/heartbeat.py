"""Keeps the messages this worker holds from being given to another one while it lives.

kombu gives a message away once its score in `unacked_index` is older than the visibility timeout, whether its task
still runs or not (celery #5935). Three times in that span this step moves the scores of the messages in hand to
now: a long chunk starts once, and the messages of a killed worker still come back soon.

It rests on private parts of kombu, pinned by tests/services/test_heartbeat.py: Channel.qos, QoS._delivered,
QoS._dirty, QoS.unacked_index_key, QoS.visibility_timeout, Channel.conn_or_acquire.
"""

import logging
import time
from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks

log = logging.getLogger("copydesk.heartbeat")


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc] # celery is untyped
    """Started with the consumer, and again after each reconnect."""

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.entry: Any = None

    def start(self, consumer: Any) -> None:
        qos = consumer.task_consumer.channel.qos
        self.entry = consumer.timer.call_repeatedly(qos.visibility_timeout / 3, beat, (qos,))

    def stop(self, consumer: Any) -> None:  # noqa: ARG002
        if self.entry is not None:
            self.entry.cancel()
            self.entry = None


def beat(qos: Any) -> None:
    """Move the scores of every message in hand to now. XX: one that is acknowledged meanwhile is not brought back."""
    tags = [tag for tag in tuple(qos._delivered) if tag not in qos._dirty]
    if not tags:
        return
    try:
        with qos.channel.conn_or_acquire() as client:
            client.zadd(qos.unacked_index_key, dict.fromkeys(tags, time.time()), xx=True)
    except qos.channel.connection_errors as error:
        # The consumer meets the same error and reconnects; the next start() begins again.
        log.warning("the broker did not take the heartbeat: %s", error)
