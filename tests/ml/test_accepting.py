"""A run used for another share of wrong answers than it was made for: exported, predicted, evaluated."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fabricate import CLASSES, add_run, image_folder, project_of
from fabricate_several import add_run_of_several, mixed_project
from tiny_model import SIZE, tiny_info, write_colour_model
from typer.testing import CliRunner

from ml.cli import build_app
from ml.core.errors import HandlensError
from ml.core.events import Evaluated
from ml.core.jobs import EvaluateJob, NeverStop, TrainJob
from ml.core.messages import english, verbatim
from ml.evaluation.evaluate import evaluate
from ml.evaluation.findings_file import write_findings
from ml.evaluation.run_finding import RunFinding
from ml.evaluation.thresholds_in_use import target_error_rate, with_thresholds_for
from ml.pipeline.session import open_or_resume_run
from ml.project.project import Project
from ml.release.metadata import write_model
from ml.runtime.model import ReleasedModel
from ml.scoring.multilabel import error_controlled_thresholds, rule_of


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Its run is wrong on the samples it is least sure of; its model was made for 2 in 100."""
    made = project_of(image_folder(tmp_path / "fruit", each=40), tmp_path / "fruit.handlens")
    wrong = [sample.id for sample in made.samples() if sample.split in ("valid", "test")][:6]
    folder = made.runs.folder(add_run(made, wrong=tuple(wrong)).number)
    model = write_colour_model(folder / "model.onnx")
    info = replace(ReleasedModel.open(model).info, classes=CLASSES, card="# Tiny\n- What it promises.\n")
    write_model(model, model.read_bytes(), info)
    write_findings(folder, [RunFinding(about="promise", level="note", sentence=verbatim("What it promises."))])
    yield made
    made.close()


def released(project: Project) -> ReleasedModel:
    return ReleasedModel.open(project.runs.folder(1) / "model.onnx")


def test_what_it_was_made_for_holds_until_somebody_chooses(project: Project) -> None:
    info = released(project).info
    assert with_thresholds_for(project, 1, info) is info
    assert target_error_rate(project, info) == 0.02
    project.set_wrong_at_most(0.2)
    assert target_error_rate(project, info) == 0.2
    assert target_error_rate(project, info, 0.1) == 0.1
    with Project.open(project.path) as again:
        assert again.wrong_at_most == 0.2


def test_what_it_was_made_for_follows_the_labels_that_were_mended_since(project: Project) -> None:
    """By the labels of the run it is wrong on some of what it was chosen by; they were wrong, not the run."""
    info = released(project).info
    said = project.predictions(1)
    for row in np.flatnonzero(said.labelled("valid")):
        likeliest = int(said.probabilities[row].argmax())
        if likeliest != said.labels[row]:
            project.set_labels([int(said.sample_ids[row])], [likeliest])
    mended = with_thresholds_for(project, 1, info)
    assert mended.wanted_error == info.wanted_error
    # There is no mistake left, so only guesses are set aside.
    assert mended.reject_below < info.reject_below


def test_allowing_more_wrong_answers_lowers_the_thresholds_and_says_so(project: Project) -> None:
    info = released(project).info
    strict, loose = with_thresholds_for(project, 1, info, 0.05), with_thresholds_for(project, 1, info, 0.2)
    assert loose.reject_below < strict.reject_below < 1.0
    assert (loose.wanted_error, len(loose.class_reject_below)) == (0.2, 3)
    assert "What it promises." not in loose.card and "20 of 100" in loose.card


def test_the_metadata_is_exchanged_and_the_answers_stay(project: Project, tmp_path: Path) -> None:
    model = released(project)
    other = tmp_path / "other.onnx"
    source = project.runs.folder(1) / "model.onnx"
    write_model(other, source.read_bytes(), with_thresholds_for(project, 1, model.info, 0.2))
    again = ReleasedModel.open(other)
    assert again.info.wanted_error == 0.2
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    assert np.array_equal(again.predict(pixels).probabilities, model.predict(pixels).probabilities)


def test_a_run_whose_predictions_were_deleted_is_used_with_its_own_thresholds(project: Project, tmp_path: Path) -> None:
    info = released(project).info
    shutil.rmtree(project.runs.folder(1) / "predictions")
    assert with_thresholds_for(project, 1, info) is info
    with pytest.raises(HandlensError, match=r"no predictions any more.* than 2 of 100, which the run was made for"):
        with_thresholds_for(project, 1, info, 0.2)
    picture = next(iter(sorted((tmp_path / "fruit").rglob("*.png"))))
    written = tmp_path / "fruit.onnx"
    for words in (["predict", str(project.path), str(picture)], ["export", str(project.path), "--to", str(written)]):
        assert CliRunner().invoke(build_app(), words).exit_code == 0
    assert ReleasedModel.open(written).info.reject_below == info.reject_below


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
    run, job = open_or_resume_run(project, TrainJob(project=project.path), CLASSES)
    assert job.wrong_at_most == 0.1
    _run, job = open_or_resume_run(project, TrainJob(project=project.path, wrong_at_most=0.03), CLASSES)
    assert job.wrong_at_most == 0.03
    assert run.number == 2


READING = ("evaluate", "runs", "suspicious")


def test_a_project_on_a_read_only_drive_predicts_and_is_scored(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, picture = project.path, next(iter(sorted((tmp_path / "fruit").rglob("*.png"))))
    project.close()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    # As the system answers there; whoever runs the tests may be allowed to write everywhere.
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    with pytest.raises(HandlensError, match="is read-only"):
        Project.open(folder)
    with Project.open(folder, to_read=True) as opened:
        assert opened.read_only
        with pytest.raises(HandlensError, match="is read-only"):
            opened.set_wrong_at_most(0.1)
    for words in (["predict", str(folder), str(picture)], *([verb, str(folder)] for verb in READING)):
        assert CliRunner().invoke(build_app(), words).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_resume_goes_on_with_the_run_that_stands_in_the_middle(project: Project) -> None:
    first, job = open_or_resume_run(project, TrainJob(project=project.path), CLASSES)
    (project.runs.folder(first.number) / "checkpoint").mkdir()
    (project.runs.folder(first.number) / "checkpoint" / "latest.safetensors").write_bytes(b"")
    second, _job = open_or_resume_run(project, job, CLASSES)
    project.runs.update(second.number, state="failed", message="The disk is full.")
    again, _job = open_or_resume_run(project, replace(job, resume=True), CLASSES)
    assert (again.number, second.number) == (first.number, first.number + 1)


def test_several_classes_at_once_each_keep_the_rate(tmp_path: Path) -> None:
    with mixed_project(tmp_path / "mixed.handlens", each=40) as several:
        held = {sample.id: sample for sample in several.samples()}
        chosen_by = [sample for sample in held.values() if sample.split == "valid"]
        odd = next(sample for sample in chosen_by if 1 not in sample.labels)
        add_run_of_several(several, wrong={odd.id: (*odd.labels, 1)})
        stored = several.predictions(1)
        row = stored.sample_ids.tolist().index(odd.id)
        made = replace(tiny_info(), classes=CLASSES, present_above=(0.5, 0.3, 0.6), wanted_error=0.0)
        # The words of the rule are those of an earlier version.
        made = replace(made, card="# Mixed\n\nIt is there from here on.\n\n| class | found |\n|---|---|\n")
        assert with_thresholds_for(several, 1, made) is made
        strict = with_thresholds_for(several, 1, made, 0.05)
        assert (strict.wanted_error, strict.promised) == (0.05, False)
        before, rule, after = strict.card.partition(english(rule_of(0.05, promised=False)))
        assert rule and "It is there from here on." not in strict.card
        assert before == "# Mixed\n\n" and after.endswith("of the run.\n\n| class | found |\n|---|---|\n")
        assert strict.present_above[1] > stored.probabilities[row, 1], "it was wrong there"
        result = next(iter(evaluate(EvaluateJob(project=several.path, wrong_at_most=0.05), NeverStop())))
        assert isinstance(result, Evaluated)
        assert result.findings[-1] == rule_of(0.05, promised=False)
        least = next(iter(evaluate(EvaluateJob(project=several.path), NeverStop())))
        assert isinstance(least, Evaluated)
        assert result.per_class["pear"]["found"] < least.per_class["pear"]["found"], "that is the price"


def test_a_rate_of_several_is_promised_where_there_is_enough_to_choose_by() -> None:
    rng = np.random.default_rng(3)
    targets = (rng.uniform(size=(2000, 2)) < 0.3).astype(np.int64)
    probabilities = np.where(targets == 1, rng.uniform(0.4, 1.0, targets.shape), rng.uniform(0.0, 0.6, targets.shape))
    thresholds, promised = error_controlled_thresholds(probabilities, targets, wanted=0.05)
    assert promised
    fresh = (rng.uniform(size=(20000, 2)) < 0.3).astype(np.int64)
    said = np.where(fresh == 1, rng.uniform(0.4, 1.0, fresh.shape), rng.uniform(0.0, 0.6, fresh.shape)) >= thresholds
    for index in range(2):
        assert (fresh[said[:, index], index] == 0).mean() <= 0.05
        assert said[fresh[:, index] == 1, index].mean() > 0.6, "no stricter than it has to be"
