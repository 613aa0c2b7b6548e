"""Log-mel spectrogram: settings and computation, shared by the network's front end and the screen."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing

RANGE_DB = 80.0
"""Dynamic range: anything quieter relative to the loudest point counts as silence."""


SILENCE = 1e-6
"""A waveform that never exceeds this counts as silence and is not normalised."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MelSettings:
    """A power spectrogram of `n_fft` points every `hop` values, summed into `n_mels` bands from `f_min` to `f_max` Hz.

    `width` of the points are sound under a Hann window, the rest is zero: it draws a finer line, not a longer look.
    The mel scale is HTK's: mel = 2595 log10(1 + f / 700).
    """

    rate: int
    n_fft: int
    width: int
    hop: int
    n_mels: int
    f_min: float
    f_max: float
    time_expansion: int = field(default=1, repr=False)
    """How many times higher the recorded frequencies are, see `Windowing`. Not part of the names of caches."""


def settings_for(windowing: Windowing) -> MelSettings:
    """Settings that follow the data's rate and length: about 224 columns per window, 32 to 64 ms of signal in each.

    Short windows hold short events such as words, which 64 ms would blur; long ones gain from the finer pitch. What is
    recorded at a few hundred values per second is looked at as long as it takes to tell its notes apart.
    """
    times, windowing = windowing.time_expansion, windowing.as_heard
    rate = round(windowing.rate)
    finest = int(np.log2(max(4, windowing.frames)))
    n_fft = 1 << min(finest, max(8, round(np.log2(rate * 0.064))))
    width = round(n_fft * min(1.0, max(0.5, windowing.seconds / 4.0)))
    hop = max(1, min(n_fft // 2, round(windowing.frames / 224)))
    f_max = rate / 2
    # As many bands as possible without the lowest being narrower than a bin of the spectrum, and so empty.
    f_min = min(40.0, rate / 20)
    widest = rate / n_fft
    lowest = float(hz_to_mel(f_min + 1.05 * widest) - hz_to_mel(f_min))
    n_mels = max(1, min(128, int((hz_to_mel(f_max) - hz_to_mel(f_min)) / lowest) - 1))
    return MelSettings(
        rate=rate, n_fft=n_fft, width=width, hop=hop, n_mels=n_mels, f_min=f_min, f_max=f_max, time_expansion=times
    )


def mel_size(windowing: Windowing) -> tuple[int, int]:
    """Return the rows and columns of the log-mel spectrogram, by the bandwidth and the length of a window."""
    windowing = windowing.as_heard
    rows = 128 if windowing.rate > 12_000 else 96
    columns = 32 * round(min(224.0, max(128.0, 64.0 * windowing.seconds)) / 32)
    return rows, columns


def hann(settings: MelSettings) -> NDArray[np.float32]:
    """Return the periodic Hann window (n_fft,), `width` wide, zero-padded. (scipy.signal takes a second to load.)"""
    window = np.zeros(settings.n_fft, dtype=np.float32)
    start = (settings.n_fft - settings.width) // 2
    window[start : start + settings.width] = np.hanning(settings.width + 1)[:-1]
    return window


def filterbank(settings: MelSettings) -> NDArray[np.float32]:
    """Return triangular mel filters, shape (n_fft // 2 + 1, n_mels), peak 1."""
    mels = np.linspace(hz_to_mel(settings.f_min), hz_to_mel(settings.f_max), settings.n_mels + 2)
    edges = mel_to_hz(mels)
    bins = np.linspace(0, settings.rate / 2, settings.n_fft // 2 + 1)
    rising = (bins[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - bins[:, None]) / np.diff(edges)[None, 1:]
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def hz_to_mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert hertz to HTK mel."""
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hz) / 700.0))


def mel_to_hz(mel: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert HTK mel to hertz."""
    return np.asarray(700.0 * (10.0 ** (np.asarray(mel) / 2595.0) - 1.0))


def mel_picture(waveform: NDArray[np.float32], settings: MelSettings) -> NDArray[np.float32]:
    """A mono waveform (T,) as a picture (n_mels, columns) in 0…1, low notes first, 1 = loudest, 0 = `RANGE_DB` below.

    The same numbers as the network's front end before it resizes them, so that maps line up.
    """
    half = settings.n_fft // 2
    loudness = max(float(np.abs(waveform).max(initial=0.0)), SILENCE)
    scaled = np.asarray(waveform / loudness, dtype=np.float32)
    padded = np.pad(scaled, half, mode="reflect" if len(waveform) > half else "constant")
    frames = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft)[:: settings.hop]
    power = np.abs(np.fft.rfft(frames * hann(settings), axis=1)) ** 2
    decibel = 10.0 * np.log10(np.maximum(power @ filterbank(settings), 1e-10)).T
    decibel -= decibel.max()
    return (np.clip(decibel, -RANGE_DB, 0) / RANGE_DB + 1.0).astype(np.float32)


def network_picture(waveform: NDArray[np.float32], windowing: Windowing) -> NDArray[np.float32]:
    """Return what the picture network gets of a waveform (T,): (rows, columns) in 0…1, low notes first.

    The same numbers as those of the front end in `ml.graphs.frontends`, which has -1…1.
    """
    mel = mel_picture(waveform, settings_for(windowing))
    rows, columns = (_stretched(before, after) for before, after in zip(mel.shape, mel_size(windowing), strict=True))
    return np.asarray(rows @ mel @ columns.T, dtype=np.float32)


def _stretched(before: int, after: int) -> NDArray[np.float64]:
    """Return (after, before) weights of bilinear interpolation, as torch does without aligned corners."""
    places = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    return np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(before)))


PAPER, INK = np.array([250, 250, 249.0]), np.array([28, 28, 26.0])


def mel_rgb(mel: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A mel picture (bands, columns), 0…1, low notes first, as ink on paper (bands, columns, 3), low notes below."""
    strength = np.asarray(mel, dtype=np.float64)[::-1, :, None] ** 1.5
    return (PAPER * (1 - strength) + INK * strength).round().astype(np.uint8)


def mel_grey(mel: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a mel picture as `mel_rgb` does, but light on dark and with its contrast stretched, for the screen.

    The hiss of a recording becomes dark, so that what stands out of it is seen.
    """
    low, high = np.percentile(mel, (8.0, 99.8))
    grey = np.clip((np.asarray(mel)[::-1] - low) / max(high - low, 1e-3), 0.0, 1.0)
    return np.repeat((grey * 255.0).round().astype(np.uint8)[..., None], 3, axis=2)
