"""Find the time column of a log, and derive its sampling rate and its pauses."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Stretch
from ml.media.logs.timeline import Timeline
from ml.tables.names import words_of
from ml.tables.units import TIME_UNITS, seconds_in_unit

_SURELY = re.compile(
    r"\b(time|times|timestamps?|datetime|epoch|unix|utc|elapsed|uptime|millis|zeit|zeitstempel)\b"
    r"|^(milliseconds|microseconds|nanoseconds|seconds|micros)\b"
)
_LIKE_TIME = re.compile(
    r"(time|timestamp|zeit|millis)\b|^(seconds?|secs?|minutes?|date|clock|datum|uhrzeit|heure|tiempo|fecha|hora|tempo|ora)\b"
)
_ALONE = frozenset(["t", "ts", "data", "day", "temps"])
"""Names of a time column only if no word but a unit stands beside them."""
_MAY_BE_SOMETHING_ELSE = frozenset(["t", "s", "data", "date", "day"])
"""Also names for a temperature, a sensor or readings, so the values must be evenly spaced."""
_COUNTER_NAMES = re.compile(
    r"^(|index|idx|id|row|rows|sample|samples?[ _]?(no|number|id)?|nr|no|n|count|counter|frame|step|unnamed \d+)$"
)
_EPOCHS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (1e8, 1.0))
"""Numbers beyond these are counted from 1970 in units of so many seconds."""
_EPOCH_YEARS = (9.46e8, 4.1e9)
"""The years 2000 to 2099 in seconds since 1970: no sensor measures such numbers, but every clock shows them."""
_LONGEST_STEP = 90_000.0
_EVEN = 0.25
_MOSTLY = 0.95
"""A clock may miss some rows."""
_FEWEST = 8
_PAUSE = 20.0
"""A step that is so many times the median is a pause."""
_BETWEEN_PAUSES = 20
"""With fewer rows than that between two long steps they are no pauses: the log is written irregularly."""
_MOST_FILLED = 4.0
"""Do not interpolate where that would make the log longer than so many times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """When the rows were measured: seconds, ascending; `rate` in Hz; `even` if no interpolation is needed.

    `cuts` are the rows before which the log pauses.
    """

    seconds: NDArray[np.float64]
    rate: float
    even: bool
    cuts: tuple[int, ...]


def sounds_like_time(name: str) -> bool:
    plain = _plain(name)
    words = set(re.findall(r"[^\W\d_]+", plain))
    alone = words <= _ALONE | TIME_UNITS | {"min"} and bool(
        words - {"min"}
    )  # which may be the least as well as a minute
    return alone or is_surely_time(name) or bool(_LIKE_TIME.search(plain))


def is_surely_time(name: str) -> bool:
    """Whether a column of that name can hold nothing else."""
    return bool(_SURELY.search(_plain(name)))


def shows_the_date(values: NDArray[np.float64]) -> bool:
    """Whether the numbers never fall and have the size of seconds (or fractions of them) since 1970."""
    if len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) < 0).any():
        return False
    return any(_EPOCH_YEARS[0] < values[0] * unit < _EPOCH_YEARS[1] for _limit, unit in _EPOCHS)


def even_step(values: NDArray[np.float64]) -> float:
    """The step from row to row of a column that increases evenly, as a clock or a counter does; else 0.

    A clock that shows the date may stand still for some rows, because it ticks slower than the log is written.
    """
    if len(values) < _FEWEST or not np.isfinite(values).all():
        return 0.0
    steps = np.diff(values)
    ahead = steps[steps > 0]
    if (steps < 0).any() or not len(ahead) or (len(ahead) < len(steps) and not shows_the_date(values)):
        return 0.0
    middle = float(np.median(ahead))
    return middle if (np.abs(ahead - middle) <= _EVEN * middle).mean() >= _MOSTLY else 0.0


def counts_rows(name: str, values: NDArray[np.float64]) -> bool:
    """Whether the column only numbers the rows."""
    if not _COUNTER_NAMES.match(_plain(name)) or len(values) < 2:
        return False
    return bool(np.all(np.diff(values) == 1.0) and abs(values[0]) < 1e8)


def times_of(name: str, values: NDArray[np.float64], *, timestamps: bool, first: bool) -> Times | None:
    """The times in a column of numbers, or of `timestamps` in seconds; None where it is no time column.

    A column counts if its name says so and it never goes back, if it is the first, has no name and goes forward in even
    steps, or if it shows the date, whatever it is called.
    """
    if len(values) < _FEWEST or not np.isfinite(values).all():
        return None
    plain = _plain(name)
    named = timestamps or sounds_like_time(name)
    if timestamps:
        values = _over_midnight(values)
    steps = np.diff(values)
    if (steps < 0).any() or values[-1] <= values[0]:
        return None
    middle = float(np.median(steps))
    going = steps[~_are_pauses(steps)]
    even = middle > 0 and bool((np.abs(going - middle) <= _EVEN * middle).all())
    if not named and not (not name.strip() and first and even) and not _is_a_clock(values):
        return None
    if plain in _MAY_BE_SOMETHING_ELSE and not timestamps and not even:
        return None
    seconds = values if timestamps else (values - values[0]) * _unit(plain, values, middle)
    return timed(seconds)


def timed(seconds: NDArray[np.float64], cuts: Sequence[int] = ()) -> Times | None:
    """The rate and the pauses of these seconds, which never fall; None where they cannot be times.

    `cuts`: the rows before which the log is known to pause, however long.
    """
    steps = np.diff(seconds)
    pauses = _are_pauses(steps)
    pauses[np.array(cuts, dtype=np.int64) - 1] = True
    going = steps[~pauses]
    if not going.sum() > 0:
        return None
    middle = float(np.median(going))
    spread = float(np.abs(going - middle).max())
    # A clock that ticks slower than the rows repeats its values, so only the mean rate is reliable.
    coarse = middle <= 0 or bool((going == 0).mean() > 0.02)
    even = coarse or spread <= _EVEN * middle
    rate = len(going) / float(going.sum()) if even else 1.0 / middle
    if not 1e-7 < rate < 1e9:
        return None
    found = tuple(int(place) + 1 for place in np.flatnonzero(pauses))
    return Times(seconds=seconds - seconds[0], rate=float(f"{rate:.4g}"), even=even, cuts=found)


def at_even_steps(values: NDArray[np.float32], times: Times) -> tuple[NDArray[np.float32], Timeline]:
    """Interpolate values (channels, rows) measured at uneven times to `times.rate`, each stretch between two pauses by
    itself, and return them with their timeline. Values at even steps are returned as they are."""
    stretches = list(itertools.pairwise((0, *times.cuts, len(times.seconds))))
    rows = [end - first for first, end in stretches]
    if times.even:
        return values, _timeline(times, rows)
    lasting = [times.seconds[end - 1] - times.seconds[first] for first, end in stretches]
    lengths = [round(float(seconds) * times.rate) + 1 for seconds in lasting]
    if sum(lengths) > _MOST_FILLED * len(times.seconds):
        return values, _timeline(times, rows)
    parts = []
    for (first, end), length in zip(stretches, lengths, strict=True):
        seconds, at = times.seconds[first:end] - times.seconds[first], np.arange(length) / times.rate
        parts.append(np.stack([np.interp(at, seconds, row) for row in values[:, first:end]]))
    return np.concatenate(parts, axis=1).astype(np.float32), _timeline(times, lengths)


def _timeline(times: Times, frames: Sequence[int]) -> Timeline:
    """When each stretch of so many `frames` begins and ends.

    It ends by the clock itself only where the rounded rate is off by more than a tick: a recording of 30 Hz whose times
    are rounded to milliseconds should not end at 9.9997 s.
    """
    cuts = (0, *times.cuts, len(times.seconds))
    stretches = []
    for (first, end), count in zip(itertools.pairwise(cuts), frames, strict=True):
        seconds = times.seconds[first:end]
        begin, by_rate = float(seconds[0]), float(seconds[0]) + count / times.rate
        by_clock = float(seconds[-1]) + 1.0 / times.rate
        tick = max(1.0 / times.rate, float(np.diff(seconds).max(initial=0.0)))
        last = by_rate if abs(by_rate - by_clock) <= tick else by_clock
        next_begin = float(times.seconds[end]) if end < len(times.seconds) else np.inf
        stretches.append(Stretch(begin, min(last, next_begin), count))
    return Timeline(stretches=tuple(stretches), rate=times.rate)


def long_runs(empty: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the empty rows in runs as long as a pause; none where such runs are frequent."""
    edges = np.flatnonzero(np.diff(empty, prepend=False, append=False))
    runs = [(first, end) for first, end in zip(edges[::2], edges[1::2], strict=True) if end - first >= _PAUSE]
    found = np.zeros_like(empty)
    for first, end in runs:
        found[first:end] = True
    return found if len(runs) * _BETWEEN_PAUSES <= (~found).sum() else np.zeros_like(empty)


def _are_pauses(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    ahead = steps[steps > 0]
    long = steps > _PAUSE * (np.median(ahead) if len(ahead) else np.inf)
    return long if long.sum() * _BETWEEN_PAUSES <= len(steps) else np.zeros_like(long)


def _is_a_clock(values: NDArray[np.float64]) -> bool:
    return shows_the_date(values) and 0 < even_step(values) * _unit("", values, 0.0) < _LONGEST_STEP


def _unit(plain: str, values: NDArray[np.float64], step: float) -> float:
    """Seconds in one unit of a column of numbers."""
    seconds = seconds_in_unit(re.findall(r"[^\W\d_]+", plain))
    if seconds is not None:
        return seconds
    largest = abs(float(values[0]))
    for limit, unit in _EPOCHS:
        if largest > limit:
            return unit
    # A device that counts milliseconds gives whole numbers in steps such as 10 or 20.
    whole = bool((values == np.round(values)).all())
    return 1e-3 if whole and 2 <= step < 1000 else 1.0


def _over_midnight(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Continue times of day after midnight."""
    if len(values) and values.max() < 86_400.0:
        back = np.diff(values, prepend=values[0]) < -43_200
        return np.asarray(values + 86_400.0 * np.cumsum(back), dtype=np.float64)
    return values


def _plain(name: str) -> str:
    return " ".join(words_of(name))
