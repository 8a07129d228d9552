"""Lets a worker outlive its connection to Redis while it holds messages.

celery and kombu 5.7.0 end such a worker: closing the lost channel tries to give the messages back over that very
connection (AttributeError, "Unrecoverable error"), and so does the late acknowledgement of the task that was running.
Neither is needed. The message is still in `unacked`, comes back after the visibility timeout, and finds no work.

It rests on private parts of kombu, pinned by tests/services/test_broker_loss.py.
"""

import logging
from typing import Any

from kombu.transport import redis

log = logging.getLogger("copydesk.broker_loss")


class QoS(redis.QoS):  # type: ignore[misc] # kombu is untyped
    """kombu's, without the attempts to speak over a connection that is gone."""

    def restore_unacked_once(self, stderr: Any = None) -> None:
        connection = self.channel.connection
        if connection is None or connection.client is None:
            self._on_collect.cancel()
            return
        super().restore_unacked_once(stderr)

    def ack(self, delivery_tag: str) -> None:
        if self.channel.closed:
            log.warning(
                "%s is not acknowledged, its connection is gone: it comes again and finds no work", delivery_tag
            )
            return
        super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not self.channel.closed:
            super().reject(delivery_tag, requeue)


def install() -> None:
    """Called once, in the worker process only."""
    redis.Channel.QoS = QoS
