"""Find the sound in WAV files whose headers are wrong: sizes of 0, odd chunks without padding, unknown chunks."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

_SEARCHED = 1 << 20
"""Bytes at the beginning in which the chunks are looked for."""
_MOST = 0xFFFFFFFF - 64
_FORMAT_SIZES = (16, 18, 40)


class RepairedWave(io.RawIOBase):
    """A WAV file with a plain header in front of its sound, which goes to the end of the file."""

    def __init__(self, path: Path, *, format_chunk: bytes, first: int) -> None:
        size = min(path.stat().st_size - first, _MOST)
        chunks = b"fmt " + struct.pack("<I", len(format_chunk)) + format_chunk + b"data" + struct.pack("<I", size)
        self._header = b"RIFF" + struct.pack("<I", 4 + len(chunks) + size) + b"WAVE" + chunks
        self._file = path.open("rb")
        self._first, self._size, self._at = first, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: len(self._header) + self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        view, done = memoryview(buffer).cast("B"), 0
        if self._at < len(self._header):
            part = self._header[self._at : self._at + len(view)]
            view[: len(part)] = part
            done = len(part)
        if done < len(view):
            self._file.seek(self._first + self._at + done - len(self._header))
            done += self._file.readinto(view[done:])
        self._at += done
        return done

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def repaired_wave(path: Path) -> RepairedWave | None:
    """Return the file with a header that fits what follows; None where it is no WAV file. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(_SEARCHED)
    if start[:4] not in (b"RIFF", b"RF64", b"\0\0\0\0") or start[8:12] != b"WAVE":
        return None
    form = _format_chunk(start)
    data = start.find(b"data", 12 if form is None else form[1])
    if form is None or data < 0 or data + 8 >= path.stat().st_size:
        return None
    return RepairedWave(path, format_chunk=form[0], first=data + 8)


def _format_chunk(start: bytes) -> tuple[bytes, int] | None:
    """The chunk that tells rate and channels, and where it ends."""
    at = start.find(b"fmt ")
    while at >= 0:
        size = int.from_bytes(start[at + 4 : at + 8], "little")
        if size in _FORMAT_SIZES:
            return start[at + 8 : at + 8 + size], at + 8 + size
        at = start.find(b"fmt ", at + 4)
    return None
