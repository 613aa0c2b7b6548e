"""Files that are moved, renamed or taken away between two looks at a folder stay what they were, or are left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from small import create, picture_folder

from ml.events import Scanned
from ml.jobs import NeverStop, ScanJob
from ml.project.importing import scan
from ml.project.moving import Followed
from ml.project.project import Project
from ml.project.samples import Sample
from ml.project.several import for_task
from ml.project.splitting import plan_split


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return picture_folder(tmp_path / "pictures")


@pytest.fixture
def project(pictures: Path, tmp_path: Path) -> Project:
    with create(pictures, tmp_path / "shapes.handlens") as opened:
        yield opened


def look_again(project: Project) -> tuple[Followed, int]:
    """What `handlens new` does with a project that is there; also the number of new files."""
    last = list(scan(ScanJob(folder=project.source_folder, kind="images"), NeverStop()))[-1]
    assert isinstance(last, Scanned), last
    report = for_task(last.report, project.task)
    followed = project.follow(report)
    plan = plan_split(report, split_by=project.split_by, existing=project.splits())
    added = project.add(report, plan)
    project.assign(plan)
    return followed, added


def by_name(project: Project) -> dict[str, Sample]:
    return {sample.path.rpartition("/")[2]: sample for sample in project.samples()}


def named(project: Project, sample: Sample) -> str | None:
    names = [item.name for item in project.classes()]
    return None if sample.label is None else names[sample.label]


def test_a_folder_that_was_renamed_stays_the_same_samples_under_its_new_name(project: Project, pictures: Path) -> None:
    before = by_name(project)
    (pictures / "disc").rename(pictures / "circle")
    assert look_again(project) == (Followed(moved=8), 0)
    after = by_name(project)
    assert {name: (s.id, s.split, s.labels) for name, s in after.items()} == {
        name: (s.id, s.split, s.labels) for name, s in before.items()
    }
    assert [item.name for item in project.classes()] == ["circle", "square"], "the runs go on knowing the class"
    assert {s.path.split("/")[0] for s in after.values()} == {"circle", "square"}


def test_a_file_in_another_class_folder_keeps_its_side_and_takes_its_label(project: Project, pictures: Path) -> None:
    before = by_name(project)["disc-00.png"]
    (pictures / "disc" / "disc-00.png").rename(pictures / "square" / "other.png")
    assert look_again(project) == (Followed(moved=1), 0)
    after = by_name(project)["other.png"]
    assert (after.id, after.split, named(project, after)) == (before.id, before.split, "square")
    assert [item.name for item in project.classes()] == ["disc", "square"]
    assert [change.origin for change in project.history(after.id)] == ["import", "import"]


def test_what_a_person_said_of_a_file_goes_with_it(project: Project, pictures: Path) -> None:
    sample = by_name(project)["disc-00.png"]
    project.set_labels([sample.id], [1])
    (pictures / "disc").rename(pictures / "circle")
    look_again(project)
    after = by_name(project)["disc-00.png"]
    assert (named(project, after), after.set_by) == ("square", "person")


def test_of_two_copies_each_goes_where_its_name_is(project: Project, pictures: Path) -> None:
    twin = pictures / "square" / "twin.png"
    twin.write_bytes((pictures / "disc" / "disc-01.png").read_bytes())
    look_again(project)
    ids = {name: sample.id for name, sample in by_name(project).items()}
    new = pictures / "bar"
    new.mkdir()
    for name in ("square/twin.png", "disc/disc-01.png"):
        (pictures / name).rename(new / name.split("/")[1])
    assert look_again(project) == (Followed(moved=2), 0)
    assert {name: sample.id for name, sample in by_name(project).items()} == ids


def test_what_lay_in_no_class_folder_is_labelled_by_the_one_it_is_put_into(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures")
    (pictures / "disc" / "disc-00.png").rename(pictures / "loose.png")
    with create(pictures, tmp_path / "shapes.handlens") as project:
        assert not by_name(project)["loose.png"].labelled
        (pictures / "loose.png").rename(pictures / "square" / "loose.png")
        assert look_again(project) == (Followed(moved=1), 0)
        after = by_name(project)["loose.png"]
        assert (named(project, after), after.split is not None) == ("square", True)


def test_a_file_that_is_gone_counts_nowhere_until_it_is_back(project: Project, pictures: Path, tmp_path: Path) -> None:
    before = by_name(project)
    (pictures / "disc" / "disc-03.png").rename(tmp_path / "kept.png")
    assert look_again(project) == (Followed(gone=("disc/disc-03.png",)), 0)
    assert not by_name(project)["disc-03.png"].labelled
    assert by_name(project)["disc-03.png"].split is None
    assert [item.path for item in project.unreadable()] == ["disc/disc-03.png"]
    (tmp_path / "kept.png").rename(pictures / "disc" / "disc-03.png")
    assert look_again(project) == (Followed(), 0)
    assert by_name(project) == before
    assert project.unreadable() == ()


def test_a_file_that_was_gone_may_come_back_elsewhere(project: Project, pictures: Path, tmp_path: Path) -> None:
    before = by_name(project)["disc-03.png"]
    (pictures / "disc" / "disc-03.png").rename(tmp_path / "kept.png")
    look_again(project)
    (tmp_path / "kept.png").rename(pictures / "square" / "back.png")
    assert look_again(project) == (Followed(moved=1), 0)
    after = by_name(project)["back.png"]
    assert (after.id, named(project, after), after.split) == (before.id, "square", before.split)
    assert project.unreadable() == ()


def test_where_several_may_be_present_one_copy_stands_for_the_others(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures")
    last = list(scan(ScanJob(folder=pictures, kind="images"), NeverStop()))[-1]
    assert isinstance(last, Scanned), last
    report = for_task(last.report, "multi")
    place = tmp_path / "shapes.handlens"
    with Project.create(place, name="shapes", report=report, plan=plan_split(report)) as project:
        both = pictures / "bar" / "both.png"
        both.parent.mkdir()
        both.write_bytes((pictures / "disc" / "disc-00.png").read_bytes())
        assert look_again(project) == (Followed(), 0), "the first copy is still where it was"
        (pictures / "disc" / "disc-00.png").unlink()
        assert look_again(project) == (Followed(moved=1), 0)
        names = {item.index: item.name for item in project.classes()}
        assert Counter(names[index] for s in project.samples() for index in s.labels) == {
            "disc": 7,
            "square": 8,
            "bar": 1,
        }
