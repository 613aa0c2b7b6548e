"""Files that are moved, renamed, changed or taken away between two looks at a folder stay what they were, or are left
out."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from small import create, picture_folder, sound_folder

from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import msg
from ml.core.scan_report import FoundFile, ScanReport, Unreadable
from ml.core.types import Sample
from ml.project.project import Project
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from ml.project.split.plan import plan_split
from ml.project.update.reconcile import Reconciled


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return picture_folder(tmp_path / "pictures")


@pytest.fixture
def project(pictures: Path, tmp_path: Path) -> Project:
    with create(pictures, tmp_path / "shapes.handlens") as opened:
        yield opened


def look_again(project: Project) -> tuple[Reconciled, int]:
    """What `handlens new` does with a project that is there; also the number of new files."""
    last = list(scan(ScanJob(folder=project.source_folder, kind=project.kind), NeverStop()))[-1]
    assert isinstance(last, Scanned), last
    report = for_task(last.report, project.task)
    followed = project.reconcile(report)
    plan = plan_split(report, split_by=project.split_by, existing=project.splits())
    added = project.add(report, plan)
    project.assign(plan)
    return followed, added


def another_picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(100 + number).integers(0, 255, (72, 96, 3), dtype=np.uint8))


def digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def by_content(project: Project) -> dict[str, tuple[int, str | None, str | None]]:
    """Id, split and class of every sample, by the bytes of its file."""
    return {s.digest: (s.id, s.split, named(project, s)) for s in project.samples()}


def assert_in_order(project: Project, pictures: Path) -> None:
    """What the project knows of each file is true of it, and nothing lies on two sides of the test."""
    sides = defaultdict(set)
    for sample in project.samples():
        sides[sample.digest].add(sample.split)
        if sample.labelled:
            assert digest_of(pictures / sample.path) == sample.digest, sample.path
    assert all(len(held) == 1 for held in sides.values())


def by_name(project: Project) -> dict[str, Sample]:
    return {sample.path.rpartition("/")[2]: sample for sample in project.samples()}


def named(project: Project, sample: Sample) -> str | None:
    names = [item.name for item in project.classes()]
    return None if sample.label is None else names[sample.label]


def test_a_folder_that_was_renamed_stays_the_same_samples_under_its_new_name(project: Project, pictures: Path) -> None:
    before = by_name(project)
    (pictures / "disc").rename(pictures / "circle")
    assert look_again(project) == (Reconciled(moved=8), 0)
    after = by_name(project)
    assert {name: (s.id, s.split, s.labels) for name, s in after.items()} == {
        name: (s.id, s.split, s.labels) for name, s in before.items()
    }
    assert [item.name for item in project.classes()] == ["circle", "square"], "the runs go on knowing the class"
    assert {s.path.split("/")[0] for s in after.values()} == {"circle", "square"}


def test_a_file_in_another_class_folder_keeps_its_side_and_takes_its_label(project: Project, pictures: Path) -> None:
    before = by_name(project)["disc-00.png"]
    (pictures / "disc" / "disc-00.png").rename(pictures / "square" / "other.png")
    assert look_again(project) == (Reconciled(moved=1), 0)
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
    assert look_again(project) == (Reconciled(moved=2), 0)
    assert {name: sample.id for name, sample in by_name(project).items()} == ids


def test_what_lay_in_no_class_folder_is_labelled_by_the_one_it_is_put_into(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures")
    (pictures / "disc" / "disc-00.png").rename(pictures / "loose.png")
    with create(pictures, tmp_path / "shapes.handlens") as project:
        assert not by_name(project)["loose.png"].labelled
        (pictures / "loose.png").rename(pictures / "square" / "loose.png")
        assert look_again(project) == (Reconciled(moved=1), 0)
        after = by_name(project)["loose.png"]
        assert (named(project, after), after.split is not None) == ("square", True)


def test_a_file_that_is_gone_counts_nowhere_until_it_is_back(project: Project, pictures: Path, tmp_path: Path) -> None:
    before = by_name(project)
    (pictures / "disc" / "disc-03.png").rename(tmp_path / "kept.png")
    assert look_again(project) == (Reconciled(gone=("disc/disc-03.png",)), 0)
    assert not by_name(project)["disc-03.png"].labelled
    assert by_name(project)["disc-03.png"].split is None
    assert [item.path for item in project.unreadable()] == ["disc/disc-03.png"]
    (tmp_path / "kept.png").rename(pictures / "disc" / "disc-03.png")
    assert look_again(project) == (Reconciled(), 0)
    assert by_name(project) == before
    assert project.unreadable() == ()


def test_a_file_that_was_gone_may_come_back_elsewhere(project: Project, pictures: Path, tmp_path: Path) -> None:
    before = by_name(project)["disc-03.png"]
    (pictures / "disc" / "disc-03.png").rename(tmp_path / "kept.png")
    look_again(project)
    (tmp_path / "kept.png").rename(pictures / "square" / "back.png")
    assert look_again(project) == (Reconciled(moved=1), 0)
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
        assert look_again(project) == (Reconciled(), 0), "the first copy is still where it was"
        (pictures / "disc" / "disc-00.png").unlink()
        assert look_again(project) == (Reconciled(moved=1), 0)
        names = {item.index: item.name for item in project.classes()}
        assert Counter(names[index] for s in project.samples() for index in s.labels) == {
            "disc": 7,
            "square": 8,
            "bar": 1,
        }


def test_new_pictures_under_the_names_of_renamed_ones_are_new_and_those_stay_in_the_test(
    project: Project, pictures: Path
) -> None:
    before = by_content(project)
    tested = [sample for sample in project.samples() if sample.split == "test"]
    for number, sample in enumerate(tested):
        path = pictures / sample.path
        path.rename(path.with_name(f"z{path.name}"))
        another_picture(number).save(path)
    assert look_again(project) == (Reconciled(moved=len(tested)), len(tested))
    after = by_content(project)
    assert {digest: after[digest] for digest in before} == before
    assert {by_name(project)[f"z{Path(sample.path).name}"].id for sample in tested} == {sample.id for sample in tested}
    assert_in_order(project, pictures)


def test_pictures_that_were_renumbered_stay_the_samples_they_were(project: Project, pictures: Path) -> None:
    before = by_content(project)
    for number in reversed(range(8)):
        (pictures / "disc" / f"disc-{number:02d}.png").rename(pictures / "disc" / f"disc-{number + 1:02d}.png")
    assert look_again(project) == (Reconciled(moved=8), 0)
    assert by_content(project) == before
    assert_in_order(project, pictures)


def test_where_two_class_folders_changed_names_the_labels_follow_but_not_what_a_person_said(
    project: Project, pictures: Path
) -> None:
    before = by_content(project)
    asked = by_name(project)["disc-05.png"]
    project.set_labels([asked.id], [1])
    (pictures / "disc").rename(pictures / "between")
    (pictures / "square").rename(pictures / "disc")
    (pictures / "between").rename(pictures / "square")
    assert look_again(project) == (Reconciled(moved=16), 0)
    other = {"disc": "square", "square": "disc"}
    assert by_content(project) == {
        digest: (identity, split, "square" if identity == asked.id else other[label or ""])
        for digest, (identity, split, label) in before.items()
    }
    assert_in_order(project, pictures)


def test_a_picture_that_was_edited_stays_where_it_was_with_what_a_person_said(project: Project, pictures: Path) -> None:
    before = by_name(project)["disc-02.png"]
    project.set_labels([before.id], [1])
    another_picture(1).save(pictures / "disc" / "disc-02.png")
    assert look_again(project) == (Reconciled(changed=("disc/disc-02.png",)), 0)
    after = by_name(project)["disc-02.png"]
    assert after == before._replace(digest=after.digest, labels=(1,), set_by="person")
    assert_in_order(project, pictures)
    assert look_again(project) == (Reconciled(), 0)


def test_a_picture_that_became_the_copy_of_another_counts_on_the_side_of_that_one(
    project: Project, pictures: Path
) -> None:
    learned = next(s for s in project.samples() if s.split == "train" and s.path.startswith("disc"))
    tested = next(s for s in project.samples() if s.split == "test" and s.path.startswith("disc"))
    aside = (pictures / tested.path).read_bytes()
    (pictures / tested.path).write_bytes((pictures / learned.path).read_bytes())
    assert look_again(project) == (Reconciled(gone=(f"{tested.path} (replaced)",)), 1)
    copy = next(sample for sample in project.samples() if sample.path == tested.path)
    assert (copy.split, copy.id != tested.id) == ("train", True)
    assert_in_order(project, pictures)
    (pictures / "square" / "back.png").write_bytes(aside)
    assert look_again(project) == (Reconciled(moved=1), 0)
    back = by_name(project)["back.png"]
    assert (back.id, back.split, named(project, back)) == (tested.id, "test", "square")
    assert project.unreadable() == ()


def test_pictures_that_all_became_the_same_lie_on_one_side(project: Project, pictures: Path) -> None:
    for path in (pictures / "disc").iterdir():
        another_picture(1).save(path)
    followed, added = look_again(project)
    assert (len(followed.changed), len(followed.gone), added) == (1, 7, 7)
    assert_in_order(project, pictures)


def test_a_file_whose_name_another_took_is_gone_until_it_is_found_again(project: Project, pictures: Path) -> None:
    before = by_content(project)
    first, second = (pictures / "disc" / f"disc-0{number}.png" for number in (0, 1))
    lost = digest_of(first)
    second.replace(first)
    assert look_again(project) == (Reconciled(moved=1, gone=("disc/disc-00.png (replaced)",)), 0)
    kept = {digest: facts for digest, facts in before.items() if digest != lost}
    assert {digest: facts for digest, facts in by_content(project).items() if digest != lost} == kept
    assert_in_order(project, pictures)


def test_a_name_that_a_broken_file_took_does_not_hide_where_the_picture_went(project: Project, pictures: Path) -> None:
    before = by_content(project)
    tested = next(sample for sample in project.samples() if sample.split == "test")
    path = pictures / tested.path
    path.rename(path.with_name("z.png"))
    path.write_bytes(b"no picture")
    assert look_again(project) == (Reconciled(moved=1), 0)
    assert by_content(project) == before


def test_a_copy_of_what_only_a_person_labelled_goes_to_its_side(tmp_path: Path) -> None:
    pictures = picture_folder(tmp_path / "pictures")
    for number in range(4):
        (pictures / "disc" / f"disc-0{number}.png").rename(pictures / f"loose-{number}.png")
    with create(pictures, tmp_path / "shapes.handlens") as project:
        loose = [sample.id for sample in project.samples() if not sample.labelled]
        project.set_labels(loose, [0])
        report = project.as_report()
        project.assign(plan_split(report, existing=project.splits()))
        for number in range(4):
            copy = pictures / "disc" / f"copy-{number}.png"
            copy.write_bytes((pictures / f"loose-{number}.png").read_bytes())
        look_again(project)
        assert_in_order(project, pictures)


def test_a_recording_that_was_cut_shorter_is_new_but_stays_on_its_side(tmp_path: Path) -> None:
    """What was said of its seconds may not be true any more of what is heard then."""
    sounds = sound_folder(tmp_path / "sounds", each=8)
    waves = {path: soundfile.read(path) for path in sorted(sounds.rglob("*.wav"))}
    long = sounds / "tone" / "tone-00.wav"
    soundfile.write(long, np.tile(waves[long][0], 8), 8000)
    with create(sounds, tmp_path / "sounds.handlens", kind="recordings") as project:
        old = [sample for sample in project.samples() if sample.path == "tone/tone-00.wav"]
        assert len(old) > 2
        soundfile.write(long, np.tile(waves[long][0], 4), 8000)
        # Of one window it was before, and of one it is.
        short = sounds / "tone" / "tone-01.wav"
        soundfile.write(short, waves[short][0][:-400], 8000)
        before = by_name(project)["tone-01.wav"]
        followed, added = look_again(project)
        assert (followed.changed, followed.gone, added) == (
            ("tone/tone-01.wav",),
            ("tone/tone-00.wav (replaced)",),
            1,
        )
        new = [sample for sample in project.samples() if sample.path == "tone/tone-00.wav"]
        assert {sample.split for sample in new} == {old[0].split}
        assert max(sample.end or 0.0 for sample in new) == 2.0
        after = by_name(project)["tone-01.wav"]
        assert (after.id, after.split, after.end) == (before.id, before.split, 0.45)


def test_files_below_a_folder_that_may_not_be_opened_are_not_gone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.samples()
    report = project.as_report()
    seen = tuple(file for file in report.files if not file.path.startswith("disc/"))
    closed = Unreadable(path="disc", reason=msg("This folder cannot be opened."))
    stat = Path.stat

    def refuse(path: Path, **how: Any) -> Any:
        if path.parent.name == "disc":
            raise PermissionError(13, "Permission denied")
        return stat(path, **how)

    monkeypatch.setattr(Path, "stat", refuse)
    assert project.reconcile(dataclasses.replace(report, files=seen, unreadable=(closed,))) == Reconciled()
    assert project.samples() == before


def test_a_class_takes_the_new_name_of_its_folder_although_one_of_its_files_is_gone(
    project: Project, pictures: Path
) -> None:
    (pictures / "disc").rename(pictures / "circle")
    (pictures / "circle" / "disc-03.png").unlink()
    assert look_again(project) == (Reconciled(moved=7, gone=("disc/disc-03.png",)), 0)
    assert [item.name for item in project.classes()] == ["circle", "square"]


@pytest.mark.parametrize("alike", [pytest.param(True, marks=pytest.mark.slow), False])
def test_thousands_of_files_follow_within_seconds(tmp_path: Path, *, alike: bool) -> None:
    def report(place: str, classes: int) -> ScanReport:
        files = tuple(
            FoundFile(
                path=f"{place}{number % classes}/{number:05d}.png",
                size=1,
                mtime_ns=1,
                digest="same" if alike else f"{number}",
                class_name=f"{place}{number % classes}",
            )
            for number in range(5000)
        )
        return ScanReport(folder=str(tmp_path / "nowhere"), kind="images", files=files)

    first = report("old", 5)
    with Project.create(tmp_path / "many.handlens", name="many", report=first, plan=plan_split(first)) as project:
        began = time.perf_counter()
        assert project.reconcile(report("new", 7)) == Reconciled(moved=5000)
        assert time.perf_counter() - began < 5
        assert all(sample.path.startswith(named(project, sample) or "?") for sample in project.samples())
