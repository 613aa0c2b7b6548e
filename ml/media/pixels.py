"""Convert every colour mode of Pillow to 8-bit RGB, in strips, so that a huge picture is never held twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ml.core.types import FIRST_BANDS, Levels, PictureReading

PLAIN_MODES = frozenset({"RGB", "L", "1"})
"""Modes that Pillow itself turns into RGB without loss, when nothing is transparent."""
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_STRIP_PIXELS = 4_000_000
_DEPTHS = (8, 12, 16)
_PHOTOMETRIC, _BITS_PER_SAMPLE, _EXTRA_SAMPLES, NO_DATA_TAG, _WHITE_IS_ZERO = 262, 258, 338, 42113, 0
_SAMPLES_PER_PIXEL, _TRANSPARENCY = 277, (1, 2)
PLAIN_COLOURS = (0, 1, 2)
"""How a TIFF says that white is zero, black is zero, or the bands are red, green and blue."""
INVERTED, LEVELS, VALUES = "inverted", "levels", "values"
"""What a decoder notes in `info`: small values are bright; the usual values before the picture became 8 bits deep, and
some of these values."""
WINDOWED = "windowed"
"""It is shown through the window that its file names."""
BANDS, BAND_LEVELS = "bands", "band levels"
"""How many bands a picture with more than three has, and the usual values of each."""
_NEARLY_WHITE = 250
_ABSURD = 1e30
_USUAL_NO_DATA = (-9999.0, -99999.0, -32768.0, -32767.0)
_ENOUGH_VALUES = 65_536
_USUAL = (0.0005, 0.9995)
"""Between these shares of its values lie the usual ones of a picture."""

Convert = Callable[[Image.Image], NDArray[np.uint8]]


def is_plain(image: Image.Image) -> bool:
    """Whether the picture needs nothing but Pillow's own conversion to RGB."""
    return image.mode in PLAIN_MODES and not image.has_transparency_data


def to_rgb(
    image: Image.Image, *, reading: PictureReading | None = None, reduce: tuple[int, int] = (1, 1)
) -> NDArray[np.uint8]:
    """A decoded picture as (H, W, 3); with `reduce`, every block of so many pixels across and down becomes one.

    Transparent parts lie on white, or on black where all that can be seen is white. Pictures with more than 8 bits
    have the range of their project, or else that of their depth; see `_whole_range`.
    """
    across, down = reduce
    result = np.empty((math.ceil(image.height / down), math.ceil(image.width / across), 3), dtype=np.uint8)
    convert = _deep_converter(image, reading) if image.mode in DEEP_MODES else _converter(image)
    for top, strip in _strips(image, multiple=down):
        pixels = convert(strip)
        if reduce != (1, 1):
            pixels = np.asarray(Image.fromarray(pixels).reduce(reduce), dtype=np.uint8)
        result[top // down : top // down + len(pixels)] = pixels
    return result


def _strips(image: Image.Image, *, multiple: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Yield the picture from top to bottom in strips; all heights but the last are multiples of `multiple`."""
    rows = max(1, _STRIP_PIXELS // max(1, image.width * multiple)) * multiple
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(image.height, top + rows)))
        yield top, strip


def _converter(image: Image.Image) -> Convert:
    if image.mode == "LAB":
        return _lab_strip
    if _has_alpha(image):
        return partial(_transparent_strip, ground=0 if hides_white(image) else 255)
    return _opaque_strip


def hides_white(image: Image.Image) -> bool:
    """Whether what can be seen of a transparent picture is so white that it would be lost on white."""
    if not _has_alpha(image):
        return False
    seen = False
    for _top, strip in _strips(image):
        if _transparent_strip(strip, ground=255).min() < _NEARLY_WHITE:
            return False
        seen = seen or bool(np.asarray(_rgba(strip).getchannel("A")).any())
    return seen and _rgba(image).getchannel("A").getextrema()[0] == 0


def _has_alpha(image: Image.Image) -> bool:
    if image.mode == "RGBA" and image.format == "TIFF" and _tag(image, _EXTRA_SAMPLES) is None:
        return False  # a fourth band that nobody calls transparency, such as near infrared
    return image.has_transparency_data or image.mode in {"RGBa", "La"}


def _opaque_strip(strip: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(strip.convert("RGB"), dtype=np.uint8)


def _lab_strip(strip: Image.Image) -> NDArray[np.uint8]:
    converted = ImageCms.applyTransform(strip, _lab_to_rgb())
    assert converted is not None  # only None when converting in place
    return np.asarray(converted, dtype=np.uint8)


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


def _transparent_strip(strip: Image.Image, *, ground: int) -> NDArray[np.uint8]:
    rgba = _rgba(strip)
    below = Image.new("RGBA", rgba.size, (ground, ground, ground, 255))
    return np.asarray(Image.alpha_composite(below, rgba).convert("RGB"), dtype=np.uint8)


def _rgba(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _deep_converter(image: Image.Image, reading: PictureReading | None) -> Convert:
    low, high = (reading.low, reading.high) if reading is not None and reading.ranged else _whole_range(image)
    clear = image.info.get("transparency")
    inverted = _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO or bool(image.info.get(INVERTED))

    def convert(strip: Image.Image) -> NDArray[np.uint8]:
        raw = np.asarray(strip)
        grey = to_bytes(known(raw, no_data_of(image)), low, high)
        if inverted:
            grey = 255 - grey
        if isinstance(clear, int):
            grey[raw == clear] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)

    return convert


def to_bytes(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return values with `low` as 0 and `high` as 255; 0 where there is none."""
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - np.float32(low)) * (255.0 / (high - low))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)


def known(raw: NDArray[np.generic], no_data: float | None) -> NDArray[np.float32]:
    """Return the values as fractions, NaN where there is none: at `no_data`, and where a height would be absurd."""
    values = raw.astype(np.float32)
    if raw.dtype.kind == "f":
        values[(np.abs(values) > _ABSURD) | np.isin(values, _USUAL_NO_DATA)] = np.nan
    if no_data is not None:
        values[values == np.float32(no_data)] = np.nan
    return values


def no_data_of(image: Image.Image) -> float | None:
    """The value that stands for “nothing was measured here” in a raster for maps; None where none does."""
    text = _tag(image, NO_DATA_TAG)
    try:
        return float(str(text).strip("\0 ")) if text is not None else None
    except ValueError:
        return None


def levels_of(values: NDArray[np.float32]) -> Levels | None:
    """Return the least and the greatest usual value, regardless of a few stuck pixels; None where there is none."""
    sample = sample_of(values)
    if not sample.size:
        return None
    low, high = np.quantile(sample, _USUAL)
    return float(low), float(high)


def sample_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return some of the values (n,), evenly spread, without those that are unknown."""
    step = max(1, math.isqrt(values.size // _ENOUGH_VALUES))
    sample = values[::step, ::step].ravel() if values.ndim > 1 else values[:: step * step]
    return sample[np.isfinite(sample)]


def deep_sample(image: Image.Image) -> NDArray[np.float32]:
    """Return some of the values (n,) of a decoded picture with more than 8 bits; none for others."""
    stored = image.info.get(VALUES)
    if isinstance(stored, np.ndarray):
        return np.asarray(stored, dtype=np.float32)
    if image.mode not in DEEP_MODES:
        return np.zeros(0, dtype=np.float32)
    return sample_of(known(np.asarray(image), no_data_of(image)))


def deep_levels(image: Image.Image) -> Levels | None:
    """Return the usual values of a decoded picture with more than 8 bits, see `levels_of`; None for others."""
    stored = image.info.get(LEVELS)
    if isinstance(stored, tuple):
        return float(stored[0]), float(stored[1])
    if image.mode not in DEEP_MODES:
        return None
    return levels_of(known(np.asarray(image), no_data_of(image)))


def _whole_range(image: Image.Image) -> tuple[float, float]:
    low, high = _extremes(image)
    return whole_range(low, high, depth=_tag(image, _BITS_PER_SAMPLE), fractions=image.mode == "F")


def whole_range(low: float, high: float, *, depth: object = None, fractions: bool) -> tuple[float, float]:
    """The values that become 0 and 255 in a picture whose values lie between `low` and `high`.

    Whole numbers from 0 up: the smallest of 8, 12 and 16 bits that holds the brightest point, because cameras
    write 12-bit values into 16-bit files and a fixed divisor would show them black. Fractions between 0 and 1
    keep that range. Anything else (heights, temperatures) is stretched from its least to its greatest value.
    """
    if fractions and low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high < 1 << 16 and (not fractions or high > 1):
        depths = (depth, 16) if isinstance(depth, int) and 8 < depth < 16 else _DEPTHS
        bits = next(bits for bits in depths if high < 1 << bits)
        return 0.0, float((1 << bits) - 1)
    return (low, high) if high > low else (low, low + 1.0)


def _extremes(image: Image.Image) -> tuple[float, float]:
    low, high, no_data = np.inf, -np.inf, no_data_of(image)
    for _top, strip in _strips(image):
        values = known(np.asarray(strip), no_data)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)


def band_count(image: Image.Image) -> int:
    """Return how many bands a picture has where these are more than three, not counting transparency; else 0."""
    noted = image.info.get(BANDS)
    if isinstance(noted, int):
        return noted
    count = _tag(image, _SAMPLES_PER_PIXEL)
    if not isinstance(count, int) or _tag(image, _PHOTOMETRIC) not in PLAIN_COLOURS:
        return 0
    return many_bands(count, getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, ()))


def many_bands(count: int, extra: object) -> int:
    """Return the number of bands of `count` values of each pixel; 0 up to three. `extra`: what the later ones are."""
    further = extra if isinstance(extra, tuple) else (extra,)
    bands = count - sum(int(what) in _TRANSPARENCY for what in further if isinstance(what, int))
    return bands if bands > len(FIRST_BANDS) else 0


def _tag(image: Image.Image, number: int) -> object:
    """A TIFF tag's first value, None for other formats."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value
