"""What a card on the start page shows of a project, read in a pool thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from desktop.i18n import Kind

if TYPE_CHECKING:
    from ml.api import Project, task_named


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentFacts:
    """`accuracy` is that of the newest finished run on its test split, which has `tested` samples; `run` is its
    number, 0 for none."""

    name: str
    kind: Kind
    samples: int
    run: int
    accuracy: float | None
    tested: int
    several: bool
    """More than one class may be present: `accuracy` is a mean average precision."""
    images: tuple[QImage, ...]


def read_recent(path: Path) -> RecentFacts:
    """Raises HandlensError where the project cannot be opened."""
    # The core and its libraries take longer to load than the first window may take to appear, so they are loaded here.
    from desktop.workers.sample_renderer import examples, spread
    from ml.api import HandlensError, Project

    with Project.open(path, to_read=True) as project:
        run = project.runs.newest()
        samples = project.samples()
        images: tuple[QImage, ...] = ()
        try:
            paths = sorted({sample.path for sample in samples if sample.labels})
            chosen = spread(paths, 4)
            images = examples(project.source_folder, chosen, project.kind, project.windowing, 128)
        except HandlensError:
            images = ()  # the originals are not there now; the card says so by its empty squares
        return RecentFacts(
            name=project.name,
            kind=project.kind,
            samples=len(samples),
            run=0 if run is None else run.number,
            accuracy=None if run is None else run.test_accuracy,
            tested=0 if run is None else _tested(project, run.number),
            several=not task_named(project.task).exclusive,
            images=images,
        )


def _tested(project: Project, run: int) -> int:
    """How many samples a run was tested with, whatever came later."""
    from ml.api import HandlensError

    try:
        return int(project.predictions(run).labelled("test").sum())
    except HandlensError:
        return 0
