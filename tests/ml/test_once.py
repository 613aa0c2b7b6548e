"""Every file is opened once, and the pretrained network looks at it once, however often is learned from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small import create, picture_folder

from ml.core.events import EpochDone, Event, Finished, Progress
from ml.core.jobs import NeverStop, ScanJob, SuspectJob, TrainJob
from ml.features import features
from ml.features.features import embedding_folders
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.training.run_files import read_backbone


def _train(place: Path) -> list[Event]:
    events = list(run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop()))
    assert isinstance(events[-1], Finished), events[-1]
    return events


def _new(events: list[Event], stage: str) -> int:
    """How many samples the stage had to do."""
    return max((event.total for event in events if isinstance(event, Progress) and event.stage == stage), default=0)


@pytest.mark.parametrize("most", [pytest.param(1000, marks=pytest.mark.slow), 26])
def test_two_more_pictures_cost_two_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Also where the project grows beyond what feature grids are kept of."""
    monkeypatch.setattr(features, "MAX_SAMPLES_WITH_GRIDS", most)
    folder, place = picture_folder(tmp_path / "in", each=13), tmp_path / "p.handlens"
    create(folder, place).close()
    first = _train(place)
    assert (_new(first, "decode"), _new(first, "features")) == (26, 26)
    for name in ("disc", "square"):
        picture = np.frombuffer((folder / name / f"{name}-00.png").read_bytes(), dtype=np.uint8)
        (folder / name / "more.png").write_bytes(picture.tobytes() + name.encode())
    with Project.open(place) as project:
        *_, scanned = run(ScanJob(folder=folder, kind="images"), NeverStop())
        plan = plan_split(scanned.report, existing=project.splits())
        assert project.add(scanned.report, plan) == 2
    second = _train(place)
    assert (_new(second, "decode"), _new(second, "features")) == (2, 2)


@pytest.mark.slow
def test_after_the_first_round_the_files_are_not_needed_any_more(tmp_path: Path) -> None:
    folder, place = picture_folder(tmp_path / "in", each=12), tmp_path / "p.handlens"
    create(folder, place).close()
    for event in run(TrainJob(project=place, epochs=2, device="cpu"), NeverStop()):
        if isinstance(event, EpochDone) and event.epoch == 1:
            shutil.rmtree(folder)
    assert isinstance(event, Finished), event


def test_labels_are_judged_by_what_the_network_of_the_run_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by what another one saw, that was tried once."""
    place = tmp_path / "p.handlens"
    create(picture_folder(tmp_path / "in", each=12), place).close()
    _train(place)
    own = embedding_folders(place / "cache", read_backbone(place / "runs" / "0001"))
    assert len(own) == 1
    shutil.copytree(own[0], place / "cache" / "embeddings-another_network-0123456789")
    asked: list[Path] = []

    def noted(cache: Path, backbone: str) -> list[Path]:
        asked.extend(embedding_folders(cache, backbone))
        return asked

    monkeypatch.setattr(features, "embedding_folders", noted)
    list(run(SuspectJob(project=place), NeverStop()))
    assert asked == own
