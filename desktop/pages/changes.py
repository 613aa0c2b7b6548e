"""What another run changed: it is kept in mind while somebody trains again from the Explore or the Label page."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from desktop import icons
from desktop.i18n import tr, trn
from desktop.models.prediction_table import PredictionTable
from desktop.widgets.tiles import Tile
from ml.api import Sample

Flip = Literal["", "right", "wrong", "other"]
"""Now right, now wrong, or predicted as another class and as wrong as before."""
MARKS: dict[Flip, str] = {"": "", "right": "▲ ", "wrong": "▼ ", "other": "◆ "}


class RunChanges:
    """Compares the table of one run with that of the run before the person trained again, by the present labels."""

    def __init__(self) -> None:
        self._before: PredictionTable | None = None
        self.before_number: int | None = None
        self._now: PredictionTable | None = None

    @property
    def active(self) -> bool:
        """Whether there is something to compare with."""
        return self._before is not None and self._now is not None

    def remember(self, number: int, table: PredictionTable) -> None:
        """Compare later runs with this one."""
        self._before, self.before_number, self._now = table, number, None

    def forget(self) -> None:
        self._before, self.before_number, self._now = None, None, None

    def follow(self, number: int | None, table: PredictionTable | None) -> None:
        """Another run is shown: compare it if it is later, and forget everything if it is an earlier one."""
        if self.before_number is None:
            return
        if number is None or number < self.before_number:
            self.forget()
        else:
            self._now = table if number > self.before_number else None

    def update(self, samples: list[Sample]) -> None:
        """Take over the present labels of these samples."""
        for table in (self._before, self._now):
            if table is not None:
                table.update(samples)

    def flip(self, sample_id: int) -> Flip:
        """Say how the prediction of a sample has changed."""
        if self._before is None or self._now is None:
            return ""
        old, new = self._before.row(sample_id), self._now.row(sample_id)
        if old is None or new is None:
            return ""
        other: Flip = (
            "other" if set(self._before.predicted_classes(old)) != set(self._now.predicted_classes(new)) else ""
        )
        if self._now.labels[new] < 0:  # nobody has said what is right
            return other
        was, now = self._before.wrong_at(old), self._now.wrong_at(new)
        if was != now:
            return "wrong" if now else "right"
        return other if now else ""

    def flipped(self, split: int | None) -> dict[Flip, NDArray[np.int64]]:
        """Return the ids of what is right or wrong only now, or predicted as another class, in a split or in all."""
        if self._before is None or self._now is None:
            return {}
        ids, places, rows = np.intersect1d(self._before.ids, self._now.ids, return_indices=True)
        wanted = (split is None) | (self._now.splits[rows] == split)
        known = (self._now.labels[rows] >= 0) & wanted
        was, now = self._before.wrong()[places], self._now.wrong()[rows]
        unclear = wanted & (~known | (was & now))
        if self._now.exclusive:
            others = np.flatnonzero(unclear & (self._before.predicted[places] != self._now.predicted[rows]))
        else:
            found = [place for place in np.flatnonzero(unclear).tolist() if self.flip(int(ids[place])) == "other"]
            others = np.array(found, dtype=np.int64)
        return {"right": ids[known & was & ~now], "wrong": ids[known & ~was & now], "other": ids[others]}


class ChangesBar(QWidget):
    """Says what changed since the run before. Each number is a button."""

    flip_chosen = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = QLabel()
        self.buttons: dict[Flip, QPushButton] = {"right": _link(), "wrong": _link(), "other": _link()}
        close = QPushButton()
        close.setProperty("role", "quiet")
        close.setAccessibleName(tr("Stop marking what changed"))
        close.setToolTip(close.accessibleName())
        icons.set_icon(close, "ph.x")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.sentence)
        for flip, button in self.buttons.items():
            button.clicked.connect(lambda _checked=False, flip=flip: self.flip_chosen.emit(flip))
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(close)
        close.clicked.connect(self.closed)
        self.hide()

    def show_changes(self, changes: RunChanges, number: int | None, split: int | None) -> None:
        """Say how many samples of the split flipped; hide where nothing is compared."""
        self.setVisible(changes.active)
        if not changes.active:
            return
        counts = {flip: len(ids) for flip, ids in changes.flipped(split).items()}
        self.sentence.setText(tr("Run {now} against run {before}:", now=str(number), before=str(changes.before_number)))
        self.buttons["right"].setText(now_right(counts["right"]))
        self.buttons["wrong"].setText(now_wrong(counts["wrong"]))
        self.buttons["other"].setText(now_other(counts["other"]))
        for flip, button in self.buttons.items():
            button.setEnabled(bool(counts[flip]))
        self.buttons["other"].setVisible(bool(counts["other"]))


def now_right(count: int) -> str:
    return trn("▲ {count} now right", "▲ {count} now right", count)


def now_wrong(count: int) -> str:
    return trn("▼ {count} now wrong", "▼ {count} now wrong", count)


def now_other(count: int) -> str:
    return trn("◆ {count} guessed as another class", "◆ {count} guessed as another class", count)


def flip_words(flip: Flip) -> str:
    """Name the samples that changed in this way."""
    return {"right": tr("now right"), "wrong": tr("now wrong")}.get(flip, tr("guessed as another class"))


def marked(tile: Tile, flip: Flip) -> Tile:
    """Return the tile with the mark of what changed."""
    if not flip:
        return tile
    said = tr("{first} {second}", first=spoken(flip), second=tile.spoken)
    return replace(tile, caption=MARKS[flip] + tile.caption, spoken=said)


def spoken(flip: Flip) -> str:
    """Say the mark of a tile in words."""
    return {
        "right": tr("Now right; it was wrong in the run before."),
        "wrong": tr("Now wrong; it was right in the run before."),
        "other": tr("Predicted as another class than in the run before."),
    }.get(flip, "")


def _link() -> QPushButton:
    button = QPushButton()
    button.setProperty("role", "link")
    button.setToolTip(tr("Show these samples"))
    return button
