"""From class maps to something laid over a picture: where the network looked, and how strongly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Eleven evenly spaced stops of matplotlib's inferno (CC0), a perceptually even map.
_INFERNO = np.array(
    [
        (0, 0, 4), (22, 11, 57), (66, 10, 104), (106, 23, 110), (147, 38, 103), (188, 55, 84),
        (221, 81, 58), (243, 120, 25), (252, 165, 10), (246, 215, 70), (252, 255, 164),
    ],
    dtype=np.float64,
)  # fmt: skip


ATTENDED = 0.5
"""From this strength on, a network attended to a place."""
_COLUMNS, _ROWS = 96, 96
"""Of the smoothed map in which times are looked for."""


def strength(maps: NDArray[np.floating], class_index: int) -> NDArray[np.float32]:
    """How much each place speaks for a class: (h, w) in 0…1 from one sample's maps (classes, h, w).

    Evidence against the class counts as nothing. The scale is the strongest evidence for any class, so a class the
    network saw little of stays pale.
    """
    positive = np.maximum(np.asarray(maps, dtype=np.float32), 0.0)
    top = float(positive.max())
    if top <= 0.0:
        return np.zeros(positive.shape[1:], dtype=np.float32)
    return np.asarray(positive[class_index] / top, dtype=np.float32)


def inferno(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Values in 0…1 of any shape as RGB, shape (…, 3)."""
    stops = np.linspace(0.0, 1.0, len(_INFERNO))
    channels = [np.interp(values, stops, _INFERNO[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def inferno_stops() -> list[list[int]]:
    """The colours of `inferno`, evenly spaced, for programs that draw it themselves."""
    return [[int(value) for value in stop] for stop in _INFERNO]


def overlay_rgba(maps: NDArray[np.floating], class_index: int, *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The overlay of a class as RGBA (height, width, 4) for a picture of `size` (width, height).

    Strength is alpha, so nothing is painted where the network did not look.
    """
    small = Image.fromarray(strength(maps, class_index), mode=None)
    smooth = np.clip(np.asarray(small.resize(size, Image.Resampling.BICUBIC)), 0.0, 1.0)
    alpha = (smooth * 255.0).round().astype(np.uint8)
    return np.dstack([inferno(0.25 + 0.75 * smooth), alpha])


def attended_times(
    maps: NDArray[np.floating], class_index: int, *, above: float = ATTENDED
) -> tuple[tuple[float, float], ...]:
    """Return from when to when a sound speaks for a class at least so strongly: fractions of its window, in order.

    `maps` (classes, h, w) are those of one sample. They are smoothed as `overlay_rgba` does, so that what is heard is
    what is seen bright.
    """
    found = strength(maps, class_index)
    small = Image.fromarray(found, mode=None)
    smooth = np.asarray(small.resize((_COLUMNS, max(found.shape[0], _ROWS)), Image.Resampling.BICUBIC))
    bright = np.concatenate([[False], smooth.max(axis=0) >= above, [False]])
    edges = np.flatnonzero(bright[1:] != bright[:-1]) / _COLUMNS
    return tuple((float(start), float(end)) for start, end in zip(edges[::2], edges[1::2], strict=True))


def blend(picture: NDArray[np.uint8], overlay: NDArray[np.uint8], *, opacity: float = 0.7) -> NDArray[np.uint8]:
    """Lay an RGBA overlay (h, w, 4) over an RGB picture (h, w, 3) of the same size."""
    alpha = overlay[..., 3:].astype(np.float32) / 255.0 * opacity
    mixed = picture.astype(np.float32) * (1.0 - alpha) + overlay[..., :3].astype(np.float32) * alpha
    return mixed.round().astype(np.uint8)
