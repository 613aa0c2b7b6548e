"""Promise two: kill everything at any moment, and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from small import create, picture_folder

from ml.engine import run
from ml.events import Finished
from ml.jobs import NeverStop, TrainJob
from ml.project.project import Project

KILLS = 20
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills a process group, which Windows does not have")


@pytest.mark.timeout(1500)
def test_twenty_kills_lose_no_label_and_no_run(tmp_path: Path) -> None:
    chance = random.Random(20)
    place = tmp_path / "shapes.handlens"
    create(picture_folder(tmp_path / "pictures", each=12), place).close()
    acknowledged: dict[int, int] = {}
    epochs_seen = 0
    for number in range(KILLS):
        # Half of the kills hit the first seconds (opening, decoding, the probe), half the fine-tuning.
        lines = chance.randrange(1, 30) if number % 2 else 0
        epochs = 0 if number % 2 else chance.randrange(1, 4)
        resume = _has_interrupted(place)
        epochs_seen += _work_and_kill(place, acknowledged, lines=lines, epochs=epochs, resume=resume)
        _check(place, acknowledged)
    assert epochs_seen >= KILLS // 2, "the training was never reached"

    last = list(run(TrainJob(project=place, resume=_has_interrupted(place), device="cpu"), _Hurry()))[-1]
    assert isinstance(last, Finished), last
    _check(place, acknowledged)
    with Project.open(place) as project:
        assert (project.runs.folder(last.run) / "model.onnx").is_file()
        assert len(project.predictions(last.run)) == len(project.samples())


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    place = tmp_path / "shapes.handlens"
    create(picture_folder(tmp_path / "pictures", each=10), place).close()
    twin = tmp_path / "twin.handlens"
    shutil.copytree(place, twin)
    whole = list(run(TrainJob(project=twin, epochs=3, device="cpu"), NeverStop()))

    events = run(TrainJob(project=place, epochs=3, device="cpu"), NeverStop())
    for event in events:
        if type(event).__name__ == "EpochDone":
            break
    events.close()
    assert _has_interrupted(place)
    rest = list(run(TrainJob(project=place, resume=True, device="cpu"), NeverStop()))
    assert [e.epoch for e in rest if type(e).__name__ == "EpochDone"] == [2, 3]
    losses = [[e.train_loss for e in part if type(e).__name__ == "EpochDone"] for part in (whole, rest)]
    assert losses[0][1:] == pytest.approx(losses[1], abs=1e-4)


class _Hurry:
    """Stops, and keeps the best, as soon as it is asked."""

    def requested(self) -> str:
        return "stop"


def _work_and_kill(place: Path, acknowledged: dict[int, int], *, lines: int, epochs: int, resume: bool) -> int:
    """Let the labeller work until it has said `lines` lines or finished `epochs` epochs, then kill its whole group."""
    command = [sys.executable, str(Path(__file__).with_name("labeller.py")), str(place), "resume" if resume else "new"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    said = seen = 0
    with process, process.stdout:
        for line in process.stdout:
            said += 1
            seen += line.startswith("event EpochDone")
            _note(line, acknowledged)
            if (lines and said >= lines) or (epochs and seen >= epochs):
                break
            if line.startswith("event Finished"):  # no epoch was better than the first model for a while
                break
            if line.startswith("event Failed"):
                os.killpg(process.pid, signal.SIGKILL)
                pytest.fail(line)
        os.killpg(process.pid, signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                _note(line, acknowledged)
    return seen


def _note(line: str, acknowledged: dict[int, int]) -> None:
    if line.startswith("label "):
        _, sample, label = line.split()
        acknowledged[int(sample)] = int(label)


def _has_interrupted(place: Path) -> bool:
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        return project.runs.newest("interrupted") is not None


def _check(place: Path, acknowledged: dict[int, int]) -> None:
    with sqlite3.connect(place / "project.db") as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()
    with Project.open(place) as project:
        present = {sample.id: sample.label for sample in project.samples()}
        for sample, label in acknowledged.items():
            # The very last label may have been on disk already without having been acknowledged.
            history = [change.new[0] for change in project.history(sample)]
            assert label in history[-2:], (sample, label, history[-3:])
            assert present[sample] == history[-1]
