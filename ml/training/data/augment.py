"""Varied copies of training samples, made on the device from what the front end gives (batch, 3, height, width)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.core.types import KindName
from ml.media.kinds import kind_named
from ml.media.mel import RANGE_DB
from ml.networks.frontends.log import LogFrontEnd


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentConfig:
    """How much the copies differ: `strength` 0…1. Of pictures: whether left and right may change places, and whether
    they may be turned any way up, see `ml.training.selection.symmetry`."""

    strength: float
    mirror: bool = True
    turns: bool = False


def augment(pictures: Tensor, *, kind: KindName, variation: AugmentConfig, generator: torch.Generator) -> Tensor:
    """A varied copy of each picture. `generator` is on the CPU, so a seed means the same anywhere."""
    if kind_named(kind).input_name == "pixels":
        pictures = _rotate(_geometry(pictures, variation, generator), variation, generator)
        return _colour(_focus(pictures, variation.strength, generator), variation.strength, generator)
    return _spectrogram(pictures, variation.strength, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator, like: Tensor) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=generator)).to(like.device, like.dtype)


def _sample_positions(chosen: Tensor, like: Tensor) -> Tensor:
    """Where a mask on the CPU is true, as indices: a mask on a graphics processor would have to be waited for."""
    return chosen.nonzero()[:, 0].to(like.device)


def _geometry(pictures: Tensor, variation: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Crop, flip left to right, tilt and stretch in one resampling.

    To 7/8 of the size: a crop enlarges what it shows, so whole pictures are to be read larger (Touvron et al. 2019).
    """
    n, channels, height, width = pictures.shape
    strength = variation.strength
    zoom = torch.sqrt(_uniform(n, 1.0 - 0.6 * strength, 1.0, generator, pictures))
    stretch = torch.exp(_uniform(n, -0.3, 0.3, generator, pictures) * strength)
    angle = _uniform(n, -0.35, 0.35, generator, pictures) * strength
    flip = torch.where(_uniform(n, 0.0, 1.0, generator, pictures) < (0.5 if variation.mirror else 0.0), -1.0, 1.0)
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


def _rotate(pictures: Tensor, variation: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Each by a random number of quarter turns, where that is allowed."""
    if not variation.turns:
        return pictures
    quarters = torch.randint(4, (len(pictures),), generator=generator)
    turned = torch.empty_like(pictures)
    for quarter in range(4):
        chosen = _sample_positions(quarters == quarter, pictures)
        turned[chosen] = torch.rot90(pictures[chosen], quarter, (2, 3))
    return turned


def _focus(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Every second one a little out of focus, or oversharp."""
    n = len(pictures)
    blur = _uniform(n, -0.5, 1.5, generator, pictures) * strength
    chosen = _sample_positions(torch.rand(n, generator=generator) < 0.5, pictures)
    sharp = pictures[chosen]
    soft = functional.avg_pool2d(sharp, 3, stride=1, padding=1, count_include_pad=False)
    varied = pictures.clone()
    varied[chosen] = torch.lerp(sharp, soft, blur[chosen][:, None, None, None])
    return varied


def _colour(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast and saturation, each by up to ± 40 % at full strength."""
    n, reach = len(pictures), 0.4 * strength

    def factor() -> Tensor:
        return (1.0 + _uniform(n, -reach, reach, generator, pictures))[:, None, None, None]

    grey = pictures.mean(dim=1, keepdim=True)
    pictures = grey + (pictures - grey) * factor()
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    pictures = middle + (pictures - middle) * factor()
    return pictures + (factor() - 1.0)


def _spectrogram(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Faster or slower, higher or lower, earlier or later, in front of another sound, louder or softer, brighter or
    duller; then blank bands of time and pitch (SpecAugment, Park et al. 2019). All of it on the log-mel picture
    (batch, 3, pitch, time), where a change of pitch is a shift upwards and a change of speed a stretch.
    """
    n, channels, rows, columns = pictures.shape
    # The three channels are one picture; silence is -1.
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
    """At full strength up to a third faster or slower and an eighth of the mel range higher or lower."""
    n = len(sound)
    matrix = torch.zeros(n, 2, 3, device=sound.device, dtype=sound.dtype)
    matrix[:, 0, 0] = torch.exp(_uniform(n, -0.3, 0.3, generator, sound) * strength)
    matrix[:, 1, 1] = torch.exp(_uniform(n, -0.06, 0.06, generator, sound) * strength)
    matrix[:, 1, 2] = _uniform(n, -0.24, 0.24, generator, sound) * strength
    grid = functional.affine_grid(matrix, list(sound.shape), align_corners=False)
    return functional.grid_sample(sound, grid, padding_mode="zeros", align_corners=False)


def _roll(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Moved in time by up to ± 40 % at full strength; what leaves at one end comes back at the other."""
    n, columns = len(sound), sound.shape[3]
    shifts = (_uniform(n, -0.4, 0.4, generator, sound) * strength * columns).long()
    places = (torch.arange(columns, device=sound.device)[None, :] - shifts[:, None]) % columns
    return torch.gather(sound, 3, places[:, None, None, :].expand_as(sound))


def _with_background(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Some with another one of the batch behind them, 10 to 30 dB softer. Powers add, decibels do not."""
    n = len(sound)
    partners = torch.randperm(n, generator=generator).to(sound.device)
    softer = _uniform(n, 10.0, 30.0, generator, sound)[:, None, None, None] * (2.0 / RANGE_DB)
    chosen = _sample_positions(torch.rand(n, generator=generator) < 0.5 * strength, sound)
    front, other = sound[chosen], sound[partners[chosen]]
    bels = RANGE_DB / 20.0
    both = torch.log10(10.0 ** (bels * front) + 10.0 ** (bels * (other - softer[chosen]))) / bels
    mixed = sound.clone()
    mixed[chosen] = torch.where(other > -1.0, both, front)
    return mixed


def cosine_lr(step: int, steps: int, *, warmup: float) -> float:
    """One cycle: from a tenth up to 1 over the first `warmup` of all steps, then down to 0 along a cosine."""
    at = (step + 1) / max(1, steps)
    if at < warmup:
        return 0.1 + 0.9 * at / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (at - warmup) / (1.0 - warmup))))


_KNOTS = 5


def varied(
    front: nn.Module, raw: Tensor, *, kind: KindName, variation: AugmentConfig, generator: torch.Generator
) -> Tensor:
    """Pictures of varied copies of `raw`: logs are varied before `front` makes a picture of them, the others after."""
    if isinstance(front, LogFrontEnd):
        pictures: Tensor = front(augment_logs(raw, scale=front.scale, strength=variation.strength, generator=generator))
        return pictures
    return augment(front(raw), kind=kind, variation=variation, generator=generator)


def augment_logs(readings: Tensor, *, scale: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """A varied copy of each window (batch, channels, frames).

    Shifted in time (the ends mirrored), shaken a little, made stronger and weaker around its mean as a whole and along
    the time (jitter, scaling, magnitude warping: Um et al. 2017), with some stretches of some channels held still.
    Levels stay nearly where they are, for they may be what tells the classes apart. `scale` (channels, 1) is what one
    deviation of the training split is, `strength` 0…1; `generator` is on the CPU.
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
    still = (at >= start) & (at < start + width) & (draw(batch, channels, 1) < 0.3)
    return torch.where(still, middle, moved)


def _shifted(readings: Tensor, by: Tensor) -> Tensor:
    """Each window moved by a share `by` (batch,) of its length; what comes in from outside is its mirror image."""
    frames = readings.shape[2]
    last = max(1, frames - 1)
    places = torch.arange(frames, device=readings.device)[None] + (by * frames).round().long()[:, None]
    places = last - (last - places.remainder(2 * last)).abs()
    return readings.gather(2, places[:, None].expand_as(readings).clamp(max=frames - 1))
