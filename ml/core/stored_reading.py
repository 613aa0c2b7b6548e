"""Read how the pictures of a project or a model are read. Strict: a stranger may have written it."""

from __future__ import annotations

from collections.abc import Mapping

from ml.core.types import PAGE_CHOICES, PictureReading
from ml.core.untrusted import number_in

_MOST = 1e38


def reading_in(values: Mapping[str, object]) -> PictureReading:
    """Return the reading with these values, named as the fields of `PictureReading`. Raises ValueError."""
    if values.keys() - {"low", "high", "page"}:
        raise ValueError("there are values that no reading of pictures has")
    page = values.get("page", "first")
    if page not in PAGE_CHOICES:
        raise ValueError("page is unknown")
    low, high = (number_in(values.get(name, 0.0), name, -_MOST, _MOST) for name in ("low", "high"))
    return PictureReading(low=low, high=high, page=page)
