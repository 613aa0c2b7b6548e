"""Varied copies of windows of logs, made from the raw readings before the front end turns them into a picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.core.types import Kind
from ml.networks.frontends.log import LogFrontEnd
from ml.training.data.augment import AugmentConfig, augment

_KNOTS = 5


def varied(
    front: nn.Module, raw: Tensor, *, kind: Kind, variation: AugmentConfig, generator: torch.Generator
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
