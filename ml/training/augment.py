"""Varied copies of training samples, made on the device from what the front end gives (batch, 3, height, width)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ml.project.samples import Kind


def augment(pictures: Tensor, *, kind: Kind, strength: float, generator: torch.Generator) -> Tensor:
    """A varied copy of each picture. `strength` 0…1; `generator` is on the CPU, so a seed means the same anywhere."""
    if kind == "images":
        return _colour(_geometry(pictures, strength, generator), strength, generator)
    return _spectrogram(pictures, strength, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator, like: Tensor) -> Tensor:
    return (low + (high - low) * torch.rand(count, generator=generator)).to(like.device, like.dtype)


def _geometry(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Crop, flip left to right, turn and stretch in one resampling.

    To 7/8 of the size: a crop enlarges what it shows, so whole pictures are to be read larger (Touvron et al. 2019).
    """
    n, channels, height, width = pictures.shape
    zoom = torch.sqrt(_uniform(n, 1.0 - 0.6 * strength, 1.0, generator, pictures))
    stretch = torch.exp(_uniform(n, -0.3, 0.3, generator, pictures) * strength)
    angle = _uniform(n, -0.35, 0.35, generator, pictures) * strength
    flip = torch.where(_uniform(n, 0.0, 1.0, generator, pictures) < 0.5, -1.0, 1.0)
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
    """Faster or slower, higher or lower, earlier or later, louder or softer, brighter or duller; then blank bands of
    time and pitch (SpecAugment, Park et al. 2019). All of it on the log-mel picture (batch, 3, pitch, time), where a
    change of pitch is a shift upwards and a change of speed a stretch.
    """
    n, channels, rows, columns = pictures.shape
    # The three channels are one picture; silence is -1.
    sound = _rolled(_played(pictures[:, :1] + 1.0, strength, generator), strength, generator) - 1.0
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


def _played(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """At full strength up to a third faster or slower and an eighth of the mel range higher or lower."""
    n = len(sound)
    matrix = torch.zeros(n, 2, 3, device=sound.device, dtype=sound.dtype)
    matrix[:, 0, 0] = torch.exp(_uniform(n, -0.3, 0.3, generator, sound) * strength)
    matrix[:, 1, 1] = torch.exp(_uniform(n, -0.06, 0.06, generator, sound) * strength)
    matrix[:, 1, 2] = _uniform(n, -0.24, 0.24, generator, sound) * strength
    grid = functional.affine_grid(matrix, list(sound.shape), align_corners=False)
    return functional.grid_sample(sound, grid, padding_mode="zeros", align_corners=False)


def _rolled(sound: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Moved in time by up to ± 40 % at full strength; what leaves at one end comes back at the other."""
    n, columns = len(sound), sound.shape[3]
    shifts = (_uniform(n, -0.4, 0.4, generator, sound) * strength * columns).long()
    places = (torch.arange(columns, device=sound.device)[None, :] - shifts[:, None]) % columns
    return torch.gather(sound, 3, places[:, None, None, :].expand_as(sound))


def cosine(step: int, steps: int, *, warmup: float) -> float:
    """One cycle: from a tenth up to 1 over the first `warmup` of all steps, then down to 0 along a cosine."""
    at = (step + 1) / max(1, steps)
    if at < warmup:
        return 0.1 + 0.9 * at / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (at - warmup) / (1.0 - warmup))))
