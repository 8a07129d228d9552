from datetime import UTC, datetime

import pytest

from producer.reviews.dates import moment


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2023-10-05 00:00:00 UTC", datetime(2023, 10, 5, tzinfo=UTC)),
        ("05/10/2023", datetime(2023, 10, 5, tzinfo=UTC)),
        ("05/10/2023 14:30", datetime(2023, 10, 5, 14, 30, tzinfo=UTC)),
        ("5.10.2023", datetime(2023, 10, 5, tzinfo=UTC)),
        ("2023/10/05", datetime(2023, 10, 5, tzinfo=UTC)),
        ("2023年10月5日", datetime(2023, 10, 5, tzinfo=UTC)),
        ("2023-10-05", datetime(2023, 10, 5, tzinfo=UTC)),
        ("2023-10-05T14:30:00Z", datetime(2023, 10, 5, 14, 30, tzinfo=UTC)),
        ("2023-10-05T14:30:00.123456789Z", datetime(2023, 10, 5, 14, 30, 0, 123456, tzinfo=UTC)),
        ("2023-10-05T16:30:00+02:00", datetime(2023, 10, 5, 14, 30, tzinfo=UTC)),
        ("2023-10-05 14:30:00 +0000", datetime(2023, 10, 5, 14, 30, tzinfo=UTC)),
        ("1588687728923", datetime(2020, 5, 5, 14, 8, 48, 923000, tzinfo=UTC)),
        ("1588687728", datetime(2020, 5, 5, 14, 8, 48, tzinfo=UTC)),
        ("  ", None),
    ],
)
def test_every_layout_that_platforms_write_is_read_as_utc(written: str, expected: datetime | None) -> None:
    assert moment(written) == expected


@pytest.mark.parametrize(
    "written", ["12/25/2023", "yesterday", "0001-01-01", "9999-12-31", "99999999999999", "31/02/2023"]
)
def test_a_date_that_cannot_be_one_is_refused_and_never_guessed(written: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(written)
