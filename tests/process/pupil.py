"""Run by test_together.py under torchrun: teaches the little network two lessons, the second from the validation
samples too, and leaves every epoch's losses and where the weights ended in a file."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from little import RECIPE, network, training_data

from ml.core.events import EpochDone, Event
from ml.core.jobs import NeverStop
from ml.probe.objective import WORST
from ml.training.distributed import DistributedContext
from ml.training.finetune import loop
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneTask


def main() -> None:
    # Without augmentation, what several processes learn has to be the same to the last digits.
    unvaried: Any = lambda front, raw, **_settings: front(raw)  # noqa: E731 - as short as what it replaces
    loop.augment_input = unvaried
    folder = Path(sys.argv[1])
    distributed = DistributedContext()
    fabric = distributed.fabric("cpu", precision="32-true")
    if not distributed.is_main_process:
        loop.run_worker_rank(fabric, distributed)
        return
    taught, apart = network(), training_data()
    both = dataclasses.replace(
        apart,
        train=(*apart.train, *apart.valid),
        train_labels=np.concatenate([apart.train_labels, apart.valid_labels]),
        valid=(),
        valid_labels=apart.valid_labels[:0],
    )
    told: dict[str, list[list[float]]] = {}
    for name, samples in (("first", apart), ("last", both)):
        task = FinetuneTask(taught, samples, RECIPE, 1, folder / name, WORST, MicroBatches())
        events: list[Event] = list(loop.run_finetune(task, fabric, distributed, NeverStop()))
        told[name] = [[e.train_loss, e.valid_loss] for e in events if isinstance(e, EpochDone)]
    distributed.shutdown_workers()
    told["weights"] = [weights.detach().flatten().tolist() for weights in taught.cpu().parameters()]
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
