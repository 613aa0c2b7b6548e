"""Folders that people really have: the cases of ../shared/cases about splits, names and suffixes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ml.core.events import Failed, Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.project.scan.checks import findings
from ml.project.scan.layout import places, split_folders
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split
from tests.cases import make_case

MINERALS = ("moss", "rust", "slate")


def scanned(folder: Path) -> ScanReport:
    last = list(scan(ScanJob(folder=folder, kind="images", new=True), NeverStop()))[-1]
    assert isinstance(last, Scanned), english(last.message) if isinstance(last, Failed) else last
    return for_task(last.report, "single")


def sentences(report: ScanReport) -> list[str]:
    return [english(finding.sentence) for finding in findings(report, plan_split(report))]


def placed(*paths: str) -> list[tuple[str | None, str | None]]:
    return [(place.class_name, place.ready_split) for place in places(paths)]


@pytest.mark.parametrize(
    ("letter", "stray"),
    [("a", "“runs/classify/train3”"), ("b", "“dataset-cover.png”"), ("c", "“seg_pred/seg_pred”"), ("d", "")],
)
def test_a_ready_made_split_is_kept_and_what_lies_beside_it_is_named(tmp_path: Path, letter: str, stray: str) -> None:
    report = scanned(make_case("06", tmp_path) / letter)
    assert set(report.class_counts) == set(MINERALS)
    plan = plan_split(report)
    for file in report.files:
        if not file.labelled:
            continue
        part = file.path.split("/")[0]
        assert f"_{file.class_name}_" in file.path
        assert (plan.splits[file.path] == "test") == part.removeprefix("seg_").startswith("test")
        if letter in "ab":
            assert plan.splits[file.path] == {"train": "train", "val": "valid", "test": "test"}[part]
    strays = [sentence for sentence in sentences(report) if "beside the folders for training and test" in sentence]
    assert len(strays) == bool(stray)
    assert all(stray in sentence for sentence in strays)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("Train", "Test"), 2),
        (("birds_train", "birds_valid", "birds_test"), 3),
        (("train2017", "val2017", "annotations"), 2),
        (("TrainingSet", "TestSet"), 2),
        (("train_images", "test-images"), 2),
        (("crash test", "train"), 0),
        (("train", "bus", "car"), 0),
        (("train_station", "test_tube"), 0),
    ],
)
def test_names_of_splits(names: tuple[str, ...], wanted: int) -> None:
    assert len(split_folders(names)) == wanted


def test_splits_inside_the_class_folders() -> None:
    paths = [f"{name}/{part}/{n}.png" for name in ("cat", "dog") for part in ("train", "test") for n in range(3)]
    assert placed(*paths) == [(path.split("/")[0], path.split("/")[1]) for path in paths]


def test_a_locomotive_beside_other_classes_stays_a_class() -> None:
    paths = [f"{name}/day1/{n}.png" for name in ("train", "test", "bus", "car") for n in range(3)]
    assert {name for name, _ready in placed(*paths)} == {"train", "test", "bus", "car"}


def test_classes_in_the_names_of_files(tmp_path: Path) -> None:
    assert placed(*(f"cat.{n}.jpg" for n in range(6)), *(f"dog.{n}.jpg" for n in range(6))) == [
        *[("cat", None)] * 6,
        *[("dog", None)] * 6,
    ]
    sounds = [f"{name}.{number:04x}.wav" for name in ("noise", "speech") for number in range(0x3C40, 0x3C48)]
    assert {name for name, _ready in placed(*sounds)} == {"noise", "speech"}


@pytest.mark.parametrize(
    "names",
    [
        [f"IMG_{n:04}.jpg" for n in range(10)] + [f"DSC_{n:04}.jpg" for n in range(10)],
        [f"{site}_202505{n:02}.wav" for site in ("north", "south") for n in range(1, 11)],
        [f"frog{n}.png" for n in range(20)],
        [f"{name}.png" for name in ("alpha", "beta", "gamma", "delta") * 5],
    ],
)
def test_names_that_are_no_classes(names: list[str]) -> None:
    assert {name for name, _ready in placed(*names)} == {None}


def test_look_alike_class_folders_are_one_class_and_named(tmp_path: Path) -> None:
    report = scanned(make_case("19", tmp_path) / "a")
    assert report.class_counts == {"finch": 27, "wren": 30}
    assert any("Several folders are called “finch” and “wren”" in sentence for sentence in sentences(report))


def test_files_are_recognised_by_what_they_hold(tmp_path: Path) -> None:
    case = make_case("19", tmp_path)
    assert scanned(case / "b").class_counts == {"daisy": 12, "rose": 24, "tulip": 15}
    assert scanned(case / "c").class_counts == {"x": 12, "y": 12}


def test_files_that_are_passed_over_are_counted_by_suffix(tmp_path: Path) -> None:
    case = make_case("19", tmp_path) / "c"
    for name in ("x/notes.txt", "x/more.txt", "y/page.html", "y/thing"):
        (case / name).write_text("nothing", encoding="utf-8")
    report = scanned(case)
    assert Counter(Path(path).suffix for path in report.passed_over) == {".txt": 2, ".html": 1, "": 1}
    assert any(
        sentence.startswith("4 other files in the folder are no pictures and were passed over (2 .txt")
        for sentence in sentences(report)
    )
