"""ISO weeks, in UTC, and a shop's digest of one."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from copydesk.errors import InputError
from copydesk.jobs import digest as digests
from copydesk.jobs.digest import Digest, Judged
from copydesk.store import reviews
from producer.files import output

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Week:
    """One week, by its name and by when it begins."""

    name: str
    since: datetime


def named(name: str | None, now: datetime | None = None) -> Week:
    """The week of this name, such as 2026-W47; None for the one that `now` is in. Raises InputError."""
    if name is None:
        year, week, _ = (now or datetime.now(UTC)).isocalendar()
        name = f"{year}-W{week:02}"
    try:
        return Week(name, datetime.strptime(f"{name}-1", "%G-W%V-%u").replace(tzinfo=UTC))
    except ValueError as error:
        raise InputError(f"{name!r} is no week: write one as 2026-W47") from error


def digest(connection: Any, shop_id: int, week: Week, *, min_count: int) -> Digest:
    """The digest of a shop's week, compared with the week before."""
    this, before = (_judged(connection, shop_id, since) for since in (week.since, week.since - WEEK))
    return digests.digest(this, before, min_count=min_count)


def _judged(connection: Any, shop_id: int, since: datetime) -> list[Judged]:
    found = reviews.told(connection, shop_id, since, since + WEEK)
    return [Judged(one.review, one.sku, one.rating, one.sentiment, one.opinions, one.route, one.at) for one in found]


def write(file: Path, page: str) -> None:
    """Write a page, whole or not at all. Raises InputError when the file cannot be written."""
    with output(file) as stream:
        stream.write(page)
