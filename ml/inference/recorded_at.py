"""When something was recorded, from the name of the file or, for pictures, from its EXIF data."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from PIL import ExifTags, Image

from ml.core.types import KindName
from ml.media.kinds import kind_named

_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d{2})-?(\d{2})-?(\d{2})[_T -](\d{2})[-_:]?(\d{2})[-_:]?(\d{2})(?!\d)")
"""AudioMoth: 20240501_053000.WAV; Kaleidoscope and Song Meter: SM4_20240501_053000.wav; cameras write likewise."""


def recorded_at(path: Path, kind: KindName) -> float | None:
    """Return the seconds since 1970 at which the recording begins or the picture was taken; None if nobody knows.

    A time without a zone is taken as one of this machine's.
    """
    found = _IN_NAME.search(path.name)
    if found is not None:
        try:
            return datetime(*(int(part) for part in found.groups())).timestamp()  # type: ignore[arg-type]
        except (ValueError, OverflowError, OSError):
            return None
    return _from_exif(path) if kind_named(kind).input_name == "pixels" else None


def _from_exif(path: Path) -> float | None:
    try:
        with Image.open(path) as image:
            exif = image.getexif()
            written = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S").timestamp() if written else None
    except Exception:  # a stranger's EXIF data fails in many ways, and the time is only an extra
        return None
