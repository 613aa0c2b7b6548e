"""The delivered weights: somewhere on the straight line from the first model to the fine-tuned one.

Averages of the two are right more often than either, above all where there was little to learn from (WiSE-FT, Wortsman
et al. 2022), and cost nothing: both heads speak of the same features, for fine-tuning began from a weaker head of the
same regression. How far to go, the validation split says.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.insight.metrics import accuracy
from ml.jobs import Stop
from ml.networks.heads import Classifier
from ml.training import checkpoint
from ml.training.finetune import Material, score_samples
from ml.training.listening import StoppedError, listening
from ml.training.score import losses_of, merit_of

SHARES = (0.0, 0.3, 0.6, 0.8, 1.0)
"""Of the way from the first model to the fine-tuned one."""
MOST = 1000
"""Validation samples to choose by, at most."""


def choose_blend(
    network: Classifier,
    folder: Path,
    material: Material,
    stop: Stop,
    *,
    device: torch.device,
    improved: bool,
    whole: bool = False,
) -> float:
    """Give `network`, which comes as the first model, the weights that validate best, and say the share of the way.

    None that is right less often than the first model, on the samples it is judged by, is taken, whatever its loss:
    nobody would call that better. Of the others it is the one that goes farthest of those whose loss is, within what
    chance may do, as low as the lowest.
    `folder` holds what the loop left: its best epoch where one `improved` on the first model, the last one in any
    case. That is taken where the cycle was `whole`: as the rate falls models become better than before, and by a small
    validation split the best of many is the luckiest. Without samples to choose by, or when asked to stop, it is all
    the way or none. The network ends on the CPU.
    """
    first = {name: value.clone() for name, value in checkpoint.network_tensors(network).items()}
    tuned = tuned_weights(network, folder, best=improved and not whole)
    if tuned is None:
        return 0.0
    unasked = 1.0 if improved else 0.0
    every = max(1, -(-len(material.valid) // MOST))
    samples, targets = material.valid[::every], material.valid_labels[::every]
    network.to(device)
    tried: list[_Tried] = []
    try:
        with listening(stop, network):
            for share in SHARES if len(samples) and not stop.requested() else ():
                network.load_state_dict(mixed(first, tuned, share))
                tried.append(_judged(share, score_samples(network, material.decoded, samples, device), targets))
        best = _chosen(tried) if tried else unasked
    except StoppedError:
        best = unasked
    network.cpu().load_state_dict(mixed(first, tuned, best))
    return best


def tuned_weights(network: Classifier, folder: Path, *, best: bool) -> dict[str, Tensor] | None:
    """What the loop left in `folder`, for `network`: its best epoch, or the last; None where no epoch was ended."""
    if best:
        return checkpoint.state_of(network, checkpoint.load(folder / "best.safetensors")[0])
    last = folder / "latest.safetensors"
    if not last.is_file():
        return None
    return checkpoint.state_of(network, checkpoint.load(last)[0], "steady.")


def mixed(first: dict[str, Tensor], tuned: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights a share of the way from the first to the tuned ones."""
    return {
        name: torch.lerp(value, tuned[name], share) if value.is_floating_point() else tuned[name]
        for name, value in first.items()
    }


class _Tried(NamedTuple):
    """What the validation samples say of one share. `losses`: of each of them (n,), empty for multi-label."""

    share: float
    merit: float
    right: float
    losses: NDArray[np.float64]


def _judged(share: float, probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> _Tried:
    if targets.ndim > 1:
        # Judged by precision already, so how many are right never rules a share out.
        return _Tried(share, merit_of(probabilities, targets), 1.0, np.zeros(0))
    losses = losses_of(probabilities, targets)
    return _Tried(share, -float(losses.mean()), accuracy(probabilities, targets) or 0.0, losses)


def _chosen(tried: list[_Tried]) -> float:
    """The share to take of those tried, the first model first.

    A few validation samples cannot tell neighbours apart, so that the lowest loss may lie anywhere among them; what was
    learned from many more samples then has the benefit of the doubt (the rule of one standard error, Breiman et al.
    1984, of the paired differences).
    """
    able = [each for each in tried if each.right >= tried[0].right]
    best = max(able, key=lambda each: each.merit)

    def as_good(other: _Tried) -> bool:
        if not len(best.losses):
            return other.merit >= best.merit
        worse = other.losses - best.losses
        return float(worse.mean()) <= float(worse.std()) / math.sqrt(len(worse))

    return max(each.share for each in able if each.share >= best.share and as_good(each))
