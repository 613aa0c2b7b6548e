"""Pipes and devices are refused at once, wherever a path is taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.core import preferences, terminal_language
from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import english
from ml.core.regular_files import NOT_A_FILE, check_regular
from ml.media.audio import audio_facts
from ml.media.images import load_image
from ml.media.logs.log import read_log
from ml.networks.weights.resolve import refuse_unknown_weights
from ml.runtime.model import ReleasedModel
from ml.tables.sheet import read_sheet

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="pipes are no files on Windows"),
    pytest.mark.timeout(20),  # a pipe that is opened waits for ever
]

READERS: dict[str, Callable[[Path], object]] = {
    "picture": load_image,
    "recording": audio_facts,
    "log": read_log,
    "table": read_sheet,
}


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("device", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_unreadable(reader: str, device: str, pipe: Path) -> None:
    with pytest.raises(UnreadableError) as caught:
        READERS[reader](pipe.parent / device)
    assert caught.value.message == NOT_A_FILE


@pytest.mark.parametrize(
    "opened", [ReleasedModel.open, lambda path: refuse_unknown_weights("resnet18", path)], ids=["model", "weights"]
)
def test_a_pipe_is_named_where_it_is_no_model(opened: Callable[[Path], object], pipe: Path) -> None:
    with pytest.raises(HandlensError) as caught:
        opened(pipe)
    assert english(caught.value.message).startswith(f"{pipe} is a pipe, a device or a socket")


def test_preferences_that_are_a_pipe_choose_no_language(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preferences, "preferences_file", lambda: pipe)
    assert terminal_language.preferred_language() == ""


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("abc", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    assert check_regular(tmp_path / "link").st_size == 3


@pytest.mark.parametrize("rate", [1, 999, 2_000_000])
def test_a_recording_with_an_absurd_sample_rate_is_refused(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "odd.wav", np.zeros(2000, dtype=np.float32), rate)
    with pytest.raises(UnreadableError, match=f"claims a sample rate of {rate:,} Hz"):
        audio_facts(tmp_path / "odd.wav")


@pytest.mark.parametrize("rate", [1_000, 8_000, 500_000])
def test_slow_and_fast_recorders_are_read(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "fine.wav", np.zeros(rate, dtype=np.float32), rate)
    assert audio_facts(tmp_path / "fine.wav").duration == pytest.approx(1.0)
