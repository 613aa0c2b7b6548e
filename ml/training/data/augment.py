"""Augment training samples on the device: pictures from the front end (batch, 3, height, width), or raw logs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.core.types import KindName
from ml.media.kinds import kind_named
from ml.media.mel import RANGE_DB
from ml.networks.frontends.log import LogFrontEnd
from ml.training.recipe import AugmentConfig


def augment(pictures: Tensor, *, kind: KindName, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Return an augmented copy of each picture. `generator` is on the CPU, so that a seed has one meaning."""
    if kind_named(kind).input_name == "pixels":
        pictures = _rotate(_geometry(pictures, config, generator), config, generator)
        return _colour(_focus(pictures, config.magnitude, generator), config.magnitude, generator)
    return _spectrogram(pictures, config.magnitude, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator, like: Tensor) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=generator)).to(like.device, like.dtype)


def _row_indices(mask: Tensor, like: Tensor) -> Tensor:
    """Return the true rows of a mask on the CPU as indices: a mask on a GPU would synchronise it."""
    return mask.nonzero()[:, 0].to(like.device)


def _geometry(pictures: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Random resized crop, horizontal flip, rotation and aspect ratio in one resampling.

    The result has 7/8 of the size: crops enlarge objects, so evaluation uses a larger size (FixRes, Touvron et al.
    2019).
    """
    n, channels, height, width = pictures.shape
    strength = config.magnitude
    zoom = torch.sqrt(_uniform(n, 1.0 - 0.6 * strength, 1.0, generator, pictures))
    stretch = torch.exp(_uniform(n, -0.3, 0.3, generator, pictures) * strength)
    angle = _uniform(n, -0.35, 0.35, generator, pictures) * strength
    flip = torch.where(_uniform(n, 0.0, 1.0, generator, pictures) < (0.5 if config.hflip else 0.0), -1.0, 1.0)
    wide, high = zoom * stretch.sqrt(), zoom / stretch.sqrt()
    room_x, room_y = (1.0 - wide).clamp_min(0.0), (1.0 - high).clamp_min(0.0)
    matrix = torch.zeros(n, 2, 3, device=pictures.device, dtype=pictures.dtype)
    matrix[:, 0, 0] = torch.cos(angle) * wide * flip
    matrix[:, 0, 1] = -torch.sin(angle) * high
    matrix[:, 1, 0] = torch.sin(angle) * wide * flip
    matrix[:, 1, 1] = torch.cos(angle) * high
    matrix[:, 0, 2] = _uniform(n, -1.0, 1.0, generator, pictures) * room_x
    matrix[:, 1, 2] = _uniform(n, -1.0, 1.0, generator, pictures) * room_y
    grid = functional.affine_grid(matrix, [n, channels, height * 7 // 8, width * 7 // 8], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _rotate(pictures: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Rotate by a random number of quarter turns, if the config allows it."""
    if not config.rotate:
        return pictures
    quarters = torch.randint(4, (len(pictures),), generator=generator)
    turned = torch.empty_like(pictures)
    for quarter in range(4):
        chosen = _row_indices(quarters == quarter, pictures)
        turned[chosen] = torch.rot90(pictures[chosen], quarter, (2, 3))
    return turned


def _focus(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Blur or sharpen every second picture a little."""
    n = len(pictures)
    blur = _uniform(n, -0.5, 1.5, generator, pictures) * strength
    chosen = _row_indices(torch.rand(n, generator=generator) < 0.5, pictures)
    sharp = pictures[chosen]
    soft = functional.avg_pool2d(sharp, 3, stride=1, padding=1, count_include_pad=False)
    varied = pictures.clone()
    varied[chosen] = torch.lerp(sharp, soft, blur[chosen][:, None, None, None])
    return varied


def _colour(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Colour jitter: brightness, contrast and saturation, each by up to ± 40 % at full strength."""
    n, reach = len(pictures), 0.4 * strength

    def factor() -> Tensor:
        return (1.0 + _uniform(n, -reach, reach, generator, pictures))[:, None, None, None]

    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * factor()
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = middle + (pictures - middle) * factor()
    return pictures + (factor() - 1.0)


def _spectrogram(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Time stretch, pitch shift, roll in time, background mixing, gain and tilt, then SpecAugment (Park et al. 2019).

    All on the log-mel spectrogram (batch, 3, pitch, time), where a change of pitch is a shift and a change of speed a
    stretch.
    """
    n, channels, rows, columns = pictures.shape
    # The three channels are equal; silence is -1.
    sound = _roll(_time_pitch_shift(pictures[:, :1] + 1.0, strength, generator), strength, generator) - 1.0
    sound = _with_background(sound, strength, generator)
    tilt = _uniform(n, -0.4, 0.4, generator, pictures)[:, None] * torch.linspace(-1, 1, rows).to(pictures)
    sound = sound + strength * (
        tilt[:, None, :, None] + _uniform(n, -0.3, 0.3, generator, pictures)[:, None, None, None]
    )
    sound = sound.clamp_min(-1.0)
    for axis, length in ((2, rows), (3, columns)):
        for _ in range(2):
            width = torch.rand(n, generator=generator) * length * 0.24 * strength
            start = torch.rand(n, generator=generator) * (length - width)
            place = torch.arange(length)[None, :]
            blank = (place >= start[:, None]) & (place < (start + width)[:, None])
            shape = (n, 1, length, 1) if axis == 2 else (n, 1, 1, length)
            sound = sound.masked_fill(blank.view(shape).to(pictures.device), -1.0)
    return sound.expand(-1, channels, -1, -1)


def _time_pitch_shift(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change speed by up to a third and pitch by up to an eighth of the mel range, at full strength."""
    n = len(sound)
    matrix = torch.zeros(n, 2, 3, device=sound.device, dtype=sound.dtype)
    matrix[:, 0, 0] = torch.exp(_uniform(n, -0.3, 0.3, generator, sound) * strength)
    matrix[:, 1, 1] = torch.exp(_uniform(n, -0.06, 0.06, generator, sound) * strength)
    matrix[:, 1, 2] = _uniform(n, -0.24, 0.24, generator, sound) * strength
    grid = functional.affine_grid(matrix, list(sound.shape), align_corners=False)
    return functional.grid_sample(sound, grid, padding_mode="zeros", align_corners=False)


def _roll(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Roll in time by up to ± 40 % at full strength."""
    n, columns = len(sound), sound.shape[3]
    shifts = (_uniform(n, -0.4, 0.4, generator, sound) * strength * columns).long()
    places = (torch.arange(columns, device=sound.device)[None, :] - shifts[:, None]) % columns
    return torch.gather(sound, 3, places[:, None, None, :].expand_as(sound))


def _with_background(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Mix some with another one of the batch as background, 10 to 30 dB softer. Powers are added, not decibels."""
    n = len(sound)
    partners = torch.randperm(n, generator=generator).to(sound.device)
    softer = _uniform(n, 10.0, 30.0, generator, sound)[:, None, None, None] * (2.0 / RANGE_DB)
    chosen = _row_indices(torch.rand(n, generator=generator) < 0.5 * strength, sound)
    front, other = sound[chosen], sound[partners[chosen]]
    bels = RANGE_DB / 20.0
    both = torch.log10(10.0 ** (bels * front) + 10.0 ** (bels * (other - softer[chosen]))) / bels
    mixed = sound.clone()
    mixed[chosen] = torch.where(other > -1.0, both, front)
    return mixed


def cosine_lr(step: int, steps: int, *, warmup: float) -> float:
    """Return the factor of the learning rate: linear warm-up from 0.1, then cosine decay to 0."""
    at = (step + 1) / max(1, steps)
    if at < warmup:
        return 0.1 + 0.9 * at / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (at - warmup) / (1.0 - warmup))))


_KNOTS = 5


def augment_input(
    front: nn.Module, raw: Tensor, *, kind: KindName, config: AugmentConfig, generator: torch.Generator
) -> Tensor:
    """Return augmented pictures of `raw`: logs are augmented before the front end, other kinds after it."""
    if isinstance(front, LogFrontEnd):
        pictures: Tensor = front(augment_logs(raw, scale=front.scale, strength=config.magnitude, generator=generator))
        return pictures
    return augment(front(raw), kind=kind, config=config, generator=generator)


def augment_logs(readings: Tensor, *, scale: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Return an augmented copy of each window (batch, channels, frames).

    Time shift with mirrored ends, jitter, scaling and magnitude warping (Um et al. 2017), and cutout of some stretches
    of some channels. The levels hardly change, because they can distinguish classes. `scale` (channels, 1) is the
    standard deviation of the training split, `strength` 0…1; `generator` is on the CPU.
    """
    batch, channels, frames = readings.shape

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(readings.device)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(readings.device)

    readings = _shifted(readings, (draw(batch) - 0.5) * 2.0 * strength)
    middle = readings.mean(2, keepdim=True)
    whole = 1.0 + 0.1 * strength * normal(batch, channels, 1)
    along = functional.interpolate(normal(batch, channels, _KNOTS), size=frames, mode="linear", align_corners=True)
    moved = middle + (readings - middle) * whole * (1.0 + 0.1 * strength * along)
    level = 0.03 * strength * scale * normal(batch, channels, 1)
    noise = 0.03 * strength * draw(batch, 1, 1) * (readings - middle).std(2, keepdim=True) * normal(*readings.shape)
    moved = moved + level + noise
    start, width = draw(batch, channels, 1) * frames, draw(batch, channels, 1) * 0.1 * strength * frames
    at = torch.arange(frames, device=readings.device)
    cutout = (at >= start) & (at < start + width) & (draw(batch, channels, 1) < 0.3)
    return torch.where(cutout, middle, moved)


def _shifted(readings: Tensor, by: Tensor) -> Tensor:
    """Shift each window by a share `by` (batch,) of its length; the new end is its mirror image."""
    frames = readings.shape[2]
    last = max(1, frames - 1)
    places = torch.arange(frames, device=readings.device)[None] + (by * frames).round().long()[:, None]
    places = last - (last - places.remainder(2 * last)).abs()
    return readings.gather(2, places[:, None].expand_as(readings).clamp(max=frames - 1))
