"""Agree on the schema of the logs of a project: columns, sampling rate, windows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import Message, msg, nmsg
from ml.core.types import Clock, Windowing
from ml.media.logs.columns import IS_TIME
from ml.media.logs.log import LogFacts
from ml.media.logs.names import fitting_columns, nameless, places_of
from ml.media.logs.timeline import Timeline
from ml.media.windowing import choose_log_windowing
from ml.project.scan.log_notes import ROWS_A_SECOND, notes_on
from ml.tables.names import fold_name

__all__ = ["ROWS_A_SECOND", "LogSchema", "agree_schema"]

_NEARLY_ALL = 0.8
"""A column that fewer logs have is left out; if more have it, the logs without it are left out."""
MOST_COLUMNS = 256
"""Of a new project. Those made by version 0.1 may have up to `log.MOST_COLUMNS`."""
_FEWEST_ALIKE = 3
"""In fewer logs a column may increase evenly by chance."""
_ALIKE = 0.1
"""How far the steps of one clock differ from log to log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSchema:
    """How logs are read together. `unfit`: those that differ from the rest, and why; `timelines`: those of the others,
    by path."""

    windowing: Windowing | None
    unfit: dict[str, UnreadableError]
    timelines: dict[str, Timeline]
    notes: tuple[Message, ...]


def agree_schema(facts: Mapping[str, LogFacts], *, rate: float | None, windowing: Windowing | None) -> LogSchema:
    """Settle columns and rate by what most logs have, or by `windowing`, that of the project they are to join.

    `rate` in Hz, where the user gave one, stands above what the logs say of themselves.
    """
    if rate is not None and not 1e-7 < rate < 1e9:
        raise HandlensError(
            msg("{rate:g} readings per second are not possible. Enter the rate in Hz, for example 50.", rate=rate)
        )
    columns, clocks = (windowing.columns, ()) if windowing is not None else _measured(facts, _usual_columns(facts))
    if windowing is None and len(columns) > MOST_COLUMNS:
        raise HandlensError(
            nmsg(
                "The logs have {count} column of numbers, but at most {most} can be used. Remove the least useful.",
                "The logs have {count} columns of numbers, but at most {most} can be used. Remove the least useful.",
                len(columns),
                most=MOST_COLUMNS,
            )
        )
    unfit: dict[str, UnreadableError] = {}
    for path, found in facts.items():
        try:
            fitting_columns(found.columns, _but_times(columns, found), found.left_out)
        except UnreadableError as error:
            unfit[path] = error
    fit = {path: found for path, found in facts.items() if path not in unfit}
    if not fit:
        return LogSchema(windowing=windowing, unfit=unfit, timelines={}, notes=())
    clock, common = _clock(fit, rate) if windowing is None else (windowing.clock, windowing.rate)
    timelines = {path: found.timeline(clock, common or 1.0) for path, found in fit.items()}
    if windowing is None:
        frames = [
            round(stretch.frames / timeline.rate * (common or 1.0))
            for timeline in timelines.values()
            for stretch in timeline.stretches
        ]
        windowing = choose_log_windowing(frames, rate=common, columns=columns, clock=clock)
        windowing = dataclasses.replace(windowing, ranges=_ranges(fit, columns))
    notes = notes_on(fit, columns=columns, clocks=clocks, clock=clock, rate=common)
    return LogSchema(windowing=windowing, unfit=unfit, timelines=timelines, notes=notes)


def _but_times(columns: tuple[str, ...], found: LogFacts) -> tuple[str, ...]:
    """The columns without times: an earlier version may have trained on a column that is now known as a clock."""
    times = {found.time_column, *(item.name for item in found.left_out if item.reason == IS_TIME)}
    return tuple(name for name in columns if name not in times)


def _usual_columns(facts: Mapping[str, LogFacts]) -> tuple[str, ...]:
    """The names that nearly all logs have; if there are none, those of as many logs as possible."""
    named = [log.columns for log in facts.values() if not nameless(log.columns)]
    if 2 * len(named) < len(facts) or not named:
        return _commonest([log.columns for log in facts.values() if nameless(log.columns)])
    first = _commonest(named)
    often = Counter(fold_name(name) for columns in named for name in columns)
    usual: dict[str, str] = {}
    for name in (name for columns in (first, *named) for name in columns):
        if often[fold_name(name)] >= _NEARLY_ALL * len(named):
            usual.setdefault(fold_name(name), name)
    return tuple(usual.values()) or first


def _commonest(found: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    often = Counter(found)
    return max(often, key=lambda columns: (often[columns], len(columns), columns), default=())


def _measured(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split off the columns that increase by the same even steps in every log: clocks and counters.

    What really was measured may climb so in one log or with a steepness of its own in each.
    """
    if len(facts) < _FEWEST_ALIKE:
        return columns, ()
    places = [places_of(columns, log.columns) for log in facts.values()]
    clocks = tuple(name for name, *where in zip(columns, *places, strict=True) if _ticks(where, facts.values()))
    return (
        (columns, ())
        if len(clocks) == len(columns)
        else (tuple(name for name in columns if name not in clocks), clocks)
    )


def _ticks(places: Sequence[int | None], facts: Collection[LogFacts]) -> bool:
    """Whether a column, at `places` in the logs, increases alike in all that have it."""
    steps = [(log.steps[place], log.rate or 1.0) for log, place in zip(facts, places, strict=True) if place is not None]
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


def _ranges(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """The usual range of each column: from the 5th percentile of all minima to the 95th of all maxima."""
    found = np.array([[log.ranges[place] for place in fitting_columns(log.columns, columns)] for log in facts.values()])
    low, high = np.percentile(found[:, :, 0], 5, axis=0), np.percentile(found[:, :, 1], 95, axis=0)
    return tuple((float(least), float(most)) for least, most in zip(low, high, strict=True))
