"""What beat sends and when: the sweep every few seconds, the nightly refresh by a cron expression."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from celery.schedules import ParseException, crontab

from copydesk.errors import ConfigurationError
from copydesk.settings import Nightly, Settings
from tasks.names import CLEAN, NIGHTLY, SWEEP

CLEAN_SECONDS = 3600.0

DAYS_UNTIL_THE_CALENDAR_REPEATS = 28 * 366


def entries(settings: Settings) -> dict[str, dict[str, Any]]:
    """Beat's schedule. Raises ConfigurationError when the cron expression or the time zone is not one."""
    cron = parsed(settings.nightly)
    sweep = {
        "task": SWEEP,
        "schedule": float(settings.sweep_seconds),
        "options": {"expires": settings.sweep_seconds},  # while no worker listens, sweeps do not pile up
    }
    nightly = {
        f"nightly {shop}": {"task": NIGHTLY, "schedule": cron, "kwargs": {"shop": shop}}
        for shop in settings.nightly.shops
    }
    clean = {"task": CLEAN, "schedule": CLEAN_SECONDS, "options": {"expires": CLEAN_SECONDS}}
    return {"sweep": sweep, "clean": clean, **nightly}


def parsed(nightly: Nightly) -> crontab:
    """The cron expression. Raises ConfigurationError."""
    try:
        ZoneInfo(nightly.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"nightly.timezone is {nightly.timezone!r}: write one such as Europe/Berlin"
        ) from error
    try:
        return crontab.from_string(nightly.cron)
    except (ParseException, ValueError) as error:
        raise ConfigurationError(
            f"nightly.cron is {nightly.cron!r}: write five fields as cron does, for example '0 2 * * *' ({error})"
        ) from error


def last_slot(nightly: Nightly, moment: datetime) -> datetime:
    """The latest minute, not after `moment`, that the schedule names; in the schedule's zone.

    It is the run key of a nightly run: beat's message may wait for a worker, and two beats never fire in the same
    second, yet the slot is the same for all of them.

    Raises:
        ConfigurationError: the schedule names a day that does not exist (30 February, say).
    """
    cron, zone = parsed(nightly), ZoneInfo(nightly.timezone)
    today = moment.astimezone(zone).date()
    for days in range(DAYS_UNTIL_THE_CALENDAR_REPEATS):
        day = today - timedelta(days=days)
        if (
            day.day in cron.day_of_month
            and day.month in cron.month_of_year
            and day.isoweekday() % 7 in cron.day_of_week
        ):
            slots = [datetime.combine(day, time(hour, minute), zone) for hour in cron.hour for minute in cron.minute]
            # As instants: on the night when summer time ends, the wall clock shows an hour twice.
            due = [slot for slot in slots if slot.timestamp() <= moment.timestamp()]
            if due:
                return max(due, key=datetime.timestamp)
    raise ConfigurationError(f"nightly.cron is {nightly.cron!r}: no such day exists")
