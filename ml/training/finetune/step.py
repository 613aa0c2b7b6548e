"""Compute the gradients of one step, in micro batches that fit into memory (gradient accumulation)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ml.core.errors import HandlensError
from ml.core.events import Event, Note
from ml.core.memory import is_memory_shortage
from ml.core.messages import Message, msg, nmsg
from ml.probe.objective import class_weights, logit_adjustment

_log = logging.getLogger(__name__)

LossOf = Callable[[Tensor, Tensor], Tensor]
"""Maps logits (n, classes) and their rows of the step (n,) to the mean loss."""

_WORKER_OUT_OF_MEMORY = msg(
    "Memory ran out in one of the training processes, so all of them ended. "
    "Use more machines or fewer processes on each, and continue with --resume."
)


@dataclass(slots=True)
class MicroBatches:
    """Number of micro batches that a step is split into; their gradients are added."""

    count: int = 1

    def halve(self, samples: int, *, because: str = "") -> Message:
        """Double the number of micro batches of `samples` samples; return the note for the user.

        Raises HandlensError if each micro batch has one sample already.
        """
        if self.count >= samples:
            raise HandlensError(
                msg(
                    "Memory ran out even with one sample at a time. "
                    "Close other programs, or train on the CPU with --device cpu."
                ),
                details=because,
            )
        self.count = min(samples, 2 * self.count)
        return nmsg(
            "Memory ran short, so training continues with {count} sample at a time. "
            "This takes a little longer and gives the same result.",
            "Memory ran short, so training continues with {count} samples at a time. "
            "This takes a little longer and gives the same result.",
            -(-samples // self.count),
        )


def run_with_oom_split(predict: Callable[[Tensor], tuple[NDArray[Any], ...]], raw: Tensor) -> tuple[NDArray[Any], ...]:
    """Return `predict(raw)`; if memory runs out, run it on halves and concatenate the results."""
    try:
        return predict(raw)
    except (RuntimeError, MemoryError) as error:
        if not is_memory_shortage(error) or len(raw) < 2:
            raise
    _log.warning("memory ran out with %d samples at a time; trying half as many", len(raw))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(raw) // 2
    parts = zip(run_with_oom_split(predict, raw[:half]), run_with_oom_split(predict, raw[half:]), strict=True)
    return tuple(np.concatenate(pair) for pair in parts)


def backward(
    fabric: Fabric, module: nn.Module, pictures: Tensor, loss_of: LossOf, *, weight: float, micro_batches: int
) -> float:
    """Accumulate the gradients of the losses of `pictures` (n, 3, h, w), each times `weight`; return the loss sum.

    `weight` is 1 / n in one process; with several processes it makes the averaged gradient that of the mean loss.
    Micro batches give the same gradients as the whole batch, because the norm layers are frozen.
    """
    total = torch.zeros((), device=pictures.device)
    chunks = torch.arange(len(pictures)).chunk(micro_batches)
    for number, rows in enumerate(chunks, 1):
        with _without_sync(fabric, module) if number < len(chunks) else contextlib.nullcontext():
            part = pictures[rows[0] : rows[-1] + 1]
            logits, _ = module(part.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits, rows)
            fabric.backward(loss * (len(rows) * weight))
        total += loss.detach() * len(rows)
    return float(total)


def backward_with_oom_retry(
    fabric: Fabric, module: nn.Module, pictures: Tensor, loss_of: LossOf, *, weight: float, micro_batches: MicroBatches
) -> Generator[Event, None, float]:
    """Run `backward`; if memory runs out, halve the micro batches, yield a note, and repeat the step."""
    while True:
        try:
            return backward(fabric, module, pictures, loss_of, weight=weight, micro_batches=micro_batches.count)
        except (RuntimeError, MemoryError) as error:
            if not is_memory_shortage(error):
                raise
            if fabric.world_size > 1:
                # The other ranks wait inside their step and cannot repeat it.
                raise HandlensError(_WORKER_OUT_OF_MEMORY, details=repr(error)) from error
            because = repr(error)
        # Outside the handler: the traceback keeps references to the tensors to be freed.
        for parameter in module.parameters():
            parameter.grad = None
        if pictures.is_cuda:
            torch.cuda.empty_cache()
        yield Note(sentence=micro_batches.halve(len(pictures), because=because))


def _without_sync(fabric: Fabric, module: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Skip the gradient all-reduce until the last micro batch."""
    if fabric.world_size == 1:
        return contextlib.nullcontext()
    return fabric.no_backward_sync(module)  # type: ignore[arg-type]


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
