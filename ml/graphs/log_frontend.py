"""Front end for sensor logs as a graph: raw readings in, a picture for the backbone and numeric features out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.core.jobs import DEFAULT_FRONT, Front
from ml.graphs.builder import GraphBuilder, Value, concat
from ml.runtime.session import open_session

SIZE = 224
SLICES = 7
"""Time slices of a window with numeric features of their own: the columns of the backbone's grid."""
_BANDS, _ALL_BANDS = 16, 128
"""Frequency bands whose energies are features: per channel, and of all channels together."""
_PAIRED = 8
"""Up to so many channels the features include the correlation of each pair."""
_POINTS = 112
_LOUD, _FAINT = 1e-6, 1e-3
_DECIBELS = 10.0 / math.log(10.0)
_AT_ONCE = 64
"""Windows that are measured together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """Settings of the picture: a power spectrum of `n_fft` rows every `hop` rows of the log."""

    channels: int
    frames: int
    front: Front
    n_fft: int
    hop: int
    learned: str = ""
    """Fingerprint of the training split's statistics."""

    @property
    def bands(self) -> int:
        """The number of frequency bands of each channel."""
        return min(_BANDS, max(2, _ALL_BANDS // self.channels), self.n_fft // 2 + 1)

    @property
    def numbers(self) -> int:
        """How many numeric features the front end computes."""
        pairs = self.channels * (self.channels - 1) // 2 if self.channels <= _PAIRED else 0
        return self.channels * (5 + self.bands) + pairs


def settings_for_logs(*, channels: int, frames: int, front: Front = DEFAULT_FRONT) -> LogSettings:
    """Return settings with about 96 spectra, each about a sixth of the window long."""
    n_fft = 1 << min(8, max(4, round(math.log2(max(16, frames) / 6))))
    return LogSettings(channels=channels, frames=frames, front=front, n_fft=n_fft, hop=max(1, frames // 96))


Column = NDArray[np.float32]
"""One number for each channel or feature, (n, 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogStatistics:
    """Statistics of the training split, by which everything is normalised.

    They are not of the window, so that levels such as the direction of gravity or the strength of a vibration stay
    visible.
    """

    centre: Column
    scale: Column
    level: Column
    level_scale: Column
    number_centre: Column
    number_scale: Column

    @property
    def fingerprint(self) -> str:
        """A name for what was learned."""
        parts = (self.centre, self.scale, self.number_scale)
        return hashlib.sha256(b"".join(part.astype(np.float64).tobytes() for part in parts)).hexdigest()[:16]


def fit_statistics(readings: NDArray[np.floating], settings: LogSettings) -> LogStatistics:
    """Return the statistics of windows of the training split (n, channels, frames); about a thousand suffice."""
    windows = np.asarray(readings, dtype=np.float32)
    centre = windows.mean((0, 2), dtype=np.float64)[:, None].astype(np.float32)
    spread = np.sqrt(np.square(windows.astype(np.float64) - centre).mean((0, 2)))[:, None].astype(np.float32)
    scale = np.where(spread > 0, spread, np.float32(1.0))

    graph = GraphBuilder("measured")
    standard = _standard(graph.input("raw", windows.shape[1:]), centre, scale)
    power = _power(standard, settings)
    columns = settings.frames // settings.hop + 1
    graph.output("decibel", _decibel(power), (settings.channels, settings.n_fft // 2 + 1, columns))
    graph.output("numbers", _numbers(standard, power, settings), (settings.numbers, SLICES))
    session = open_session(graph.to_bytes())
    parts = [
        session.run(None, {"raw": windows[start : start + _AT_ONCE]}) for start in range(0, len(windows), _AT_ONCE)
    ]
    decibel = np.concatenate([part[0] for part in parts])
    numbers = np.concatenate([part[1] for part in parts])
    deviation = decibel.std((0, 2, 3), ddof=1, dtype=np.float64)
    return LogStatistics(
        centre=centre,
        scale=scale,
        level=_column(decibel.mean((0, 2, 3), dtype=np.float64)),
        level_scale=_column(2.0 * np.maximum(deviation, 1.0)),
        number_centre=_column(numbers.mean((0, 2), dtype=np.float64)),
        # The deviation of the means over the windows, which are the input of the head.
        number_scale=_column(np.maximum(numbers.mean(2).std(0, dtype=np.float64), 1e-3)),
    )


def log_front_end(readings: Value, settings: LogSettings, statistics: LogStatistics) -> tuple[Value, Value]:
    """Return the picture (batch, 3, SIZE, SIZE) and the numeric features (batch, settings.numbers, SLICES).

    The picture has time on the horizontal axis and its parts below each other, three channels per part as its colours:
    log power spectrograms, traces, and recurrence plots (Eckmann et al. 1987), or one of them. The features are mean,
    spread and energies of the channels in each slice.
    """
    standard = _standard(readings, statistics.centre, statistics.scale)
    power = _power(standard, settings)
    numbers = (_numbers(standard, power, settings) - statistics.number_centre) / statistics.number_scale
    return _picture(standard, power, settings, statistics), numbers


def beside_grid(grid: Value, numbers: Value, *, rows: int) -> Value:
    """Append the numeric features to a grid (batch, width, rows, SLICES): each is in the column of its time slice.

    Its mean over the grid is then that over the window, and class maps show when it contributed.
    """
    return concat([grid, numbers.insert_axis(2).expand(1, 1, rows, 1)], axis=1)


def _standard(readings: Value, centre: Column, scale: Column) -> Value:
    return ((readings - centre) / scale).clip(-30.0, 30.0)


def _power(standard: Value, settings: LogSettings) -> Value:
    """Return power spectra (batch, channels, lines, columns) of the deviations from the window's mean."""
    half, lines = settings.n_fft // 2, settings.n_fft // 2 + 1
    moving = (standard - standard.mean(2)).reshape(-1, 1, settings.frames)
    padded = moving.pad((0, 0, half), (0, 0, half), mode="reflect" if settings.frames > half else "edge")
    spectra = standard.graph.op("Conv", padded, fourier(settings.n_fft)[:, None, :], strides=[settings.hop])
    real, imaginary = spectra.slice(1, 0, lines), spectra.slice(1, lines)
    columns = settings.frames // settings.hop + 1
    return (real * real + imaginary * imaginary).reshape(-1, settings.channels, lines, columns)


def _numbers(standard: Value, power: Value, settings: LogSettings) -> Value:
    """Return (batch, features, SLICES): of each channel its mean, log spread, log peak and log energies per slice,
    its highest peak and the unevenness of its energy over the window; and the correlations of pairs of channels."""
    frames, channels = settings.frames, settings.channels
    slices = averages(frames, SLICES)
    mean = standard @ slices
    spread = ((standard * standard) @ slices - mean * mean).clip(1e-8).sqrt()
    bands = np.ascontiguousarray(averages(settings.n_fft // 2 + 1, settings.bands).T)
    energies = (bands @ power) @ averages(frames // settings.hop + 1, SLICES)
    away = (standard - standard.mean(2)).abs()
    step, width = max(1, frames // SLICES), -(-frames // SLICES)
    pooled = standard.graph.op("MaxPool", away, kernel_shape=[width], strides=[step])
    peaks = (pooled + 1e-2).log() @ averages((frames - width) // step + 1, SLICES)
    strength = ((away * away) @ slices + _FAINT).log()
    deviation = strength - strength.mean(2)
    found = [
        mean.clip(-5.0, 5.0),
        (spread + 1e-2).log(),
        (energies + _FAINT).log().reshape(0, -1, SLICES),
        peaks,
        (away.max(2) + 1e-2).log().expand(1, 1, SLICES),
        (deviation * deviation).mean(2).sqrt().expand(1, 1, SLICES),
    ]
    if 1 < channels <= _PAIRED:
        for one in range(1, channels):
            own, own_mean, own_spread = (each.slice(1, one, one + 1) for each in (standard, mean, spread))
            before, before_mean, before_spread = (each.slice(1, 0, one) for each in (standard, mean, spread))
            covariance = (own * before) @ slices - own_mean * before_mean
            found.append(covariance / (own_spread * before_spread + 1e-2))
    return concat(found, axis=1)


def _picture(standard: Value, power: Value, settings: LogSettings, statistics: LogStatistics) -> Value:
    level, level_scale = statistics.level[:, :, None], statistics.level_scale[:, :, None]

    def spectrogram() -> Value:
        return ((_decibel(power) - level) / level_scale).clip(-1.0, 1.0)

    match settings.front:
        case "spectrogram":
            parts = [(spectrogram(), 112), (_traces(standard), 112)]
        case "traces":
            parts = [(_traces(standard), 224)]
        case "recurrence":
            parts = [(_recurrence(standard, settings), 224)]
        case "combined":
            parts = [(spectrogram(), 80), (_traces(standard), 72), (_recurrence(standard, settings), 72)]
    whole = concat([_coloured(part, height, settings.channels) for part, height in parts], axis=2)
    return whole.clip(-1.0, 1.0)  # interpolating rounds


def _recurrence(standard: Value, settings: LogSettings) -> Value:
    """Return recurrence plots (batch, channels, points, points): 1 if the values are equal, -1 if distant."""
    points = standard @ averages(settings.frames, _POINTS)
    return 1.0 - (points.insert_axis(3) - points.insert_axis(2)).abs().tanh() * 2.0


def _decibel(power: Value) -> Value:
    return (power + _LOUD).log() * _DECIBELS


def _traces(standard: Value) -> Value:
    """Return (batch, channels, 64, frames): each channel as a curve, three standard deviations up and down."""
    heights = np.linspace(-1.0, 1.0, 64, dtype=np.float32)[:, None]
    place = (standard / 3.0).clip(-1.0, 1.0).insert_axis(2)
    return (1.0 - (place - heights).abs() * 8.0).clip(-1.0, 1.0)


def _coloured(part: Value, height: int, channels: int) -> Value:
    """Map (batch, channels, rows, columns) to (batch, 3, height, SIZE): three channels as colours, the next below."""
    groups = -(-channels // 3)
    missing = 3 * groups - channels
    if missing:
        # Repeat the first channels: an empty colour would look like a constant channel.
        repeated = [part.slice(1, place % channels, place % channels + 1) for place in range(missing)]
        part = concat([part, *repeated], axis=1)
    edges = [round(height * place / groups) for place in range(groups + 1)]
    whole = concat(
        [
            part.slice(1, 3 * place, 3 * place + 3)
            .slice(2, -1, step=-1)
            .resize(max(1, edges[place + 1] - edges[place]), SIZE, channels=3)
            for place in range(groups)
        ],
        axis=2,
    )
    if groups > height:  # each group has one row at least
        whole = whole.resize(height, SIZE, channels=3)
    return whole


def fourier(n_fft: int) -> NDArray[np.float32]:
    """Return (2 · lines, n_fft): cosines, then sines, with a Hann window of unit energy."""
    window = np.hanning(n_fft + 1)[:-1]
    window = window / np.sqrt(np.square(window).sum())
    turns = np.outer(np.arange(n_fft // 2 + 1), np.arange(n_fft)) * (2.0 * math.pi / n_fft)
    return np.concatenate([np.cos(turns) * window, np.sin(turns) * window]).astype(np.float32)


def averages(length: int, count: int) -> NDArray[np.float32]:
    """Return (length, count): a product with it gives the means of `count` equal slices, fractional rows included."""
    edges = np.linspace(0, length, count + 1)
    rows = np.arange(length)[:, None]
    covered = np.maximum(np.minimum(rows + 1, edges[1:]) - np.maximum(rows, edges[:-1]), 0.0)
    return np.asarray(covered / covered.sum(0), dtype=np.float32)


def _column(values: NDArray[Any]) -> Column:
    return np.asarray(values[:, None], dtype=np.float32)
