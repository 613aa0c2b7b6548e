"""Front ends for images and recordings as graphs: raw pixels or a waveform in, the picture for the backbone out."""

from __future__ import annotations

import math

import numpy as np

from ml.core.types import Windowing
from ml.graphs.builder import Value, concat
from ml.media.mel import RANGE_DB, SILENCE, MelSettings, filterbank, hann

SMALLEST_POWER = 1e-10
DECIBELS = 10.0 / math.log(10.0)
"""Per natural logarithm of a power."""


def pixel_front_end(pixels: Value, *, mean: float = 0.5, std: float = 0.5) -> Value:
    """Normalise uint8 (batch, h, w, 3) to float (batch, 3, h, w) by mean and std of values in 0…1."""
    scaled = pixels.transpose(0, 3, 1, 2).astype(np.float32) - 255.0 * mean
    return scaled * (1.0 / (255.0 * std))


def mel_front_end(waveform: Value, settings: MelSettings, *, frames: int, size: tuple[int, int]) -> Value:
    """Map a waveform (batch, frames) to a log-mel spectrogram (batch, 3, *size) in -1…1, low pitch in row 0.

    In decibels relative to the maximum of the window, as in `ml.media.mel.mel_picture`, so that the gain does not
    matter.
    """
    graph, half = waveform.graph, settings.n_fft // 2
    normalised = waveform / waveform.abs().max(1).clip(SILENCE)
    padded = normalised.pad((0, half), (0, half), mode="reflect" if frames > half else "constant")
    spectrum = graph.op(
        "STFT",
        padded.insert_axis(2),
        graph.constant(np.asarray(settings.hop, dtype=np.int64)),
        hann(settings),
        graph.constant(np.asarray(settings.n_fft, dtype=np.int64)),
        onesided=1,
    )
    power = (spectrum * spectrum).sum(3, keepdims=False)
    bands = (power @ filterbank(settings)).transpose(0, 2, 1)
    decibel = bands.clip(SMALLEST_POWER).log() * DECIBELS
    below = (decibel - decibel.max(1, 2)).clip(-RANGE_DB)
    picture = (below * (2.0 / RANGE_DB) + 1.0).insert_axis(1).resize(*size, channels=1)
    return concat([picture] * 3, axis=1)


def mel_size(windowing: Windowing) -> tuple[int, int]:
    """Return the rows and columns of the log-mel spectrogram, by the bandwidth and the length of a window."""
    rows = 128 if windowing.rate > 12_000 else 96
    columns = 32 * round(min(224.0, max(128.0, 64.0 * windowing.seconds)) / 32)
    return rows, columns
