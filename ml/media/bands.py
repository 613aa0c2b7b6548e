"""Where the sound of a recording lies: mostly in the range that the pretrained networks hear, or above it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.media.windowing import HIGHEST_RATE

_POINTS = 512
"""Of one look, which lasts 2 ms at 256 kHz: the shortest calls of bats last as long."""
_BANDS = 32
_LOOKS = 512
"""In each block. More of them would slow the import down."""
_LOWEST = 2_000.0
"""Hz. Wind and the steps of a person, which lie below, are louder than what was to be recorded."""
_LOUD, _LOUDER = 10.0, 4.0
"""Times the usual power of a band, which noise does not reach, and of the quiet bands."""


class BandMeter:
    """Adds up the power below and above half of `HIGHEST_RATE`, of what stands out from the noise.

    That is what is loud for a moment: in each band relative to its own usual power, since noise of a recorder fills
    the upper bands of most recordings. Where nothing is, it is the bands that are always louder than others.
    """

    def __init__(self, rate: float) -> None:
        self._counted = np.arange(1, _POINTS // 2 + 1) * rate / _POINTS > _LOWEST
        self._above = (np.arange(_BANDS) + 0.5) * rate / 2 / _BANDS > HIGHEST_RATE / 2
        self._moments, self._steady = np.zeros(_BANDS), np.zeros(_BANDS)

    def add(self, values: NDArray[np.float32]) -> None:
        """Take in the next block (n,)."""
        count = min(_LOOKS, len(values) // _POINTS)
        if not count:
            return
        starts = np.linspace(0, len(values) - _POINTS, count).astype(int)
        frames = values[starts[:, None] + np.arange(_POINTS)] * np.hanning(_POINTS).astype(np.float32)
        power = np.abs(np.fft.rfft(frames, axis=1)[:, 1:]) ** 2 * self._counted
        bands = power.reshape(count, _BANDS, -1).sum(axis=2)
        usual = np.median(bands, axis=0)
        self._moments += np.maximum(bands - _LOUD * usual, 0.0).sum(axis=0)
        self._steady += count * np.maximum(usual - _LOUDER * np.percentile(usual, 20), 0.0)

    def share_above(self) -> float | None:
        """Return the share of the power that lies above what networks hear; None where nothing stands out."""
        power = self._moments if self._moments.any() else self._steady
        total = float(power.sum())
        return float(power[self._above].sum()) / total if total > 0 else None
