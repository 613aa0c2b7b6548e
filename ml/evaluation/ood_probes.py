"""Input that shows nothing anybody could have meant: blank, noise, patterns, another kind of thing. Arrays only."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ml.core.types import Windowing
from ml.evaluation.run_finding import Nonsense
from ml.evaluation.synthesizers.noises import rain
from ml.evaluation.synthesizers.voices import bird
from ml.media.mel import mel_picture, mel_rgb, settings_for
from ml.runtime.contract import ModelInfo
from ml.runtime.model import Outputs

EACH = 8
_DEMO_WINDOWING = Windowing(rate=16_000, seconds=2.0, step=2.0)


def predict_ood_inputs(ask: Callable[[NDArray[np.generic]], Outputs], info: ModelInfo) -> dict[Nonsense, Outputs]:
    """What the model says of input that shows nothing."""
    return {what: ask(rows) for what, rows in ood_inputs(info).items()}


def ood_inputs(info: ModelInfo) -> Mapping[Nonsense, NDArray[np.generic]]:
    """Return meaningless input of the form that the model takes, by what it is."""
    if info.input_name == "pixels":
        return ood_images(info.size)
    assert info.windowing is not None
    return ood_sounds(info.windowing) if info.input_name == "waveform" else ood_logs(info.windowing)


def ood_images(size: int, *, seed: int = 0) -> dict[Nonsense, NDArray[np.uint8]]:
    """By what they are: `EACH` pictures (n, size, size, 3)."""
    rng = np.random.default_rng(seed)
    return {
        "blank": _blank(size, rng),
        "noise": _noise(size, rng),
        "patterns": _patterns(size, rng),
        "pictures of sounds": _spectrograms(size, rng),
    }


def ood_sounds(windowing: Windowing, *, seed: int = 0) -> dict[Nonsense, NDArray[np.float32]]:
    """By what they are: `EACH` sounds (n, frames), -1…1."""
    rng = np.random.default_rng(seed)
    frames = windowing.frames
    silence = np.zeros((EACH, frames))
    silence[1:] = rng.normal(0, 1e-7, (EACH - 1, frames))
    return {
        "silence": silence.astype(np.float32),
        "noise": np.stack([_coloured(frames, slope, rng) for slope in np.linspace(0.0, 1.0, EACH)]),
        "tones": np.stack([_tone(windowing, number, rng) for number in range(EACH)]),
    }


def ood_logs(windowing: Windowing, *, seed: int = 0) -> dict[Nonsense, NDArray[np.float32]]:
    """By what they are: `EACH` stretches of logs (n, columns, frames), in the units of the columns."""
    rng = np.random.default_rng(seed)
    shape = (EACH, len(windowing.columns), windowing.frames)
    usual = windowing.ranges or ((-1.0, 1.0),) * shape[1]
    low = np.array([ends[0] for ends in usual])[:, None]
    span = np.array([ends[1] - ends[0] for ends in usual])[:, None]
    still = np.broadcast_to(rng.uniform(size=(EACH, shape[1], 1)), shape)
    return {
        "standing still": (low + span * still).astype(np.float32),
        "noise": (low + span * rng.uniform(size=shape)).astype(np.float32),
    }


def _blank(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Black, white, greys and plain colours."""
    colours = [np.full(3, level) for level in (0, 64, 128, 192, 255)]
    colours += list(rng.integers(0, 256, (EACH - len(colours), 3)))
    return np.stack([np.broadcast_to(colour.astype(np.uint8), (size, size, 3)) for colour in colours])


def _noise(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """From white noise to the spectrum that photographs have (amplitude falling with frequency)."""
    axis = np.fft.fftfreq(size)
    radius = np.hypot(axis[:, None], axis[None, :])
    radius[0, 0] = radius[0, 1]
    pictures = []
    for slope in np.linspace(0.0, 1.2, EACH):
        layers = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) / radius**slope).real for _ in range(3)]
        picture = np.stack(layers, axis=-1)
        pictures.append(np.clip(128 + 48 * picture / picture.std(), 0, 255).astype(np.uint8))
    return np.stack(pictures)


def _patterns(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Checkerboards, stripes and gradients in two colours."""
    y, x = np.mgrid[0:size, 0:size]
    pictures = []
    for number in range(EACH):
        period = int(rng.integers(4, size // 3))
        share = [((x // period + y // period) % 2), (x // period) % 2, (x + y) / (2 * size)][number % 3]
        one, other = rng.integers(0, 256, (2, 3))
        pictures.append((one + (other - one) * np.asarray(share, dtype=float)[..., None]).astype(np.uint8))
    return np.stack(pictures)


def _spectrograms(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Sounds of a generated forest as the screen draws them."""
    settings = settings_for(_DEMO_WINDOWING)
    pictures = []
    for number in range(EACH):
        wave = (bird if number % 2 else rain)(rng)[: _DEMO_WINDOWING.frames]
        rgb = mel_rgb(mel_picture(np.asarray(wave, dtype=np.float32), settings))
        rows = np.linspace(0, rgb.shape[0] - 1, size).astype(int)
        columns = np.linspace(0, rgb.shape[1] - 1, size).astype(int)
        pictures.append(rgb[rows][:, columns])
    return np.stack(pictures)


def _coloured(frames: int, slope: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency^slope: white at 0, the hiss of rain, the rumble of traffic at 1."""
    frequency = np.maximum(np.fft.rfftfreq(frames), 1.0 / frames)
    wave = np.fft.irfft(np.fft.rfft(rng.normal(size=frames)) / frequency**slope, frames)
    return np.asarray(0.3 * wave / max(float(np.abs(wave).max()), 1e-9), dtype=np.float32)


def _tone(windowing: Windowing, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A steady tone, the hum of the mains, or clicks."""
    t = np.arange(windowing.frames) / windowing.rate
    if number % 3 == 0:
        wave = np.sin(2 * np.pi * rng.uniform(0.02, 0.3) * windowing.rate * t)
    elif number % 3 == 1:
        wave = np.sum([np.sin(2 * np.pi * 50 * harmonic * t) / harmonic for harmonic in range(1, 6)], axis=0)
    else:
        wave = np.zeros(windowing.frames)
        wave[:: max(1, int(windowing.rate * rng.uniform(0.05, 0.3)))] = 1.0
    return np.asarray(0.3 * wave / np.abs(wave).max(), dtype=np.float32)
