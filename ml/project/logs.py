"""What the logs of one project have in common: their columns, their rate, the windows they are cut into."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ml.errors import HandlensError, UnreadableError
from ml.media.sensors import LogFacts, fitting_columns
from ml.media.windowing import choose_log_windowing
from ml.project.log_notes import ROWS_A_SECOND, notes_on
from ml.project.samples import Clock, Windowing

__all__ = ["ROWS_A_SECOND", "Agreed", "agree"]

_FEWEST_ALIKE = 3
"""Fewer logs may climb evenly by chance."""
_ALIKE = 0.1
"""How far the steps of one clock differ from log to log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """`unfit`: logs that differ from the rest, and why. `lengths`: (rate in Hz, seconds) of the others, by path."""

    windowing: Windowing | None
    unfit: dict[str, UnreadableError]
    lengths: dict[str, tuple[float, float]]
    notes: tuple[str, ...]


def agree(facts: Mapping[str, LogFacts], *, rate: float | None, windowing: Windowing | None) -> Agreed:
    """Settle columns and rate by what most logs have, or by `windowing`, that of the project they are to join.

    `rate` in Hz, where the user gave one, stands above what the logs say of themselves.
    """
    if rate is not None and not 1e-7 < rate < 1e9:
        raise HandlensError(f"{rate:g} readings per second are not possible; give the rate in Hz, for example 50.")
    columns, clocks = (windowing.columns, ()) if windowing is not None else _measured(facts, _usual_columns(facts))
    unfit: dict[str, UnreadableError] = {}
    for path, found in facts.items():
        try:
            fitting_columns(found.columns, columns)
        except UnreadableError as error:
            unfit[path] = error
    fit = {path: found for path, found in facts.items() if path not in unfit}
    if not fit:
        return Agreed(windowing=windowing, unfit=unfit, lengths={}, notes=())
    clock, common = _clock(fit, rate) if windowing is None else (windowing.clock, windowing.rate)
    lengths = {path: _length(found, clock, common or 1.0) for path, found in fit.items()}
    if windowing is None:
        frames = [round(seconds * (common or 1.0)) for _rate, seconds in lengths.values()]
        windowing = choose_log_windowing(frames, rate=common, columns=columns, clock=clock)
        windowing = dataclasses.replace(windowing, ranges=_ranges(fit, columns))
    notes = notes_on(fit, columns=columns, clocks=clocks, clock=clock, rate=common)
    return Agreed(windowing=windowing, unfit=unfit, lengths=lengths, notes=notes)


def _usual_columns(facts: Mapping[str, LogFacts]) -> tuple[str, ...]:
    """The number of columns that most logs have, and of those the names that most have."""
    if not facts:
        return ()
    widths = Counter(len(found.columns) for found in facts.values())
    width = max(widths, key=lambda number: (widths[number], number))
    names = Counter(found.columns for found in facts.values() if len(found.columns) == width)
    return max(names, key=lambda columns: (names[columns], columns))


def _measured(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns without those that climb by the same even steps in every log, and those: clocks and counters.

    What really was measured may climb so in one log or with a steepness of its own in each.
    """
    if len(facts) < _FEWEST_ALIKE:
        return columns, ()
    clocks = tuple(name for name in columns if _ticks(name, facts.values()))
    return (
        (columns, ())
        if len(clocks) == len(columns)
        else (tuple(name for name in columns if name not in clocks), clocks)
    )


def _ticks(name: str, facts: Collection[LogFacts]) -> bool:
    steps = [(log.steps[log.columns.index(name)], log.rate or 1.0) for log in facts if name in log.columns]
    by_row = np.array([step for step, _rate in steps])
    by_second = np.array([step * rate for step, rate in steps])
    return any(
        len(found) > 0 and found.min() > 0 and found.max() <= (1.0 + _ALIKE) * found.min()
        for found in (by_row, by_second)
    )


def _clock(facts: Mapping[str, LogFacts], asked: float | None) -> tuple[Clock, float | None]:
    if asked is not None:
        return "asked", asked
    rates = [found.rate for found in facts.values() if found.rate]
    if len(rates) * 2 <= len(facts):
        return "none", None
    return "file", float(f"{np.median(rates):.4g}")


def _length(found: LogFacts, clock: Clock, common: float) -> tuple[float, float]:
    """The log's own rate, and how many seconds it lasts."""
    if clock == "file":
        own = found.rate or common
        return own, found.frames / own
    return common, found.rows / common


def _ranges(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """Where each column usually lies, over all logs but the few that reach farthest."""
    found = np.array([[log.ranges[place] for place in fitting_columns(log.columns, columns)] for log in facts.values()])
    low, high = np.percentile(found[:, :, 0], 5, axis=0), np.percentile(found[:, :, 1], 95, axis=0)
    return tuple((float(least), float(most)) for least, most in zip(low, high, strict=True))
