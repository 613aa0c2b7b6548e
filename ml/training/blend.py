"""The delivered weights: somewhere on the straight line from the first model to the fine-tuned one.

Averages of the two are right more often than either, above all where there was little to learn from (WiSE-FT, Wortsman
et al. 2022), and cost nothing: the head of the first model is where fine-tuning began. How far to go, the validation
split says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.insight.calibration import fit_temperature, tempered
from ml.insight.metrics import log_loss
from ml.insight.several import quality
from ml.networks.heads import Classifier
from ml.training.finetune import Material, score_samples

SHARES = (0.0, 0.3, 0.6, 1.0)
"""Of the way from the first model to the fine-tuned one."""
MOST = 1000
"""Validation samples to choose by, at most."""


class Blend(NamedTuple):
    """A share of the way, and how good the validation split finds it: (accuracy or its like, minus the loss)."""

    share: float
    merit: float


def blends(
    network: Classifier,
    first: dict[str, Tensor],
    tuned: dict[str, Tensor],
    material: Material,
    device: torch.device,
) -> Iterator[Blend]:
    """The merit of every share, one at a time. Leaves `network` with the last one's weights; see `mixed`."""
    every = max(1, -(-len(material.valid) // MOST))
    samples, targets = material.valid[::every], material.valid_labels[::every]
    for share in SHARES:
        network.load_state_dict(mixed(first, tuned, share))
        yield Blend(share, merit_of(score_samples(network, material.decoded, samples, device), targets))


def mixed(first: dict[str, Tensor], tuned: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights a share of the way from the first to the tuned ones."""
    return {
        name: torch.lerp(value, tuned[name].to(value), share) if value.is_floating_point() else tuned[name]
        for name, value in first.items()
    }


def merit_of(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Higher is better: minus the loss at the best temperature, since models are calibrated before they are released.

    Less a matter of luck than how many are right, of which a small validation split has only few values. Multi-label:
    mean average precision, which no temperature changes.
    """
    if targets.ndim > 1:
        return quality(probabilities, targets)[0] or 0.0
    temperature = fit_temperature(np.log(np.maximum(probabilities, 1e-12)), targets)
    return -(log_loss(tempered(probabilities, temperature), targets) or 0.0)
