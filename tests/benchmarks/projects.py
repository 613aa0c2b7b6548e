"""Projects over the real samples, trained once and, where a folder for them is given, used again."""

from __future__ import annotations

import argparse
from pathlib import Path

from ml.core.events import Failed, Finished, Scanned
from ml.core.jobs import NeverStop, ScanJob, TrainJob
from ml.core.types import KindName, Preset
from ml.pipeline.dispatch import run
from ml.project.project import SUFFIX, Project
from ml.project.split.plan import plan_split

PLACES: dict[str, tuple[KindName, str]] = {
    "flowers": ("images", "images/flowers"),
    "trashnet": ("images", "images/trashnet"),
    "eurosat": ("images", "images/eurosat"),
    "esc10": ("recordings", "recordings/esc10"),
    "spoken-digits": ("recordings", "recordings/spoken-digits"),
    "accelerometer-fan": ("sensors", "sensors/accelerometer-fan"),
}


def parser_for(name: str, what: str | None) -> argparse.ArgumentParser:
    """With the options that every benchmark on trained projects has."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks {name}", description=what)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--keep", type=Path, help="a folder in which the trained projects stay, to be used again")
    return parser


def trained(data: Path, name: str, place: Path, *, preset: Preset = "quick") -> Path:
    """The project over the set `name` in the folder `place`, with a finished run."""
    kind, below = PLACES[name]
    project = place / f"{name}{SUFFIX}"
    if not project.exists():
        last = list(run(ScanJob(folder=data / below, kind=kind), NeverStop()))[-1]
        assert isinstance(last, Scanned), last
        plan = plan_split(last.report)
        Project.create(project, name=name, report=last.report, plan=plan).close()
    with Project.open(project) as opened:
        done = opened.runs.newest() is not None
    if not done:
        last = list(run(TrainJob(project=project, preset=preset, device="cpu"), NeverStop()))[-1]
        if isinstance(last, Failed):
            raise SystemExit(last.message)
        assert isinstance(last, Finished), last
    return project
