"""Run by test_together.py under torchrun: teaches the little network and leaves every epoch's losses in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

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
    lesson = Lesson(network(), material(), RECIPE, 1, folder, NONE, Pieces())
    events: list[Event] = list(teach(lesson, fabric, crew, NeverStop()))
    crew.dismiss()
    losses = [[e.train_loss, e.valid_loss] for e in events if isinstance(e, EpochDone)]
    (folder / "losses.json").write_text(json.dumps(losses), encoding="utf-8")


if __name__ == "__main__":
    main()
