"""The spectrogram that the speech network gets, for the screen; `ml.graphs.speech_embedding` makes it in the graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing
from ml.media.mel import SILENCE

PRETRAINED_RATE = 16_000
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010
"""Of the spectrogram."""
BIN_HZ = 31.25
"""Between two lines of the spectrum: 512 points at the rate of the pretraining."""
FRAMES, STRIDE = 76, 8
"""Columns of the spectrogram that one embedding covers, and between two embeddings."""
LEVEL = 0.03 * 2**15
"""Peak of the normalised waveform: the network was trained on samples in the range of int16. The gain of a recording
therefore does not matter. From 0.004 to 0.25 of the range, accuracy on spoken-digits is 0.953 to 0.958."""
SMALLEST_POWER, RANGE_DB = 1e-10, 80.0
SPEECH_BAND = (60.0, 3800.0)
"""Hz."""
_BANDS, _LINES = 32, 257
_LINEAR_HZ, _BREAK_HZ, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def hz_to_slaney(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert hertz to Slaney's mel, which is linear below 1 kHz and logarithmic above."""
    given = np.asarray(hz, dtype=np.float64)
    above = _BREAK_HZ / _LINEAR_HZ + np.log(np.maximum(given, _BREAK_HZ) / _BREAK_HZ) / _STEP
    return np.where(given < _BREAK_HZ, given / _LINEAR_HZ, above)


def slaney_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert Slaney's mel to hertz."""
    border = _BREAK_HZ / _LINEAR_HZ
    return np.where(mel < border, mel * _LINEAR_HZ, _BREAK_HZ * np.exp(_STEP * (np.maximum(mel, border) - border)))


def speech_filterbank() -> NDArray[np.float32]:
    """Return the mel filters of the pretraining (257 lines, 32 bands): triangles of equal area."""
    low, high = (float(hz_to_slaney(edge)) for edge in SPEECH_BAND)
    edges = slaney_to_hz(np.linspace(low, high, _BANDS + 2))
    lines = np.arange(_LINES)[:, None] * BIN_HZ
    rising = (lines - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - lines) / np.diff(edges)[None, 1:]
    area = 2.0 / (edges[2:] - edges[:-2])
    return (np.clip(np.minimum(rising, falling), 0, None) * area).astype(np.float32)


def speech_picture(waveform: NDArray[np.float32], windowing: Windowing) -> NDArray[np.float32]:
    """Return what the speech network gets of a waveform (T,): (bands, columns) in 0…1, low notes first.

    1 is the loudest point, 0 is `RANGE_DB` below. Columns of the silence that is added at both ends are left out.
    """
    rate, frames = round(windowing.rate), windowing.frames
    width, hop = round(rate * WINDOW_SECONDS), max(1, round(rate * HOP_SECONDS))
    embeddings = max(1, round(windowing.seconds / (HOP_SECONDS * STRIDE)))
    missing = max(0, width + hop * (FRAMES + STRIDE * (embeddings - 1) - 1) - frames)
    before = missing // 2
    normalised = waveform / max(float(np.abs(waveform).max(initial=0.0)), SILENCE) * LEVEL
    padded = np.pad(normalised, (before, missing - before))
    filters = speech_filterbank()
    lines = np.flatnonzero(filters.any(axis=1) & (np.arange(_LINES) * BIN_HZ < rate / 2))
    turns = 2.0 * np.pi * BIN_HZ / rate * lines[:, None] * np.arange(width)
    waves = np.exp(-1j * turns) * np.hanning(width + 1)[:-1] * (PRETRAINED_RATE / rate)
    cut = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    power = np.abs(cut @ waves.T) ** 2 @ filters[lines]
    decibel = 10.0 * np.log10(np.maximum(power, SMALLEST_POWER))
    below = np.maximum(decibel - decibel.max(), -RANGE_DB)
    middles = np.arange(len(cut)) * hop + width / 2 - before
    inside = (middles >= 0) & (middles <= frames)
    return np.asarray((below[inside] / RANGE_DB + 1.0).T, dtype=np.float32)
