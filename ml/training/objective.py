"""The loss of the fine-tuning. Targets are those of `ml.probe.objective`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ml.probe.objective import class_weights, logit_adjustment

RowsLoss = Callable[[Tensor, Tensor], Tensor]
"""Maps rows of the training split (n,) and their logits (n, classes) to their mean loss."""


def make_loss(targets: NDArray[np.int64], *, label_smoothing: float, device: torch.device) -> RowsLoss:
    """Return the loss for these targets of the training split.

    Single-label: cross entropy with uniform label smoothing, `class_weights` and `logit_adjustment`.
    Multi-label: the sum of the classes' binary cross entropies, smoothed towards the frequency of each class, so that
    rare classes stay rare. Classes without a training sample are left out, since smoothing would raise them.
    """
    if targets.ndim == 1:
        present = torch.from_numpy(np.unique(targets))
        indices = torch.searchsorted(present, torch.from_numpy(targets))
        columns = present.to(device)
        weights = torch.from_numpy(class_weights(targets))
        adjustment = torch.from_numpy(logit_adjustment(targets)).to(device)

        def cross_entropy(rows: Tensor, logits: Tensor) -> Tensor:
            each = functional.cross_entropy(
                logits[:, columns] + adjustment,
                indices[rows].to(device),
                label_smoothing=label_smoothing,
                reduction="none",
            )
            return (each * weights[rows].to(device)).mean()

        return cross_entropy
    known = np.flatnonzero(targets.any(axis=0))
    frequency = targets[:, known].mean(axis=0, dtype=np.float64)
    smooth = torch.from_numpy(
        ((1.0 - label_smoothing) * targets[:, known] + label_smoothing * frequency).astype(np.float32)
    )
    columns = torch.from_numpy(known).to(device)

    def binary_cross_entropy(rows: Tensor, logits: Tensor) -> Tensor:
        each = functional.binary_cross_entropy_with_logits(
            logits[:, columns].float(), smooth[rows].to(device), reduction="none"
        )
        return each.sum(dim=1).mean()

    return binary_cross_entropy
