"""Real processes under a limit of memory say that memory ran out, whatever fails first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fabricate import image_folder, project_of
from tiny_model import write_colour_model

from ml.core.memory import MEMORY_RAN_OUT
from ml.core.messages import english

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space"),
]


def limited(megabytes: int) -> Callable[[], None]:
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def run(*arguments: str, megabytes: int, module: str = "ml.cli") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        preexec_fn=limited(megabytes),
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen", "LANGUAGE": "en"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.parametrize("megabytes", [600, 1500, 3000])
def test_a_training_without_room_for_its_libraries_says_so(tmp_path: Path, megabytes: int) -> None:
    with project_of(image_folder(tmp_path / "src"), tmp_path / "birds.handlens") as project:
        path = project.path
    ended = run("train", str(path), megabytes=megabytes)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(english(MEMORY_RAN_OUT))
    assert "Traceback" not in ended.stderr


def test_a_prediction_without_room_says_so(tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "colours.onnx")
    ended = run("predict", str(model), str(image_folder(tmp_path / "src")), megabytes=240)
    assert ended.returncode == 1
    # Where it runs out depends on the libraries; details are offered of what failed after they were loaded.
    assert ended.stderr.startswith(english(MEMORY_RAN_OUT)) and ended.stderr.count("\n") == 1


def test_a_window_without_room_for_its_libraries_says_so() -> None:
    ended = run("studio", megabytes=240, module="desktop")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == english(MEMORY_RAN_OUT)  # libraries of the system complain after it
    assert "Traceback" not in ended.stderr


def test_a_folder_is_scanned_in_little_memory(tmp_path: Path) -> None:
    image_folder(tmp_path / "src")
    ended = run("new", str(tmp_path / "made"), "--from", str(tmp_path / "src"), megabytes=1500)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "made" / "project.db").is_file() or (tmp_path / "made.handlens" / "project.db").is_file()
