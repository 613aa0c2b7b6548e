"""Logs of sensors: tables of text to float (channels, frames), whatever device wrote them."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ml.core.disk import EMPTY, UNREADABLE, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg, nmsg
from ml.core.types import Windowing
from ml.media.logs.clock import Times, at_even_steps, counts_rows, even_step, long_runs, timed, times_of
from ml.media.logs.columns import Column, MissingValues, not_measured, read_columns, useless, without_gaps
from ml.media.logs.names import LeftOut, fitting_columns
from ml.tables.dialect import NO_TABLE, read_layout

LOG_SUFFIXES: frozenset[str] = frozenset([".csv", ".tsv", ".txt", ".tab", ".dat", ".log", ".asc"])
FEWEST_ROWS = 8
LARGEST_BYTES = 250_000_000
MOST_COLUMNS = 1024
"""What the network's first layer measures of more does not fit into its picture; see `networks.log_frontend`."""
_SAME_RATE = 1e-4
"""At rates that differ more, windows late in a long log would be read far from where they are said to lie."""
_SETTLING = 128
"""Values that the filter which changes the rate needs to forget where a log begins."""
_KEPT = 4
_KEPT_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """A log in full. `values` (channels, frames) float32 without gaps, evenly spaced; `rate` in Hz, 0 if unknown.

    `raw` are the rows as they stand in the file, for projects that take the rate from elsewhere: `values` is the same
    array unless the file's times are uneven. `cuts` and `raw_cuts` are where the log pauses: what lies before and
    behind does not belong together. `pauses` are the frames before which seconds are missing, and how many;
    `raw_pauses` the rows before which rows are missing.
    """

    values: NDArray[np.float32]
    raw: NDArray[np.float32]
    cuts: tuple[int, ...]
    raw_cuts: tuple[int, ...]
    pauses: tuple[tuple[int, float], ...]
    raw_pauses: tuple[tuple[int, int], ...]
    rate: float
    columns: tuple[str, ...]
    time_column: str
    left_out: tuple[LeftOut, ...]
    steps: tuple[float, ...]
    holes: tuple[MissingValues, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogFacts:
    """What was really in a log: so many `frames` (evenly spaced) and `rows` (as they stand) of its `columns`.

    `rate` in Hz is 0 where no column tells it. `ranges`: between which values 98 of 100 of each column lie. `steps`: by
    how much each column climbs from row to row if it does so as a clock does, else 0; see `log_times.even_step`.
    `holes`: the cells of each column that say nothing. `cuts`, `raw_cuts`: the frames and rows before which it pauses;
    `pauses`, `raw_pauses` as in `Log`.
    """

    frames: int
    rows: int
    cuts: tuple[int, ...]
    raw_cuts: tuple[int, ...]
    pauses: tuple[tuple[int, float], ...]
    raw_pauses: tuple[tuple[int, int], ...]
    rate: float
    columns: tuple[str, ...]
    time_column: str
    left_out: tuple[LeftOut, ...]
    ranges: tuple[tuple[float, float], ...]
    steps: tuple[float, ...]
    holes: tuple[MissingValues, ...]


def log_facts(path: Path) -> LogFacts:
    """Read the log to its end and report what was there. Raises UnreadableError."""
    log = read_log(path)
    return LogFacts(
        frames=log.values.shape[1],
        rows=log.raw.shape[1],
        cuts=log.cuts,
        raw_cuts=log.raw_cuts,
        pauses=log.pauses,
        raw_pauses=log.raw_pauses,
        rate=log.rate,
        columns=log.columns,
        time_column=log.time_column,
        left_out=log.left_out,
        ranges=tuple((float(low), float(high)) for low, high in np.percentile(log.raw, (1, 99), axis=1).T),
        steps=log.steps,
        holes=log.holes,
    )


def read_log(path: Path, wanted: Collection[str] = ()) -> Log:
    """Read the whole log. Raises UnreadableError with the reason in one sentence.

    Found out from the file itself: delimiter, marks in numbers, encoding, comments, lines before the table, heading and
    units, a column of times. Missing values are filled in between their neighbours; columns of words are left out.
    `wanted` are columns that a project has learned from: they are never taken for times.
    """
    try:
        size = path.stat().st_size
        if size == 0:
            raise UnreadableError(EMPTY)
        if size > LARGEST_BYTES:
            limit = LARGEST_BYTES // 1_000_000
            raise UnreadableError(msg("The log is larger than {limit} MB. Cut it into shorter ones.", limit=limit))
        return _as_log(read_columns(path, read_layout(path)), wanted)
    except UnreadableError:
        raise
    except MemoryError as error:
        raise UnreadableError(
            msg("The log needs more memory than one log may use. Cut it into shorter ones.")
        ) from error
    except (OSError, UnicodeError) as error:
        reason = disk_reason(error) or NO_TABLE
        raise UnreadableError(reason, details=repr(error)) from error


def load_log(path: Path, windowing: Windowing) -> NDArray[np.float32]:
    """The log as a project or a model takes it: (channels, frames) at `windowing.rate`, its columns in their order.

    Raises UnreadableError, also where the log has other columns.
    """
    values, _cuts = _fitted(path, windowing)
    return values


def load_log_windows(path: Path, windowing: Windowing, starts: Sequence[float]) -> NDArray[np.float32]:
    """One window per start (seconds), (len(starts), channels, frames).

    Behind its end a log goes on backwards, which keeps its level, its strength and its rhythm. No window reaches over a
    pause: it lies in the stretch that it has most of, and one that is shorter goes on backwards too.
    """
    values, cuts = _fitted(path, windowing)
    edges = (0, *cuts, values.shape[1])
    places = [_rows_of(max(0, round(start * windowing.rate)), windowing.frames, edges) for start in starts]
    return np.ascontiguousarray(
        values[:, np.array(places, dtype=np.int64).reshape(-1, windowing.frames)].transpose(1, 0, 2)
    )


def _rows_of(start: int, frames: int, edges: Sequence[int]) -> NDArray[np.int64]:
    """Where the rows of a window lie in a log whose stretches reach from each of the `edges` to the next."""
    nearest = min(max(bisect_right(edges, start), 1), len(edges) - 1) - 1
    beyond = max(nearest + 1, min(bisect_left(edges, start + frames), len(edges) - 1))
    met = itertools.pairwise(edges[nearest : beyond + 1])
    first, end = max(met, key=lambda span: min(start + frames, span[1]) - max(start, span[0]))
    if len(edges) > 2:
        start = max(first, min(start, end - frames))
    last = end - first - 1
    return first + last - np.abs(last - (start - first + np.arange(frames)) % max(1, 2 * last))


_kept_logs: dict[tuple[str, int, int, Windowing], tuple[NDArray[np.float32], tuple[int, ...]]] = {}
_keeping = threading.Lock()


def _fitted(path: Path, windowing: Windowing) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    """The log as `load_log` gives it, and where it pauses; kept for a while, for the windows of a long one are asked
    for piece by piece."""
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
    if fitted[0].nbytes <= _KEPT_BYTES:
        with _keeping:
            _kept_logs[key] = fitted
            while len(_kept_logs) > _KEPT:
                _kept_logs.pop(next(iter(_kept_logs)))
    return fitted


def _fit(log: Log, windowing: Windowing) -> tuple[NDArray[np.float32], tuple[int, ...]]:
    order = list(fitting_columns(log.columns, windowing.columns, log.left_out))
    if windowing.clock != "file":
        return log.raw[order], log.raw_cuts
    values = log.values[order]
    if not log.rate or abs(log.rate / windowing.rate - 1.0) <= _SAME_RATE:
        return values, log.cuts
    stretches = itertools.pairwise((0, *log.cuts, values.shape[1]))
    parts = [_resampled(values[:, first:end], log.rate, windowing.rate) for first, end in stretches]
    cuts = itertools.accumulate(part.shape[1] for part in parts)
    return np.concatenate(parts, axis=1), tuple(cuts)[:-1]


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
        why = useless(column, rows)
        if why is None and name not in wanted:
            values = without_gaps(column.values())
            if times is None and not counts_rows(column.name, column.values()):
                times = times_of(column.full_name, values, moments=column.moments, first=place == 1)
                if times is not None:
                    time_column = name
                    continue
            why = not_measured(column, values)
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
    """The measurements at even steps, cut where for long nothing was measured."""
    table = np.stack([column.values() for column in kept.values()])
    pauses = long_runs(np.asarray(np.isnan(table).all(axis=0), dtype=np.bool_))
    raw_cuts = tuple(int(cut) for cut in np.unique(np.cumsum(~pauses)[pauses]) if 0 < cut < (~pauses).sum())
    if (~pauses).sum() < FEWEST_ROWS:
        raise UnreadableError(
            nmsg(
                "Only {count} row of the log has numbers, which is too few to train on.",
                "Only {count} rows of the log have numbers, which is too few to train on.",
                int((~pauses).sum()),
            )
        )
    filled = [without_gaps(row) for row in table[:, ~pauses]]
    raw = np.stack(filled).astype(np.float32)
    there = np.flatnonzero(~pauses)
    raw_pauses = [(0, int(there[0]))] * bool(there[0])
    raw_pauses += [(cut, int(there[cut] - there[cut - 1] - 1)) for cut in raw_cuts]
    late = 0.0
    if times is not None and pauses.any():
        late = float(times.seconds[there[0]])
        known = timed(times.seconds[there], raw_cuts)
        # Rows without values took their time, too.
        times = dataclasses.replace(known, rate=times.rate) if known is not None and times.even else known
    values, cuts = (raw, raw_cuts) if times is None else at_even_steps(raw, times)
    missing = [(0, late)] * bool(late)
    if times is not None:
        missing += [
            (frame, float(times.seconds[row] - times.seconds[row - 1]) - 1.0 / times.rate)
            for frame, row in zip(cuts, times.cuts, strict=True)
        ]
    return Log(
        values=values,
        raw=raw,
        cuts=cuts,
        raw_cuts=raw_cuts if times is None else times.cuts,
        pauses=tuple(missing),
        raw_pauses=tuple(raw_pauses),
        rate=0.0 if times is None else times.rate,
        columns=tuple(kept),
        time_column=time_column,
        left_out=left_out,
        steps=tuple(map(even_step, filled)),
        holes=tuple(column.holes(pauses=int(pauses.sum())) for column in kept.values()),
    )


def _resampled(values: NDArray[np.float32], have: float, want: float) -> NDArray[np.float32]:
    """(channels, frames) at another rate. The ends are mirrored first, or the filter would bend them towards zero."""
    margin = round(_SETTLING * max(1.0, have / want))
    level = values.mean(axis=1, keepdims=True)
    padded = np.pad(values - level, ((0, 0), (margin, margin)), mode="reflect")
    longer = soxr.resample(np.ascontiguousarray(padded.T), have, want).T + level
    first, count = round(margin * want / have), max(1, round(values.shape[1] * want / have))
    return np.ascontiguousarray(longer[:, first : first + count], dtype=np.float32)
