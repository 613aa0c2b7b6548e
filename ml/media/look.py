"""Measure what a network will see or hear of a file, in passing while it is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.core.scan_report import PictureLook, SoundLook
from ml.core.types import PictureReading
from ml.media.pixels import is_plain, to_rgb
from ml.media.windowing import HIGHEST_RATE

_EDGE = 160
_SIGNATURE = 8
_RARE = 1e-4
"""Grey levels of a smaller share of the pixels do not count."""
_SMALLEST = 16
"""Pixels of a side from which a picture has a middle."""
_END = 1
"""Levels from plain white or black that count as it: JPEG changes plain areas by so much."""
_BOTH_ENDS = 0.1
_AROUND = 0.5
"""Up to this ratio of its share around the middle to that in it, white or black is no ground."""
_FADING, _EVEN = 32, 0.5
"""So many levels next to the end hold at least this part of what they would if all levels were as frequent."""
_VALUES = 1 << 13
"""Of a block of sound so many are looked at."""
_FULL_SCALE = 0.999
_MAKE, _MODEL, _CHANGED, _EXIF, _TAKEN = 0x010F, 0x0110, 0x0132, 0x8769, 0x9003


def picture_look(image: Image.Image, levels: tuple[float, float] | None = None) -> PictureLook:
    """Measure a decoded picture; `levels` are the usual values of one with more than 8 bits."""
    small = _small(image, None if levels is None else PictureReading(low=levels[0], high=levels[1]))
    grey = small if small.mode == "L" else small.convert("L")
    channels = np.array(small.histogram()).reshape(-1, 256)
    pixels = small.width * small.height
    # The channel that shows most: two colours can have one brightness.
    there = channels > 0
    least, most = there.argmax(axis=1), 255 - there[:, ::-1].argmax(axis=1)
    widest = int((most - least).argmax())
    below = channels[widest].cumsum()
    camera, day = _taken_by(image)
    white, black = _lost_middle(small, grey)
    return PictureLook(
        low=int(below.searchsorted(0.005 * pixels)),
        high=int(below.searchsorted(0.995 * pixels)),
        least=int(least[widest]),
        most=int(most[widest]),
        levels=int((channels > _RARE * pixels).sum(axis=1).max()),
        signature=grey.resize((_SIGNATURE, _SIGNATURE), Image.Resampling.BOX).tobytes(),
        white=white,
        black=black,
        camera=camera,
        day=day,
    )


def _lost_middle(small: Image.Image, grey: Image.Image) -> tuple[float, float]:
    """The shares of the middle that were exposed too brightly and too darkly; 0 where that may be meant.

    White or black that reaches the edges is a ground, and both in one picture are a drawing. A white sign has no
    bright greys around it, as a glare has.
    """
    pixels, levels = np.asarray(small), np.asarray(grey)
    if min(levels.shape) < _SMALLEST:
        return 0.0, 0.0
    channels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    white, black = channels.min(axis=2) >= 255 - _END, channels.max(axis=2) <= _END
    if min(white.mean(), black.mean()) >= _BOTH_ENDS:
        return 0.0, 0.0
    return _in_middle(white, 255 - levels), _in_middle(black, levels)


def _in_middle(lost: NDArray[np.bool_], away: NDArray[np.uint8]) -> float:
    """The share of the middle that is lost. `away`: by how many grey levels each pixel is from plain white or black."""
    height, width = lost.shape
    middle = lost[height // 4 : height - height // 4, width // 4 : width - width // 4]
    around = (lost.sum() - middle.sum()) / (lost.size - middle.size)
    if not middle.any() or around > _AROUND * middle.mean():
        return 0.0
    rest = away[~lost]
    fading = float((rest <= _FADING).mean()) if rest.size else 0.0
    return float(middle.mean()) if fading >= _EVEN * _FADING / 255 else 0.0


def _small(image: Image.Image, reading: PictureReading | None) -> Image.Image:
    """A small copy as the network sees it: single pixels where the colours are plain, which is quick."""
    if image.mode in ("RGB", "L") and is_plain(image):
        size = (min(_EDGE, image.width), min(_EDGE, image.height))
        if size == image.size:
            return image
        return image.resize(size, Image.Resampling.NEAREST)
    across, down = (max(1, length // _EDGE) for length in image.size)
    return Image.fromarray(to_rgb(image, reading=reading, reduce=(across, down)))


def _taken_by(image: Image.Image) -> tuple[str, str]:
    """The camera and the day of the picture, "" where it does not say."""
    try:
        exif = image.getexif()
        if not exif:
            return "", ""
        camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (_MAKE, _MODEL) if exif.get(tag))
        moment = str(exif.get_ifd(_EXIF).get(_TAKEN) or exif.get(_CHANGED) or "")
    except Exception:  # broken metadata does not make a picture unreadable
        return "", ""
    return camera[:80], moment[:10] if moment[:4].isdigit() else ""


class SoundMeter:
    """Measures the blocks of a recording one after the other."""

    def __init__(self, rate: float = 0.0) -> None:
        """`rate` in Hz. Of high ones `share_above` is measured, too."""
        self._bands = BandMeter(rate) if rate > HIGHEST_RATE else None
        self._count = 0
        self._clipped = 0
        self._sum = self._squares = 0.0
        self._peak = 0.0

    def measured(
        self, blocks: Iterable[NDArray[np.float32]], mono: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> int:
        """Measure blocks (n, channels), of which `mono` makes one channel, and return how many values they have."""
        frames = 0
        for block in blocks:
            frames += len(block)
            if not len(block):
                continue
            if self._bands is not None:
                self._bands.add(mono(block))
            some = mono(block[:: max(1, len(block) // _VALUES)])
            size = np.abs(some)
            self._count += len(some)
            self._sum += float(some.sum())
            self._squares += float(some @ some)
            self._peak = max(self._peak, float(size.max()))
            self._clipped += int((size >= _FULL_SCALE).sum())
        return frames

    def share_above(self) -> float | None:
        """Return the share of the sound above what networks hear, see `BandMeter`; None where that is not known."""
        return None if self._bands is None else self._bands.share_above()

    def look(self) -> SoundLook:
        """Return what was measured."""
        count = max(1, self._count)
        power = max(self._squares / count - (self._sum / count) ** 2, 1e-20)
        return SoundLook(
            loudness=round(float(10.0 * np.log10(power)), 2),
            peak=round(self._peak, 6),
            clipped=round(self._clipped / count, 6),
        )


_POINTS = 512
"""Of one look, which lasts 2 ms at 256 kHz: the shortest calls of bats last as long."""
_BANDS = 32
_LOOKS = 512
"""In each block. More of them would slow the import down."""
_LOWEST = 2_000.0
"""Hz. Wind and the steps of a person, which lie below, are louder than what was to be recorded."""
_LOUD, _LOUDER = 10.0, 4.0
"""Times the usual power of a band, which noise does not reach, and of the quiet bands."""


class BandMeter:
    """Adds up the power below and above half of `HIGHEST_RATE`, of what stands out from the noise.

    That is what is loud for a moment: in each band relative to its own usual power, since noise of a recorder fills
    the upper bands of most recordings. Where nothing is, it is the bands that are always louder than others.
    """

    def __init__(self, rate: float) -> None:
        self._counted = np.arange(1, _POINTS // 2 + 1) * rate / _POINTS > _LOWEST
        self._above = (np.arange(_BANDS) + 0.5) * rate / 2 / _BANDS > HIGHEST_RATE / 2
        self._moments, self._steady = np.zeros(_BANDS), np.zeros(_BANDS)

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in the next block (n,)."""
        count = min(_LOOKS, len(values) // _POINTS)
        if not count:
            return
        starts = np.linspace(0, len(values) - _POINTS, count).astype(int)
        frames = values[starts[:, None] + np.arange(_POINTS)] * np.hanning(_POINTS).astype(np.float32)
        power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) ** 2 * self._counted
        bands = power.reshape(count, _BANDS, -1).sum(axis=2)
        usual = np.median(bands, axis=0)
        self._moments += np.maximum(bands - _LOUD * usual, 0.0).sum(axis=0)
        self._steady += count * np.maximum(usual - _LOUDER * np.percentile(usual, 20), 0.0)

    def share_above(self) -> float | None:
        """Return the share of the power that lies above what networks hear; None where nothing stands out."""
        power = self._moments if self._moments.any() else self._steady
        total = float(power.sum())
        return float(power[self._above].sum()) / total if total > 0 else None
