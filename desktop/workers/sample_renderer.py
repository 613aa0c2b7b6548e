"""Pictures of samples for the screen, made in the background: thumbnails, large views, overlays. No widgets here."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from desktop.widgets.pixels import grey_image, rgb_image, rgba_image
from ml.api import (
    HandlensError,
    Kind,
    Project,
    Sample,
    UnreadableError,
    Windowing,
    along_time,
    load_log_windows,
    load_waveform,
    load_window,
    mel_picture,
    msg,
    overlay_rgba,
    settings_for,
    thumbnail,
    trace_picture,
)

TILE_EDGE = 224
SOUND_TILE = QSize(224, 168)
LARGE_EDGE = 1024
LARGE_TRACES = (1024, 768)
FAINT = 26
"""Of 255."""
OVERLAY_EDGE = 96
_QUALITY = 88

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Large:
    """A sample for the large view. `waveform` is mono at the project's rate, None where nothing can be heard."""

    image: QImage
    waveform: NDArray[np.float32] | None = None


def load_tile(project: Project, sample: Sample) -> QImage:
    """The sample's thumbnail, from the project's cache if it is there. Raises HandlensError."""
    kept = _cache_path(project, sample)
    image = QImage(str(kept)) if kept.is_file() else QImage()
    if image.isNull():
        image = _make_tile(project, sample)
        _keep(image, kept)
    return image


def load_large(project: Project, sample: Sample) -> Large:
    """The sample as large as a screen can use it. Raises HandlensError."""
    path = project.source_folder / sample.path
    if project.windowing is None:
        return Large(image=rgb_image(thumbnail(path, size=LARGE_EDGE)))
    if project.kind == "sensors":
        return Large(image=_traces(project, sample, size=LARGE_TRACES, thick=2.5))
    waveform = load_window(path, project.windowing, start=sample.start or 0.0)
    return Large(image=_spectrogram(waveform, project), waveform=waveform)


def overlay_image(maps: NDArray[np.floating], class_index: int, *, kind: Kind) -> QImage | None:
    """The overlay of a class from one sample's maps (classes, h, w), small: Qt makes it as large as the picture.

    The maps of recordings begin with the lowest band, so they are turned; of logs only the time counts. None for a
    class the run did not know.
    """
    if not 0 <= class_index < len(maps):
        return None
    shown = along_time(maps) if kind == "sensors" else maps
    pixels = overlay_rgba(shown, class_index, size=(OVERLAY_EDGE, OVERLAY_EDGE))
    return rgba_image(pixels[::-1] if kind == "recordings" else pixels)


def is_faint(overlay: QImage) -> bool:
    """Whether nobody would see it: it is hardly there anywhere."""
    alpha = overlay.convertToFormat(QImage.Format.Format_Alpha8)
    return max(bytes(alpha.constBits()), default=0) < FAINT


def _make_tile(project: Project, sample: Sample) -> QImage:
    path = project.source_folder / sample.path
    if project.windowing is None:
        return rgb_image(thumbnail(path, size=TILE_EDGE))
    if project.kind == "sensors":
        return _traces(project, sample, size=(SOUND_TILE.width(), SOUND_TILE.height()), thick=1.0)
    waveform = load_window(path, project.windowing, start=sample.start or 0.0)
    return _spectrogram(waveform, project).scaled(
        SOUND_TILE, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def _traces(project: Project, sample: Sample, *, size: tuple[int, int], thick: float) -> QImage:
    """Light lines on dark, like the other pictures: the overlay brings the only colour."""
    windowing = project.windowing
    if windowing is None:
        raise HandlensError(msg("This project has no logs."))
    values = load_log_windows(project.source_folder / sample.path, windowing, [sample.start or 0.0])[0]
    return rgb_image(trace_picture(values, windowing.ranges, size=size, dark=True, thick=thick))


def _spectrogram(waveform: NDArray[np.float32], project: Project) -> QImage:
    """Grey, the highest band on top: the overlay brings the only colour."""
    windowing = project.windowing
    if windowing is None:
        raise HandlensError(msg("This project has no recordings."))
    picture = mel_picture(waveform, settings_for(windowing))
    # For the eye only: the hiss of a recording becomes dark, so that what stands out of it does.
    low, high = np.percentile(picture, (8.0, 99.8))
    return grey_image(((picture - low) / max(high - low, 1e-3))[::-1])


def _cache_path(project: Project, sample: Sample) -> Path:
    """By content, not by name: a file that was replaced gets another thumbnail."""
    name = sample.digest if sample.start is None else f"{sample.digest}-{round(sample.start * 1000)}"
    return project.path / "cache" / "thumbnails" / name[:2] / f"{name}.jpg"


def _keep(image: QImage, path: Path) -> None:
    """Write the thumbnail beside its place and rename. A cache that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".", suffix=".jpg", dir=path.parent)
        os.close(handle)
        if image.save(draft, quality=_QUALITY):
            Path(draft).replace(path)
        else:
            Path(draft).unlink()
    except OSError as error:
        _log.warning("the thumbnail %s was not kept: %s", path.name, error)


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
