"""Run by test_together.py under torchrun: teaches the little network two lessons, the second from the validation
samples too, and leaves every epoch's losses and where the weights ended in a file."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from little import RECIPE, material, network

import ml.training.finetune as loop
from ml.events import EpochDone, Event
from ml.jobs import NeverStop
from ml.training.crew import Crew
from ml.training.score import NONE
from ml.training.step import Pieces
from ml.training.together import Lesson, help_out, teach


def main() -> None:
    # Without variation what several processes learn has to be the same to the last digits.
    unvaried: Any = lambda front, raw, **_settings: front(raw)  # noqa: E731 - as short as what it replaces
    loop.varied = unvaried
    folder = Path(sys.argv[1])
    crew = Crew()
    fabric = crew.fabric("cpu", precision="32-true")
    if not crew.leads:
        help_out(fabric, crew)
        return
    taught, apart = network(), material()
    both = dataclasses.replace(
        apart,
        train=(*apart.train, *apart.valid),
        train_labels=np.concatenate([apart.train_labels, apart.valid_labels]),
        valid=(),
        valid_labels=apart.valid_labels[:0],
    )
    told: dict[str, list[list[float]]] = {}
    for name, samples in (("first", apart), ("last", both)):
        lesson = Lesson(taught, samples, RECIPE, 1, folder / name, NONE, Pieces())
        events: list[Event] = list(teach(lesson, fabric, crew, NeverStop()))
        told[name] = [[e.train_loss, e.valid_loss] for e in events if isinstance(e, EpochDone)]
    crew.dismiss()
    told["weights"] = [weights.detach().flatten().tolist() for weights in taught.cpu().parameters()]
    (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main()
