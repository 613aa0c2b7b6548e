"""Front ends for images and recordings: raw pixels or a raw waveform in, the input of the backbone out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchaudio
from torch import Tensor, nn
from torch.nn import functional

from ml.media.mel import RANGE_DB, SILENCE, MelSettings, hann


class PixelFrontEnd(nn.Module):
    """Normalise uint8 (batch, height, width, 3) to float (batch, 3, height, width) by mean and std of values in 0…1."""

    shift: Tensor
    scale: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("shift", 255.0 * torch.tensor(mean)[:, None, None])
        self.register_buffer("scale", 1.0 / (255.0 * torch.tensor(std)[:, None, None]))

    def forward(self, pixels: Tensor) -> Tensor:
        scaled: Tensor = (pixels.permute(0, 3, 1, 2).float() - self.shift) * self.scale
        return scaled


class MelFrontEnd(nn.Module):
    """Map a waveform (batch, frames) to a log-mel spectrogram (batch, 3, rows, columns) in -1…1, low pitch in row 0.

    The mel bands are those of torchaudio's MelSpectrogram (HTK, no norm), in decibels relative to the maximum of the
    window, as in `ml.media.mel.mel_picture`, resized for the backbone. The result does not depend on the gain.
    """

    window: Tensor
    bank: Tensor

    def __init__(self, settings: MelSettings, size: tuple[int, int]) -> None:
        super().__init__()
        self.settings = settings
        self.size = size
        bank = torchaudio.functional.melscale_fbanks(
            settings.n_fft // 2 + 1, settings.f_min, settings.f_max, settings.n_mels, settings.rate
        )
        self.register_buffer("window", torch.from_numpy(hann(settings)))
        self.register_buffer("bank", bank)

    def forward(self, waveform: Tensor) -> Tensor:
        waveform = waveform / waveform.abs().amax(1, keepdim=True).clamp_min(SILENCE)
        half = self.settings.n_fft // 2
        mode = "reflect" if waveform.shape[1] > half else "constant"
        padded = functional.pad(waveform[:, None], (half, half), mode=mode)[:, 0]
        with torch.autocast(waveform.device.type, enabled=False):
            power = self._power(padded.float())
            bands = torch.matmul(power.transpose(1, 2), self.bank).transpose(1, 2)
            decibel = 10.0 * torch.log10(bands.clamp_min(1e-10))
        below = (decibel - decibel.amax((1, 2), keepdim=True)).clamp_min(-RANGE_DB)
        picture = functional.interpolate(
            (below * (2.0 / RANGE_DB) + 1.0)[:, None], size=self.size, mode="bilinear", align_corners=False
        )
        return picture.expand(-1, 3, -1, -1)

    def _power(self, waveform: Tensor) -> Tensor:
        """Return the power spectrogram (batch, lines, columns)."""
        # The exporter does not support complex numbers, so stft returns real and imaginary parts there.
        exporting = torch.onnx.is_in_onnx_export()
        spectrum = torch.stft(
            waveform,
            self.settings.n_fft,
            self.settings.hop,
            window=self.window,
            center=False,
            return_complex=not exporting,
        )
        return (spectrum if exporting else torch.view_as_real(spectrum)).square().sum(-1)
