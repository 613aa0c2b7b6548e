"""Read what a card on the start page shows, in a pool thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from desktop.i18n import KindName

if TYPE_CHECKING:
    from ml.api import Project


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentFacts:
    """The newest finished run by `run`, its number, or 0 for none; its test `accuracy` on `tested` samples. `paused`:
    the number of a run that can be resumed, or 0."""

    name: str
    kind: KindName
    samples: int
    run: int
    paused: int
    accuracy: float | None
    tested: int
    several: bool
    """Multi-label: `accuracy` is a mean average precision."""
    images: tuple[QImage, ...]


def read_recent(path: Path) -> RecentFacts:
    """Read a project. Raises HandlensError if it cannot be opened."""
    # Importing the core takes longer than the first window may take to appear, so it happens here.
    from desktop.workers.sample_renderer import examples, spread
    from ml.api import HandlensError, Project, task_named

    with Project.open(path, to_read=True) as project:
        run = project.runs.newest()
        paused = project.runs.resumable(tuple(each.name for each in project.classes()))
        images: tuple[QImage, ...] = ()
        try:
            chosen = spread(project.labelled_paths(), 4)
            images = examples(project.file, chosen, project.kind, project.reading, 128)
        except HandlensError:
            images = ()  # the originals are missing; the card shows empty squares
        return RecentFacts(
            name=project.name,
            kind=project.kind,
            samples=sum(project.count_splits().values()),
            run=0 if run is None else run.number,
            paused=0 if paused is None or paused.state == "failed" else paused.number,
            accuracy=None if run is None else run.test_accuracy,
            tested=0 if run is None else _tested(project, run.number),
            several=not task_named(project.task).exclusive,
            images=images,
        )


def _tested(project: Project, run: int) -> int:
    """Count the samples that the run was tested with."""
    from ml.api import HandlensError

    try:
        return int(project.predictions(run).labelled("test").sum())
    except HandlensError:
        return 0
