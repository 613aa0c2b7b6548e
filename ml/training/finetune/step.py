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

from ml.core.errors import HandlensError
from ml.core.events import Event, Note
from ml.core.memory import is_memory_shortage
from ml.core.messages import Message, msg, nmsg

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
