"""What is learned: which one of the classes a sample shows, or which of them. Targets and loss.

Targets are (n,) class indices in a single-label project and (n, classes) of 0 and 1 in a multi-label one; their
shape says which. `ml.scoring.tasks` scores both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.types import Sample
from ml.probe.objective import class_weights, logit_adjustment

NO_TRAINING_SAMPLES = msg(
    "There are no training samples: every labelled sample is in the validation or test set. "
    "Label more samples, or create the project again with a different split."
)


ONE_CLASS = msg("Only one class has training samples. Label samples of at least two classes.")


def require_two_classes(train: Sequence[Sample]) -> None:
    """Raises HandlensError where the samples to learn from do not tell anything apart."""
    if not train:
        raise HandlensError(NO_TRAINING_SAMPLES)
    if len({sample.labels for sample in train}) < 2:
        raise HandlensError(ONE_CLASS)


RowsLoss = Callable[[Tensor, Tensor], Tensor]
"""From rows of the training split (n,) and their logits (n, classes) to their mean loss."""


def make_loss(targets: NDArray[np.int64], *, smoothing: float, device: torch.device) -> RowsLoss:
    """The loss of the training split with these targets. `smoothing`: how far they are drawn towards not knowing.

    Single-label: cross entropy, smoothed towards all classes alike, rare classes weighing more (`balance`) without
    being named more (`favour`).
    Multi-label: binary cross entropy of each class, summed, smoothed towards how often the class is there, so that a
    rare one stays rare. Classes without a training sample take no part, or smoothing would push towards them.
    """
    if targets.ndim == 1:
        present = torch.from_numpy(np.unique(targets))
        indices = torch.searchsorted(present, torch.from_numpy(targets))
        columns = present.to(device)
        weights = torch.from_numpy(class_weights(targets))
        favoured = torch.from_numpy(logit_adjustment(targets)).to(device)

        def one_of(rows: Tensor, logits: Tensor) -> Tensor:
            each = functional.cross_entropy(
                logits[:, columns] + favoured, indices[rows].to(device), label_smoothing=smoothing, reduction="none"
            )
            return (each * weights[rows].to(device)).mean()

        return one_of
    known = np.flatnonzero(targets.any(axis=0))
    share = targets[:, known].mean(axis=0, dtype=np.float64)
    smooth = torch.from_numpy(((1.0 - smoothing) * targets[:, known] + smoothing * share).astype(np.float32))
    there = torch.from_numpy(known).to(device)

    def any_of(rows: Tensor, logits: Tensor) -> Tensor:
        each = functional.binary_cross_entropy_with_logits(
            logits[:, there].float(), smooth[rows].to(device), reduction="none"
        )
        return each.sum(dim=1).mean()

    return any_of
