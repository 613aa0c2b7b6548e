"""Times in cells: timestamps of measurements, and positions within a recording."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ml.tables.cells import parse_number

_CLOCK = re.compile(r"^(\d{1,3}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?$")
_DAY_FIRST = re.compile(
    r"^(\d{1,2})[./](\d{1,2})[./](\d{4})[ T,]+(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)( ?[AaPp][Mm])?$"
)
_STARTS_LIKE_A_DATE = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}|^\d{8}T\d")
_POSITION = re.compile(r"^(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$")


def parse_timestamp(cell: str) -> float | None:
    """Seconds since 1970 (UTC where no zone is given), or since midnight for a mere time of day; None for neither."""
    clock = _CLOCK.match(cell)
    if clock is not None:
        return _seconds(clock)
    day_first = _DAY_FIRST.match(cell)
    if day_first is not None:
        return _day_first(day_first)
    if not _STARTS_LIKE_A_DATE.match(cell):
        return None
    try:
        moment = datetime.fromisoformat(cell.replace("/", "-").replace(",", "."))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


def is_timestamp(cell: str) -> bool:
    return parse_timestamp(cell) is not None


def parse_position(cell: str) -> float | None:
    """Seconds within a recording, as number (also with a decimal comma) or as 1:02:03.5; None where it is no time.

    Unlike the time of day in a log, 1:02 is a minute and two seconds.
    """
    text = cell.strip()
    if "." not in text:
        text = text.replace(",", ".")
    clock = _POSITION.match(text)
    if clock:
        hours, minutes, rest = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(rest)
    value = parse_number(text) if text.lower() not in {"true", "false"} else None
    return value if value is not None and value >= 0 else None


def _seconds(clock: re.Match[str]) -> float:
    hours, minutes, seconds = clock.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))


def _day_first(match: re.Match[str]) -> float | None:
    """ "31.12.2024 23:59:59" and "12/31/2024 11:59 PM": whichever of the two can be a month is it."""
    first, second, year, clock, half = match.groups()
    day, month = (int(first), int(second)) if int(second) <= 12 else (int(second), int(first))
    time = _CLOCK.match(clock)
    if time is None or month > 12:
        return None
    seconds = _seconds(time)
    if half is not None:
        seconds = seconds % 43_200 + (43_200 if half.strip().lower() == "pm" else 0)
    try:
        return datetime(int(year), month, day, tzinfo=UTC).timestamp() + seconds
    except ValueError:
        return None
