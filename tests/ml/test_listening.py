"""A stop is heard in the middle of a step, and of the scoring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from little import RECIPE, LittleBackbone, network, training_data
from torch import Tensor

from ml.core.events import BatchDone, EpochDone
from ml.core.jobs import StopRequest, StopRequestedError
from ml.probe.objective import WORST
from ml.training.distributed import DistributedContext
from ml.training.finetune import interruptible as subject
from ml.training.finetune.interruptible import interruptible
from ml.training.finetune.loop import run_finetune
from ml.training.finetune.step import MicroBatches
from ml.training.finetune.task import FinetuneTask


class Button:
    request: StopRequest = ""

    def requested(self) -> StopRequest:
        return self.request


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(subject, "STOP_GRACE_SECONDS", 0.0)
    monkeypatch.setattr(subject, "CHECK_SECONDS", 0.0)
    yield
    LittleBackbone.while_learning = None


def test_a_stop_is_heard_on_the_way_there_and_back() -> None:
    button, own = Button(), network()
    pictures = torch.zeros(2, 3, 16, 16)
    with interruptible(button, own):
        logits, _ = own(pictures)
        button.request = "stop"
        with pytest.raises(StopRequestedError):
            logits.sum().backward()
        with pytest.raises(StopRequestedError):
            own(pictures)
    own(pictures)[0].sum().backward()  # afterwards nobody listens any more


def test_a_step_that_is_given_up_was_not_taken(tmp_path: Path) -> None:
    button, seen = Button(), 0

    def press_late(pictures: Tensor) -> Tensor:
        nonlocal seen
        seen += 1
        if seen == 5:  # three steps make an epoch: the middle of the second
            button.request = "stop"
        return pictures

    LittleBackbone.while_learning = press_late
    distributed = DistributedContext()
    task = FinetuneTask(network(), training_data(), RECIPE, 1, tmp_path, WORST, MicroBatches())
    loop = run_finetune(task, distributed.fabric("cpu", precision="32-true"), distributed, button)
    events = []
    while True:
        try:
            events.append(next(loop))
        except StopIteration as end:
            outcome = end.value
            break
    assert outcome.stopped_early and outcome.beats_probe
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1]
    assert sum(isinstance(event, BatchDone) for event in events) == 4
