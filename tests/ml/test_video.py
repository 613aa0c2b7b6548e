"""Frames of videos: taken at their moments, counted and never believed, used up to the damage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from videos import run_ffmpeg, write_video

from ml.core.errors import UnreadableError
from ml.core.types import FrameSampling
from ml.media import ffmpeg
from ml.media.ffmpeg import NEEDS_FFMPEG
from ml.media.frames import choose_frames, frame_spans
from ml.media.kinds import kind_named
from ml.media.video import NO_PICTURE, video_facts

IMAGES = kind_named("images")


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ffmpeg, "find_ffmpeg", lambda: None)
    yield


def strongest(path: Path, *starts: float) -> list[str]:
    rows = np.asarray(IMAGES.load(path, starts, windowing=None, size=16))
    assert rows.shape == (len(starts), 16, 16, 3)
    assert rows.dtype == np.uint8
    return [("red", "lime", "blue")[int(row.mean(axis=(0, 1)).argmax())] for row in rows]


@pytest.mark.parametrize("name", ["gate.mp4", "gate.mkv", "gate.avi", "gate.mpg"])
def test_a_frame_is_what_the_video_shows_at_its_moment(tmp_path: Path, name: str) -> None:
    options = ("-r", "25", "-c:v", "mpeg1video") if name.endswith("mpg") else ()
    video = write_video(tmp_path / name, {"red": 2, "lime": 6, "blue": 2}, options=options)
    facts = video_facts(video)
    assert (facts.width, facts.height, facts.cut) == (64, 48, False)
    assert facts.seconds == pytest.approx(10.0, abs=0.15)
    asked = [9.5, 0.0, 1.5, 2.5, 7.5, 8.5]
    assert strongest(video, *asked) == ["blue", "red", "red", "lime", "lime", "blue"]
    assert strongest(video, 1.5) == ["red"]
    assert strongest(video, 99.0) == ["blue"], "behind the end it is the last frame"


def test_a_frame_is_the_same_alone_and_with_others(tmp_path: Path) -> None:
    video = tmp_path / "gate.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=12", "-pix_fmt", "yuv420p", str(video))
    starts = [0.0, 0.5, 3.0, 3.1, 11.0]
    together = IMAGES.load(video, starts, windowing=None, size=32)
    alone = [IMAGES.load(video, [start], windowing=None, size=32)[0] for start in starts]
    np.testing.assert_array_equal(together, np.stack(alone))
    large = IMAGES.original(video, windowing=None, start=3.0, edge=32)
    assert large.shape == (24, 32, 3)


def test_a_turned_video_stands_upright(tmp_path: Path) -> None:
    flat = write_video(tmp_path / "flat.mp4", {"red": 1})
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", "90", "-i", str(flat), "-c", "copy", str(turned))
    assert (video_facts(turned).width, video_facts(turned).height) == (48, 64)


def test_a_cut_video_is_used_up_to_its_end(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    options = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=20", "-g", "10", "-pix_fmt", "yuv420p")
    run_ffmpeg(*options, "-movflags", "+faststart", str(whole))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    facts = video_facts(cut)
    assert facts.cut
    assert 2.0 < facts.seconds < 18.0
    hole = bytearray(whole.read_bytes())
    hole[len(hole) // 2 : len(hole) // 2 + 600] = bytes(600)
    (tmp_path / "hole.mp4").write_bytes(hole)
    facts = video_facts(tmp_path / "hole.mp4")
    assert facts.cut
    assert 2.0 < facts.seconds < 15.0
    assert not video_facts(whole).cut


def test_what_is_no_video_is_refused_with_its_reason(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=1", str(sound))
    with pytest.raises(UnreadableError) as refused:
        IMAGES.probe(sound)
    assert refused.value.message == NO_PICTURE
    for name, content in (("empty.mp4", b""), ("text.mov", b"no video" * 99), ("start.avi", b"RIFF\0\0\0\0AVI LIST")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableError):
            IMAGES.probe(tmp_path / name)


@pytest.mark.usefixtures("without_ffmpeg")
def test_without_ffmpeg_it_is_said_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "gate.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(UnreadableError) as refused:
        IMAGES.probe(tmp_path / "gate.mp4")
    assert refused.value.message == NEEDS_FFMPEG


def test_the_frames_follow_from_the_lengths() -> None:
    assert choose_frames([8.0, 10.0]).every == 0.5
    assert choose_frames([60.0]).every == 1.0
    assert choose_frames([7200.0]).every == 120.0
    assert frame_spans(2.1, FrameSampling(every=1.0)) == ((0.0, 1.0), (1.0, 2.0), (2.0, 2.1))
    assert frame_spans(0.03, FrameSampling(every=1.0)) == ((0.0, 0.03),)
    long = frame_spans(36_000.0, FrameSampling(every=0.5))
    assert len(long) == 300
    assert long[-1][0] < 36_000.0
