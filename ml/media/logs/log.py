"""Load sensor logs: text tables of any device to float arrays (channels, frames)."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ml.core.disk import EMPTY, UNREADABLE, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg, nmsg
from ml.core.regular_files import check_regular
from ml.core.types import Clock, Windowing
from ml.media.logs.clock import Times, at_even_steps, counts_rows, even_step, long_runs, timed, times_of
from ml.media.logs.columns import (
    Column,
    MissingValues,
    not_a_signal_reason,
    read_columns,
    unusable_reason,
    without_gaps,
)
from ml.media.logs.layout import NO_TABLE, read_log_layout
from ml.media.logs.names import LeftOut, fitting_columns
from ml.media.logs.timeline import Span, Timeline, timeline_of_rows

LOG_SUFFIXES: frozenset[str] = frozenset([".csv", ".tsv", ".txt", ".tab", ".dat", ".log", ".asc"])
FEWEST_ROWS = 8
LARGEST_BYTES = 250_000_000
MOST_COLUMNS = 1024
"""The numeric features of more columns do not fit into the network's input; see `networks.frontends.log`."""
_SAME_RATE = 1e-4
"""Relative difference of two rates that need no resampling."""
_SETTLING = 128
"""Values that the resampling filter needs to settle."""
_KEPT = 4
_KEPT_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFacts:
    """What a log holds: its `columns`, and when they were measured.

    `by_row` counts the rows of the file; `by_clock` is None where no column tells the time. `ranges`: between which
    values 98 % of each column lie. `steps`: by how much each column climbs from row to row if it does so as a clock
    does, else 0; see `clock.even_step`. `missing`: the cells of each column without a number.
    """

    by_row: Timeline
    by_clock: Timeline | None
    columns: tuple[str, ...]
    time_column: str
    left_out: tuple[LeftOut, ...]
    steps: tuple[float, ...]
    missing: tuple[MissingValues, ...]
    ranges: tuple[tuple[float, float], ...] = ()

    @property
    def rate(self) -> float:
        """In Hz by the clock of the log, 0 if it has none."""
        return 0.0 if self.by_clock is None else self.by_clock.rate

    def timeline(self, clock: Clock, rate: float) -> Timeline:
        """Times by the log's own clock if `clock` asks for it and there is one; else `rate` rows make a second."""
        if clock == "file" and self.by_clock is not None:
            return self.by_clock
        return self.by_row.at_rate(rate)


@dataclass(frozen=True, kw_only=True, slots=True)
class Log(LogFacts):
    """A log in full, float32 without gaps. `rows` (channels, rows) are as in the file, `frames` at even steps of its
    clock: the same array where the rows are even or there is no clock."""

    rows: NDArray[np.float32]
    frames: NDArray[np.float32]


def log_facts(path: Path) -> LogFacts:
    """Read the log to its end and return what it holds. Raises UnreadableError."""
    log = read_log(path)
    facts = {field.name: getattr(log, field.name) for field in dataclasses.fields(LogFacts)}
    ranges = tuple((float(low), float(high)) for low, high in np.percentile(log.rows, (1, 99), axis=1).T)
    return LogFacts(**facts | {"ranges": ranges})


def read_log(path: Path, wanted: Collection[str] = ()) -> Log:
    """Read the whole log. Raises UnreadableError with the reason in one sentence.

    Found out from the file itself: delimiter, marks in numbers, encoding, comments, lines before the table, heading and
    units, a column of times. Missing values are filled in between their neighbours; columns of words are left out.
    `wanted` are columns that a project has learned from: they are never taken for times.
    """
    try:
        size = check_regular(path).st_size
        if size == 0:
            raise UnreadableError(EMPTY)
        if size > LARGEST_BYTES:
            limit = LARGEST_BYTES // 1_000_000
            raise UnreadableError(msg("The log is larger than {limit} MB. Cut it into shorter ones.", limit=limit))
        return _as_log(read_columns(path, read_log_layout(path)), wanted)
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError(
            msg("The log needs more memory than one log may use. Cut it into shorter ones.")
        ) from error
    except (OSError, UnicodeError) as error:
        reason = disk_reason(error) or NO_TABLE
        raise UnreadableError(reason, details=repr(error)) from error


def load_log(path: Path, windowing: Windowing, *, start: float = 0.0, end: float = np.inf) -> NDArray[np.float32]:
    """The log as a project or a model takes it: (channels, frames) at `windowing.rate`, its columns in their order.

    Only what was measured from `start` to `end` seconds by its own clock, but at least two frames. Raises
    UnreadableError, also where the log has other columns.
    """
    fitted = _fitted(path, windowing)
    first, last = round(fitted.timeline.to_index(start)), round(fitted.timeline.to_index(end))
    return fitted.values[:, first : max(last, first + 2)]


def log_timeline(path: Path, windowing: Windowing) -> Timeline:
    """Return when each frame of `load_log` was measured. Raises UnreadableError."""
    return _fitted(path, windowing).timeline


def log_windows(path: Path, windowing: Windowing) -> tuple[Span, ...]:
    """Cut the log into windows and return (start, end) of each, in seconds by its own clock."""
    return _fitted(path, windowing).own.windows(windowing)


def load_log_windows(path: Path, windowing: Windowing, starts: Sequence[float]) -> NDArray[np.float32]:
    """One window per start (seconds by the log's own clock), (len(starts), channels, frames).

    No window spans a pause. Behind the end of the log, or of a stretch that is shorter than the window, it continues
    backwards, which keeps its level, its strength and its rhythm.
    """
    fitted = _fitted(path, windowing)
    timeline, frames = fitted.timeline, windowing.frames
    if windowing.without_pauses:  # version 0.1 counted frames without pauses
        starts = [timeline.place(max(0, round(start * windowing.rate)), frames)[0] for start in starts]
    places = [_rows_of(timeline, start, frames) for start in starts]
    return np.ascontiguousarray(
        fitted.values[:, np.array(places, dtype=np.int64).reshape(-1, frames)].transpose(1, 0, 2)
    )


def _rows_of(timeline: Timeline, start: float, frames: int) -> NDArray[np.int64]:
    """The rows of a window, all of them in the stretch in which it starts."""
    at, first, end = timeline.locate(start)
    if timeline.cuts:
        at = max(first, min(at, end - frames))
    last = end - first - 1
    return first + last - np.abs(last - (at - first + np.arange(frames)) % max(1, 2 * last))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Fitted:
    """Columns of a log at the rate of a project, with their times; `own` are those times at the log's own rate."""

    values: NDArray[np.float32]
    timeline: Timeline
    own: Timeline


_kept_logs: dict[tuple[str, int, int, Windowing], _Fitted] = {}
_keeping = threading.Lock()


def _fitted(path: Path, windowing: Windowing) -> _Fitted:
    """The log as a project takes it, cached for a while: the windows of a long log are loaded in pieces."""
    try:
        info = path.stat()
    except OSError as error:
        raise UnreadableError(disk_reason(error) or UNREADABLE, details=repr(error)) from error
    key = (str(path), info.st_size, info.st_mtime_ns, windowing)
    with _keeping:
        known = _kept_logs.get(key)
    if known is not None:
        return known
    fitted = _fit(read_log(path, windowing.columns), windowing)
    if fitted.values.nbytes <= _KEPT_BYTES:
        with _keeping:
            _kept_logs[key] = fitted
            while len(_kept_logs) > _KEPT:
                _kept_logs.pop(next(iter(_kept_logs)))
    return fitted


def _fit(log: Log, windowing: Windowing) -> _Fitted:
    order = list(fitting_columns(log.columns, windowing.columns, log.left_out))
    own = log.timeline(windowing.clock, windowing.rate)
    values = (log.frames if own is log.by_clock else log.rows)[order]
    if abs(own.rate / windowing.rate - 1.0) <= _SAME_RATE:
        return _Fitted(values=values, timeline=own, own=own)
    parts = [_resampled(values[:, first:end], own.rate, windowing.rate) for first, end in itertools.pairwise(own.edges)]
    timeline = own.resampled([part.shape[1] for part in parts], windowing.rate)
    return _Fitted(values=np.concatenate(parts, axis=1), timeline=timeline, own=own)


# -- reading ------------------------------------------------------------------------------------------------------


def _as_log(columns: list[Column], wanted: Collection[str]) -> Log:
    rows = len(columns[0].values()) if columns else 0
    if rows < FEWEST_ROWS:
        raise UnreadableError(
            nmsg(
                "The log has only {count} row, which is too few to train on.",
                "The log has only {count} rows, which is too few to train on.",
                rows,
            )
        )
    times: Times | None = None
    time_column = ""
    kept: dict[str, Column] = {}
    left_out: list[LeftOut] = []
    for place, column in enumerate(columns, 1):
        name = column.name or f"column {place}"
        why = unusable_reason(column, rows)
        if why is None and name not in wanted:
            values = without_gaps(column.values())
            if times is None and not counts_rows(column.name, column.values()):
                times = times_of(column.full_name, values, timestamps=column.timestamps, first=place == 1)
                if times is not None:
                    time_column = name
                    continue
            why = not_a_signal_reason(column, values)
        if why is not None:
            # An empty last column without a name comes from a delimiter at the end of each row.
            if column.filled or column.words or column.name or place < len(columns):
                left_out.append(LeftOut(name=name, reason=why))
            continue
        kept[name if name not in kept else f"{name} ({place})"] = column
    if not kept:
        raise UnreadableError(msg("The log holds no column of numbers besides the time."))
    if len(kept) > MOST_COLUMNS:
        raise UnreadableError(
            nmsg(
                "The log has {count} column of numbers, but at most {most} can be used. Remove the least useful.",
                "The log has {count} columns of numbers, but at most {most} can be used. Remove the least useful.",
                len(kept),
                most=MOST_COLUMNS,
            )
        )
    return _evened(kept, times, time_column=time_column, left_out=tuple(left_out))


def _evened(kept: dict[str, Column], times: Times | None, *, time_column: str, left_out: tuple[LeftOut, ...]) -> Log:
    """Interpolate the measurements to even steps, and cut them at the pauses."""
    table = np.stack([column.values() for column in kept.values()])
    empty = long_runs(np.asarray(np.isnan(table).all(axis=0), dtype=np.bool_))
    there = np.flatnonzero(~empty)
    cuts = tuple(int(cut) for cut in np.unique(np.cumsum(~empty)[empty]) if 0 < cut < len(there))
    if len(there) < FEWEST_ROWS:
        raise UnreadableError(
            nmsg(
                "Only {count} row of the log has numbers, which is too few to train on.",
                "Only {count} rows of the log have numbers, which is too few to train on.",
                len(there),
            )
        )
    filled = [without_gaps(row) for row in table[:, there]]
    rows = np.stack(filled).astype(np.float32)
    if times is not None and empty.any():
        times = _without_rows(times, there, cuts)
    frames, by_clock = (rows, None) if times is None else at_even_steps(rows, times)
    edges = (0, *(cuts if times is None else times.cuts), len(there))
    return Log(
        rows=rows,
        frames=frames,
        by_row=timeline_of_rows((int(there[a]), int(there[b - 1]) + 1) for a, b in itertools.pairwise(edges)),
        by_clock=by_clock,
        columns=tuple(kept),
        time_column=time_column,
        left_out=left_out,
        steps=tuple(map(even_step, filled)),
        missing=tuple(column.missing(pauses=int(empty.sum())) for column in kept.values()),
    )


def _without_rows(times: Times, there: NDArray[np.int64], cuts: tuple[int, ...]) -> Times | None:
    """The times of the rows that are `there`; the first of them may be late."""
    known = timed(times.seconds[there], cuts)
    if known is None:
        return None
    seconds = known.seconds + times.seconds[there[0]]
    # The rate also counts the rows without values.
    return dataclasses.replace(known, seconds=seconds, rate=times.rate if times.even else known.rate)


def _resampled(values: NDArray[np.float32], have: float, want: float) -> NDArray[np.float32]:
    """Resample (channels, frames). The ends are mirrored, or the filter would bend them towards zero."""
    margin = round(_SETTLING * max(1.0, have / want))
    level = values.mean(axis=1, keepdims=True)
    padded = np.pad(values - level, ((0, 0), (margin, margin)), mode="reflect")
    longer = soxr.resample(np.ascontiguousarray(padded.T), have, want).T + level
    first, count = round(margin * want / have), max(1, round(values.shape[1] * want / have))
    return np.ascontiguousarray(longer[:, first : first + count], dtype=np.float32)
