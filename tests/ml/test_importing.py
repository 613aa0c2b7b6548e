"""A folder as people keep them becomes a report, and the folder is as it was."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import soundfile
from PIL import Image

from ml.core.disk import disk_reason
from ml.core.events import TERMINAL, Event, Failed, Progress, Scanned, StageStarted, Stopped
from ml.core.jobs import NeverStop, ScanJob, StopRequest
from ml.core.messages import english
from ml.core.regular_files import NOT_A_FILE
from ml.core.scan_report import FoundFile, ScanReport
from ml.project.scan import scan as scanning
from ml.project.scan.checks import findings
from ml.project.scan.folder import CLOSED_FOLDER, LEAVES_FOLDER
from ml.project.scan.scan import scan


def picture(path: Path, seed: int | None = None) -> None:
    """A small picture, different for every path unless a seed is given."""
    number = int.from_bytes(hashlib.sha256(str(path).encode()).digest()[:4]) if seed is None else seed
    pixels = np.random.default_rng(number).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def recording(path: Path, *, seconds: float, rate: int = 8000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)), rate)


def events_of(folder: Path, kind: Literal["images", "recordings", "sensors"] = "images") -> list[Event]:
    events = list(scan(ScanJob(folder=folder, kind=kind), NeverStop()))
    assert [isinstance(event, TERMINAL) for event in events].index(True) == len(events) - 1
    assert not multiprocessing.active_children()
    return events


def report_of(folder: Path, kind: Literal["images", "recordings"] = "images") -> ScanReport:
    last = events_of(folder, kind)[-1]
    assert isinstance(last, Scanned), last
    return last.report


def failure_of(folder: Path, kind: Literal["images", "recordings", "sensors"] = "images") -> str:
    last = events_of(folder, kind)[-1]
    assert isinstance(last, Failed), last
    told = english(last.message)
    assert told.endswith(".")
    return told


def by_path(report: ScanReport) -> dict[str, FoundFile]:
    return {file.path: file for file in report.files}


def test_a_folder_per_class(tmp_path: Path) -> None:
    for name in ("cats/1.png", "cats/2.PNG", "dogs/1.png"):
        picture(tmp_path / name)
    events = events_of(tmp_path)
    assert isinstance(events[0], StageStarted)
    assert isinstance(events[-2], Progress)
    assert (events[-2].done, events[-2].total) == (3, 3)
    report = report_of(tmp_path)
    assert report.folder == str(tmp_path)
    assert report.class_counts == {"cats": 2, "dogs": 1}
    file = by_path(report)["cats/2.PNG"]
    content = (tmp_path / file.path).read_bytes()
    assert (file.width, file.height, file.size) == (8, 6, len(content))
    assert file.digest == hashlib.sha256(content).hexdigest()
    assert file.mtime_ns == (tmp_path / file.path).stat().st_mtime_ns
    assert report.windowing is None


def test_deeper_folders_are_no_classes(tmp_path: Path) -> None:
    for name in ("cats/day1/a.png", "cats/day2/am/b.png", "dogs/day1/c.png"):
        picture(tmp_path / name)
    assert report_of(tmp_path).class_counts == {"cats": 2, "dogs": 1}


def test_a_folder_around_the_folder_is_looked_through(tmp_path: Path) -> None:
    for name in ("download/data/cats/a.png", "download/data/dogs/b.png"):
        picture(tmp_path / name)
    (tmp_path / "readme.txt").write_text("hello", encoding="utf-8")
    report = report_of(tmp_path)
    assert report.class_counts == {"cats": 1, "dogs": 1}
    assert set(by_path(report)) == {"download/data/cats/a.png", "download/data/dogs/b.png"}


def test_one_class_folder_is_a_class(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    assert report_of(tmp_path).class_counts == {"cats": 1}


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    report = report_of(tmp_path)
    assert [file.class_name for file in report.files] == [None, None]
    assert report.class_counts == {}


def test_files_beside_the_class_folders_have_no_label(tmp_path: Path) -> None:
    for name in ("a.png", "cats/b.png", "dogs/c.png"):
        picture(tmp_path / name)
    assert {path: file.class_name for path, file in by_path(report_of(tmp_path)).items()} == {
        "a.png": None,
        "cats/b.png": "cats",
        "dogs/c.png": "dogs",
    }


@pytest.mark.parametrize("parts", [("train", "val"), ("Training", "VALID", "Test"), ("train", "dev", "testing")])
def test_ready_made_parts_are_recognised(tmp_path: Path, parts: tuple[str, ...]) -> None:
    for part in parts:
        for name in ("cats", "dogs"):
            picture(tmp_path / "set" / part / name / f"{part}.png")
    report = report_of(tmp_path)
    assert report.class_counts == {"cats": len(parts), "dogs": len(parts)}
    assert {file.ready_split for file in report.files} == {part.lower() for part in parts}


def test_a_class_that_is_called_train_is_a_class(tmp_path: Path) -> None:
    for name in ("bus/a.png", "car/b.png", "train/c.png"):
        picture(tmp_path / name)
    report = report_of(tmp_path)
    assert report.class_counts == {"bus": 1, "car": 1, "train": 1}
    assert {file.ready_split for file in report.files} == {None}


def test_a_flat_test_part_has_no_labels(tmp_path: Path) -> None:
    for name in ("train/cats/a.png", "train/dogs/b.png", "test/1.png"):
        picture(tmp_path / name)
    file = by_path(report_of(tmp_path))["test/1.png"]
    assert (file.class_name, file.ready_split) == (None, "test")


def test_litter_and_other_files_are_not_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.png")
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", ".hidden.png"):
        (tmp_path / "cats" / name).write_bytes(b"rubbish")
    for name in ("__MACOSX/cats/._a.png", ".thumbnails/a.png", "@eaDir/a.png", "Old.handlens/cache/a.png"):
        picture(tmp_path / name)
    report = report_of(tmp_path)
    assert set(by_path(report)) == {"cats/a.png", "dogs/b.png"}
    assert report.unreadable == ()


def test_what_cannot_be_read_is_listed_with_a_reason(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.jpg")  # a PNG by content
    (tmp_path / "cats/empty.jpg").write_bytes(b"")
    (tmp_path / "dogs/text.png").write_text("no picture", encoding="utf-8")
    (tmp_path / "dogs/scan.dcm").write_bytes(bytes(200))
    report = report_of(tmp_path)
    assert set(by_path(report)) == {"cats/a.png", "dogs/b.jpg"}
    reasons = {item.path: english(item.reason) for item in report.unreadable}
    assert list(reasons) == ["cats/empty.jpg", "dogs/scan.dcm", "dogs/text.png"]
    assert reasons["cats/empty.jpg"] == "The file is empty."
    assert all(reason.endswith(".") and str(tmp_path) not in reason for reason in reasons.values())


def test_copies_are_found_and_contradicting_labels_seen(tmp_path: Path) -> None:
    for name, seed in (("cats/a.png", 1), ("dogs/b.png", 1), ("cats/c.png", 2), ("cats/d.png", 2), ("dogs/e.png", 3)):
        picture(tmp_path / name, seed)
    first, second = report_of(tmp_path).duplicates
    assert (first.paths, first.class_names, first.conflicting) == (("cats/a.png", "dogs/b.png"), ("cats", "dogs"), True)
    assert (second.paths, second.class_names, second.conflicting) == (("cats/c.png", "cats/d.png"), ("cats",), False)


def test_recordings_bring_their_windows(tmp_path: Path) -> None:
    for name in ("rain/a.wav", "rain/b.flac", "saw/c.WAV"):
        recording(tmp_path / name, seconds=1.4)
    report = report_of(tmp_path, "recordings")
    assert report.class_counts == {"rain": 2, "saw": 1}
    assert report.windowing is not None
    assert (report.windowing.rate, report.windowing.seconds) == (8000, 1.5)
    file = by_path(report)["rain/a.wav"]
    assert (file.duration, file.rate, file.channels) == (pytest.approx(1.4), 8000, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_in_a_circle_do_no_harm(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.png")
    (tmp_path / "cats/again").symlink_to(tmp_path)
    (tmp_path / "0 first").symlink_to(tmp_path / "dogs")
    (tmp_path / "dogs/self").symlink_to("self")
    assert set(by_path(report_of(tmp_path))) == {"cats/a.png", "dogs/b.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_out_of_the_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere/dogs/b.png")
    picture(tmp_path / "set/cats/a.png")
    picture(tmp_path / "set/fish/c.png")
    (tmp_path / "set/dogs").symlink_to(tmp_path / "elsewhere/dogs")
    (tmp_path / "set/cats/b.png").symlink_to(tmp_path / "elsewhere/dogs/b.png")
    (tmp_path / "set/cats/notes.txt").symlink_to("/etc/hostname")
    (tmp_path / "set/cats/gone.png").symlink_to("nowhere.png")
    report = report_of(tmp_path / "set")
    assert report.class_counts == {"cats": 1, "fish": 1}
    outside = [item.path for item in report.unreadable if item.reason == LEAVES_FOLDER]
    assert outside == ["cats/b.png", "dogs"]
    assert [item.path for item in report.unreadable if item.path not in outside] == ["cats/gone.png"]
    told = next(english(found.sentence) for found in findings(report) if found.paths == tuple(outside))
    assert told.startswith("2 links lead out of the folder and were not followed.")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_folder_that_is_chosen_through_a_link_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "real/cats/a.png")
    (tmp_path / "chosen").symlink_to(tmp_path / "real")
    assert set(by_path(report_of(tmp_path / "chosen"))) == {"cats/a.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_linked_file_is_a_copy_that_is_not_read_twice(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.png")
    picture(tmp_path / ".annex/c.png")
    (tmp_path / "dogs/a.png").symlink_to("../cats/a.png")
    for name in ("cats/c.png", "dogs/c.png"):
        (tmp_path / name).symlink_to("../.annex/c.png")
    events = events_of(tmp_path)
    assert max(event.total for event in events if isinstance(event, Progress)) == 3
    assert isinstance(events[-1], Scanned)
    report = events[-1].report
    assert report.class_counts == {"cats": 2, "dogs": 3}
    assert {item.paths for item in report.duplicates} == {("cats/a.png", "dogs/a.png"), ("cats/c.png", "dogs/c.png")}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_one_class_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        picture(tmp_path / f"cats/{name}.png")
    events = list(scan(ScanJob(folder=tmp_path, kind="images", new=True), NeverStop()))
    assert isinstance(events[-1], Failed)
    assert "only one class, “cats”" in english(events[-1].message)
    assert not any(isinstance(event, Progress) and event.total for event in events)
    # A class in a folder that is not read is named, too.
    (tmp_path / "dogs").symlink_to(tmp_path.parent)
    (failed,) = list(scan(ScanJob(folder=tmp_path, kind="images", new=True), NeverStop()))[-1:]
    assert isinstance(failed, Failed) and "The link “dogs” leads out of the folder" in english(failed.message)
    # A folder to test a model on, or to join a project, may have one class.
    assert report_of(tmp_path).class_counts == {"cats": 3}


def test_the_search_tells_how_many_files_it_has_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.png")
    monkeypatch.setattr(scanning, "BETWEEN_PROGRESS", 0.0)
    counts = [(event.done, event.total) for event in events_of(tmp_path) if isinstance(event, Progress)]
    assert counts[:3] == [(1, 0), (2, 0), (0, 2)]


@pytest.mark.skipif(sys.platform != "linux", reason="pipes and such names exist on Linux only")
def test_pipes_and_impossible_names_do_not_hold_it_up(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "dogs/b.png")
    os.mkfifo(tmp_path / "cats/pipe.png")
    picture(tmp_path / "dogs/ok.png")
    (tmp_path / "dogs/ok.png").rename(tmp_path / os.fsdecode(b"dogs/caf\xe9.png"))
    report = report_of(tmp_path)
    assert set(by_path(report)) == {"cats/a.png", "dogs/b.png"}
    bad, pipe = sorted(report.unreadable, key=lambda item: item.path == "cats/pipe.png")
    assert pipe.reason == NOT_A_FILE
    assert "Rename the file" in english(bad.reason)
    bad.path.encode("utf-8")  # can be stored and shown


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may open everything")
def test_files_that_may_not_be_opened_say_so(tmp_path: Path) -> None:
    picture(tmp_path / "cats/a.png")
    picture(tmp_path / "cats/locked.png")
    picture(tmp_path / "dogs/b.png")
    (tmp_path / "cats/locked.png").chmod(0)
    (tmp_path / "dogs").chmod(0)
    report = report_of(tmp_path)
    (tmp_path / "dogs").chmod(0o755)
    assert [item.path for item in report.unreadable] == ["cats/locked.png", "dogs"]
    assert all("allow reading" in english(item.reason).lower() for item in report.unreadable)


def test_a_folder_inside_that_may_not_be_opened_is_listed(tmp_path: Path, close_folder: Callable[[str], None]) -> None:
    for name in ("cats/a.png", "dogs/b.png", "fish/c.png"):
        picture(tmp_path / name)
    close_folder("dogs")
    report = report_of(tmp_path)
    assert report.class_counts == {"cats": 1, "fish": 1}
    assert [(item.path, item.reason) for item in report.unreadable] == [("dogs", CLOSED_FOLDER)]


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.EACCES, "allow reading it"), (errno.ENOENT, "no longer there"), (errno.EIO, "check the disk")],
)
def test_what_the_disk_says_becomes_a_sentence(number: int, word: str) -> None:
    assert word in str(disk_reason(OSError(number, "technical words", "/home/anna/a.png"))).lower()
    assert disk_reason(OSError("a decoder's own words")) is None


def test_a_file_that_is_only_in_the_cloud_is_told_of() -> None:
    error = OSError(errno.EINVAL, "The cloud file provider is not running")
    error.winerror = 362  # type: ignore[attr-defined]
    assert "only in the cloud" in str(disk_reason(error))


def test_the_folder_is_as_it_was(tmp_path: Path) -> None:
    for name in ("cats/a.png", "dogs/b.png"):
        picture(tmp_path / name)

    def state() -> list[tuple[str, int, bytes]]:
        files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        return [(str(path), path.stat().st_mtime_ns, path.read_bytes()) for path in files]

    before = state()
    report_of(tmp_path)
    assert state() == before


def test_a_folder_that_cannot_be_used_says_why_and_what_to_do(tmp_path: Path) -> None:
    assert "does not exist. Choose it again" in failure_of(tmp_path / "gone")
    picture(tmp_path / "file.png")
    assert "is a file, not a folder" in failure_of(tmp_path / "file.png")
    (tmp_path / "empty").mkdir()
    assert "is empty. Choose a folder that contains pictures" in failure_of(tmp_path / "empty")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/a.txt").write_text("hello", encoding="utf-8")
    assert "There are no pictures" in failure_of(tmp_path / "letters")
    recording(tmp_path / "sounds/rain/a.wav", seconds=0.1)
    assert "only 1 recording. Choose recordings instead" in failure_of(tmp_path / "sounds")
    picture(tmp_path / "photos/a.png")
    assert "only 1 picture. Choose pictures instead" in failure_of(tmp_path / "photos", "recordings")
    (tmp_path / "broken/cats").mkdir(parents=True)
    (tmp_path / "broken/cats/a.jpg").write_bytes(b"")
    assert "None of the pictures in “broken” can be read" in failure_of(tmp_path / "broken")
    told = failure_of(tmp_path / "letters", "sensors")
    assert told.startswith("Nothing in “letters” can be read as a log of measurements. For example “a.txt”: The log ")
    assert "only 1 picture. Choose pictures instead" in failure_of(tmp_path / "photos", "sensors")


class _StopAfter:
    """Asks to stop when it has been asked `calls` times."""

    def __init__(self, calls: int, request: StopRequest) -> None:
        self.calls, self.request = calls, request

    def requested(self) -> StopRequest:
        self.calls -= 1
        return self.request if self.calls < 0 else ""


@pytest.mark.parametrize("request_", ["stop", "cancel"])
@pytest.mark.parametrize("calls", [0, 3, 45])
def test_a_stop_ends_it_and_leaves_no_process(tmp_path: Path, calls: int, request_: StopRequest) -> None:
    for index in range(40):
        picture(tmp_path / f"class{index % 2}" / f"{index}.png")
    events = list(scan(ScanJob(folder=tmp_path, kind="images"), _StopAfter(calls, request_)))
    assert events[-1] == Stopped()
    assert sum(isinstance(event, TERMINAL) for event in events) == 1
    assert not multiprocessing.active_children()


def test_whoever_walks_away_leaves_no_process(tmp_path: Path) -> None:
    for index in range(40):
        picture(tmp_path / f"class{index % 2}" / f"{index}.png")
    events = scan(ScanJob(folder=tmp_path, kind="images"), NeverStop())
    for event in events:
        if isinstance(event, Progress) and event.done:
            break
    events.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()
