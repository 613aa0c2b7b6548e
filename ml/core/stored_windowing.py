"""Read the windowing of a project or a model. Torch-free, and strict: a stranger may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ml.core.types import Clock, Windowing
from ml.core.untrusted import list_in, number_in, texts_in, whole_in

MOST_COLUMNS = 4_096
MOST_VALUES = 10_000_000
"""In one window, of all columns together: three minutes of sound at 48 kHz."""
MOST_TIMES_SLOWER = 100
_CLOCKS = ("file", "asked", "none")


def windowing_in(values: Mapping[str, object]) -> Windowing:
    """Return the windowing with these values, named as the fields of `Windowing`."""
    rate = number_in(values.get("rate"), "rate", 1e-9, 1e9)
    seconds = number_in(values.get("seconds"), "seconds", 1e-9, 1e9)
    step = number_in(values.get("step"), "step", 1e-9, 1e9)
    columns = texts_in(values.get("columns", []), "columns", most=MOST_COLUMNS)
    if rate * seconds * max(1, len(columns)) > MOST_VALUES:
        raise ValueError("a window is too long")
    ranges = tuple(_range(pair) for pair in list_in(values.get("ranges", []), "ranges", most=MOST_COLUMNS))
    if ranges and len(ranges) != len(columns):
        raise ValueError("there is not one range for each column")
    clock = values.get("clock", "file")
    if clock not in _CLOCKS:
        raise ValueError("clock is unknown")
    without_pauses = values.get("without_pauses", False)
    if not isinstance(without_pauses, bool):
        raise ValueError("without_pauses is not true or false")
    time_expansion = whole_in(values.get("time_expansion", 1), "time_expansion", 1, MOST_TIMES_SLOWER)
    return Windowing(
        rate=int(rate) if float(rate).is_integer() else rate,
        seconds=seconds,
        step=step,
        columns=columns,
        clock=cast(Clock, clock),
        ranges=ranges,
        without_pauses=without_pauses,
        time_expansion=time_expansion,
    )


def _range(pair: object) -> tuple[float, float]:
    low, high = (number_in(end, "ranges", -1e300, 1e300) for end in list_in(pair, "ranges", most=2))
    return low, high
