"""Which labels are suspicious."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from fabricate import add_run, image_folder, project_of
from fabricate_several import add_run_of_several, mixed_project
from numpy.typing import NDArray

from ml.core.events import Stopped, Suspected
from ml.core.jobs import NeverStop, StopRequest, SuspectJob
from ml.pipeline.dispatch import run
from ml.probe.label_quality import find_label_issues, make_fold, out_of_fold_probabilities
from ml.scoring.group_effect import folds_of


def test_folds_keep_groups_whole() -> None:
    groups = [f"g{number // 7}" for number in range(100)]
    folds = folds_of(groups)
    assert len(set(folds.tolist())) == 5
    for name in set(groups):
        assert len({int(folds[row]) for row in range(100) if groups[row] == name}) == 1


def out_of_fold(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], folds: NDArray[np.integer], *, classes: int
) -> NDArray[np.float64]:
    """(n, classes) probabilities of each sample from a model that learned from the other folds."""
    told = np.zeros((len(labels), classes))
    for fold in np.unique(folds):
        judged = make_fold(embeddings.astype(np.float32), labels, folds == fold)
        told[folds == fold] = out_of_fold_probabilities(judged, labels, classes=classes)
    return told


def test_flipped_labels_are_the_most_suspicious() -> None:
    rng = np.random.default_rng(11)
    truth = np.arange(300) % 3
    embeddings = rng.normal(0, 1, (300, 8)) + 2.5 * np.eye(8)[truth]
    flipped = rng.permutation(300)[:15]
    labels = truth.copy()
    labels[flipped] = (labels[flipped] + 1) % 3
    folds = folds_of([str(row) for row in range(300)])
    found = find_label_issues(labels, out_of_fold(embeddings, labels, folds, classes=3))
    top = np.argsort(-found.score)[:30]
    assert np.isin(flipped, top).mean() >= 0.8
    assert (found.suggested[flipped] == truth[flipped]).mean() >= 0.8
    assert found.flagged[flipped].mean() > 0.6
    assert found.flagged.sum() < 40


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_same_labels_are_flagged_as_by_cleanlab(classes: int) -> None:
    cleanlab_filter = pytest.importorskip("cleanlab.filter")
    rng = np.random.default_rng(classes)
    flagged = 0
    for n in (classes + 2, 20, 60, 300, 1000):
        for sharpness in (0.3, 1.0, 4.0):
            truth = np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])
            logits = rng.normal(0, 1, (n, classes)) + sharpness * np.eye(classes)[truth]
            probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            labels = np.where(rng.random(n) < 0.2, rng.integers(0, classes, n), truth)
            labels[:classes] = np.arange(classes)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # classes of one sample
                expected = cleanlab_filter.find_label_issues(labels, probabilities, filter_by="both", n_jobs=1)
            found = find_label_issues(labels, probabilities)
            np.testing.assert_array_equal(found.flagged, expected)
            flagged += int(expected.sum())
    assert flagged > 50


def test_where_several_may_be_present_it_finds_what_is_missing_and_what_is_not_there(tmp_path: Path) -> None:
    with mixed_project(tmp_path / "mixed.handlens", each=40) as project:
        add_run_of_several(project, telling=True)
        held = {sample.id: sample.labels for sample in project.samples()}
        two = next(sample_id for sample_id, labels in held.items() if len(labels) == 2)
        none = next(sample_id for sample_id, labels in held.items() if not labels)
        project.restore_labels([(two, held[two][:1]), (none, (2,))])
        found = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(found, Suspected) and len(found.sample_ids) == len(held)
        first = {
            sample_id: (labels, suggested)
            for sample_id, labels, suggested in zip(
                found.sample_ids[:2], found.labels[:2], found.suggested[:2], strict=True
            )
        }
        assert first == {two: (held[two][:1], held[two][1]), none: ((2,), 2)}
        assert 2 <= found.flagged <= 4


def test_a_label_of_which_there_is_no_other_sample_is_not_called_wrong() -> None:
    rng = np.random.default_rng(4)
    truth = np.array([0] * 60 + [1] * 60 + [2] * 12)
    embeddings = rng.normal(0, 1, (132, 8)) + 3.0 * np.eye(8)[truth]
    # All windows of the third class are of one recording, which lies in one fold.
    folds = np.where(truth == 2, 0, np.arange(132) % 5)
    found = find_label_issues(truth, out_of_fold(embeddings, truth, folds, classes=3))
    assert not found.flagged[truth == 2].any()
    assert (found.score[truth == 2] < 0.01).all()
    assert found.flagged.sum() <= 2


def test_a_label_that_was_called_right_is_not_asked_about_again(tmp_path: Path) -> None:
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        add_run(project)
        first = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(first, Suspected) and len(first.sample_ids) == 30
        most = first.sample_ids[0]
        held = {sample.id: sample.labels for sample in project.samples()}
        project.restore_labels([(most, held[most])], origins={most: "confirmed"})
        again = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(again, Suspected)
        assert (most in again.sample_ids, len(again.sample_ids), again.confirmed) == (False, 29, 1)
        history = project.history(most)
        assert [(change.origin, change.new) for change in history] == [
            ("import", held[most]),
            ("confirmed", held[most]),
        ]


def test_judging_labels_stops_when_asked(tmp_path: Path) -> None:
    class Now:
        def requested(self) -> StopRequest:
            return "cancel"

    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        add_run(project)
        assert isinstance(list(run(SuspectJob(project=project.path), Now()))[-1], Stopped)
