"""Pictures of samples for the screen, made in the background: thumbnails, large views, overlays. No widgets here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray
from PySide6.QtGui import QImage, QImageWriter

from desktop.widgets.pixels import rgb_image, rgba_image
from ml.api import (
    HandlensError,
    KindName,
    ModelInfo,
    Project,
    Reading,
    ReleasedModel,
    Sample,
    Windowing,
    kind_named,
    model_path,
    network_band,
    network_input,
    overlay_rgba,
    render_sample,
    replacing,
)

TILE_EDGE = 224
SOUND_TILE = (224, 168)
LARGE_EDGE = 1024
LARGE = (1024, 768)
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
    path, start, kind = project.file(sample.path), sample.start or 0.0, kind_named(project.kind)
    original = kind.original(path, windowing=project.reading, start=start, edge=LARGE_EDGE)
    picture = kind.draw(original, windowing=project.windowing, size=LARGE, dark=True)
    return Large(image=rgb_image(picture), waveform=np.asarray(original, dtype=np.float32) if kind.audible else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkInput:
    """What the network gets of a sample. `band`: of a spectrogram its frequencies, see `ml.api.network_band`."""

    image: QImage
    band: tuple[float, float, bool] | None = None


def load_input(project: Project, sample: Sample, run: int) -> NetworkInput:
    """What the network of run `run` gets of a sample, a pixel for each of its values. Raises HandlensError."""
    info = _info_of(model_path(project, run))
    picture = network_input(info, project.file(sample.path), sample.start or 0.0)
    band = network_band(info) if kind_named(project.kind).audible else None
    return NetworkInput(image=rgb_image(picture), band=band)


@lru_cache(maxsize=4)
def _info_of(path: Path) -> ModelInfo:
    """A finished run never changes."""
    return ReleasedModel.open(path).info


def overlay_image(maps: NDArray[np.floating], class_index: int, *, kind: KindName) -> QImage | None:
    """The overlay of a class from one sample's maps (classes, h, w), small: Qt makes it as large as the picture.

    None for a class the run did not know.
    """
    if not 0 <= class_index < len(maps):
        return None
    return rgba_image(overlay_rgba(kind_named(kind).turned(maps), class_index, size=(OVERLAY_EDGE, OVERLAY_EDGE)))


def is_faint(overlay: QImage) -> bool:
    """Whether nobody would see it: it is hardly there anywhere."""
    alpha = overlay.convertToFormat(QImage.Format.Format_Alpha8)
    return max(bytes(alpha.constBits()), default=0) < FAINT


def _make_tile(project: Project, sample: Sample) -> QImage:
    pictures = kind_named(project.kind).input_name == "pixels"
    return rgb_image(
        render_sample(
            project.kind,
            project.file(sample.path),
            windowing=project.reading,
            start=sample.start or 0.0,
            size=(TILE_EDGE, TILE_EDGE) if pictures else SOUND_TILE,
            dark=True,
        )
    )


def _cache_path(project: Project, sample: Sample) -> Path:
    """By content, not by name: a file that was replaced gets another thumbnail."""
    name = sample.digest if sample.start is None else f"{sample.digest}-{round(sample.start * 1000)}"
    return project.path / "cache" / "thumbnails" / name[:2] / f"{name}.jpg"


def _keep(image: QImage, path: Path) -> None:
    """Write the thumbnail beside its place and rename. A cache that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as draft:
            writer = QImageWriter(str(draft), QByteArray(b"jpg"))
            writer.setQuality(_QUALITY)
            if not writer.write(image):
                raise OSError(writer.errorString())
    except OSError as error:
        _log.warning("the thumbnail %s was not kept: %s", path.name, error)


_NO_STARTS: Mapping[str, float] = {}
FALLBACK = Windowing(rate=16_000, seconds=5.0, step=5.0)


def example(path: Path, kind: KindName, windowing: Reading | None, *, size: int, start: float = 0.0) -> QImage:
    """One picture of about `size` pixels; of a recording the window from `start` seconds. Raises UnreadableError."""
    if windowing is None and kind_named(kind).windowed:
        windowing = FALLBACK
    return rgb_image(render_sample(kind, path, windowing=windowing, start=start, size=(size, size), dark=True))


def examples(
    place_of: Callable[[str], Path],
    paths: Sequence[str],
    kind: KindName,
    windowing: Reading | None,
    size: int,
    *,
    starts: Mapping[str, float] = _NO_STARTS,
) -> tuple[QImage, ...]:
    """The pictures of those of `paths` that can be read.

    `place_of` says where each file is, `starts` where in a recording to look, in seconds.
    """
    found = []
    for path in paths:
        try:
            found.append(example(place_of(path), kind, windowing, size=size, start=starts.get(path, 0.0)))
        except HandlensError:
            continue  # it is listed as unreadable elsewhere; here it is only one picture fewer
    return tuple(found)


def spread(paths: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` of `paths`, evenly spread, so that neighbouring shots of one thing do not fill the row."""
    if len(paths) <= count:
        return tuple(paths)
    return tuple(paths[place * len(paths) // count] for place in range(count))
