"""When something was recorded: GUANO metadata of a WAV file, the file name, or EXIF data of a picture tell it."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

from PIL import ExifTags, Image

from ml.media.images import IMAGE_SUFFIXES

# AudioMoth 20240131_053000.WAV and 20240131_053000T.WAV, Kaleidoscope SITE_20240131_053000.wav, also with a zone
# (20240131T053000+0100) and with marks between (2024-01-31_05-30-00). A colon cannot be in a name on Windows.
_NAMED = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)[-_.]?(?P<month>\d\d)[-_.]?(?P<day>\d\d)[T_ -]"
    r"(?P<hour>\d\d)[-_.:h]?(?P<minute>\d\d)(?:[-_.:m]?(?P<second>\d\d))?(?!\d)"
    r"(?P<zone>Z\b|[+-]\d\d:?\d\d\b)?"
)
_HEX = re.compile(r"[0-9A-F]{8}")
"""The names of AudioMoth before firmware 1.2: seconds since 1970, in capitals."""
_FIRST_AUDIOMOTH = 0x59000000
"""April 2017: an earlier time is no AudioMoth's, but perhaps a number."""
_GUANO_TIME = re.compile(r"^\s*Timestamp\s*:\s*(?P<time>[^\r\n]+?)\s*$", re.MULTILINE)
_MOST_CHUNKS, _MOST_GUANO = 1_000, 1 << 20


def recorded_at(path: Path) -> datetime | None:
    """Return when the recording begins or the picture was taken, None if nothing tells.

    GUANO metadata go before the name, the name before EXIF data. The time has a zone only where one is written.
    """
    with suppress(OSError, struct.error, ValueError):
        inside = _time_in(_guano(path))
        if inside is not None:
            return inside
    return time_in_name(path.name) or (_from_exif(path) if path.suffix.lower() in IMAGE_SUFFIXES else None)


def _from_exif(path: Path) -> datetime | None:
    try:
        with Image.open(path) as image:
            written = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S") if written else None
    except Exception:  # a stranger's EXIF data fails in many ways, and the time is only an extra
        return None


def time_in_name(name: str) -> datetime | None:
    """Return the time that is part of a file name, None if there is none."""
    for found in reversed(list(_NAMED.finditer(name))):
        parts = {key: int(found[key] or 0) for key in ("year", "month", "day", "hour", "minute", "second")}
        with suppress(ValueError):
            return datetime(**parts, tzinfo=_zone(found["zone"]))
    stem = name.split(".", maxsplit=1)[0]
    if _HEX.fullmatch(stem) and int(stem, 16) >= _FIRST_AUDIOMOTH:
        return datetime.fromtimestamp(int(stem, 16), tz=UTC)
    return None


def _zone(written: str | None) -> timezone | None:
    if not written:
        return None
    if written == "Z":
        return UTC
    digits = written[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if written[0] == "-" else offset)


def _time_in(guano: str) -> datetime | None:
    found = _GUANO_TIME.search(guano)
    if found is None:
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(found["time"].replace("Z", "+00:00"))
    return None


def _guano(path: Path) -> str:
    """Return the text of the chunk `guan` of a WAV file, empty if there is none. Other chunks are not read."""
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return ""
        sound = None
        for _ in range(_MOST_CHUNKS):
            chunk = stream.read(8)
            if len(chunk) < 8:
                return ""
            name, size = struct.unpack("<4sI", chunk)
            if name == b"guan":
                return stream.read(min(size, _MOST_GUANO)).decode("utf-8", errors="replace").strip("\x00")
            if name == b"ds64":
                sound = _size_of_sound(stream, size)
                continue
            if name == b"data" and size == 0xFFFFFFFF:
                if sound is None:
                    return ""
                size = sound
            stream.seek(size + size % 2, 1)
    return ""


def _size_of_sound(stream: BinaryIO, size: int) -> int:
    """Read the chunk `ds64` of an RF64 file and return the true length of its sound."""
    content = stream.read(size + size % 2)
    return int(struct.unpack_from("<Q", content, 8)[0])
