"""Keep a band of frequencies of a sound, to listen to it alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ORDER = 4
"""Of the Butterworth filter; run forwards and backwards, it falls by 48 dB per octave and moves nothing in time."""
_LEAST = 1.0
"""Hz; what is nearer to an end of the spectrum cuts nothing off."""


def band_pass(waveform: NDArray[np.float32], rate: int, low: float, high: float) -> NDArray[np.float32]:
    """Return a mono waveform without what is below `low` or above `high` Hz, as long as before.

    An edge at the end of the spectrum, 0 or half of `rate`, cuts nothing off. Raises ValueError if `low` is not below
    `high`.
    """
    # Slow to load, and the window imports this module when it starts.
    from scipy.signal import butter, sosfiltfilt

    if not low < high:
        raise ValueError(f"the band from {low} to {high} Hz is empty")
    cuts_low, cuts_high = low >= _LEAST, high <= rate / 2 - _LEAST
    if not (cuts_low or cuts_high) or not len(waveform):
        return waveform
    if cuts_low and cuts_high:
        sections = butter(ORDER, [low, high], "bandpass", fs=rate, output="sos")
    elif cuts_low:
        sections = butter(ORDER, min(low, rate / 2 - _LEAST), "highpass", fs=rate, output="sos")
    else:
        sections = butter(ORDER, high, "lowpass", fs=rate, output="sos")
    usual = 3 * (2 * len(sections) + 1)
    kept = sosfiltfilt(sections, waveform, padlen=min(usual, len(waveform) - 1))
    return np.asarray(kept, dtype=np.float32)
