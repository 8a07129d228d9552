"""The Celery app: one configuration for producer, worker, beat and Flower."""

import contextlib
import os
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Queue

from copydesk import settings as copydesk_settings
from copydesk.errors import ConfigurationError
from copydesk.settings import Settings
from tasks import schedule
from tasks.names import CATALOG, REPLIES, ROUTES, UPKEEP


def transport_options(settings: Settings) -> dict[str, Any]:
    """What kombu's Redis transport needs, the same in every process."""
    options: dict[str, Any] = {
        # Shorter than a long chunk takes: workers/heartbeat.py keeps what living hands hold from being given away.
        # The shortest value of any process on the same Redis database wins, so every process reads this one.
        "visibility_timeout": settings.visibility_timeout_seconds,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,  # stock kombu looks for lost messages only every 100 s
        "queue_order_strategy": "tasks.lanes:LaneCycle",
        # A worker that holds its share of the catalog asks the other queues only, this long at a time; then it looks
        # whether a chunk has ended. With kombu's own second, six chunks in flight were six chunks a second.
        "polling_interval": 0.05,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
    if settings.broker_prefix:
        options["global_keyprefix"] = settings.broker_prefix
    return options


def configured(settings: Settings) -> dict[str, Any]:
    """Celery's configuration. No result backend: the draft's row is the result."""
    return {
        "include": ["tasks.work"],
        "broker_url": settings.broker_url,
        "broker_transport_options": transport_options(settings),
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_default_queue": UPKEEP,
        "task_create_missing_queues": False,
        "task_queues": [Queue(UPKEEP), Queue(REPLIES), Queue(CATALOG)],
        "task_routes": ROUTES,
        "task_send_sent_event": True,
        "task_publish_retry": False,  # the relay takes the bell back and rings it again
        "worker_send_task_events": True,
        "worker_pool": "threads",  # fork breaks CUDA, solo blocks remote control
        # workers/lanes.py keeps the catalog to its share, so that there is always a slot for what is urgent.
        "worker_concurrency": settings.chunks_in_flight + settings.replies_in_flight + 1,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # a finished chunk is worth keeping
        "timezone": settings.nightly.timezone,
        "beat_schedule": schedule.entries(settings),
        "beat_schedule_filename": str(settings.data_dir / "beat-schedule"),
    }


def make_app(settings: Settings) -> Celery:
    """Raises ConfigurationError when the nightly schedule in the settings is not one."""
    with contextlib.suppress(OSError):  # only beat writes there, and says so itself when it cannot
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    made = Celery("copydesk")
    made.conf.update(configured(settings))
    return made


try:
    app = make_app(copydesk_settings.load())
except ConfigurationError as wrong:
    # Celery prints any other exception of this module as a page of traceback.
    raise SystemExit(f"copydesk: {wrong}") from wrong
# Flower takes its settings from a file; ours puts authentication and the private bind on by default.
os.environ.setdefault("FLOWER_CONF", str(Path(__file__).with_name("flowerconfig.py")))
