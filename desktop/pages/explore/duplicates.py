"""The tab "Near-duplicates" of the Explore page: groups of samples that are nearly the same, and which ones leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QWidget

from desktop.i18n import error_text, things, tr, trn
from desktop.models.prediction_table import PredictionTable
from desktop.pages.explore.model import ExploreModel
from desktop.widgets.thumbnail_grid import Ids
from desktop.widgets.tiles import Tile
from desktop.workers.tasks import Tasks
from ml.api import SPLIT_CODES, KindName, near_duplicates

_TRAIN = SPLIT_CODES.index("train")
_HELD_OUT = (SPLIT_CODES.index("valid"), SPLIT_CODES.index("test"))


@dataclass(frozen=True, kw_only=True, slots=True)
class DuplicateGroup:
    """Rows of a run that are nearly the same. `leaks`: some were trained on, and others are to test or validate."""

    rows: NDArray[np.int64]
    leaks: bool


class DuplicatesBar(QWidget):
    """Says what was found, and lets the groups be limited to those that leak."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.leaks_box = QCheckBox(tr("Only those across the split"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.sentence, 1)
        row.addWidget(self.leaks_box)


class DuplicatesController(QObject):
    """Looks for near-duplicates in the background, once for each run. Emits `changed` when they are there."""

    changed = Signal()

    def __init__(self, bar: DuplicatesBar, model: ExploreModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bar, self._model = bar, model
        self._groups: list[DuplicateGroup] | None = None
        self._group_of: dict[int, int] = {}
        self._problem = ""
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._looking = False
        model.run_changed.connect(self._forget)
        bar.leaks_box.toggled.connect(self.changed)

    def close(self) -> None:
        self._tasks.close()

    def start(self) -> None:
        """Look for them, unless that has been done for this run."""
        table = self._model.table
        if table is not None and self._groups is None and not self._looking and not self._problem:
            self._looking = True
            self._tasks.submit(_groups_of, table)

    def ids(self) -> Ids:
        """Return the samples of all groups, group by group; none while they are looked for."""
        table = self._model.table
        groups = [each for each in self._groups or () if each.leaks or not self._bar.leaks_box.isChecked()]
        if table is None or not groups:
            return np.zeros(0, dtype=np.int64)
        return np.asarray(table.ids[np.concatenate([group.rows for group in groups])])

    def explanation(self) -> str:
        """Return why the grid is empty; empty if it is not."""
        if self._problem:
            return self._problem
        if self._groups is None:
            return tr("Looking for samples that are nearly the same…")
        if not self._groups:
            return tr("No two samples are nearly the same.")
        return "" if len(self.ids()) else tr("None of them lies across the split.")

    def show_sentence(self, kind: KindName) -> None:
        groups = self._groups or []
        self._bar.leaks_box.setVisible(bool(groups))
        self._bar.sentence.setText(duplicates_sentence(groups, kind) if groups else "")

    def tile(self, sample_id: int) -> Tile:
        """Describe a sample by its group and its split, then as everywhere."""
        tile = self._model.tile(sample_id)
        row = self._model.row(sample_id)
        if self._model.table is None or row is None:
            return tile
        split = split_names()[int(self._model.table.splits[row])]
        group = str(self._group_of.get(row, 0))
        caption = tr("{group} · {split} · {caption}", group=group, split=split, caption=tile.caption)
        spoken = tr("Group {group}, {split}. {rest}", group=group, split=split, rest=tile.spoken)
        return replace(tile, caption=caption, number="", spoken=spoken)

    @Slot()
    def _forget(self) -> None:
        self._tasks.forget_all()
        self._groups, self._group_of, self._problem, self._looking = None, {}, "", False

    @Slot(int, object)
    def _on_done(self, _number: int, groups: object) -> None:
        assert isinstance(groups, list)
        self._looking, self._groups = False, groups
        self._group_of = {
            int(row): number for number, group in enumerate(groups, start=1) for row in group.rows.tolist()
        }
        self.changed.emit()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._looking, self._problem = False, error_text(error)
        self.changed.emit()


def split_names() -> tuple[str, ...]:
    """Return the names of the splits in the order of `SPLIT_CODES`."""
    return tr("Training"), tr("Validation"), tr("Test"), tr("Not labelled")


def duplicates_sentence(groups: Sequence[DuplicateGroup], kind: KindName) -> str:
    """Say how many samples are nearly the same, and how many groups make the test easier than it is."""
    count = sum(len(group.rows) for group in groups)
    found = trn(
        "{count} group of near-duplicates, {things} in it.",
        "{count} groups of near-duplicates, {things} in them.",
        len(groups),
        things=things(kind, count),
    )
    leaks = sum(group.leaks for group in groups)
    if not leaks:
        return tr("{found} None lies across the split.", found=found)
    return trn(
        "{found} {count} lies across the split, so its test is easier than new samples will be.",
        "{found} {count} lie across the split, so the test is easier than new samples will be.",
        leaks,
        found=found,
    )


def _groups_of(table: PredictionTable) -> list[DuplicateGroup]:
    """Return groups with samples of more than one file. Runs in a background thread."""
    found = []
    for rows in near_duplicates(table.predictions.embeddings):
        if len(np.unique(table.sources[rows])) < 2:
            continue  # windows of one recording
        splits = table.splits[rows]
        leaks = bool((splits == _TRAIN).any() and np.isin(splits, _HELD_OUT).any())
        found.append(DuplicateGroup(rows=rows, leaks=leaks))
    return sorted(found, key=lambda group: not group.leaks)
