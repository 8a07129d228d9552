"""Beat's entries, and the slot that makes one run of however many beats."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from copydesk.errors import ConfigurationError
from copydesk.settings import Nightly, Settings
from tasks import schedule
from tasks.names import NIGHTLY, ROUTES, SWEEP

BERLIN = "Europe/Berlin"
KOLKATA = "Asia/Kolkata"  # half an hour off, no summer time
AUCKLAND = "Pacific/Auckland"


def slot(cron: str, moment: str, zone: str = "UTC") -> str:
    """The slot at a UTC moment, as a run key shows it."""
    nightly = Nightly(cron=cron, timezone=zone)
    return f"{schedule.last_slot(nightly, datetime.fromisoformat(moment).replace(tzinfo=UTC)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("cron", "moment", "expected"),
    [
        pytest.param("0 2 * * *", "2026-03-10T02:00:00", "2026-03-10 02:00", id="on the minute"),
        pytest.param("0 2 * * *", "2026-03-10T02:00:59", "2026-03-10 02:00", id="within the minute"),
        pytest.param("0 2 * * *", "2026-03-10T01:59:59", "2026-03-09 02:00", id="a second before"),
        pytest.param("0 2 * * *", "2026-03-01T01:00:00", "2026-02-28 02:00", id="over the end of a month"),
        pytest.param("0 2 * * *", "2028-03-01T01:00:00", "2028-02-29 02:00", id="over a leap day"),
        pytest.param("0 2 * * *", "2027-01-01T00:00:00", "2026-12-31 02:00", id="over new year"),
        pytest.param("*/15 * * * *", "2026-03-10T10:44:00", "2026-03-10 10:30", id="quarters"),
        pytest.param("0,30 9-17 * * *", "2026-03-10T08:59:00", "2026-03-09 17:30", id="before opening hours"),
        pytest.param("45 6,18 * * *", "2026-03-10T18:44:00", "2026-03-10 06:45", id="minute of a later hour"),
        pytest.param("0 2 31 * *", "2026-03-30T12:00:00", "2026-01-31 02:00", id="the 31st, from March"),
        pytest.param("0 2 31 * *", "2026-07-30T12:00:00", "2026-05-31 02:00", id="the 31st, past a 30 day month"),
        pytest.param("0 2 29 2 *", "2027-06-01T00:00:00", "2024-02-29 02:00", id="29 February"),
        pytest.param("0 2 * * 0", "2026-03-10T12:00:00", "2026-03-08 02:00", id="Sunday as 0"),
        pytest.param("0 2 * * sun", "2026-03-08T02:00:00", "2026-03-08 02:00", id="Sunday by name, on it"),
        pytest.param("0 2 * * sat", "2026-03-08T02:00:00", "2026-03-07 02:00", id="Saturday"),
        pytest.param("0 2 * * mon-fri", "2026-03-08T12:00:00", "2026-03-06 02:00", id="working days, on a Sunday"),
        pytest.param("0 2 * 1,7 *", "2026-06-15T12:00:00", "2026-01-31 02:00", id="two months of the year"),
        pytest.param(
            "0 2 13 * fri", "2026-03-20T00:00:00", "2026-03-13 02:00", id="Friday the 13th, both as celery has it"
        ),
    ],
)
def test_the_slot_is_the_latest_scheduled_minute(cron: str, moment: str, expected: str) -> None:
    assert slot(cron, moment) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "moment", "expected"),
    [
        pytest.param("0 2 * * *", KOLKATA, "2026-03-09T20:30:00", "2026-03-10 02:00", id="half an hour off"),
        pytest.param("0 2 * * *", AUCKLAND, "2026-03-09T13:00:00", "2026-03-10 02:00", id="a day ahead of UTC"),
        pytest.param("0 2 * * *", "America/Los_Angeles", "2026-03-10T08:59:00", "2026-03-09 02:00", id="behind UTC"),
        pytest.param("0 4 * * *", BERLIN, "2026-03-29T02:00:00", "2026-03-29 04:00", id="the day summer time begins"),
        pytest.param("0 4 * * *", BERLIN, "2026-03-29T01:59:00", "2026-03-28 04:00", id="one minute earlier"),
        pytest.param("0 4 * * *", BERLIN, "2026-10-25T03:00:00", "2026-10-25 04:00", id="the day summer time ends"),
        pytest.param(
            "0 4 * * *", BERLIN, "2026-10-25T02:59:00", "2026-10-24 04:00", id="one minute earlier, in autumn"
        ),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T00:30:00", "2026-10-25 02:30", id="first of two 02:30"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T01:15:00", "2026-10-25 02:30", id="between the two 02:30"),
        pytest.param("30 2 * * *", BERLIN, "2026-10-25T01:30:00", "2026-10-25 02:30", id="second of two 02:30"),
    ],
)
def test_the_slot_is_reckoned_in_the_schedules_zone(cron: str, zone: str, moment: str, expected: str) -> None:
    assert slot(cron, moment, zone) == expected


@pytest.mark.parametrize("zone", ["UTC", BERLIN, AUCKLAND])
def test_a_slot_is_never_in_the_future_and_never_goes_back(zone: str) -> None:
    nightly = Nightly(cron="20 */5 * * *", timezone=zone)
    moment = datetime(2026, 3, 28, tzinfo=UTC)
    before = schedule.last_slot(nightly, moment)
    for _ in range(3 * 24 * 6):
        moment += timedelta(minutes=10)
        now = schedule.last_slot(nightly, moment)
        assert now <= moment
        assert now.astimezone(UTC) >= before.astimezone(UTC)
        before = now


def test_a_message_that_waited_until_morning_finds_the_slot_of_its_night() -> None:
    nightly = Nightly(cron="0 2 * * *", timezone=BERLIN)
    beat = datetime(2026, 6, 10, 2, 0, 1, tzinfo=ZoneInfo(BERLIN))
    assert schedule.last_slot(nightly, beat) == schedule.last_slot(nightly, beat + timedelta(hours=9))
    assert schedule.last_slot(nightly, beat) != schedule.last_slot(nightly, beat + timedelta(hours=24))


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"nightly\.cron is '0 2 30 2 \*'"):
        slot("0 2 30 2 *", "2026-03-10T00:00:00")


@pytest.mark.parametrize(
    "cron", ["", "every night", "0 2 * *", "60 2 * * *", "0 24 * * *", "0 2 32 * *", "0 2 * * * *"]
)
def test_what_is_no_cron_expression_is_refused_with_an_example(cron: str) -> None:
    with pytest.raises(ConfigurationError, match=r"nightly\.cron is .*: write five fields"):
        schedule.parsed(Nightly(cron=cron))


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "CET+1"])
def test_what_is_no_time_zone_is_refused_with_an_example(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="write one such as Europe/Berlin"):
        schedule.parsed(Nightly(timezone=zone))


def test_the_sweep_is_always_there_and_expires_before_the_next_one() -> None:
    entries = schedule.entries(Settings(sweep_seconds=7))
    assert set(entries) == {"sweep", "clean"}
    assert entries["sweep"]["task"] == SWEEP
    assert entries["sweep"]["schedule"] == 7.0
    assert entries["sweep"]["options"] == {"expires": 7}


def test_every_shop_of_the_list_has_its_nightly_entry_and_its_task_a_route() -> None:
    entries = schedule.entries(Settings(nightly=Nightly(cron="5 3 * * 1", shops=("a", "b"))))
    assert set(entries) == {"sweep", "clean", "nightly a", "nightly b"}
    for shop in ("a", "b"):
        entry = entries[f"nightly {shop}"]
        assert (entry["task"], entry["kwargs"]) == (NIGHTLY, {"shop": shop})
        assert (entry["schedule"].hour, entry["schedule"].minute, entry["schedule"].day_of_week) == ({3}, {5}, {1})
    assert {entry["task"] for entry in entries.values()} <= set(ROUTES)
