"""One range of values for all pictures of a project that have more than 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.core.types import FIRST_BANDS, Levels, PictureReading

_SHARES = (2.0, 98.0)
"""Per cent of the pictures whose least and greatest values may lie beyond the range."""
_MARGIN = 0.05
"""By how much the range is wider than what was seen, for pictures to come."""


def used_levels(
    levels: Levels | None, band_levels: Sequence[Levels | None], bands: Sequence[int] = ()
) -> Levels | None:
    """Return the usual values of a picture, of one with many bands those of the bands that are used."""
    if not band_levels:
        return levels
    of_bands = [band_levels[band - 1] for band in bands or FIRST_BANDS if band <= len(band_levels)]
    known = [each for each in of_bands if each is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def shared_range(levels: Sequence[Levels]) -> PictureReading | None:
    """Return the range for pictures with these usual values; None where there are none, or all are one grey."""
    if not levels:
        return None
    lows, highs = zip(*levels, strict=True)
    low, high = float(np.percentile(lows, _SHARES[0])), float(np.percentile(highs, _SHARES[1]))
    margin = _MARGIN * (high - low)
    if not high > low:
        return None
    return PictureReading(low=low - margin, high=high + margin)
