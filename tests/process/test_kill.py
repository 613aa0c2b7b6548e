"""Promise two: kill everything at any moment, and nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small import create, picture_folder

from ml.core.events import BatchDone, Finished, ProbeDone
from ml.core.jobs import StopRequest, TrainJob
from ml.pipeline.dispatch import run
from ml.project.project import Project
from tests.process.kills import has_interrupted, lost_labels, train, work_and_kill

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills a process group, which Windows does not have")


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("kills", "late"), [(4, 1), pytest.param(20, 10, marks=pytest.mark.slow)])
def test_kills_lose_no_label_and_no_run(tmp_path: Path, kills: int, late: int) -> None:
    """`late` of the kills hit the fine-tuning, the others the first seconds: opening, decoding, the probe."""
    chance = random.Random(20)
    place = tmp_path / "shapes.handlens"
    create(picture_folder(tmp_path / "pictures", each=12), place).close()
    acknowledged: dict[int, int] = {}
    epochs_seen = 0
    for number in range(kills):
        early = number % 2 == 1 or number >= 2 * late
        lines = chance.randrange(1, 30) if early else 0
        epochs = 0 if early else chance.randrange(1, 4)
        resume = has_interrupted(place)
        epochs_seen += work_and_kill(place, acknowledged, lines=lines, epochs=epochs, resume=resume).epochs
        _check(place, acknowledged)
    assert epochs_seen >= late, "the training was never reached"

    hurry = _Hurry()
    for last in run(TrainJob(project=place, resume=has_interrupted(place), device="cpu"), hurry):
        hurry.there_is_a_model |= isinstance(last, ProbeDone | BatchDone)  # a resumed run has its first model
    assert isinstance(last, Finished), last
    _check(place, acknowledged)
    with Project.open(place) as project:
        assert (project.runs.folder(last.run) / "model.onnx").is_file()
        assert len(project.predictions(last.run)) == len(project.samples())


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_never_been_killed(tmp_path: Path) -> None:
    """Killed in the middle of an epoch, then again after the last one; the twin is left alone."""
    place, twin = tmp_path / "shapes.handlens", tmp_path / "twin.handlens"
    create(picture_folder(tmp_path / "pictures", each=20), place).close()
    shutil.copytree(place, twin)
    whole = train(twin, "--epochs", "3")
    # Two steps make an epoch: the first step of the second is its middle.
    parts = train(place, "--epochs", "3", kill_at=lambda e: e["event"] == "batch" and e["epoch"] == 2)
    assert has_interrupted(place)
    parts += train(place, "--resume", kill_at=lambda e: e["event"] == "epoch" and e["epoch"] == 3)
    assert has_interrupted(place)
    parts += train(place, "--resume")

    def epochs(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [event for event in events if event["event"] == "epoch"]

    assert [event["epoch"] for event in epochs(parts)] == [1, 2, 3]
    for ours, theirs in zip(epochs(parts), epochs(whole), strict=True):
        for name in ("train_loss", "valid_loss", "valid_accuracy", "rate"):
            assert ours[name] == pytest.approx(theirs[name], abs=1e-4), (name, ours, theirs)
    for name in ("valid_accuracy", "test_accuracy", "probe_accuracy"):
        assert parts[-1][name] == whole[-1][name]
    with Project.open(place) as resumed, Project.open(twin) as alone:
        answers = [np.array(project.predictions(1).probabilities) for project in (resumed, alone)]
    assert np.abs(answers[0] - answers[1]).max() < 1e-3
    assert (place / "runs/0001/history.csv").read_text().count("\n") == 5


class _Hurry:
    """Stops, and keeps the best, as soon as there is something to keep."""

    there_is_a_model = False

    def requested(self) -> StopRequest:
        return "stop" if self.there_is_a_model else ""


def _check(place: Path, acknowledged: dict[int, int]) -> None:
    with closing(sqlite3.connect(place / "project.db")) as database, database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
    database.close()
    assert lost_labels(place, acknowledged) == []
