"""A log of any length as one picture whose pauses are empty, whole or in part."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing
from ml.media.logs.log import load_log, log_timeline
from ml.media.logs.traces import PAPER, trace_picture

COLUMNS, ROWS = 2_048, 320


def log_seconds(path: Path, windowing: Windowing) -> float:
    """Return when the log ends by its own clock. Raises UnreadableError."""
    return log_timeline(path, windowing).stretches[-1].end


def log_picture(
    path: Path, windowing: Windowing, *, start: float = 0.0, seconds: float | None = None, dark: bool = False
) -> NDArray[np.uint8]:
    """Return the traces of `seconds` from `start` on (to the end if None) as RGB (rows, columns, 3).

    Raises UnreadableError.
    """
    timeline = log_timeline(path, windowing)
    values = load_log(path, windowing)
    length = timeline.stretches[-1].end - start if seconds is None else seconds
    ranges = tuple(zip(values.min(axis=1).tolist(), values.max(axis=1).tolist(), strict=True))
    paper = PAPER[dark]
    picture = np.full((ROWS, COLUMNS, 3), paper, dtype=np.uint8)
    per_second = COLUMNS / max(length, 1e-9)
    for stretch, (first, end) in zip(timeline.stretches, itertools.pairwise(timeline.edges), strict=True):
        begin, until = max(stretch.begin, start), min(stretch.end, start + length)
        left, right = round((begin - start) * per_second), round((until - start) * per_second)
        rows = slice(max(first, round(timeline.to_index(begin))), min(end, round(timeline.to_index(until)) + 1))
        if until <= begin or right <= left or rows.stop - rows.start < 2:
            continue
        size = (right - left, ROWS)
        picture[:, left:right] = trace_picture(values[:, rows], ranges, size=size, dark=dark)
    return picture
