"""A project of the made-up kind and task."""

from __future__ import annotations

from pathlib import Path

from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.pipeline.worker import Worker
from ml.project.project import Project
from ml.project.scan.multilabel import for_task
from ml.project.split.plan import plan_split
from tests.made_up import film_folder


def ordered_films(folder: Path) -> Path:
    """Scan films in a child process and make a project of them, in which the classes have an order."""
    *_, scanned = Worker().run(ScanJob(folder=film_folder(folder / "films"), kind="films"), NeverStop())
    assert isinstance(scanned, Scanned), scanned
    report = for_task(scanned.report, "ordered")
    place = folder / "films.handlens"
    Project.create(place, name="films", report=report, plan=plan_split(report)).close()
    return place
