"""Keeps the messages this worker holds from being given to another one while it lives.

kombu gives a message away once its score in `unacked_index` is older than the visibility timeout, whether its task
still runs or not (celery #5935). Three times in that span this step moves the scores of the messages in hand to
now: a long chunk starts once, and the messages of a killed worker still come back soon.

It rests on private parts of kombu, pinned by tests/services/test_heartbeat.py: Channel.qos, QoS._delivered,
QoS._dirty, QoS.unacked_index_key, QoS.visibility_timeout, Channel.conn_or_acquire, Channel.QoS.
"""

import logging
import time
from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks
from kombu.transport import redis

log = logging.getLogger("copydesk.heartbeat")


class LastingQoS(redis.QoS):  # type: ignore[misc] # kombu is untyped
    """kombu's own, but it outlives its broker.

    With the broker gone, kombu 5.7 fails with an AttributeError, which ends the worker, where it gives back what is in
    hand, and again when a task that ran on is acknowledged on the channel that closed. Neither can be done then: such a
    message comes back after the visibility timeout, and claims nothing.
    """

    def ack(self, delivery_tag: str) -> None:
        if self._is_cut_off():
            self._quick_ack(delivery_tag)
        else:
            super().ack(delivery_tag)

    def restore_unacked(self, client: Any = None) -> Any:
        return [] if self._is_cut_off() else super().restore_unacked(client)

    def _is_cut_off(self) -> bool:
        connection = self.channel.connection
        return connection is None or connection.client is None


redis.Channel.QoS = LastingQoS


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
