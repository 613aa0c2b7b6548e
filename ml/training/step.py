"""One step's gradients, in as many pieces as the memory takes."""

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

from ml.core.messages import Message, msg, nmsg
from ml.errors import HandlensError
from ml.events import Event, Note

_log = logging.getLogger(__name__)

LossOf = Callable[[Tensor, Tensor], Tensor]
"""(logits (n, classes), which rows of the step they are (n,)) -> their mean loss."""

_CREW_OUT_OF_MEMORY = msg(
    "Memory ran out in one of the training processes, so all of them ended. "
    "Use more machines or fewer processes on each, and continue with --resume."
)


@dataclass(slots=True)
class Pieces:
    """Into how many pieces a step's samples are cut, one after the other, for their gradients to be added up."""

    count: int = 1

    def halve(self, samples: int, *, because: str = "") -> Message:
        """Twice as many pieces of `samples` samples; returns what to tell the user. HandlensError at one each."""
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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device said that its memory is full; each has words of its own."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in said for words in ("out of memory", "not enough memory", "can't allocate memory")
    )


def in_parts(ask: Callable[[Tensor], tuple[NDArray[Any], ...]], raw: Tensor) -> tuple[NDArray[Any], ...]:
    """What `ask` says of `raw`, row by row; where memory runs out, of one half after the other."""
    try:
        return ask(raw)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(raw) < 2:
            raise
    _log.warning("memory ran out with %d samples at a time; trying half as many", len(raw))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(raw) // 2
    parts = zip(in_parts(ask, raw[:half]), in_parts(ask, raw[half:]), strict=True)
    return tuple(np.concatenate(pair) for pair in parts)


def backward(
    fabric: Fabric, module: nn.Module, pictures: Tensor, loss_of: LossOf, *, weight: float, pieces: int
) -> float:
    """Leave gradients in `module`, of the losses of `pictures` (n, 3, h, w), each times `weight`; returns their sum.

    `weight` is 1 / n, and for n of several processes' samples of a step what their mean needs. Adding up pieces gives
    what the whole would have given, for norms are frozen.
    """
    total = torch.zeros((), device=pictures.device)
    chunks = torch.arange(len(pictures)).chunk(pieces)
    for number, rows in enumerate(chunks, 1):
        with _unsent(fabric, module) if number < len(chunks) else contextlib.nullcontext():
            part = pictures[rows[0] : rows[-1] + 1]
            logits, _ = module(part.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits, rows)
            fabric.backward(loss * (len(rows) * weight))
        total += loss.detach() * len(rows)
    return float(total)


def careful_backward(
    fabric: Fabric, module: nn.Module, pictures: Tensor, loss_of: LossOf, *, weight: float, pieces: Pieces
) -> Generator[Event, None, float]:
    """`backward`; where memory runs out it halves the pieces, says so, and does the step again."""
    while True:
        try:
            return backward(fabric, module, pictures, loss_of, weight=weight, pieces=pieces.count)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if fabric.world_size > 1:
                # The others wait inside their step and cannot be told to begin it again.
                raise HandlensError(_CREW_OUT_OF_MEMORY, details=repr(error)) from error
            because = repr(error)
        # Outside the handler: the traceback holds on to the very tensors that were too many.
        for parameter in module.parameters():
            parameter.grad = None
        if pictures.is_cuda:
            torch.cuda.empty_cache()
        yield Note(sentence=pieces.halve(len(pictures), because=because))


def _unsent(fabric: Fabric, module: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Gradients that are still to be added to need not be sent to the other processes."""
    if fabric.world_size == 1:
        return contextlib.nullcontext()
    return fabric.no_backward_sync(module)  # type: ignore[arg-type]
