"""Keeps slots of this worker free for the lane of replies: of the catalog it holds only so many messages.

It rests on private parts of kombu, pinned by tests/services/test_lanes.py: Channel._queue_cycle, Channel.qos,
QoS._delivered, QoS._dirty.
"""

from typing import Any

from celery import bootsteps
from celery.worker.consumer.tasks import Tasks

from copydesk import settings as copydesk_settings
from tasks.names import CATALOG


class CatalogCap(bootsteps.StartStopStep):  # type: ignore[misc] # celery is untyped
    """Started with the consumer, and again after each reconnect, when the channel is another one."""

    requires = (Tasks,)

    def start(self, consumer: Any) -> None:
        channel = consumer.task_consumer.channel
        limit = copydesk_settings.load().chunks_in_flight
        channel._queue_cycle.may_take_catalog = lambda: held(channel.qos, CATALOG) < limit


def held(qos: Any, queue: str) -> int:
    """Messages of a queue that the worker has and has not acknowledged."""
    in_hand = [message for tag, message in tuple(qos._delivered.items()) if tag not in qos._dirty]
    return sum(1 for message in in_hand if message.delivery_info["routing_key"] == queue)
