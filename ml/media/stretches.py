"""Logs that pause are cut there, and what lies behind moves to the front: which stretch a window lies in, and when
that was by the log's own clock."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

Span = tuple[float, float]
Pauses = Sequence[tuple[float, float]]
"""Where the log was cut, in seconds of what is left of it, and how many are missing there; in that order."""

_TIE = 6
"""Decimals to which seconds are compared: 0.1 + 0.2 is as long as 0.3."""


def stretch_of(start: float, length: float, edges: Sequence[float]) -> Span:
    """Of the stretches that reach from each of the `edges` to the next, the one that a window has most of."""
    nearest = min(max(bisect_right(edges, start), 1), len(edges) - 1) - 1
    beyond = max(nearest + 1, min(bisect_left(edges, start + length), len(edges) - 1))
    met = itertools.pairwise(edges[nearest : beyond + 1])
    return max(met, key=lambda span: round(min(start + length, span[1]) - max(start, span[0]), _TIE))


def placed(windows: Sequence[Span], pauses: Pauses, duration: float) -> list[Span]:
    """The windows of a log as they are read: none reaches over a pause, each lies in the stretch it has most of."""
    cuts = [where for where, _missing in pauses if 0 < where < duration]
    if not cuts:
        return list(windows)
    edges = (0.0, *cuts, duration)
    found = []
    for start, end in windows:
        first, last = stretch_of(start, end - start, edges)
        begin = max(first, min(start, last - (end - start)))
        found.append((round(begin, 6), round(min(begin + end - start, last), 6)))
    return found


def paused_before(windows: Sequence[Span], pauses: Pauses) -> list[float]:
    """For each of the windows, as they were `placed`, how many seconds the log has paused before it: so much later than
    it says a window was measured, counted from the log's first row."""
    where = [round(at, _TIE) for at, _missing in pauses]
    late = [0.0, *itertools.accumulate(missing for _at, missing in pauses)]
    return [late[bisect_right(where, round(start, _TIE))] for start, _end in windows]


def without_pauses(seconds: float, pauses: Pauses) -> float:
    """Where a moment of the log lies once the pauses are cut out."""
    out = 0.0
    for where, missing in pauses:
        into = seconds - out - where
        if into <= 0:
            break
        out += min(missing, into)
    return seconds - out


def with_pauses(seconds: float, pauses: Pauses) -> float:
    """When a moment of what is left of the log was by its own clock."""
    return seconds + paused_before([(seconds, seconds)], pauses)[0]


def unseen(windows: Sequence[Span], duration: float) -> float:
    """How many seconds of a log of `duration` no window shows; they are in the order of their starts."""
    seen, reached = 0.0, 0.0
    for start, end in windows:
        seen += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return max(0.0, duration - seen)
