"""Several processes that learn one network, started by torchrun: the same result as one, and a clear end for all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from small import create, picture_folder

from ml.project.project import Project

ROOT = Path(__file__).resolve().parents[2]
END_WITHIN = 180
"""Seconds in which everything has ended after one process was killed; on an idle machine it takes about one."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="torchrun's processes cannot be killed one by one there"),
]


def _torchrun(processes: int, *program: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    return subprocess.Popen(
        [*command, *map(str, program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


@pytest.mark.parametrize("processes", [2])
def test_together_they_learn_what_one_learns(tmp_path: Path, processes: int) -> None:
    """Two lessons, the second with nothing to validate by. The last batch of 21 in eights is 5: shares are not even."""
    results = []
    for count in (1, processes):
        folder = tmp_path / str(count)
        folder.mkdir()
        with _torchrun(count, ROOT / "tests" / "process" / "pupil.py", folder) as process:
            _out, complaints = process.communicate(timeout=900)
        assert process.returncode == 0, complaints
        results.append(json.loads((folder / "told.json").read_text(encoding="utf-8")))
    assert all(len(result["first"]) == len(result["last"]) == 3 for result in results)
    for what in ("first", "last", "weights"):
        for alone, together in zip(*(result[what] for result in results), strict=True):
            assert together == pytest.approx(alone, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("killed", [0, 1])
def test_a_lost_process_ends_all_and_the_run_can_be_resumed(tmp_path: Path, killed: int) -> None:
    place = tmp_path / "shapes.handlens"
    create(picture_folder(tmp_path / "pictures", each=14), place).close()
    program = ("-m", "ml.cli", "train", place, "--device", "cpu", "--json")
    with _torchrun(2, *program, "--epochs", "3") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{") and _is_step(json.loads(line), epoch=2):
                break
        _member(process.pid, killed).send_signal(signal.SIGKILL)
        _rest, complaints = process.communicate(timeout=END_WITHIN)
    assert process.returncode != 0
    assert "--resume" in complaints
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        assert project.runs.newest("interrupted", "failed") is not None

    with _torchrun(2, *program, "--resume") as process:
        said, complaints = process.communicate(timeout=900)
    assert process.returncode == 0, complaints
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [2, 3]
    assert events[-1]["event"] == "finished"
    # One voice: no event came twice.
    assert sum(event["event"] == "started" for event in events) == 1


def _is_step(event: dict[str, object], *, epoch: int) -> bool:
    return event["event"] == "batch" and event["epoch"] == epoch


def _member(launcher: int, rank: int) -> psutil.Process:
    members = psutil.Process(launcher).children(recursive=True)
    return next(member for member in members if member.environ().get("RANK") == str(rank))
