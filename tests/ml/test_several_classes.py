"""Multi-label projects: more than one class may be present in a sample, or none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from mixtures import mixture_folder
from small import create
from typer.testing import CliRunner

from ml.cli import build_app
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.scan_report import FoundFile, ScanReport
from ml.core.types import Sample
from ml.project.project import Project
from ml.project.scan.multilabel import as_multi_label
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split


def _file(path: str, digest: str, class_name: str | None, ready_split: str | None = None) -> FoundFile:
    return FoundFile(path=path, size=1, mtime_ns=0, digest=digest, class_name=class_name, ready_split=ready_split)


def _report(*files: FoundFile) -> ScanReport:
    return as_multi_label(ScanReport(folder="/x", kind="images", files=files))


def test_copies_in_several_class_folders_are_one_file_of_these_classes() -> None:
    report = _report(_file("bird/a.png", "1", "bird"), _file("car/b.png", "1", "car"), _file("car/c.png", "2", "car"))
    assert [(file.path, file.class_names) for file in report.files] == [
        ("bird/a.png", ("bird", "car")),
        ("car/c.png", ("car",)),
    ]
    assert report.class_counts == {"bird": 1, "car": 2}


def test_the_folder_none_holds_files_that_show_no_class() -> None:
    report = _report(_file("None/a.png", "1", "None"), _file("car/b.png", "2", "car"), _file("None/b.png", "2", "None"))
    known = {file.path: (file.class_names, file.labelled) for file in report.files}
    assert known == {"None/a.png": ((), True), "car/b.png": (("car",), True)}


def test_a_copy_that_is_tested_with_is_not_learned_from() -> None:
    report = _report(_file("train/car/a.png", "1", "car", "train"), _file("test/bird/a.png", "1", "bird", "test"))
    assert [(file.class_names, file.ready_split) for file in report.files] == [(("bird", "car"), "test")]


def test_every_class_has_its_share_in_every_split_also_the_rarest() -> None:
    names = ("a", "b", "c", "rare")
    files = []
    for number in range(200):
        shown = [name for place, name in enumerate(names[:3]) if (number >> place) & 1]
        shown += ["rare"] if number % 40 == 7 else []
        files += [_file(f"{name}/{number:03d}.png", str(number), name) for name in shown or ["none"]]
    report = _report(*files)
    plan = plan_split(report)
    held: dict[str, Counter[str]] = {split: Counter() for split in ("train", "valid", "test")}
    for file in report.files:
        held[plan.splits[file.path]].update(file.class_names or ("none",))
    assert {split: counts["rare"] for split, counts in held.items()} == {"train": 3, "valid": 1, "test": 1}
    for name in (*names[:3], "none"):
        whole = sum(counts[name] for counts in held.values())
        shares = {split: counts[name] / whole for split, counts in held.items()}
        assert shares == pytest.approx({"train": 0.6, "valid": 0.2, "test": 0.2}, abs=0.04), name


def test_new_makes_a_multi_label_project(tmp_path: Path) -> None:
    folder = mixture_folder(tmp_path / "mixed", count=24)
    said = CliRunner().invoke(
        build_app(), ["new", str(tmp_path / "mixed.handlens"), "--from", str(folder), "--multi-label", "--json"]
    )
    assert said.exit_code == 0, said.output
    created = json.loads(said.stdout.splitlines()[-1])
    assert created["task"] == "multi"
    assert created["samples"] == 24
    assert not any(item["conflicting"] for item in created["duplicates"])
    assert sum(created["classes"].values()) == 8 + 2 * 8
    with Project.open(tmp_path / "mixed.handlens") as project:
        samples = project.samples()
        assert max(len(sample.labels) for sample in samples) == 2
        negatives = [sample for sample in samples if not sample.labels]
        assert negatives and all(sample.labelled and sample.split for sample in negatives)
        assert plan_split(project.as_report(), existing=project.splits()).splits == project.splits()
    again = CliRunner().invoke(build_app(), ["new", str(tmp_path / "mixed.handlens"), "--from", str(folder), "--json"])
    assert json.loads(again.stdout.splitlines()[-1])["added"] == 0


def test_a_label_taken_back_is_not_the_same_as_none_of_them(tmp_path: Path) -> None:
    folder = mixture_folder(tmp_path / "mixed", count=12)
    last = list(scan(ScanJob(folder=folder, kind="images"), NeverStop()))[-1]
    assert isinstance(last, Scanned)
    report = as_multi_label(last.report)
    with Project.create(tmp_path / "p.handlens", name="p", report=report, plan=plan_split(report)) as project:
        first = next(sample for sample in project.samples() if len(sample.labels) == 2)
        project.set_labels([first.id], [])
        assert _sample(project, first.id).labelled
        project.restore_labels([(first.id, None)])
        assert not _sample(project, first.id).labelled
        project.restore_labels([(first.id, first.labels)])
        assert _sample(project, first.id).labels == first.labels
        assert [change.new for change in project.history(first.id)] == [first.labels, (), (), first.labels]


def test_without_the_wish_a_sample_has_one_class(tmp_path: Path) -> None:
    folder = mixture_folder(tmp_path / "mixed", count=12)
    with create(folder, tmp_path / "p.handlens") as project:
        assert project.task == "single"
        assert all(len(sample.labels) == 1 for sample in project.samples())
        sample = project.samples()[0]
        project.set_labels([sample.id], [])
        assert not _sample(project, sample.id).labelled
    said = CliRunner().invoke(
        build_app(), ["new", str(tmp_path / "p.handlens"), "--from", str(folder), "--multi-label"]
    )
    assert said.exit_code == 1
    assert "every sample has one class" in said.stderr


def _sample(project: Project, sample_id: int) -> Sample:
    return next(sample for sample in project.samples() if sample.id == sample_id)
