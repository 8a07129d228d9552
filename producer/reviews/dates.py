"""Moments as review files write them, all of them in UTC unless they name an offset."""

import re
from datetime import UTC, datetime

LAYOUTS = ("%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y年%m月%d日")
"""Days apart from ISO's. A day after the month (12/25/2023) is no layout: no row says which of the two it means."""

YEARS = range(1990, 2101)

_MILLISECONDS = 10**11
_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")


def moment(written: str) -> datetime | None:
    """The moment in UTC; None where nothing is written. Raises ValueError where no layout fits."""
    text = _OFFSET.sub("", written.strip().removesuffix("UTC").strip())
    if not text:
        return None
    found = _from_number(int(text)) if re.fullmatch(r"[0-9]{9,14}", text) else _from_layout(text)
    if found.year not in YEARS:
        raise ValueError(f"the year {found.year} is none for a review")
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _from_number(number: int) -> datetime:
    """Seconds since 1970, or thousandths of them."""
    return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS else number, UTC)


def _from_layout(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for layout in LAYOUTS:
        for time in ("", " %H:%M", " %H:%M:%S"):
            try:
                return datetime.strptime(text, layout + time)
            except ValueError:
                continue
    raise ValueError("no layout fits")
