"""Interpolate between the weights of the first model and the fine-tuned ones (WiSE-FT, Wortsman et al. 2022).

The interpolated model is often better than both ends, above all with little training data, and costs nothing. Both
heads use the same features, because fine-tuning starts from a more regularised head of the same regression. The
validation split selects the weight `alpha` of the fine-tuned end.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.core.jobs import Stop, StopRequestedError
from ml.networks.heads import Classifier
from ml.probe.objective import calibrated_nll_score, losses_of
from ml.probe.training_data import TrainingData
from ml.scoring.metrics import accuracy
from ml.training.finetune import checkpoint
from ml.training.finetune.interruptible import interruptible
from ml.training.finetune.loop import score_samples

ALPHAS = (0.0, 0.3, 0.6, 0.8, 1.0)
"""Candidate weights of the fine-tuned end."""
MAX_SAMPLES = 1000
"""At most this many validation samples are used to select alpha."""


def choose_alpha(
    network: Classifier,
    folder: Path,
    data: TrainingData,
    stop: Stop,
    *,
    device: torch.device,
    beats_probe: bool,
    schedule_completed: bool = False,
) -> float:
    """Load the interpolated weights that validate best into `network`, which holds the first model; return alpha.

    Candidates with a lower accuracy than the first model are excluded, whatever their loss. Of the others the largest
    alpha wins whose loss is within one standard error of the lowest.
    `folder` holds the checkpoints: the best epoch if one beats the first model (`beats_probe`), and always the last.
    The last one is used if the schedule was completed: models improve as the learning rate decays, and the best of many
    epochs on a small validation split is mostly luck. Without validation samples, or on a stop request, alpha is 0 or
    1. The network ends on the CPU.
    """
    first = {name: value.clone() for name, value in checkpoint.network_tensors(network).items()}
    finetuned = load_finetuned(network, folder, best=beats_probe and not schedule_completed)
    if finetuned is None:
        return 0.0
    default = 1.0 if beats_probe else 0.0
    every = max(1, -(-len(data.valid) // MAX_SAMPLES))
    samples, targets = data.valid[::every], data.valid_labels[::every]
    network.to(device)
    candidates: list[_Candidate] = []
    try:
        with interruptible(stop, network):
            for alpha in ALPHAS if len(samples) and not stop.requested() else ():
                network.load_state_dict(interpolate_weights(first, finetuned, alpha))
                candidates.append(_evaluate(alpha, score_samples(network, data.decoded, samples, device), targets))
        best = _select(candidates) if candidates else default
    except StopRequestedError:
        best = default
    network.cpu().load_state_dict(interpolate_weights(first, finetuned, best))
    return best


def load_finetuned(network: Classifier, folder: Path, *, best: bool) -> dict[str, Tensor] | None:
    """Return the weights of the best epoch in `folder`, or of the last one; None if no epoch was completed."""
    if best:
        return checkpoint.state_dict_for(network, checkpoint.load(folder / "best.safetensors")[0])
    last = folder / "latest.safetensors"
    if not last.is_file():
        return None
    return checkpoint.state_dict_for(network, checkpoint.load(last)[0], "steady.")


def interpolate_weights(first: dict[str, Tensor], finetuned: dict[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """Return the weights (1 - alpha) · first + alpha · finetuned."""
    return {
        name: torch.lerp(value, finetuned[name], alpha) if value.is_floating_point() else finetuned[name]
        for name, value in first.items()
    }


class _Candidate(NamedTuple):
    """The validation scores of one alpha. `losses`: of each sample (n,), empty for multi-label."""

    alpha: float
    score: float
    accuracy: float
    losses: NDArray[np.float64]


def _evaluate(alpha: float, probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> _Candidate:
    if targets.ndim > 1:
        # Scored by mean average precision already, so accuracy excludes no alpha.
        return _Candidate(alpha, calibrated_nll_score(probabilities, targets), 1.0, np.zeros(0))
    losses = losses_of(probabilities, targets)
    return _Candidate(alpha, -float(losses.mean()), accuracy(probabilities, targets) or 0.0, losses)


def _select(candidates: list[_Candidate]) -> float:
    """Return the alpha to use; the first candidate is the first model.

    A few validation samples cannot separate neighbouring alphas. Ties go to the fine-tuned end, which saw more samples
    (one-standard-error rule on paired differences, Breiman et al. 1984).
    """
    eligible = [each for each in candidates if each.accuracy >= candidates[0].accuracy]
    best = max(eligible, key=lambda each: each.score)

    def within_one_se(other: _Candidate) -> bool:
        if not len(best.losses):
            return other.score >= best.score
        worse = other.losses - best.losses
        return float(worse.mean()) <= float(worse.std()) / math.sqrt(len(worse))

    return max(each.alpha for each in eligible if each.alpha >= best.alpha and within_one_se(each))
