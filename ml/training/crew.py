"""The processes that teach one network together, each from its share of every batch. Alone, every method is a no-op."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from numpy.typing import NDArray
from torch import Tensor

from ml import ranks
from ml.core.messages import msg
from ml.errors import HandlensError
from ml.jobs import StopRequest
from ml.project.samples import Sample

T = TypeVar("T")

ANSWER_WITHIN = timedelta(minutes=5)
"""How long one process waits for another in the middle of an epoch before it takes it for lost."""
PREPARED_WITHIN = timedelta(hours=24)
"""How long the helpers wait while rank 0 decodes and fits the first model."""

GO_HOME = "go home"
"""Said to helpers in place of a lesson."""

_REQUESTS: tuple[StopRequest, ...] = ("", "stop", "cancel")
_GONE = msg(
    "Another process of this training ended or stopped responding, so the training was interrupted. "
    "Everything up to the last finished pass is kept: start it again with --resume."
)


class Crew:
    """Rank 0 reads, writes and speaks; the others only compute. `size` 1 is a process that is alone."""

    def __init__(self) -> None:
        self.rank, self.size = ranks.rank(), ranks.size()
        self._brisk: Any = None
        self._patient: Any = None
        self._waiting = False
        """Whether helpers still wait to be told what to do."""

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def fabric(self, device: str, *, precision: Any) -> Fabric:
        """Fabric for this process, connected with the others. `device`: "cpu", "cuda" or "mps"."""
        if self.size == 1:
            return Fabric(accelerator=device, devices=1, precision=precision)
        # The weights of norms are the same everywhere and stay so: nothing to send around in every step.
        strategy = DDPStrategy(timeout=ANSWER_WITHIN, broadcast_buffers=False)
        fabric = Fabric(
            accelerator=device,
            devices=ranks.on_this_machine(),
            num_nodes=ranks.machines(),
            strategy=strategy,
            precision=precision,
        )
        with peers_gone():
            fabric.launch()
            self._brisk = dist.new_group(backend="gloo", timeout=ANSWER_WITHIN)
            self._patient = dist.new_group(backend="gloo", timeout=PREPARED_WITHIN)
        self._waiting = self.leads
        return fabric

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of the rows of a step."""
        return rows[self.rank :: self.size]

    def agree(self, loss: float, request: StopRequest) -> tuple[float, StopRequest]:
        """The sum of all processes' `loss`, and the strongest request any of them heard."""
        if self.size == 1:
            return loss, request
        mine = torch.zeros(1 + len(_REQUESTS), dtype=torch.float64)
        mine[0] = loss
        mine[1 + _REQUESTS.index(request)] = 1.0
        dist.all_reduce(mine, group=self._brisk)
        heard = [word for word, count in zip(_REQUESTS, mine[1:].tolist(), strict=True) if count]
        return float(mine[0]), heard[-1]

    def scored(
        self, score: Callable[[tuple[Sample, ...]], NDArray[np.float32]], samples: tuple[Sample, ...]
    ) -> NDArray[np.float32]:
        """`score` of all `samples` (n, classes), each process having asked its network about its share."""
        if self.size == 1:
            return score(samples)
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, score(samples[self.rank :: self.size]), group=self._brisk)
        whole = np.empty((len(samples), parts[0].shape[1]), dtype=np.float32)
        for rank, part in enumerate(parts):
            whole[rank :: self.size] = part
        return whole

    def told(self, word: T | None) -> T:
        """What rank 0 says, on every process; the helpers give None and wait, for hours if need be."""
        if self.size > 1:
            box: list[Any] = [word]
            self._waiting = False
            dist.broadcast_object_list(box, src=0, group=self._patient)
            word = box[0]
        assert word is not None
        return word

    def may_be_asked_again(self) -> None:
        """A lesson has ended well: helpers wait for the next one."""
        self._waiting = self.leads and self.size > 1

    def dismiss(self) -> None:
        """Let helpers go that wait for something to do: there is nothing to learn together."""
        if self._waiting:
            with contextlib.suppress(RuntimeError):  # one that has gone already need not be sent away
                self.told(GO_HOME)


class peers_gone:  # noqa: N801 - used like a function
    """A context in which the loss of another process becomes one sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RuntimeError) and ranks.size() > 1 and _is_connection(error):
            raise HandlensError(_GONE, details=repr(error)) from error


def _is_connection(error: RuntimeError) -> bool:
    words = ("gloo", "nccl", "connection", "peer", "timed out", "timeout")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
