"""Distributed data parallel: process group, sharding, reductions. No-ops if there is one process."""

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

from ml.core import ranks
from ml.core.errors import HandlensError
from ml.core.jobs import StopRequest
from ml.core.messages import msg
from ml.core.types import Sample

T = TypeVar("T")

COLLECTIVE_TIMEOUT = timedelta(minutes=5)
"""How long a rank waits for another one within an epoch before it counts as lost."""
SETUP_TIMEOUT = timedelta(hours=24)
"""How long the worker ranks wait while rank 0 decodes the files and fits the first model."""

SHUTDOWN = "go home"
"""Broadcast in place of a task to end the worker ranks."""

_REQUESTS: tuple[StopRequest, ...] = ("", "stop", "first", "cancel")
_PEER_LOST = msg(
    "Another process of this training ended or stopped responding, so the training was interrupted. "
    "Everything up to the last finished pass is kept: start it again with --resume."
)


class DistributedContext:
    """The process group of a training. Rank 0 reads, writes and emits events; worker ranks only compute.

    Without `torchrun` there is one process, `world_size` is 1, and every method is a no-op.
    """

    def __init__(self) -> None:
        self.rank, self.world_size = ranks.rank(), ranks.world_size()
        self._collective_group: Any = None
        self._setup_group: Any = None
        self._workers_waiting = False
        """Whether worker ranks wait for a task."""

    @property
    def is_main_process(self) -> bool:
        return self.rank == 0

    def fabric(self, device: str, *, precision: Any) -> Fabric:
        """Return the Fabric of this process, connected with the others. `device`: "cpu", "cuda" or "mps"."""
        if self.world_size == 1:
            return Fabric(accelerator=device, devices=1, precision=precision)
        # Norm layers are frozen and equal on all ranks, so their buffers need no broadcast.
        strategy = DDPStrategy(timeout=COLLECTIVE_TIMEOUT, broadcast_buffers=False)
        fabric = Fabric(
            accelerator=device,
            devices=ranks.local_world_size(),
            num_nodes=ranks.num_nodes(),
            strategy=strategy,
            precision=precision,
        )
        with peer_failure_as_error():
            fabric.launch()
            self._collective_group = dist.new_group(backend="gloo", timeout=COLLECTIVE_TIMEOUT)
            self._setup_group = dist.new_group(backend="gloo", timeout=SETUP_TIMEOUT)
        self._workers_waiting = self.is_main_process
        return fabric

    def shard(self, rows: Tensor) -> Tensor:
        """Return this rank's rows of a step."""
        return rows[self.rank :: self.world_size]

    def all_reduce_loss_and_stop(self, loss: float, request: StopRequest) -> tuple[float, StopRequest]:
        """Return the sum of `loss` over all ranks, and the strongest stop request that any of them received."""
        if self.world_size == 1:
            return loss, request
        values = torch.zeros(1 + len(_REQUESTS), dtype=torch.float64)
        values[0] = loss
        values[1 + _REQUESTS.index(request)] = 1.0
        dist.all_reduce(values, group=self._collective_group)
        received = [request for request, count in zip(_REQUESTS, values[1:].tolist(), strict=True) if count]
        return float(values[0]), received[-1]

    def gather_scores(
        self, score: Callable[[tuple[Sample, ...]], NDArray[np.float32]], samples: tuple[Sample, ...]
    ) -> NDArray[np.float32]:
        """Return `score` of all `samples` (n, classes); each rank computes its shard."""
        if self.world_size == 1:
            return score(samples)
        parts: list[Any] = [None] * self.world_size
        dist.all_gather_object(parts, score(samples[self.rank :: self.world_size]), group=self._collective_group)
        whole = np.empty((len(samples), parts[0].shape[1]), dtype=np.float32)
        for rank, part in enumerate(parts):
            whole[rank :: self.world_size] = part
        return whole

    def broadcast(self, value: T | None) -> T:
        """Return the value of rank 0 on every rank. Worker ranks pass None and wait, for hours if necessary."""
        if self.world_size > 1:
            box: list[Any] = [value]
            self._workers_waiting = False
            dist.broadcast_object_list(box, src=0, group=self._setup_group)
            value = box[0]
        assert value is not None
        return value

    def keep_workers(self) -> None:
        """Note that a task ended well and the worker ranks wait for the next one."""
        self._workers_waiting = self.is_main_process and self.world_size > 1

    def shutdown_workers(self) -> None:
        """End the worker ranks that wait for a task."""
        if self._workers_waiting:
            with contextlib.suppress(RuntimeError):  # a rank that has exited already
                self.broadcast(SHUTDOWN)


class peer_failure_as_error:  # noqa: N801 - used like a function
    """Context manager that turns the loss of another process into a HandlensError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RuntimeError) and ranks.world_size() > 1 and _is_connection(error):
            raise HandlensError(_PEER_LOST, details=repr(error)) from error


def _is_connection(error: RuntimeError) -> bool:
    words = ("gloo", "nccl", "connection", "peer", "timed out", "timeout")
    return isinstance(error, dist.DistError) or any(word in str(error).lower() for word in words)
