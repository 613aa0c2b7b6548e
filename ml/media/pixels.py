"""Convert every colour mode of Pillow to 8-bit RGB, in strips, so that a huge picture is never held twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

PLAIN_MODES = frozenset({"RGB", "L", "1"})
"""Modes that Pillow itself turns into RGB without loss, when nothing is transparent."""
DEEP_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_STRIP_PIXELS = 4_000_000
_DEPTHS = (8, 12, 16)
_PHOTOMETRIC, _BITS_PER_SAMPLE, _WHITE_IS_ZERO = 262, 258, 0

Convert = Callable[[Image.Image], NDArray[np.uint8]]


def is_plain(image: Image.Image) -> bool:
    """Whether the picture needs nothing but Pillow's own conversion to RGB."""
    return image.mode in PLAIN_MODES and not image.has_transparency_data


def to_rgb(image: Image.Image, *, reduce: tuple[int, int] = (1, 1)) -> NDArray[np.uint8]:
    """A decoded picture as (H, W, 3); with `reduce`, every block of so many pixels across and down becomes one.

    Transparent parts lie on white. Pictures with more than 8 bits are scaled so that the deepest value their
    depth can hold becomes 255; see `_whole_range`.
    """
    across, down = reduce
    result = np.empty((math.ceil(image.height / down), math.ceil(image.width / across), 3), dtype=np.uint8)
    convert = _deep_converter(image) if image.mode in DEEP_MODES else _converter(image)
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
    if image.has_transparency_data or image.mode in {"RGBa", "La"}:
        return _transparent_strip
    return _opaque_strip


def _opaque_strip(strip: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(strip.convert("RGB"), dtype=np.uint8)


def _lab_strip(strip: Image.Image) -> NDArray[np.uint8]:
    converted = ImageCms.applyTransform(strip, _lab_to_rgb())
    assert converted is not None  # only None when converting in place
    return np.asarray(converted, dtype=np.uint8)


@cache
def _lab_to_rgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")


def _transparent_strip(strip: Image.Image) -> NDArray[np.uint8]:
    rgba = strip if strip.mode == "RGBA" else strip.convert("RGBA")
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB"), dtype=np.uint8)


def _deep_converter(image: Image.Image) -> Convert:
    low, high = _whole_range(image)
    clear = image.info.get("transparency")
    inverted = _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO

    def convert(strip: Image.Image) -> NDArray[np.uint8]:
        raw = np.asarray(strip).astype(np.float32)
        scaled = (np.nan_to_num(raw, nan=low, posinf=high, neginf=low) - low) * (255.0 / (high - low))
        grey = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        if inverted:
            grey = 255 - grey
        if isinstance(clear, int):
            grey[raw == clear] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)

    return convert


def _whole_range(image: Image.Image) -> tuple[float, float]:
    """The values that become 0 and 255.

    Whole numbers from 0 up: the smallest of 8, 12 and 16 bits that holds the brightest point, because cameras
    write 12-bit values into 16-bit files and a fixed divisor would show them black. Fractions between 0 and 1
    keep that range. Anything else (heights, temperatures) is stretched from its least to its greatest value.
    """
    low, high = _extremes(image)
    depth = _tag(image, _BITS_PER_SAMPLE)
    if image.mode == "F" and low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high < 1 << 16 and (image.mode != "F" or high > 1):
        depths = (depth, 16) if isinstance(depth, int) and 8 < depth < 16 else _DEPTHS
        bits = next(bits for bits in depths if high < 1 << bits)
        return 0.0, float((1 << bits) - 1)
    return (low, high) if high > low else (low, low + 1.0)


def _extremes(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for _top, strip in _strips(image):
        values = np.asarray(strip)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    return (low, high) if low <= high else (0.0, 1.0)


def _tag(image: Image.Image, number: int) -> object:
    """A TIFF tag's first value, None for other formats."""
    value = getattr(image, "tag_v2", {}).get(number)
    return value[0] if isinstance(value, tuple) and value else value
