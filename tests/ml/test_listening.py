"""A stop is heard in the middle of a step, and of the scoring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from little import RECIPE, LittleBackbone, material, network
from torch import Tensor

from ml.events import BatchDone, EpochDone
from ml.jobs import StopRequest
from ml.training import listening as subject
from ml.training.crew import Crew
from ml.training.listening import StoppedError, listening
from ml.training.score import NONE
from ml.training.step import Pieces
from ml.training.together import Lesson, teach


class Button:
    request: StopRequest = ""

    def requested(self) -> StopRequest:
        return self.request


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(subject, "REST", 0.0)
    monkeypatch.setattr(subject, "ASK_EVERY", 0.0)
    yield
    LittleBackbone.while_learning = None


def test_a_stop_is_heard_on_the_way_there_and_back() -> None:
    button, own = Button(), network()
    pictures = torch.zeros(2, 3, 16, 16)
    with listening(button, own):
        logits, _ = own(pictures)
        button.request = "stop"
        with pytest.raises(StoppedError):
            logits.sum().backward()
        with pytest.raises(StoppedError):
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
    crew = Crew()
    lesson = Lesson(network(), material(), RECIPE, 1, tmp_path, NONE, Pieces())
    loop = teach(lesson, crew.fabric("cpu", precision="32-true"), crew, button)
    events = []
    while True:
        try:
            events.append(next(loop))
        except StopIteration as end:
            outcome = end.value
            break
    assert outcome.early and outcome.improved
    assert [event.epoch for event in events if isinstance(event, EpochDone)] == [1]
    assert sum(isinstance(event, BatchDone) for event in events) == 4
