"""How much of a picture has which colour, so that pictures can be searched by colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Sample
from ml.features.decode import DECODER_VERSION, cache_key
from ml.features.row_cache import RowCache

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "black", "grey", "white")
"""The basic colour words of English (Berlin and Kay), and cyan."""
VERSION = 1
STEP = 4
"""Every fourth pixel in both directions is looked at."""
CHUNK = 256
_HUES = (15, 40, 70, 165, 195, 255, 290, 335)
"""Where red, orange, yellow, green, cyan, blue, purple and pink end, in degrees; red begins again after pink."""


def colour_shares(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return for pictures (n, height, width, 3) the share of each of `COLOURS` (n, 12), the middle counting more."""
    small = pixels[:, ::STEP, ::STEP].astype(np.float32) / 255.0
    names = _names_of(small)
    height, width = names.shape[1:]
    down, across = (1.0 - np.abs(np.linspace(-1, 1, count)) * 0.7 for count in (height, width))
    weights = (down[:, None] * across[None]).astype(np.float32)
    weights /= weights.sum()
    found = np.zeros((len(pixels), len(COLOURS)), dtype=np.float32)
    for index in range(len(COLOURS)):
        found[:, index] = ((names == index) * weights).sum(axis=(1, 2))
    return found


def _names_of(pixels: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the index of the colour word of each pixel (…, 3)."""
    high, low = pixels.max(axis=-1), pixels.min(axis=-1)
    spread = high - low
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    safe = np.maximum(spread, 1e-6)
    hue = np.where(
        high == red,
        (green - blue) / safe % 6,
        np.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    names = np.searchsorted(np.array(_HUES), hue * 60.0, side="right")
    names = np.where(names >= len(_HUES), 0, names)
    vivid = spread / np.maximum(high, 1e-6)
    # Dark orange and dark red-yellow are brown; pale red is pink.
    names = np.where((names <= 1) & (high < 0.65) & (hue * 60.0 > 8) & (vivid > 0.25), COLOURS.index("brown"), names)
    names = np.where((names == 0) & (vivid < 0.55) & (high > 0.75), COLOURS.index("pink"), names)
    names = np.where(vivid < 0.16, COLOURS.index("grey"), names)
    names = np.where((vivid < 0.16) & (high > 0.85), COLOURS.index("white"), names)
    return np.asarray(np.where(high < 0.18, COLOURS.index("black"), names), dtype=np.int64)


def cached_colours(
    cache: Path, samples: Sequence[Sample], *, stopped: Callable[[], bool] = lambda: False
) -> NDArray[np.float32] | None:
    """Return the shares (n, 12) of pictures that were decoded for a training, zeros for others; None without any.

    They are kept in the cache, so the second search is quick.
    """
    folders = sorted(cache.glob(f"pixels-{DECODER_VERSION}-*"), key=lambda path: path.stat().st_mtime)
    if not folders:
        return None
    size = int(folders[-1].name.rpartition("-")[2])
    decoded = RowCache(folders[-1], {"data": ((size, size, 3), np.uint8)})
    known = RowCache(cache / f"colours-{VERSION}", {"share": ((len(COLOURS),), np.float32)})
    keys = [cache_key(sample) for sample in samples]
    missing = [key for key in known.missing(keys) if key in decoded]
    for begin in range(0, len(missing), CHUNK):
        if stopped():
            return None
        some = missing[begin : begin + CHUNK]
        known.append(some, share=colour_shares(np.asarray(decoded.read("data", some), dtype=np.uint8)))
    there = np.array([key in known for key in keys], dtype=np.bool_)
    found = np.zeros((len(samples), len(COLOURS)), dtype=np.float32)
    if there.any():
        found[there] = known.read("share", [key for key, is_there in zip(keys, there, strict=True) if is_there])
    return found
