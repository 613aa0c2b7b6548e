"""Two runs sample by sample, which data a run was made from, notes, and runs that are deleted and come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of

from ml.api import HandlensError, Project, data_versions, run_difference
from tests.ml.terminal import Handlens


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "Fruit.handlens") as made:
        yield made


def ids_of_test(project: Project) -> list[int]:
    return [sample.id for sample in project.samples() if sample.split == "test"]


def test_two_runs_differ_in_the_samples_that_flipped(project: Project) -> None:
    first, second, third, *_ = ids_of_test(project)
    add_run(project, wrong=(first, second))
    add_run(project, wrong=(second, third))
    found = run_difference(project, before=1, after=2, samples=project.samples())
    assert (found.fixed, found.broken, found.both_wrong) == ((first,), (third,), (second,))
    assert found.before.score == found.after.score == pytest.approx(4 / 6)
    labels = {sample.id: sample.label for sample in project.samples()}
    by_class = {each.index: each for each in found.classes}
    assert sum(each.count for each in found.classes) == 6
    assert sum(each.after - each.before for each in found.classes) == 0
    if labels[first] != labels[third]:
        assert by_class[labels[first] or 0].after == by_class[labels[first] or 0].before + 1


def test_runs_from_the_same_labels_have_the_same_data(project: Project) -> None:
    add_run(project)
    add_run(project)
    project.set_labels([ids_of_test(project)[0]], [2])
    add_run(project)
    versions = data_versions(project, (1, 2, 3))
    assert versions == {1: (1, 30), 2: (1, 30), 3: (2, 30)}


def test_notes_stay_with_their_runs(project: Project, handlens: Handlens) -> None:
    add_run(project)
    project.runs.set_note(1, "  larger pictures ")
    with Project.open(project.path) as again:
        assert again.runs.notes() == {1: "larger pictures"}
        (line,) = handlens("runs", project.path, "--json").lines
        assert line["note"] == "larger pictures"
        assert "larger pictures" in handlens("runs", project.path).out
        again.runs.set_note(1, "")
        assert again.runs.notes() == {}


def test_a_deleted_run_comes_back_until_it_is_purged(project: Project) -> None:
    add_run(project)
    add_run(project)
    project.runs.set_note(1, "first")
    project.delete_run(1)
    assert [run.number for run in project.runs.all()] == [2]
    with Project.open(project.path) as again:
        again.runs.undelete(1)
        assert [(run.number, run.state) for run in again.runs.all()] == [(1, "finished"), (2, "finished")]
        assert len(again.predictions(1)) == 30 and again.runs.notes() == {1: "first"}
        again.delete_run(1)
        again.runs.purge_deleted()
        assert not again.runs.folder(1).exists() and again.runs.folder(2).exists() and again.runs.notes() == {}
        assert again.runs.begin(preset="quick", seed=0, class_names=()).number == 3, "numbers are not used again"


def test_a_released_run_is_not_deleted(project: Project) -> None:
    add_run(project)
    project.release(1)
    with pytest.raises(HandlensError, match="released"):
        project.delete_run(1)
    with pytest.raises(HandlensError, match="no run 7"):
        project.delete_run(7)


def test_a_run_that_is_being_trained_is_not_deleted(project: Project) -> None:
    project.runs.begin(preset="quick", seed=0, class_names=("apple", "pear", "plum"))
    with project.lock("train"), pytest.raises(HandlensError, match="being trained"):
        project.delete_run(1)
    project.delete_run(1)
    project.runs.undelete(1)
    assert project.runs.all()[0].state == "interrupted"
