"""Kill a process that labels and trains, and tell what it had acknowledged by then. Used by a test and a benchmark."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ml.project.project import Project

ROOT = Path(__file__).resolve().parents[2]


class TrainingFailedError(AssertionError):
    """The training of the labeller ended with a fault of its own."""


class Killed(NamedTuple):
    """How far the labeller came before it was killed."""

    epochs: int
    labels: int


def work_and_kill(place: Path, acknowledged: dict[int, int], *, lines: int, epochs: int, resume: bool) -> Killed:
    """Let the labeller print `lines` lines or finish `epochs` epochs, then kill its whole group.

    `acknowledged` receives the last label of each sample that the labeller reported as written.
    """
    command = [sys.executable, str(Path(__file__).with_name("labeller.py")), str(place), "resume" if resume else "new"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=environment, cwd=ROOT
    )
    assert process.stdout is not None
    printed = seen = labels = 0
    with process, process.stdout:
        for line in process.stdout:
            printed += 1
            seen += line.startswith("event EpochDone")
            labels += _note(line, acknowledged)
            if (lines and printed >= lines) or (epochs and seen >= epochs):
                break
            if line.startswith("event Finished"):  # no epoch was better than the first model for a while
                break
            if line.startswith("event Failed"):
                os.killpg(process.pid, signal.SIGKILL)
                raise TrainingFailedError(line)
        os.killpg(process.pid, signal.SIGKILL)
        for line in process.stdout:
            if line.endswith("\n"):
                labels += _note(line, acknowledged)
    return Killed(seen, labels)


def train(
    place: Path, *arguments: str, kill_at: Callable[[dict[str, Any]], bool] = lambda _event: False
) -> list[dict[str, Any]]:
    """Run `handlens train --json` as a process of its own, killed at the first event that `kill_at` picks."""
    events = []
    with subprocess.Popen(
        [sys.executable, "-m", "ml.cli", "train", str(place), "--device", "cpu", "--json", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            events.append(json.loads(line))
            if kill_at(events[-1]):
                process.kill()
                break
    return events


def has_interrupted(place: Path) -> bool:
    """Whether the project has a run that a kill interrupted."""
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        run = project.runs.unfinished()
        return run is not None and run.state != "failed"


def lost_labels(place: Path, acknowledged: dict[int, int]) -> list[str]:
    """One line per acknowledged label that the project no longer has."""
    lost = []
    with Project.open(place) as project:
        present = {sample.id: sample.label for sample in project.samples()}
        for sample, label in acknowledged.items():
            # The very last label may have been on disk already without having been acknowledged.
            history = [change.new[0] for change in project.history(sample)]
            if label not in history[-2:] or present[sample] != history[-1]:
                lost.append(f"sample {sample}: acknowledged {label}, is {present[sample]}, history {history[-3:]}")
    return lost


def _note(line: str, acknowledged: dict[int, int]) -> bool:
    """Whether the line acknowledges a label."""
    if not line.startswith("label "):
        return False
    _, sample, label = line.split()
    acknowledged[int(sample)] = int(label)
    return True
