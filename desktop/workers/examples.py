"""Small pictures of samples, made in a pool thread: a thumbnail, a spectrogram of a recording, the traces of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from ml.api import (
    Kind,
    UnreadableError,
    Windowing,
    load_log_windows,
    load_waveform,
    mel_picture,
    settings_for,
    thumbnail,
    trace_picture,
)

_NO_STARTS: Mapping[str, float] = {}
FALLBACK = Windowing(rate=16_000, seconds=5.0, step=5.0)


def example(path: Path, kind: Kind, windowing: Windowing | None, *, size: int, start: float = 0.0) -> QImage:
    """One picture of about `size` pixels; of a recording the window from `start` seconds. Raises UnreadableError."""
    if kind == "images":
        return _image(thumbnail(path, size=size))
    if kind == "sensors" and windowing is not None:
        values = load_log_windows(path, windowing, [start])[0]
        return _image(trace_picture(values, windowing.ranges, size=(size, size), dark=True, thick=1.0))
    windowing = windowing or FALLBACK
    waveform = load_waveform(path, rate=round(windowing.rate), start=start, seconds=windowing.seconds)
    grey = (mel_picture(waveform, settings_for(windowing))[::-1] * 255).astype(np.uint8)
    whole = _image(np.repeat(grey[..., None], 3, axis=2))
    return whole.scaled(size, size)


def examples(
    folder: Path,
    paths: Sequence[str],
    kind: Kind,
    windowing: Windowing | None,
    size: int,
    *,
    starts: Mapping[str, float] = _NO_STARTS,
) -> tuple[QImage, ...]:
    """The pictures of those of `paths` that can be read; `starts` says where in a recording to look, in seconds."""
    found = []
    for path in paths:
        try:
            found.append(example(folder / path, kind, windowing, size=size, start=starts.get(path, 0.0)))
        except UnreadableError:
            continue  # it is listed as unreadable elsewhere; here it is only one picture fewer
    return tuple(found)


def _image(pixels: NDArray[np.uint8]) -> QImage:
    """An RGB array (h, w, 3) as an image that owns its pixels."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def spread(paths: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of `paths`, evenly spread, so that neighbouring shots of one thing do not fill the row."""
    if len(paths) <= count:
        return tuple(paths)
    return tuple(paths[place * len(paths) // count] for place in range(count))
