"""The log-mel spectrogram of YAMNet as a graph, and three clips that tell its weights from others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ml.graphs.builder import GraphBuilder, Value
from ml.media.mel import SILENCE
from ml.runtime.session import open_session

BANDS, FRAMES = 64, 96
"""Rows and columns of the spectrogram that one embedding covers."""
PRETRAINED_RATE = 16_000
WINDOW_SECONDS, HOP_SECONDS = 0.025, 0.010
"""Of the spectrogram."""
LINES, BIN_HZ = 257, 31.25
"""Lines of the spectrum, and between two of them: 512 points at the rate of the pretraining."""
LOWEST, HIGHEST = 125.0, 7500.0
LOG_OFFSET = 0.001


def log_mel(waveform: Value, *, rate: int, frames: int) -> Value:
    """Return the log-mel spectrogram (batch, columns, BANDS) of a waveform (batch, frames) in the units of YAMNet.

    It is measured at the waveform's own rate, which has the same effect as resampling. The loudest value of each
    sample is 1, so that the gain does not matter. A short one lies in the middle of silence.
    """
    width, hop = _width_and_hop(rate)
    missing = max(0, width + hop * (FRAMES - 1) - frames)
    normalised = waveform / waveform.abs().max(1).clip(SILENCE)
    padded = normalised.pad((0, missing // 2), (0, missing - missing // 2))
    filters = mel_filters()
    lines = np.flatnonzero(filters.any(axis=1) & (np.arange(LINES) * BIN_HZ < rate / 2))
    waves = waveform.graph.op("Conv", padded.insert_axis(1), _waves(lines, rate, width), strides=[hop])
    real, imaginary = waves.slice(1, 0, len(lines)), waves.slice(1, len(lines))
    magnitude = (real * real + imaginary * imaginary).sqrt().transpose(0, 2, 1)
    return (magnitude @ filters[lines] + LOG_OFFSET).log()


def mel_filters() -> NDArray[np.float32]:
    """Return the filters (LINES, BANDS) of TensorFlow, which are triangles on HTK's mel scale."""
    low, high = (float(_mel(hz)) for hz in (LOWEST, HIGHEST))
    edges = np.linspace(low, high, BANDS + 2, dtype=np.float64)
    lines = _mel(np.arange(LINES) * BIN_HZ)[:, None]
    rising, falling = (lines - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - lines) / np.diff(edges)[1:]
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0
    return np.asarray(filters, dtype=np.float32)


def clips() -> NDArray[np.float32]:
    """Return three clips of 0.975 s at 16 kHz that tell networks apart: a sweep, knocks, and many tones that beat."""
    t = np.arange(_frames_of_patch()) / PRETRAINED_RATE
    sweep = np.sin(2 * np.pi * (200.0 * t + 1500.0 * t**2))
    knocks = np.exp(-60.0 * (t % 0.21)) * np.sin(2 * np.pi * 900.0 * t)
    tones = sum(np.sin(2 * np.pi * pitch * t * math.sqrt(pitch)) for pitch in (3.0, 11.0, 23.0, 47.0, 95.0, 191.0))
    return np.stack([sweep, knocks, np.asarray(tones) / 6.0]).astype(np.float32)


def clip_spectrograms() -> NDArray[np.float32]:
    """Return the spectrograms (3, FRAMES, BANDS) of `clips`, by the front end that is released with models."""
    graph, frames = GraphBuilder("log_mel"), _frames_of_patch()
    mel = log_mel(graph.input("raw", (frames,)), rate=PRETRAINED_RATE, frames=frames)
    graph.output("mel", mel, (FRAMES, BANDS))
    (found,) = open_session(graph.to_bytes()).run(None, {"raw": clips()})
    return np.asarray(found, dtype=np.float32)


def _mel(hz: float | NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hz, dtype=np.float64) / 700.0))


def _width_and_hop(rate: int) -> tuple[int, int]:
    return round(rate * WINDOW_SECONDS), max(1, round(rate * HOP_SECONDS))


def _frames_of_patch() -> int:
    width, hop = _width_and_hop(PRETRAINED_RATE)
    return width + hop * (FRAMES - 1)


def columns(rate: int, frames: int) -> int:
    """Return the columns of the spectrogram of `frames` values at `rate` Hz."""
    width, hop = _width_and_hop(rate)
    return max(FRAMES, (frames - width) // hop + 1)


def _waves(lines: NDArray[np.integer], rate: int, width: int) -> NDArray[np.float32]:
    """Return the Fourier transform at `lines` as kernels (2 · lines, 1, width): real parts, then imaginary parts."""
    window = np.hanning(width + 1)[:-1] * (PRETRAINED_RATE / rate)
    turns = 2.0 * np.pi * BIN_HZ / rate * lines[:, None] * np.arange(width)
    return np.concatenate([np.cos(turns) * window, np.sin(turns) * window])[:, None].astype(np.float32)
