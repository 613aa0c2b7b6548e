"""Front ends for images and recordings as graphs: raw pixels or a waveform in, the picture for the backbone out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing
from ml.graphs.builder import Value, concat
from ml.media.mel import RANGE_DB, SILENCE, MelSettings, filterbank, hann

SMALLEST_POWER = 1e-10
_MOST_PARTS = 64
"""Rows that make up a frame. More of them would make a large graph."""
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
    half = settings.n_fft // 2
    normalised = waveform / waveform.abs().max(1).clip(SILENCE)
    padded = normalised.pad((0, half), (0, half), mode="reflect" if frames > half else "constant")
    # Values behind the last frame, which its last row needs.
    columns, parts = frames // settings.hop + 1, math.ceil(settings.n_fft / settings.hop)
    missing = max(0, (columns - 1 + parts) * settings.hop - frames - 2 * half)
    padded = padded.pad((0, 0), (0, missing))
    bands = _mel_bands(padded, settings, columns=columns).transpose(0, 2, 1)
    decibel = bands.clip(SMALLEST_POWER).log() * DECIBELS
    below = (decibel - decibel.max(1, 2)).clip(-RANGE_DB)
    picture = (below * (2.0 / RANGE_DB) + 1.0).insert_axis(1).resize(*size, channels=1)
    return concat([picture] * 3, axis=1)


def _mel_bands(padded: Value, settings: MelSettings, *, columns: int) -> Value:
    """Return (batch, columns, n_mels): the power spectrum of each frame, summed into bands.

    The Fourier transform is done in two steps (Cooley and Tukey) as matrix products. ONNX Runtime's operator STFT takes
    longer: with it, a window took about 36 ms in the whole network, and now about 22 ms.
    """
    points = settings.n_fft
    many = 1 << (points.bit_length() // 2)  # points = many · few, about its square root each
    few = points // many
    half = few // 2 + 1
    frames = _frames(padded, points, hop=settings.hop, columns=columns) * hann(settings)
    turns = 2.0 * np.pi / few * np.outer(np.arange(half), np.arange(few))
    along = np.vstack([np.cos(turns), -np.sin(turns)]).astype(np.float32)
    first = along @ frames.reshape(0, 0, few, many)
    real, imaginary = first.slice(2, 0, half), first.slice(2, half)
    # Each value is turned by its place, then the rows are transformed.
    turns = 2.0 * np.pi / points * np.outer(np.arange(half), np.arange(many))
    cosine, sine = np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32)
    rows = concat([real * cosine + imaginary * sine, imaginary * cosine - real * sine], axis=3)
    turns = 2.0 * np.pi / many * np.outer(np.arange(many), np.arange(many))
    second = rows @ np.block([[np.cos(turns), -np.sin(turns)], [np.sin(turns), np.cos(turns)]]).astype(np.float32)
    real, imaginary = second.slice(3, 0, many), second.slice(3, many)
    power = (real * real + imaginary * imaginary).reshape(0, 0, half * many)
    return power @ _spread_filters(filterbank(settings), few=few, many=many)


def _frames(padded: Value, points: int, *, hop: int, columns: int) -> Value:
    """Return (batch, columns, points): a frame every `hop` values."""
    parts = math.ceil(points / hop)
    if parts > _MOST_PARTS:
        begins = padded.graph.constant((np.arange(columns) * hop)[:, None])
        return padded.graph.op("Gather", padded, begins + np.arange(points), axis=1)
    # Rows of `hop` values side by side: copying rows is much faster than gathering values.
    rows = padded.slice(1, 0, (columns - 1 + parts) * hop).reshape(0, -1, hop)
    beside = concat([rows.slice(1, part, part + columns) for part in range(parts)], axis=2)
    return beside if parts * hop == points else beside.slice(2, 0, points)


def _spread_filters(filters: NDArray[np.float32], *, few: int, many: int) -> NDArray[np.float32]:
    """Return filters (half · many, n_mels) for powers in the order of `_mel_bands`.

    Frequency `few` · k + j stands at row j, column k. Rows above the half are conjugates of those below.
    """
    points, half = few * many, few // 2 + 1
    result = np.zeros((half, many, filters.shape[1]), dtype=np.float32)
    for place, weights in enumerate(filters):
        column, row = divmod(place, few)
        if row >= half:
            column, row = divmod(points - place, few)
        result[row, column] = weights
    return result.reshape(half * many, -1)


def mel_size(windowing: Windowing) -> tuple[int, int]:
    """Return the rows and columns of the log-mel spectrogram, by the bandwidth and the length of a window."""
    windowing = windowing.as_heard
    rows = 128 if windowing.rate > 12_000 else 96
    columns = 32 * round(min(224.0, max(128.0, 64.0 * windowing.seconds)) / 32)
    return rows, columns
