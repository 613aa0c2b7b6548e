"""Which FFmpeg is used, in every process, and what is said of one that a person chose."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.core.messages import english
from ml.media.ffmpeg import ENVIRONMENT, find_by_itself, find_ffmpeg
from ml.media.ffmpeg_check import check_ffmpeg

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs of these tests are shell scripts")
ROOT = Path(__file__).parents[2]


def program(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return program(tmp_path / "my ffmpeg", "echo ffmpeg version 7.1-mine Copyright")


@pytest.fixture(autouse=True)
def own_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def prefer(config: Path, value: str) -> None:
    """Store a choice as the window does, with Qt in a process of its own."""
    pytest.importorskip("PySide6.QtCore")
    code = "import sys\nfrom desktop import settings\nsettings.set_value(settings.FFMPEG, sys.argv[1])\n"
    environment = os.environ | {"XDG_CONFIG_HOME": str(config), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, value], env=environment, check=True)


def test_the_choice_of_the_window_holds_at_once_and_in_other_processes(tmp_path: Path, mine: Path) -> None:
    assert find_ffmpeg() == find_by_itself()
    prefer(tmp_path / "config", str(mine))
    assert find_ffmpeg() == mine
    code = "from ml.media.ffmpeg import find_ffmpeg; print(find_ffmpeg())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(mine)
    mine.unlink()
    assert find_ffmpeg() == find_by_itself()


def test_the_environment_goes_first(tmp_path: Path, mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = program(tmp_path / "other", "echo ffmpeg version 8")
    prefer(tmp_path / "config", str(mine))
    monkeypatch.setenv(ENVIRONMENT, str(other))
    assert find_ffmpeg() == other
    check = check_ffmpeg(str(mine))
    assert check.works
    assert str(other) in english(check.sentence)


def test_a_program_that_works_is_named_by_its_version(mine: Path) -> None:
    check = check_ffmpeg(str(mine))
    assert check.works
    assert check.program == str(mine)
    assert "7.1-mine works" in english(check.sentence)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [("echo ffprobe version 7.1", "not FFmpeg"), ("echo ffmpeg version 7; exit 3", "not FFmpeg"), ("", "not FFmpeg")],
)
def test_other_programs_are_refused_in_a_sentence(tmp_path: Path, lines: str, reason: str) -> None:
    check = check_ffmpeg(str(program(tmp_path / "tool", lines)))
    assert not check.works
    assert check.program == ""
    assert reason in english(check.sentence)


def test_what_is_no_program_is_refused_in_a_sentence(tmp_path: Path) -> None:
    assert "no such file" in english(check_ffmpeg(str(tmp_path / "gone")).sentence)
    (tmp_path / "notes.txt").write_text("notes", encoding="utf-8")
    assert "no program" in english(check_ffmpeg(str(tmp_path / "notes.txt")).sentence)
    assert not check_ffmpeg(str(tmp_path)).works


def test_a_program_that_never_answers_is_ended_when_nobody_waits(tmp_path: Path) -> None:
    started = time.monotonic()
    assert not check_ffmpeg(str(program(tmp_path / "slow", "exec sleep 60")), stopped=lambda: True).works
    assert time.monotonic() - started < 5


def test_nothing_chosen_says_which_one_is_used() -> None:
    check = check_ffmpeg()
    found = find_by_itself()
    assert check.works == (found is not None)
    assert (str(found) if found else "No FFmpeg was found") in english(check.sentence)
