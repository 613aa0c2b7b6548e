"""One cell of a log: a number, a moment in time, nothing, or words."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

_MISSING = frozenset(
    ["", "nan", "na", "n/a", "null", "none", "-", "--", "?", "inf", "-inf", "+inf", "#n/a", "1.#qnan", "nil", "missing"]
)
_SWITCHES = {"true": 1.0, "false": 0.0}
_LARGEST = 1e30
"""Beyond this the networks' numbers end; such a cell is a fault of the device."""
_CLOCK = re.compile(r"^(\d{1,3}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?$")
_DAY_FIRST = re.compile(
    r"^(\d{1,2})[./](\d{1,2})[./](\d{4})[ T,]+(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)( ?[AaPp][Mm])?$"
)
_STARTS_LIKE_A_DATE = re.compile(r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}|^\d{8}T\d")


def is_missing(cell: str) -> bool:
    """Whether nothing was measured here."""
    return cell.lower() in _MISSING


def as_number(cell: str, *, comma: bool = False) -> float | None:
    """The number in the cell, None where there is none; with `comma` the decimal point is a comma."""
    if comma:
        if "." in cell:
            return None
        cell = cell.replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        return _SWITCHES.get(cell.lower())
    return value if math.isfinite(value) and abs(value) < _LARGEST else None


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
