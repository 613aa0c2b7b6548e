"""Write and read how the pictures of a project or a model are read. Strict: a stranger may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ml.core.types import FIRST_BANDS, PAGE_CHOICES, PictureReading
from ml.core.untrusted import list_in, number_in, whole_in

MOST_BANDS = 1 << 16
_MOST = 1e38


def reading_values(reading: PictureReading) -> dict[str, Any]:
    """Return what is stored. What nobody chose is left out: earlier versions do not know it."""
    values = asdict(reading)
    if not reading.bands:
        del values["bands"]
    if reading.windows:
        del values["windows"]
    return values


def reading_in(values: Mapping[str, object]) -> PictureReading:
    """Return the reading with these values, named as the fields of `PictureReading`. Raises ValueError."""
    if values.keys() - {"low", "high", "page", "bands", "windows"}:
        raise ValueError("there are values that no reading of pictures has")
    page = values.get("page", "first")
    if page not in PAGE_CHOICES:
        raise ValueError("page is unknown")
    low, high = (number_in(values.get(name, 0.0), name, -_MOST, _MOST) for name in ("low", "high"))
    bands = tuple(
        whole_in(band, "bands", 1, MOST_BANDS)
        for band in list_in(values.get("bands", []), "bands", most=len(FIRST_BANDS))
    )
    if bands and len(bands) != len(FIRST_BANDS):
        raise ValueError("bands are not three")
    windows = values.get("windows", True)
    if not isinstance(windows, bool):
        raise ValueError("windows is not true or false")
    return PictureReading(low=low, high=high, page=page, bands=bands, windows=windows)
