"""A run used for another share of wrong answers than it was made for: exported, predicted, evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from tiny_model import SIZE, write_colour_model

from ml.accepting import deciding_by, wanted_rate
from ml.errors import HandlensError
from ml.evaluating import evaluate
from ml.events import Evaluated
from ml.export.metadata import write_model
from ml.insight.selftest import Remark
from ml.jobs import EvaluateJob, NeverStop, TrainJob
from ml.project.project import Project
from ml.project.remarks import write_remarks
from ml.runtime.model import ReleasedModel
from ml.training.beginning import resumed_or_new


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Its run is wrong on the samples it is least sure of; its model was made for 2 in 100."""
    made = project_of(image_folder(tmp_path / "fruit", each=40), tmp_path / "fruit.handlens")
    wrong = [sample.id for sample in made.samples() if sample.split in ("valid", "test")][:6]
    folder = made.runs.folder(add_run(made, wrong=tuple(wrong)).number)
    model = write_colour_model(folder / "model.onnx")
    info = replace(ReleasedModel.open(model).info, classes=CLASSES, card="# Tiny\n- What it promises.\n")
    write_model(model, model.read_bytes(), info)
    write_remarks(folder, [Remark(about="promise", level="note", sentence="What it promises.")])
    yield made
    made.close()


def released(project: Project) -> ReleasedModel:
    return ReleasedModel.open(project.runs.folder(1) / "model.onnx")


def test_what_it_was_made_for_holds_until_somebody_chooses(project: Project) -> None:
    info = released(project).info
    assert deciding_by(project, 1, info) is info
    assert wanted_rate(project, info) == 0.02
    project.set_wrong_at_most(0.2)
    assert wanted_rate(project, info) == 0.2
    assert wanted_rate(project, info, 0.1) == 0.1
    with Project.open(project.path) as again:
        assert again.wrong_at_most == 0.2


def test_allowing_more_wrong_answers_lowers_the_thresholds_and_says_so(project: Project) -> None:
    info = released(project).info
    strict, loose = deciding_by(project, 1, info, 0.05), deciding_by(project, 1, info, 0.2)
    assert loose.reject_below < strict.reject_below < 1.0
    assert (loose.wanted_error, len(loose.class_reject_below)) == (0.2, 3)
    assert "What it promises." not in loose.card and "20 of 100" in loose.card


def test_the_metadata_is_exchanged_and_the_answers_stay(project: Project, tmp_path: Path) -> None:
    model = released(project)
    other = tmp_path / "other.onnx"
    source = project.runs.folder(1) / "model.onnx"
    write_model(other, source.read_bytes(), deciding_by(project, 1, model.info, 0.2))
    again = ReleasedModel.open(other)
    assert again.info.wanted_error == 0.2
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    assert np.array_equal(again.predict(pixels).probabilities, model.predict(pixels).probabilities)


def test_the_test_is_scored_by_the_rate_that_was_chosen(project: Project) -> None:
    def accepting() -> float:
        last = list(evaluate(EvaluateJob(project=project.path), NeverStop()))[-1]
        assert isinstance(last, Evaluated) and last.accepting is not None
        return last.accepting.wrong_at_most

    assert accepting() == 0.02
    project.set_wrong_at_most(0.1)
    assert accepting() == 0.1


def test_the_next_training_keeps_to_it(project: Project) -> None:
    project.set_wrong_at_most(0.1)
    run, job = resumed_or_new(project, TrainJob(project=project.path), CLASSES)
    assert job.wrong_at_most == 0.1
    _run, job = resumed_or_new(project, TrainJob(project=project.path, wrong_at_most=0.03), CLASSES)
    assert job.wrong_at_most == 0.03
    assert run.number == 2


def test_several_classes_at_once_have_no_rate(project: Project) -> None:
    info = replace(released(project).info, present_above=(0.5, 0.5, 0.5))
    project.set_wrong_at_most(0.1)
    assert deciding_by(project, 1, info) is info
    with pytest.raises(HandlensError, match="leave --wrong-at-most out"):
        deciding_by(project, 1, info, 0.1)
