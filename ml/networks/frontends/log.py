"""Front end for sensor logs: raw readings in, a picture for the pretrained backbone and numeric features out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.graphs.log_frontend import SIZE, SLICES, LogSettings, LogStatistics, averages, fit_statistics, fourier
from ml.networks.backbones import Backbone

_PAIRED = 8
_POINTS = 112
_LOUD, _FAINT = 1e-6, 1e-3
_WEIGHT = 1.0
"""Standard deviation of each numeric feature; that of the backbone's features is about a quarter."""


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
        self.count = settings.numbers
        for name, length in (("centre", channels), ("level", channels), ("number_centre", self.count)):
            self.register_buffer(name, torch.zeros(length, 1))
        for name, length in (("scale", channels), ("level_scale", channels), ("number_scale", self.count)):
            self.register_buffer(name, torch.ones(length, 1))
        # Matrices instead of torch's operators: they export unchanged and are as fast.
        self.register_buffer("waves", torch.from_numpy(fourier(settings.n_fft))[:, None, :], persistent=False)
        self.register_buffer("slices", torch.from_numpy(averages(settings.frames, SLICES)), persistent=False)
        self.register_buffer("points", torch.from_numpy(averages(settings.frames, _POINTS)), persistent=False)
        self.register_buffer("bands", torch.from_numpy(averages(lines, settings.bands)), persistent=False)
        width, step = -(-settings.frames // SLICES), max(1, settings.frames // SLICES)
        for name, length in (
            ("peaks", (settings.frames - width) // step + 1),
            ("columns", settings.frames // settings.hop + 1),
        ):
            self.register_buffer(name, torch.from_numpy(averages(length, SLICES)), persistent=False)

    def forward(self, readings: Tensor) -> Tensor:
        with torch.autocast(readings.device.type, enabled=False):
            standard = self._standard(readings.float())
            power = self._power(standard)
            numbers = (self._numbers(standard, power) - self.number_centre) / self.number_scale * _WEIGHT
            picture = self._picture(standard, power)
        return torch.cat([picture, _packed(numbers, self.count)], 1)

    def fit(self, readings: NDArray[np.floating]) -> None:
        """Fit the normalisation to windows of the training split (n, channels, frames); about a thousand suffice."""
        self.use_statistics(fit_statistics(readings, self.settings))

    @torch.no_grad()
    def use_statistics(self, statistics: LogStatistics) -> None:
        """Normalise by these."""
        for name in ("centre", "scale", "level", "level_scale", "number_centre", "number_scale"):
            getattr(self, name).copy_(torch.from_numpy(getattr(statistics, name)))
        self.settings = replace(self.settings, learned=statistics.fingerprint)

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
