"""Logs of sensors as a picture: a lane for each column, time to the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

MOST_LANES = 12
"""More lanes than this are too low to show anything; of more columns only these, evenly picked, are drawn."""
_FINER = 2
_LIGHT = ("#FAFAF9", "#E4E4E0", "#1C1C1A")
_DARK = ("#141413", "#34342F", "#EDEDE8")
_ROOM = 0.08
PAPER = ((250, 250, 249), (20, 20, 19))
"""Light and dark."""


def lanes(columns: Sequence[str]) -> tuple[int, ...]:
    """Which columns are drawn, from above to below."""
    count = len(columns)
    if count <= MOST_LANES:
        return tuple(range(count))
    return tuple(place * count // MOST_LANES for place in range(MOST_LANES))


def trace_picture(
    values: NDArray[np.floating],
    ranges: Sequence[tuple[float, float]],
    *,
    size: tuple[int, int],
    dark: bool = False,
    thick: float = 1.5,
) -> NDArray[np.uint8]:
    """The columns of `values` (channels, frames) as lines below each other, RGB (height, width, 3) of `size`.

    `ranges` are the values at the lower and the upper edge of each lane, the same for all pictures of a project so that
    levels compare; without them each lane takes its own. What lies beyond stays at the edge.
    """
    paper, line, ink = _DARK if dark else _LIGHT
    width, height = size[0] * _FINER, size[1] * _FINER
    canvas = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(canvas)
    shown = lanes([""] * len(values))
    for place, column in enumerate(shown):
        top, bottom = height * place / len(shown), height * (place + 1) / len(shown)
        if place:
            draw.line((0, top, width, top), fill=line, width=_FINER)
        row = values[column]
        low, high = ranges[column] if ranges else (float(row.min()), float(row.max()))
        heights = _heights(row, low, high)
        x, up = _thinned(heights, width)
        y = bottom - (bottom - top) * (_ROOM + (1 - 2 * _ROOM) * up)
        points = np.stack([x, y], axis=1).ravel().tolist()
        draw.line(points, fill=ink, width=max(1, round(thick * _FINER)), joint="curve")
    return np.asarray(canvas.resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _heights(row: NDArray[np.floating], low: float, high: float) -> NDArray[np.float64]:
    """0 at the lower edge of the lane, 1 at the upper; a column that never moves lies in the middle."""
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        return np.full(len(row), 0.5)
    return np.clip((np.asarray(row, dtype=np.float64) - low) / (high - low), 0.0, 1.0)


def _thinned(heights: NDArray[np.float64], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the line; where there are many more than pixels, the least and the greatest of each pixel."""
    count = len(heights)
    if count <= 2 * width:
        return np.linspace(0, width, count), heights
    edges = np.linspace(0, count, width + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(heights, edges), np.maximum.reduceat(heights, edges)
    return np.repeat(np.arange(width, dtype=np.float64), 2), np.stack([low, high], axis=1).ravel()
