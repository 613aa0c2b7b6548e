"""Standard shows a complete first model, adjusts the network behind it, and replaces it at once or keeps it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small import create, picture_folder

from ml.core.events import BatchDone, EpochDone, Event, Finished, FirstModel, ProbeDone, Stopped, as_json
from ml.core.jobs import NeverStop, StopRequest, TrainJob
from ml.core.messages import english
from ml.pipeline.advice import advise, confused_pair
from ml.pipeline.dispatch import run
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.runtime.model import ReleasedModel


class Asked:
    """A stop that the test requests at an event."""

    def __init__(self) -> None:
        self.request: StopRequest = ""

    def requested(self) -> StopRequest:
        return self.request


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("progressive")
    create(picture_folder(folder / "pictures", each=8), folder / "shapes.handlens").close()
    return folder


@pytest.fixture
def place(untrained: Path, tmp_path: Path) -> Path:
    shutil.copytree(untrained, tmp_path / "copy")
    return tmp_path / "copy" / "shapes.handlens"


def _train(
    place: Path, *, at: Callable[[Event], bool], request: StopRequest, resume: bool = False, epochs: int = 2
) -> list[Event]:
    asked, events = Asked(), list[Event]()
    for event in run(TrainJob(project=place, epochs=epochs, device="cpu", resume=resume), asked):
        events.append(event)
        if at(event):
            asked.request = request
    return events


def _model(project: Project, number: int = 1) -> bytes:
    return (project.runs.results(number) / "model.onnx").read_bytes()


def test_the_first_model_is_complete_until_the_better_one_is(place: Path) -> None:
    kinds, first, during = [], None, b""
    for event in run(TrainJob(project=place, epochs=2, device="cpu"), NeverStop()):
        kinds.append(type(event))
        if isinstance(event, FirstModel):
            first = event
        if isinstance(event, EpochDone):
            with Project.open(place) as project:
                assert project.runs.finished().number == 1, "it is listed while it goes on"
                assert len(project.predictions(1)) == 16
                during = _model(project)
                assert ReleasedModel.open(project.runs.results(1) / "model.onnx").info.run == 1
    assert isinstance(event, Finished) and first is not None
    assert kinds.count(ProbeDone) == 1 and kinds.index(FirstModel) < kinds.index(BatchDone)
    plain = as_json(first)
    assert plain["event"] == "first_model"
    assert as_json(event).keys() - plain.keys() == {"first_model_kept", "more_right", "more_wrong"}
    with Project.open(place) as project:
        assert project.runs.results(1) == project.runs.folder(1), "nothing is left in the middle"
        assert not (project.runs.folder(1) / "first").exists()
        assert (_model(project) == during) == event.first_model_kept
        assert project.runs.unfinished() is None
        assert (event.more_right is None) == event.first_model_kept


@pytest.mark.slow
@pytest.mark.parametrize("request_", ["cancel", "first"])
def test_ending_the_adjusting_keeps_or_discards_the_first_model(place: Path, request_: StopRequest) -> None:
    events = _train(place, at=lambda event: isinstance(event, BatchDone), request=request_)
    first = next(event for event in events if isinstance(event, FirstModel))
    with Project.open(place) as project:
        if request_ == "cancel":
            assert events[-1] == Stopped() and project.runs.all() == ()
            assert not project.runs.folder(1).exists()
            return
        last = events[-1]
        assert isinstance(last, Finished) and last.first_model_kept and last.early
        assert last.test_accuracy == first.test_accuracy
        assert project.runs.results(1) == project.runs.folder(1)
        assert _model(project) and len(project.predictions(1)) == 16
        assert project.runs.unfinished() is None


@pytest.mark.slow
def test_a_run_that_is_cut_off_keeps_its_first_model_and_can_be_resumed(place: Path) -> None:
    events = run(TrainJob(project=place, epochs=2, device="cpu"), NeverStop())
    while not isinstance(next(events), EpochDone):
        pass
    events.close()  # type: ignore[attr-defined]  # as a process that ends
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        assert project.runs.finished().number == 1
        assert len(project.predictions(1)) == 16
        resumable = project.runs.resumable(tuple(item.name for item in project.classes()))
        assert resumable is not None and resumable.number == 1
    again = list(run(TrainJob(project=place, device="cpu", resume=True), NeverStop()))
    assert [event.run for event in again if isinstance(event, FirstModel)] == [1]
    assert [event.epoch for event in again if isinstance(event, EpochDone)] == [2], "it continues"
    assert isinstance(again[-1], Finished)


def test_a_stop_before_the_network_is_adjusted_ends_with_the_first_model(place: Path) -> None:
    events = _train(place, at=lambda event: isinstance(event, ProbeDone), request="stop")
    assert isinstance(events[-1], Finished) and events[-1].first_model_kept
    assert not any(isinstance(event, BatchDone) for event in events)


def _predictions(truth: list[int], predicted: list[int], classes: int = 3) -> Predictions:
    count = len(truth)
    return Predictions(
        sample_ids=np.arange(count),
        labels=np.array(truth),
        splits=np.ones(count, dtype=np.uint8),
        probabilities=np.eye(classes, dtype=np.float32)[predicted],
        embeddings=np.zeros((count, 1), dtype=np.float16),
        maps=np.zeros((count, classes, 1, 1), dtype=np.float16),
    )


def test_the_advice_says_what_is_to_be_gained_and_what_helps_else() -> None:
    names = ("ant", "bee", "fly")

    def advice(wrong: int, of: int, *, other_ear: bool = False) -> tuple[tuple[float, float] | None, str]:
        truth = [0] * of
        predictions = _predictions(truth, [2] * wrong + [0] * (of - wrong))
        said = advise(predictions, score=1 - wrong / of, names=names, kind="images", other_ear=other_ear)
        return said.gain, english(said.sentence)

    gain, said = advice(14, 140)
    assert gain == (1.0, 8.0) and "1 to 8 more of 100" in said
    gain, said = advice(0, 140)
    assert gain == (0.0, 1.0) and "makes no mistake on 140 pictures" in said and "hardly help" in said
    gain, said = advice(1, 400)
    assert gain == (0.0, 1.0) and "“ant” and “fly”" in said
    assert advice(14, 140, other_ear=True)[0] == (0.0, 8.0), "another network may gain nothing"
    empty = _predictions([], [])
    assert advise(empty, score=None, names=names, kind="images", other_ear=False).gain is None
    assert confused_pair(_predictions([0, 1, 1, 2, 2], [1, 0, 1, 0, 2])) == (0, 1)
