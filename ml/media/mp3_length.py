"""Count the frames of an MP3 file. libsndfile believes its first frame, which is wrong of varying bitrates."""

from __future__ import annotations

import mmap
from pathlib import Path

_KBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (2 stands for 2 and 2.5) and layer."""
_RATES = (44100, 48000, 32000)
_DIVISORS = {3: 1, 2: 2, 0: 4}
"""Of the rates, by the two bits of the version: 1, 2 and 2.5."""
_LOST = 1 << 16
"""Bytes after which no frame is looked for any more."""


def mp3_values(path: Path) -> int:
    """Return how many values of each channel the frames hold, from the first to the last. Raises OSError."""
    if path.stat().st_size < 4:
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _count(data)


def _count(data: mmap.mmap) -> int:
    sizes: dict[bytes, tuple[int, int]] = {}
    at, end, values, lost = _after_tag(data), len(data) - 3, 0, 0
    while at < end and lost < _LOST:
        head = data[at : at + 3]
        found = sizes.get(head)
        if found is None:
            found = sizes[head] = _frame(head)
        size, count = found
        if not size:
            at, lost = at + 1, lost + 1
            continue
        values, at, lost = values + count, at + size, 0
    return values


def _after_tag(data: mmap.mmap) -> int:
    head = data[:10]
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size


def _frame(head: bytes) -> tuple[int, int]:
    """Bytes and values of the frame with this header; (0, 0) where it is none."""
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbit, rate = head[2] >> 4, head[2] >> 2 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or version == 1 or layer == 4 or kbit in (0, 15) or rate == 3:
        return 0, 0
    first = version == 3
    bits = 1000 * _KBITS[1 if first else 2, layer][kbit]
    hertz = _RATES[rate] // _DIVISORS[version]
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12 * bits // hertz + padding) * 4, 384
    count = 1152 if first or layer == 2 else 576
    return count // 8 * bits // hertz + padding, count
