"""Videos in a project of pictures: their frames are samples that stay together, and are answered with their times."""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_model import COLOURS, SIZE, write_colour_model
from videos import write_video

from ml.core.jobs import NeverStop
from ml.core.messages import english
from ml.core.scan_report import ScanReport, Unreadable
from ml.features.decode import Decoded
from ml.media.ffmpeg import NEEDS_FFMPEG
from ml.project.project import Project
from ml.project.scan.checks import findings
from ml.project.update.add_files import add_files
from ml.project.update.source_changes import source_changes, update_from_source
from ml.runtime.model import ReleasedModel
from tests.ml.terminal import Handlens

SHADES = {"red": "red", "green": "lime", "blue": "blue"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name in COLOURS:
        for number in range(3):
            write_video(folder / name / f"{number}.mp4", {SHADES[name]: 3 + number})
    Image.new("RGB", (SIZE, SIZE), "red").save(folder / "red" / "photo.png")
    return folder


@pytest.fixture
def videos(made: Path, tmp_path: Path) -> Path:
    """Three videos of each colour, and a picture."""
    return Path(shutil.copytree(made, tmp_path / "videos"))


def test_frames_are_samples_and_stay_with_their_video(handlens: Handlens, videos: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "gate", "--from", videos, "--kind", "images", "--json")
    assert done.code == 0, done.err
    created = done.lines[-1]
    assert created["frames"] == {"every": 0.5, "videos": 9, "samples": 3 * (6 + 8 + 10)}
    assert created["samples"] == 73
    assert created["windowing"] is None
    assert sum(created["classes"].values()) == 73, "a class folder labels all frames of its videos"
    assert any("9 videos give 72 pictures, one every 0.5 s." in each for each in created["findings"])
    with Project.open(tmp_path / "gate") as project:
        sides = defaultdict(set)
        for sample in project.samples():
            sides[sample.path].add(sample.split)
        assert all(len(held) == 1 for held in sides.values())
        photo = next(sample for sample in project.samples() if sample.path.endswith("photo.png"))
        assert photo.start is None
        decoded, unreadable = Decoded(project, size=16), dict[str, object]()
        list(decoded.decode(project.samples(), NeverStop(), unreadable))  # type: ignore[arg-type]
        assert not unreadable
        rows = np.asarray(decoded.read(project.samples()))
        named = {item.index: item.name for item in project.classes()}
        for sample, row in zip(project.samples(), rows, strict=True):
            assert COLOURS[int(row.mean(axis=(0, 1)).argmax())] == named[sample.labels[0]]


def test_the_user_says_how_far_apart_frames_are(handlens: Handlens, videos: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "gate", "--from", videos, "--frame-every", "2", "--json")
    assert done.lines[-1]["frames"]["every"] == 2.0
    assert done.lines[-1]["frames"]["samples"] == 3 * (2 + 2 + 3)
    again = handlens("new", tmp_path / "gate", "--from", videos, "--json")
    assert again.lines[-1]["added"] == 0
    assert again.lines[-1]["samples"] == done.lines[-1]["samples"]
    other = handlens("new", tmp_path / "gate", "--from", videos, "--frame-every", "1")
    assert other.code == 1
    assert "what is taken from its videos cannot change" in other.err
    wrong = handlens("new", tmp_path / "other", "--from", videos, "--frame-every", "soon")
    assert wrong.code == 2
    shown = handlens("new", tmp_path / "third", "--from", videos, "--frame-every", "2s")
    assert "It has 1 picture and 21 pictures from 9 videos in 3 classes." in shown.out


def test_a_table_that_names_videos_labels_their_frames(handlens: Handlens, tmp_path: Path) -> None:
    for name in COLOURS:
        for number in range(2):
            write_video(tmp_path / "flat" / f"{name}{number}x.mp4", {SHADES[name]: 2 + number})
    rows = [f"{name}{number}x.mp4,{name}" for name in COLOURS for number in range(2)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,colour", *rows]))
    done = handlens(
        "new", tmp_path / "gate", "--from", tmp_path / "flat", "--kind", "images", "--labels", tmp_path / "labels.csv",
        "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.lines[-1]["classes"] == dict.fromkeys(sorted(COLOURS), 4 + 6)


def test_a_table_with_times_labels_parts_of_a_video(handlens: Handlens, tmp_path: Path) -> None:
    for number in range(5):
        write_video(tmp_path / "flat" / f"{number}.mp4", {"red": 2, "blue": 2 + number})
    rows = [f"{number}.mp4,0,2,red\n{number}.mp4,2,{4 + number},blue" for number in range(5)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,start,end,label", *rows]))
    given = ("--from", tmp_path / "flat", "--kind", "images", "--labels", tmp_path / "labels.csv", "--json")
    done = handlens("new", tmp_path / "gate", *given)
    assert done.code == 0, done.err
    with Project.open(tmp_path / "gate") as project:
        names = {item.index: item.name for item in project.classes()}
        for sample in project.samples():
            assert sample.start is not None
            assert names[sample.labels[0]] == ("red" if sample.start < 2 else "blue")
    assert handlens("labels", tmp_path / "gate", "--to", tmp_path / "out.csv").code == 0
    lines = (tmp_path / "out.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("file,label,start,end")
    assert lines[1].startswith("0.mp4,red,0.0,2.0")
    again = handlens("new", tmp_path / "again", *given[:5], tmp_path / "out.csv", "--json")
    assert again.lines[-1]["classes"] == done.lines[-1]["classes"]


def test_videos_without_a_picture_and_cut_ones_are_said(handlens: Handlens, videos: Path, tmp_path: Path) -> None:
    whole = write_video(
        tmp_path / "whole.mp4", {"blue": 8, "red": 8}, options=("-g", "10", "-movflags", "+faststart")
    ).read_bytes()
    (videos / "blue" / "cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    (videos / "blue" / "no.mp4").write_bytes(b"no video")
    done = handlens("new", tmp_path / "gate", "--from", videos, "--kind", "images", "--json")
    created = done.lines[-1]
    assert [each["path"] for each in created["unreadable"]] == ["blue/no.mp4"]
    assert any(each.startswith("1 video is damaged or cut off.") for each in created["findings"])


def test_videos_without_ffmpeg_are_named_with_what_to_install() -> None:
    left_out = [Unreadable(path=name, reason=NEEDS_FFMPEG) for name in ("gate.mp4", "yard.mov")]
    found = findings(ScanReport(folder="/", kind="images", files=(), unreadable=tuple(left_out)))
    told = [english(finding.sentence) for finding in found if finding.paths]
    assert len(told) == 1
    assert told[0].startswith("“gate.mp4” and “yard.mov” can only be read with FFmpeg")
    assert "Install FFmpeg" in told[0]


def test_videos_alone_are_recordings_as_ever(handlens: Handlens, tmp_path: Path) -> None:
    write_video(tmp_path / "one" / "a" / "silent.mp4", {"red": 1})
    write_video(tmp_path / "one" / "b" / "silent.mp4", {"red": 1.5})
    done = handlens("new", tmp_path / "gate", "--from", tmp_path / "one")
    assert done.code == 1
    assert "Add more recordings" in done.err


def test_added_videos_give_frames_too(trained: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "new.mp4", {"red": 2})
    with Project.open(trained) as project:
        added = add_files(project, [video], label="red")
        assert added.new == 1
        frames = [sample for sample in project.samples() if sample.path.endswith("new.mp4")]
        assert [sample.start for sample in frames] == [0.0, 0.5, 1.0, 1.5]
        assert project.frames is not None
    with Project.open(trained) as project:
        assert len(project.samples()) == 34


def test_videos_that_come_into_the_folder_later_give_frames(project: Path, folder: Path) -> None:
    write_video(folder / "blue" / "later.mp4", {"blue": 3})
    with Project.open(project) as opened:
        assert source_changes(opened).new == ("blue/later.mp4",)
        assert update_from_source(opened).added == 1
        frames = [sample for sample in opened.samples() if sample.path == "blue/later.mp4"]
        assert len(frames) == 6
        assert len({sample.split for sample in frames}) == 1
        names = {item.index: item.name for item in opened.classes()}
        assert {names[sample.labels[0]] for sample in frames} == {"blue"}
        assert not source_changes(opened).new


def test_predict_gives_a_table_over_time(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "gate.mp4", {"red": 2, "lime": 2, "blue": 1})
    table = tmp_path / "answers.csv"
    photo = folder / "red" / "0.png"
    done = handlens("predict", trained, video, photo, "--frame-every", "1", "--csv", table, "--json")
    assert (done.code, done.err) == (0, "")
    frames = done.lines[0]["windows"]
    assert [each["start"] for each in frames] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert [each["label"] for each in frames] == ["red", "red", "green", "green", "blue"]
    assert "windows" not in done.lines[1]
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["start"] for row in rows] == ["", "0.0", "1.0", "2.0", "3.0", "4.0", ""]
    assert [row["label"] for row in rows][1:6] == ["red", "red", "green", "green", "blue"]
    shown = handlens("predict", trained, video)
    assert "  00:02.5: green" in shown.out, "the time between frames follows from the length"
    maps = tmp_path / "maps"
    assert handlens("predict", trained, video, "--overlays", maps).code == 0
    assert len(list(maps.iterdir())) == 1


def test_a_table_of_pictures_has_no_times(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "answers.csv"
    handlens("predict", trained, folder / "red" / "0.png", "--csv", table, "--json")
    assert "start" not in table.read_text(encoding="utf-8-sig").splitlines()[0]


def test_a_cut_video_is_answered_up_to_the_damage(handlens: Handlens, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    options = ("-g", "10", "-movflags", "+faststart")
    whole = write_video(tmp_path / "whole.mp4", {"blue": 8, "red": 8}, options=options).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 3 // 4])
    done = handlens("predict", model, tmp_path / "cut.mp4", "--json")
    assert done.code == 0
    assert "is damaged or cut off. Only what comes before the damage was used." in done.err
    assert done.lines[0]["cut"] is True
    assert ReleasedModel.open(model).info.windowing is None
