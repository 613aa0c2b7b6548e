"""Run fine-tuning in one process or in several: rank 0 broadcasts the task, then every rank runs the same loop."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ml.core.events import Event
from ml.core.jobs import NeverStop, Stop
from ml.networks.heads import Classifier
from ml.probe.objective import Score
from ml.training.distributed import DistributedContext, peer_failure_as_error
from ml.training.finetune.interruptible import interruptible
from ml.training.finetune.loop import Outcome, TrainingData, finetune
from ml.training.finetune.step import MicroBatches
from ml.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class FinetuneTask:
    """All arguments of the loop. Broadcast to the worker ranks, never written to disk."""

    network: Classifier
    data: TrainingData
    recipe: Recipe
    seed: int
    folder: Path
    probe: Score
    micro_batches: MicroBatches


def run_finetune(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop
) -> Generator[Event, None, Outcome]:
    """Fine-tune as rank 0, together with the worker ranks. Raises HandlensError if one of them is lost."""
    if distributed.size == 1:
        with interruptible(stop, task.network):
            return (yield from _loop(task, fabric, distributed, stop))
    # Only rank 0 sees a stop request, so all ranks stop together after a step, not within one.
    with peer_failure_as_error():
        task.network.to(torch.device("cpu"))  # the workers' devices have other indices
        distributed.broadcast(task)
        outcome = yield from _loop(task, fabric, distributed, stop)
        distributed.keep_workers()
        return outcome


def run_worker_rank(fabric: Fabric, distributed: DistributedContext) -> None:
    """Worker ranks: receive tasks from rank 0 and run the same loop without emitting events.

    The project folder must have the same path as on rank 0.
    """
    with peer_failure_as_error():
        while isinstance(task := _told(distributed), FinetuneTask):
            for _event in _loop(task, fabric, distributed, NeverStop()):
                pass


def _told(distributed: DistributedContext) -> object:
    return distributed.broadcast(None)


def _loop(
    task: FinetuneTask, fabric: Fabric, distributed: DistributedContext, stop: Stop
) -> Generator[Event, None, Outcome]:
    return finetune(
        task.network,
        task.data,
        task.recipe,
        fabric=fabric,
        seed=task.seed,
        folder=task.folder,
        probe=task.probe,
        stop=stop,
        distributed=distributed,
        micro_batches=task.micro_batches,
    )
