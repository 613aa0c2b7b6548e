"""The contact sheet of a run: what it said of samples it has never seen, and where it looked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ml.core.errors import HandlensError
from ml.core.messages import msg, text, tr
from ml.core.types import Sample
from ml.inference.answers import NONE_OF_THEM
from ml.media.kinds import kind_named
from ml.pictures.axes import save_png
from ml.pictures.contact_sheet import SheetTile, contact_sheet
from ml.pictures.render_sample import render_sample
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.scoring.tasks import task_named

TILES = 20
_SIDE = 360
_MOST_WRONG = 8


def write_sheet(project: Project, run: int, *, title: str, target: Path) -> Path:
    """Draw the test samples of run `run`, the wrong ones first, and give back `target`."""
    stored = project.predictions(run)
    rows = {int(sample_id): row for row, sample_id in enumerate(stored.sample_ids)}
    tested = [s for s in project.samples() if s.split == "test" and s.labelled and s.id in rows]
    if not tested:
        raise HandlensError(msg("No test sample has a label, so there is nothing to show."))
    _ = project.source_folder
    names = tuple(item.name for item in project.classes())
    predicted_classes = {s.id: _predicted_classes(stored, rows[s.id]) for s in tested}
    tiles = []
    for sample in _chosen(
        tested, predicted_classes, {s.id: float(stored.probabilities[rows[s.id]].max()) for s in tested}
    ):
        picture = render_sample(
            project.kind,
            project.file(sample.path),
            windowing=project.reading,
            start=sample.start or 0.0,
            size=(_SIDE, _SIDE),
        )
        maps = kind_named(project.kind).turned(np.asarray(stored.maps[rows[sample.id]], dtype=np.float32))
        probabilities = stored.probabilities[rows[sample.id]]
        tile = SheetTile(
            picture=picture,
            maps=maps,
            shown=predicted_classes[sample.id],
            label=_named(sample.labels, names),
            predicted=_named(predicted_classes[sample.id], names),
            probability=float(probabilities.max()) if task_named(stored.task).exclusive else None,
        )
        tiles.append(tile)
    subtitle = tr(
        "{project}, run {run}. Left: the sample. Right: what spoke for the answer. Wrong answers come first.",
        project=project.name,
        run=str(run),
    )
    save_png(contact_sheet(tiles, title=title, subtitle=subtitle), target)
    return target


def _predicted_classes(stored: Predictions, row: int) -> tuple[int, ...]:
    """The classes that are said of a row, by index."""
    thresholds = None if stored.thresholds is None else stored.thresholds.tolist()
    return tuple(sorted(task_named(stored.task).predicted(np.asarray(stored.probabilities[row]), thresholds)))


def _named(classes: tuple[int, ...], names: tuple[str, ...]) -> str:
    return ", ".join(names[index] for index in sorted(classes)) or text(NONE_OF_THEM)


def _chosen(
    tested: list[Sample], predicted_classes: dict[int, tuple[int, ...]], sure: dict[int, float]
) -> list[Sample]:
    """The surest mistakes, then right ones turn by turn from every class, or from every set of classes."""
    wrong = [s for s in tested if set(predicted_classes[s.id]) != set(s.labels)]
    wrong.sort(key=lambda s: -sure[s.id])
    mistakes = wrong[:_MOST_WRONG]
    queues: dict[tuple[int, ...], list[Sample]] = {}
    for sample in tested:
        if set(predicted_classes[sample.id]) == set(sample.labels):
            queues.setdefault(tuple(sorted(sample.labels)), []).append(sample)
    right: list[Sample] = []
    while len(mistakes) + len(right) < TILES and any(queues.values()):
        for label in sorted(queues):
            if queues[label] and len(mistakes) + len(right) < TILES:
                right.append(queues[label].pop(0))
    return mistakes + right
