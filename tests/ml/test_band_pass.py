"""Only a band of frequencies of a sound is kept."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.media.band_pass import band_pass

RATE = 16_000
TONES = (300.0, 2000.0, 6000.0)


@pytest.fixture
def wave() -> NDArray[np.float32]:
    times = np.arange(RATE) / RATE
    return np.sum([np.sin(2 * np.pi * tone * times) for tone in TONES], axis=0).astype(np.float32)


def loudness(wave: NDArray[np.float32]) -> list[float]:
    """Return how loud each of the tones is."""
    spectrum = np.abs(np.fft.rfft(wave)) * 2 / RATE
    return [float(spectrum[round(tone)]) for tone in TONES]


@pytest.mark.parametrize(
    ("low", "high", "left"),
    [(1000, 4000, [0, 1, 0]), (0, 1000, [1, 0, 0]), (4000, RATE / 2, [0, 0, 1]), (0, RATE / 2, [1, 1, 1])],
)
def test_what_lies_outside_is_gone_and_the_rest_stays(
    wave: NDArray[np.float32], low: float, high: float, left: list[float]
) -> None:
    heard = band_pass(wave, RATE, low, high)
    assert len(heard) == len(wave) and loudness(heard) == pytest.approx(left, abs=0.03)


def test_nothing_moves_in_time() -> None:
    wave = np.zeros(RATE, dtype=np.float32)
    wave[5000] = 1.0
    assert int(np.abs(band_pass(wave, RATE, 500, 3000)).argmax()) == 5000


@pytest.mark.parametrize("length", [0, 1, 5, 40])
def test_short_sounds_can_be_heard_too(length: int) -> None:
    heard = band_pass(np.ones(length, dtype=np.float32), RATE, 500, 3000)
    assert len(heard) == length and np.isfinite(heard).all()


def test_very_narrow_and_low_bands_stay_finite(wave: NDArray[np.float32]) -> None:
    for low, high in ((1, 2), (50, 51), (7990, 7998)):
        assert np.isfinite(band_pass(wave, RATE, low, high)).all()
    assert np.abs(band_pass(wave, RATE, 40, 41)).max() < 1


def test_an_empty_band_is_refused(wave: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="empty"):
        band_pass(wave, RATE, 2000, 2000)
