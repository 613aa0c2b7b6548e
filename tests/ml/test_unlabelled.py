"""Projects that begin without labels: classes that are named as one goes, samples that are ignored, late splits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from fabricate import image_folder

from ml.core.errors import HandlensError
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.pipeline.session import labelled_and_split
from ml.project.project import Project
from ml.project.scan.checks import findings, problem
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split
from tests.ml.terminal import Handlens


def scanned(folder: Path, *, unlabelled: bool = False) -> ScanReport:
    *_, last = scan(ScanJob(folder=folder, kind="images", unlabelled=unlabelled, new=True), NeverStop())
    assert isinstance(last, Scanned)
    return last.report


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Thirty pictures in three folders that name no class."""
    report = scanned(image_folder(tmp_path / "fruit"), unlabelled=True)
    return Project.create(tmp_path / "p.handlens", name="p", report=report, plan=plan_split(report, split_by="folder"))


def test_folders_name_no_class_where_a_person_labels(project: Project) -> None:
    with project:
        assert project.classes() == () and project.by_hand
        assert len(project.samples()) == 30 and not any(sample.labelled for sample in project.samples())


def test_a_folder_without_labels_is_no_fault(tmp_path: Path) -> None:
    report = scanned(image_folder(tmp_path / "fruit"), unlabelled=True)
    first = findings(report)[0]
    assert first.severity == "info" and "You will name the classes as you go" in english(first.sentence)
    assert problem(report) is not None, "nothing can be learned yet"


def test_labels_get_their_split_when_training_begins_and_keep_it(project: Project) -> None:
    with project:
        rose, tulip = project.add_class("rose").index, project.add_class("tulip").index
        ids = [sample.id for sample in project.samples()]
        project.set_labels(ids[:24:2], [rose])
        project.set_labels(ids[1:24:2], [tulip])
        samples, names = labelled_and_split(project)
        assert names == ("rose", "tulip")
        # By folder, as the project was made: the ten pictures of a folder stay together.
        first = {sample.path: sample.split for sample in samples if sample.labelled}
        assert [len(set(list(first.values())[begin : begin + 10])) for begin in (0, 10, 20)] == [1, 1, 1]
        project.set_labels(ids[24:], [rose])
        samples, _names = labelled_and_split(project)
        assert {path: split for path, split in project.splits().items() if path in first} == first
        assert len({sample.split for sample in samples[20:]}) == 1, "the rest of the folder joins its side"


def test_ten_of_each_are_split_60_20_20(tmp_path: Path) -> None:
    report = scanned(image_folder(tmp_path / "fruit"), unlabelled=True)
    with Project.create(tmp_path / "p.handlens", name="p", report=report, plan=plan_split(report)) as project:
        for place, name in enumerate(("a", "b")):
            index = project.add_class(name).index
            project.set_labels([sample.id for sample in project.samples()[10 * place : 10 * place + 10]], [index])
        samples, _names = labelled_and_split(project)
        assert Counter((sample.labels, sample.split) for sample in samples if sample.labelled) == {
            ((index,), split): count for index in (0, 1) for split, count in (("train", 6), ("valid", 2), ("test", 2))
        }


def test_what_is_ignored_is_no_label_and_can_be_taken_back(project: Project) -> None:
    with project:
        project.add_class("rose")
        sample = project.samples()[0]
        project.restore_labels([(sample.id, ())], origins={sample.id: "ignored"})
        ignored = project.samples()[0]
        assert ignored.ignored and not ignored.labelled
        project.close()
    with Project.open(project.path) as again:
        assert again.samples()[0].ignored
        again.restore_labels([(sample.id, None)])
        assert again.samples()[0] == sample
        assert [change.origin for change in again.history(sample.id)] == ["ignored", "person"], "history only grows"


def test_ignored_samples_of_multi_label_projects_do_not_count(tmp_path: Path) -> None:
    report = scanned(image_folder(tmp_path / "fruit"), unlabelled=True)
    report = for_task(report, "multi")
    with Project.create(tmp_path / "p.handlens", name="p", report=report, plan=plan_split(report)) as project:
        sample = project.samples()[0]
        project.restore_labels([(sample.id, ())], origins={sample.id: "ignored"})
        assert not project.samples()[0].labelled
        assert project.count_splits() == {None: 30}


def test_classes_are_renamed_recoloured_and_retired_without_changing_their_index(project: Project) -> None:
    with project:
        for name in ("rose", "tulip", "daisy"):
            project.add_class(name)
        project.change_class(1, name="lily", colour="#aa3366")
        project.change_class(0, retired=True)
        with pytest.raises(HandlensError, match="already a class called “daisy”"):
            project.change_class(1, name="daisy")
    with Project.open(project.path) as again:
        assert [(item.name, item.colour, item.retired) for item in again.classes()] == [
            ("rose", "", True),
            ("lily", "#aa3366", False),
            ("daisy", "", False),
        ]
        assert again.add_class("rose").index == 0, "the old one comes back"
        assert not again.classes()[0].retired


def test_the_terminal_makes_a_project_of_one_folder_only_where_it_is_asked(tmp_path: Path, handlens: Handlens) -> None:
    folder = image_folder(tmp_path / "fruit") / "apple"
    (tmp_path / "walks").mkdir()
    folder = folder.rename(tmp_path / "walks" / "monday").parent
    refused = handlens("new", tmp_path / "p", "--from", folder)
    assert refused.code != 0 and "only one class" in refused.err
    made = handlens("new", tmp_path / "p", "--from", folder, "--unlabelled")
    assert made.code == 0 and "label them in the window" in made.out
