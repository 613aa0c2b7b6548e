"""What the Train page says before a training: what there is to learn from, which runs there are, what can go on."""

from __future__ import annotations

from desktop.models.run_scores import Standings
from desktop.pages.train import messages as train_words
from desktop.pages.train_ending import Left
from desktop.session import Session
from ml.api import PRESETS, Preset, Project, estimate_seconds


def readiness(session: Session) -> tuple[str, bool]:
    """A sentence on what there is to learn from, and whether it can learn from that."""
    labelled = [frozenset(sample.labels) for sample in session.samples if sample.labelled]
    classes = len({index for labels in labelled for index in labels})
    # One class can be learned where some are known not to show it.
    ready = len(set(labelled)) >= 2
    return train_words.readiness(session.project.kind, labelled=len(labelled), classes=classes, ready=ready), ready


def left_over(session: Session, *, stopped: bool) -> Left | None:
    """The run that can be gone on with; `stopped` by the user just now, or cut off."""
    run = session.to_resume()
    if run is None:
        return None
    return Left(run=run.number, stopped=stopped, stands=session.project.runs.stands(run.number))


def runs_so_far(session: Session, standings: Standings) -> list[tuple[int, tuple[str, ...]]]:
    """The number and the cells of every finished run, the newest first."""
    finished = [run for run in reversed(session.project.runs.all()) if run.state == "finished"]
    counts = train_words.split_counts(session.samples)
    task = session.project.task
    return [(run.number, train_words.run_cells(run, standings.of(run.number), counts, task)) for run in finished]


def estimate_all(project: Project, backbone: str) -> dict[Preset, float]:
    """Seconds for each preset on this machine; NaN where not known."""
    return {preset: estimate_seconds(project, preset, backbone=backbone) for preset in PRESETS}
