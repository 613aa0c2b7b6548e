"""The pretrained networks for recordings: which one a first model uses, and what it then releases."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fabricate import CLASSES, project_of, sound_folder
from numpy.typing import NDArray

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.events import EpochDone, Event, Finished, Note, Progress
from ml.core.jobs import Ear, NeverStop, StopRequest, TrainJob, UsedEar
from ml.core.messages import english
from ml.core.types import Sample, Windowing
from ml.graphs.ears import make_ear, time_averages
from ml.pipeline import better_ear
from ml.pipeline.dispatch import run
from ml.pipeline.ear_stage import best_ear
from ml.project.project import Project
from ml.runtime.folder import predict_files
from ml.runtime.model import ReleasedModel
from ml.runtime.session import open_session
from tests.ml.terminal import Handlens


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of tones of two pitches."""
    folder = tmp_path_factory.mktemp("tones")
    place = folder / "p.handlens"
    project_of(sound_folder(folder / "in", each=10), place, kind="recordings").close()
    return place


def train(place: Path, ear: Ear = "auto") -> list[Event]:
    events = list(run(TrainJob(project=place, preset="quick", device="cpu", ear=ear), NeverStop()))
    assert isinstance(events[-1], Finished), events[-1]
    return events


def settings(place: Path, number: int) -> dict[str, Any]:
    return tomllib.loads((place / "runs" / f"{number:04d}" / "settings.toml").read_text(encoding="utf-8"))


def new_features(events: list[Event]) -> int:
    return sum(event.total for event in events if isinstance(event, Progress) and event.stage == "features")


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"picture": 0.9, "speech": 0.5, "both": 0.9}, "picture"),
        ({"picture": 0.4, "speech": 0.9, "both": 0.905}, "speech"),
        ({"picture": 0.9, "speech": 0.8, "both": 0.92}, "both"),
        ({"picture": 0.7, "speech": 0.7, "both": 0.7}, "picture"),
        ({}, "picture"),
    ],
)
def test_the_better_network_is_used_and_both_only_where_that_pays(
    scores: dict[UsedEar, float], expected: UsedEar
) -> None:
    assert best_ear(scores) == expected


@pytest.mark.parametrize(("before", "after"), [(12, 4), (6, 7), (64, 10), (1, 4)])
def test_averages_over_time_keep_the_mean(before: int, after: int) -> None:
    values = np.random.default_rng(0).normal(size=before)
    averages = values @ time_averages(before, after)
    assert averages.shape == (after,)
    assert averages.mean() == pytest.approx(values.mean(), abs=1e-6)


def test_both_networks_together_have_the_features_of_each() -> None:
    windowing = Windowing(rate=8000, seconds=2.0, step=2.0)
    raw = np.random.default_rng(0).normal(0, 0.1, (3, windowing.frames)).astype(np.float32)
    picture, speech, both = (
        open_session(make_ear(name, windowing).feature_graph()).run(None, {"raw": raw})
        for name in ("picture", "speech", "both")
    )
    np.testing.assert_allclose(both[0], np.hstack([picture[0], speech[0]]), atol=1e-4)
    np.testing.assert_allclose(both[1].astype(np.float32).mean((2, 3)), both[0], atol=0.02)


def test_the_training_recordings_choose_and_the_run_records_why(place: Path) -> None:
    first = train(place)
    number = first[-1].run  # type: ignore[union-attr]
    ear = settings(place, number)["ear"]
    assert set(ear) == {"name", "picture", "speech", "both"}
    assert ear["name"] == best_ear({name: ear[name] for name in ("picture", "speech", "both")})
    reasons = [event for event in first if isinstance(event, Note) and "held-out" in event.sentence.template]
    assert len(reasons) == 1
    assert new_features(first) > 0
    assert new_features(train(place)) == 0  # all cached


@pytest.mark.parametrize("ear", [pytest.param("speech", marks=pytest.mark.slow), "both"])
def test_a_model_of_the_ear_that_the_user_names_predicts_what_the_run_stored(place: Path, ear: UsedEar) -> None:
    finished = train(place, ear)[-1]
    assert isinstance(finished, Finished)
    assert settings(place, finished.run)["ear"] == {"name": ear}
    folder = place / "runs" / f"{finished.run:04d}"
    model = ReleasedModel.open(folder / "model.onnx")
    assert "speech_embedding" in model.info.backbone
    with Project.open(place, to_read=True) as project:
        stored = project.predictions(finished.run)
        # In the end the model learned from the validation samples, too.
        rows = [row for row, sample in enumerate(project.samples()) if sample.split != "valid"]
        paths = [project.source_folder / project.samples()[row].path for row in rows]
    results = list(predict_files(model, paths))
    probabilities = np.stack([result.probabilities for result in results])
    np.testing.assert_allclose(probabilities, stored.probabilities[rows], atol=2e-3)
    assert finished.test_accuracy == 1.0


def test_maps_of_the_speech_network_lie_along_time(place: Path) -> None:
    finished = train(place, "speech")[-1]
    assert isinstance(finished, Finished)
    with Project.open(place, to_read=True) as project:
        maps = project.predictions(finished.run).maps
        assert project.windowing is not None
        columns = make_ear("speech", project.windowing).grid[1]
    assert maps.shape[2:] == (1, columns)
    assert np.asarray(maps, dtype=np.float32).std(axis=3).max() > 0.0


def test_an_unknown_ear_or_one_for_pictures_is_refused(handlens: Handlens, project: Path) -> None:
    unknown = handlens("train", project, "--ear", "left")
    assert unknown.code == 2
    assert "auto, picture, speech, both" in unknown.err
    unfit = handlens("train", project, "--ear", "speech", "--preset", "quick")
    assert unfit.code == 1
    assert "--ear" in unfit.err


@pytest.mark.slow
@pytest.mark.parametrize(("sure", "released"), [(False, "speech_embedding"), (True, DEFAULT_BACKBONE)])
def test_standard_releases_the_better_of_the_speech_network_and_the_adjusted_one(
    place: Path, monkeypatch: pytest.MonkeyPatch, *, sure: bool, released: str
) -> None:
    """Only the answers of the adjusted network on the validation split are made up: uncertain, or all correct."""

    def answers(_network: object, _decoded: object, samples: tuple[Sample, ...], _device: object) -> NDArray[Any]:
        probabilities = np.full((len(samples), len(CLASSES)), 1e-9 if sure else 1 / len(CLASSES), dtype=np.float32)
        if sure:
            probabilities[np.arange(len(samples)), [sample.labels[0] for sample in samples]] = 1.0
        return probabilities

    monkeypatch.setattr(better_ear, "score_samples", answers)
    events = list(run(TrainJob(project=place, epochs=1, device="cpu", ear="speech"), NeverStop()))
    finished = events[-1]
    assert isinstance(finished, Finished), finished
    model = ReleasedModel.open(place / "runs" / f"{finished.run:04d}" / "model.onnx")
    assert model.info.backbone == released
    notes = [event.sentence.template for event in events if isinstance(event, Note)]
    assert any("is released" in note for note in notes) is not sure
    assert settings(place, finished.run)["ear"]["name"] == ("picture" if sure else "speech")


class Asked:
    """A stop that the test requests."""

    request: StopRequest = ""

    def requested(self) -> StopRequest:
        return self.request


@pytest.mark.slow
def test_a_stop_keeps_the_adjusted_network_and_says_that_nothing_was_compared(place: Path) -> None:
    asked, events = Asked(), []
    for event in run(TrainJob(project=place, epochs=1, device="cpu", ear="speech"), asked):
        events.append(event)
        if isinstance(event, EpochDone):
            asked.request = "stop"
    finished = events[-1]
    assert isinstance(finished, Finished), finished
    model = ReleasedModel.open(place / "runs" / f"{finished.run:04d}" / "model.onnx")
    assert model.info.backbone == DEFAULT_BACKBONE
    notes = [english(event.sentence) for event in events if isinstance(event, Note)]
    assert any("before the adjusted picture network was compared" in note for note in notes), notes
