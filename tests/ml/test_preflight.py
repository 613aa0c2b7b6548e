"""A run that cannot work fails in its first seconds, with a sentence that says what there is and what it needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from small import create, picture_folder

from ml.core.events import Event, Failed, Note, StageStarted
from ml.core.jobs import NeverStop, TrainJob
from ml.core.messages import english
from ml.core.stages import Stage
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.training import preflight, resources


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preflight")
    create(picture_folder(folder / "pictures", each=8), folder / "shapes.handlens").close()
    return folder / "shapes.handlens"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def _begin(place: Path, *, until: Stage = "decode") -> list[Event]:
    """The events of a training until its samples are opened, or until another stage, or it fails."""
    events: list[Event] = []
    job: Iterator[Event] = run(TrainJob(project=place, epochs=1, device="cpu"), NeverStop())
    for event in job:
        events.append(event)
        if isinstance(event, StageStarted) and event.stage == until:
            break
    return events


def test_a_disk_that_is_too_small_is_said_before_anything_is_opened(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9 - 3 * 10**6, 3 * 10**6))
    began = time.monotonic()
    last = _begin(place)[-1]
    assert time.monotonic() - began < 30
    assert isinstance(last, Failed)
    said = english(last.message)
    assert "needs about" in said
    assert "only 3 MB are free" in said
    assert "decoded samples" in last.details
    assert said.count(". ") == 1, "what happened, and what to do"
    with Project.open(place) as project:
        newest = project.runs.all()[-1]
        assert (newest.state, newest.message) == ("failed", last.message)
        assert not list((place / "cache").glob("pixels-*/*.npy"))


@pytest.mark.slow
def test_a_memory_that_is_short_halves_the_batch_and_one_too_small_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "available_memory", lambda: 250 * 10**6)
    events = _begin(place, until="finetune")
    assert isinstance(events[-1], StageStarted), events[-1]
    assert any(isinstance(event, Note) and "Memory ran short" in english(event.sentence) for event in events)
    monkeypatch.setattr(preflight, "available_memory", lambda: 10 * 10**6)
    last = _begin(place, until="finetune")[-1]
    assert isinstance(last, Failed)
    assert "10 MB are free" in english(last.message)
    with Project.open(place) as project:
        newest = project.runs.all()[-1]
        assert newest.state == "finished" and len(project.predictions(newest.number)), "its first model stays"


def test_a_container_s_limit_counts_but_not_the_files_it_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < resources.available_memory() <= psutil.virtual_memory().total + psutil.swap_memory().total
    monkeypatch.setattr(resources, "CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("100000000")
    (tmp_path / "memory.current").write_text("90000000")
    (tmp_path / "memory.stat").write_text("anon 20000000\ninactive_file 60000000\n")
    assert resources.available_memory() == 70_000_000
    (tmp_path / "memory.max").write_text("max")
    assert resources.available_memory() > 70_000_000
