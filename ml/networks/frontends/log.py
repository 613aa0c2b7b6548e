"""Front end for sensor logs: raw readings in, a picture for the pretrained backbone and numeric features out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.core.jobs import DEFAULT_FRONT, Front
from ml.networks.backbones import Backbone

SIZE = 224
SLICES = 7
"""Time slices of a window with numeric features of their own: the columns of the backbone's grid."""
_BANDS, _ALL_BANDS = 16, 128
"""Frequency bands whose energies are features: per channel, and of all channels together."""
_PAIRED = 8
"""Up to so many channels the features include the correlation of each pair."""
_POINTS = 112
_LOUD, _FAINT = 1e-6, 1e-3
_WEIGHT = 1.0
"""Standard deviation of each numeric feature; that of the backbone's features is about a quarter."""


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


def settings_for_logs(*, channels: int, frames: int, front: Front = DEFAULT_FRONT) -> LogSettings:
    """Return settings with about 96 spectra, each about a sixth of the window long."""
    n_fft = 1 << min(8, max(4, round(math.log2(max(16, frames) / 6))))
    return LogSettings(channels=channels, frames=frames, front=front, n_fft=n_fft, hop=max(1, frames // 96))


class LogFrontEnd(nn.Module):
    """Map readings (batch, channels, frames) to (batch, 4, size, size): a picture in three colours, and features.

    The picture has time on the horizontal axis and its parts below each other, three channels per part as its colours:
    log power spectrograms, traces, and recurrence plots (Eckmann et al. 1987), or one of them. All values are
    normalised by the statistics of the training split, not of the window, so that levels such as the direction of
    gravity or the strength of a vibration stay visible. The fourth plane holds the numeric features (count, SLICES) in
    its upper left corner: mean, spread and energies of the channels in each slice; see `TabularConcat`.
    """

    centre: Tensor
    scale: Tensor
    level: Tensor
    level_scale: Tensor
    number_centre: Tensor
    number_scale: Tensor
    waves: Tensor
    slices: Tensor
    points: Tensor
    bands: Tensor
    columns: Tensor
    peaks: Tensor

    def __init__(self, settings: LogSettings) -> None:
        super().__init__()
        self.settings = settings
        channels, lines = settings.channels, settings.n_fft // 2 + 1
        self.count = count_numbers(settings)
        for name, length in (("centre", channels), ("level", channels), ("number_centre", self.count)):
            self.register_buffer(name, torch.zeros(length, 1))
        for name, length in (("scale", channels), ("level_scale", channels), ("number_scale", self.count)):
            self.register_buffer(name, torch.ones(length, 1))
        # Matrices instead of torch's operators: they export unchanged and are as fast.
        self.register_buffer("waves", _fourier(settings.n_fft)[:, None, :], persistent=False)
        self.register_buffer("slices", _averages(settings.frames, SLICES), persistent=False)
        self.register_buffer("points", _averages(settings.frames, _POINTS), persistent=False)
        self.register_buffer("bands", _averages(lines, _band_count(settings)), persistent=False)
        width, step = -(-settings.frames // SLICES), max(1, settings.frames // SLICES)
        self.register_buffer("peaks", _averages((settings.frames - width) // step + 1, SLICES), persistent=False)
        self.register_buffer("columns", _averages(settings.frames // settings.hop + 1, SLICES), persistent=False)

    def forward(self, readings: Tensor) -> Tensor:
        with torch.autocast(readings.device.type, enabled=False):
            standard = self._standard(readings.float())
            power = self._power(standard)
            numbers = (self._numbers(standard, power) - self.number_centre) / self.number_scale * _WEIGHT
            picture = self._picture(standard, power)
        return torch.cat([picture, _packed(numbers, self.count)], 1)

    @torch.no_grad()
    def fit(self, readings: NDArray[np.floating]) -> None:
        """Fit the normalisation to windows of the training split (n, channels, frames); about a thousand suffice."""
        windows = torch.from_numpy(np.asarray(readings, dtype=np.float32))
        self.centre.copy_(windows.double().mean((0, 2))[:, None])
        spread = (windows.double() - self.centre).square().mean((0, 2)).sqrt()[:, None]
        self.scale.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))
        parts = [(power, numbers) for power, numbers in map(self._measured, torch.split(windows, 64))]
        decibel = torch.cat([_decibel(power) for power, _ in parts])
        self.level.copy_(decibel.mean((0, 2, 3))[:, None])
        self.level_scale.copy_(2.0 * decibel.std((0, 2, 3)).clamp_min(1.0)[:, None])
        numbers = torch.cat([numbers for _, numbers in parts])
        self.number_centre.copy_(numbers.mean((0, 2))[:, None])
        # The deviation of the means over the windows, which are the input of the head.
        self.number_scale.copy_(numbers.mean(2).std(0, correction=0).clamp_min(1e-3)[:, None])
        learned = b"".join(value.double().numpy().tobytes() for value in (self.centre, self.scale, self.number_scale))
        self.settings = LogSettings(
            channels=self.settings.channels,
            frames=self.settings.frames,
            front=self.settings.front,
            n_fft=self.settings.n_fft,
            hop=self.settings.hop,
            learned=hashlib.sha256(learned).hexdigest()[:16],
        )

    def _measured(self, readings: Tensor) -> tuple[Tensor, Tensor]:
        standard = self._standard(readings)
        power = self._power(standard)
        return power, self._numbers(standard, power)

    def _standard(self, readings: Tensor) -> Tensor:
        return ((readings - self.centre) / self.scale).clamp(-30.0, 30.0)

    def _power(self, standard: Tensor) -> Tensor:
        """Return power spectra (batch, channels, lines, columns) of the deviations from the window's mean."""
        moving = standard - standard.mean(2, keepdim=True)
        rows = moving.flatten(0, 1)[:, None]
        half = self.settings.n_fft // 2
        mode = "reflect" if self.settings.frames > half else "replicate"
        spectra = functional.conv1d(functional.pad(rows, (half, half), mode=mode), self.waves, stride=self.settings.hop)
        lines = half + 1
        power = spectra[:, :lines].square() + spectra[:, lines:].square()
        return power.reshape(-1, self.settings.channels, lines, power.shape[2])

    def _numbers(self, standard: Tensor, power: Tensor) -> Tensor:
        """Return (batch, features, SLICES): of each channel its mean, log spread, log peak and log energies per slice,
        its highest peak and the unevenness of its energy over the window; and the correlations of pairs of channels."""
        mean = standard @ self.slices
        spread = ((standard * standard) @ self.slices - mean * mean).clamp_min(1e-8).sqrt()
        energies = (self.bands.T @ power) @ self.columns
        away = (standard - standard.mean(2, keepdim=True)).abs()
        step = max(1, self.settings.frames // SLICES)
        width = -(-self.settings.frames // SLICES)
        peaks = torch.log(functional.max_pool1d(away, width, step) + 1e-2) @ self.peaks
        strength = torch.log((away * away) @ self.slices + _FAINT)
        uneven = (strength - strength.mean(2, keepdim=True)).square().mean(2, keepdim=True).sqrt()
        highest = torch.log(away.amax(2, keepdim=True) + 1e-2)
        found = [
            mean.clamp(-5.0, 5.0),
            torch.log(spread + 1e-2),
            torch.log(energies + _FAINT).flatten(1, 2),
            peaks,
            highest.expand_as(mean),
            uneven.expand_as(mean),
        ]
        channels = self.settings.channels
        if 1 < channels <= _PAIRED:
            for one in range(1, channels):
                both = (standard[:, one : one + 1] * standard[:, :one]) @ self.slices - mean[:, one : one + 1] * mean[
                    :, :one
                ]
                found.append(both / (spread[:, one : one + 1] * spread[:, :one] + 1e-2))
        return torch.cat(found, 1)

    def _picture(self, standard: Tensor, power: Tensor) -> Tensor:
        front = self.settings.front
        spectrogram = ((_decibel(power) - self.level[:, :, None]) / self.level_scale[:, :, None]).clamp(-1.0, 1.0)
        traces = _traces(standard)
        match front:
            case "spectrogram":
                parts = [(spectrogram, 112), (traces, 112)]
            case "traces":
                parts = [(traces, 224)]
            case "recurrence":
                parts = [(self._recurrence(standard), 224)]
            case "combined":
                parts = [(spectrogram, 80), (traces, 72), (self._recurrence(standard), 72)]
        whole = torch.cat([_coloured(part, height, self.settings.channels) for part, height in parts], 2)
        return whole.clamp(-1.0, 1.0)  # interpolating rounds

    def _recurrence(self, standard: Tensor) -> Tensor:
        """Return recurrence plots (batch, channels, points, points): 1 if the values are equal, -1 if distant."""
        points = standard @ self.points
        return 1.0 - 2.0 * torch.tanh((points[:, :, :, None] - points[:, :, None, :]).abs())


class TabularConcat(nn.Module):
    """A backbone for the three colours, with the numeric features of the fourth plane appended to its own.

    Maps (batch, 4, h, w) to (batch, backbone's width + count, h', w'). Each numeric feature is in the grid column of
    its time slice, so its mean over the grid is that over the window, and class maps show when it contributed.
    """

    def __init__(self, inner: Backbone, count: int) -> None:
        super().__init__()
        self.inner = inner
        self.spec, self.weights = inner.spec, inner.weights
        self.pooled = None
        self.count = count
        self.width = inner.width + count
        self.inner_features = inner.inner_features

    def forward(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.inner(pictures[:, :3])
        numbers = _unpacked(pictures[:, 3], self.count)
        rows, columns = features.shape[2], features.shape[3]
        if columns != SLICES:
            numbers = functional.interpolate(numbers, size=int(columns), mode="nearest")
        beside = numbers[:, :, None, :].expand(-1, -1, int(rows), -1).to(features.dtype)
        return torch.cat([features, beside], 1)

    def fit_gradcam(self, weight: Tensor, pictures: Tensor) -> None:
        """As `Backbone.fit_gradcam`, for what the head makes of the backbone's features."""
        self.inner.fit_gradcam(weight[:, : self.inner.width], pictures[:, :3])

    def stages(self) -> list[list[nn.Parameter]]:
        return self.inner.stages()


def count_numbers(settings: LogSettings) -> int:
    """Return how many numeric features the front end computes."""
    channels = settings.channels
    pairs = channels * (channels - 1) // 2 if channels <= _PAIRED else 0
    return channels * (5 + _band_count(settings)) + pairs


def _band_count(settings: LogSettings) -> int:
    return min(_BANDS, max(2, _ALL_BANDS // settings.channels), settings.n_fft // 2 + 1)


def _packed(numbers: Tensor, count: int) -> Tensor:
    """(batch, n, SLICES) as a plane (batch, 1, SIZE, SIZE): SIZE numbers below each other, the next beside them."""
    blocks = [
        functional.pad(numbers[:, start : start + SIZE], (0, 0, 0, max(0, start + SIZE - count)))
        for start in range(0, count, SIZE)
    ]
    return functional.pad(torch.cat(blocks, 2), (0, SIZE - SLICES * len(blocks)))[:, None]


def _unpacked(plane: Tensor, count: int) -> Tensor:
    """Invert `_packed`: return (batch, count, SLICES)."""
    starts = range(0, count, SIZE)
    blocks = [plane[:, : count - start, place * SLICES : (place + 1) * SLICES] for place, start in enumerate(starts)]
    return torch.cat(blocks, 1)


def _decibel(power: Tensor) -> Tensor:
    return 10.0 * torch.log10(power + _LOUD)


def _traces(standard: Tensor) -> Tensor:
    """Return (batch, channels, 64, frames): each channel as a curve, three standard deviations up and down."""
    heights = torch.linspace(-1.0, 1.0, 64, device=standard.device)[:, None]
    place = (standard / 3.0).clamp(-1.0, 1.0)[:, :, None, :]
    return (1.0 - 8.0 * (heights - place).abs()).clamp(-1.0, 1.0)


def _coloured(part: Tensor, height: int, channels: int) -> Tensor:
    """Map (batch, channels, rows, columns) to (batch, 3, height, SIZE): three channels as colours, the next below."""
    groups = -(-channels // 3)
    missing = 3 * groups - channels
    if missing:
        # Repeat the first channels: an empty colour would look like a constant channel.
        part = torch.cat([part] + [part[:, place % channels : place % channels + 1] for place in range(missing)], 1)
    edges = [round(height * place / groups) for place in range(groups + 1)]
    whole = torch.cat(
        [
            functional.interpolate(
                part[:, 3 * place : 3 * place + 3].flip(2),
                size=(max(1, edges[place + 1] - edges[place]), SIZE),
                mode="bilinear",
                align_corners=False,
            )
            for place in range(groups)
        ],
        2,
    )
    if groups > height:  # each group has one row at least
        whole = functional.interpolate(whole, size=(height, SIZE), mode="bilinear", align_corners=False)
    return whole


def _fourier(n_fft: int) -> Tensor:
    """Return (2 · lines, n_fft): cosines, then sines, with a Hann window of unit energy."""
    window = torch.hann_window(n_fft, dtype=torch.float64)
    window = window / window.square().sum().sqrt()
    turns = torch.outer(torch.arange(n_fft // 2 + 1), torch.arange(n_fft)).double() * (2.0 * math.pi / n_fft)
    return torch.cat([turns.cos() * window, turns.sin() * window]).float()


def _averages(length: int, count: int) -> Tensor:
    """Return (length, count): a product with it gives the means of `count` equal slices, fractional rows included."""
    edges = torch.linspace(0, length, count + 1, dtype=torch.float64)
    rows = torch.arange(length, dtype=torch.float64)[:, None]
    covered = (torch.minimum(rows + 1, edges[1:]) - torch.maximum(rows, edges[:-1])).clamp_min(0.0)
    return (covered / covered.sum(0)).float()
