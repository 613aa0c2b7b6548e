"""A confusion matrix: rows are labels, columns are predictions. A cell can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import nmsg, number, text, tr

SMALLEST_CELL, LARGEST_CELL = 26, 84
LONGEST_NAME = 120
TITLE = 26
ARROWS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


class ConfusionView(QWidget):
    """Shows counts. Emits `cell_chosen(label, predicted)` and `cell_pointed(sentence)`."""

    cell_chosen = Signal(int, int)
    cell_pointed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Confusion matrix"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._counts: NDArray[np.int64] = np.zeros((0, 0), dtype=np.int64)
        self._names: tuple[str, ...] = ()
        self._totals: NDArray[np.int64] | None = None
        self._room = 0
        """The width of the longest name."""
        self._at = (0, 0)

    def set_counts(
        self, counts: NDArray[np.int64], names: Sequence[str], totals: NDArray[np.int64] | None = None
    ) -> None:
        """`counts` (classes, classes): row = label, column = prediction.

        `totals` (classes,) in multi-label runs: how many samples have each class. A cell off the diagonal then counts
        the samples of its row for which its column was predicted wrongly.
        """
        self._counts, self._names, self._totals = counts, tuple(names), totals
        self._at = (0, 0)
        metrics = self.fontMetrics()
        self._room = min(LONGEST_NAME, max((metrics.horizontalAdvance(name) for name in names), default=0)) + 8
        self.updateGeometry()
        self.update()

    def sentence(self, row: int, column: int) -> str:
        """Describe a cell: "3 of 41 labelled “apple” were predicted as “pear”."."""
        count, total = int(self._counts[row, column]), int(self._counts[row].sum())
        label, predicted = self._names[row], self._names[column]
        if self._totals is not None:
            total = int(self._totals[row])
            if row == column:
                sentence = nmsg(
                    "“{label}” was found in {count} of the {total} samples that have it.",
                    "“{label}” was found in {count} of the {total} samples that have it.",
                    count,
                )
            else:
                sentence = nmsg(
                    "“{predicted}” was wrongly predicted for {count} of the {total} samples with “{label}”.",
                    "“{predicted}” was wrongly predicted for {count} of the {total} samples with “{label}”.",
                    count,
                )
        elif row == column:
            sentence = nmsg(
                "{count} of {total} labelled “{label}” was predicted correctly.",
                "{count} of {total} labelled “{label}” were predicted correctly.",
                count,
            )
        else:
            sentence = nmsg(
                "{count} of {total} labelled “{label}” was predicted as “{predicted}”.",
                "{count} of {total} labelled “{label}” were predicted as “{predicted}”.",
                count,
            )
        return text(replace(sentence, values={"total": total, "label": label, "predicted": predicted}))

    def counts(self) -> NDArray[np.int64]:
        return self._counts

    def cell_rect(self, row: int, column: int) -> QRect:
        side = self._side()
        return QRect(self._left() + column * side, self._top() + row * side, side, side)

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint().expandedTo(QSize(480, 420))

    def minimumSizeHint(self) -> QSize:
        side = len(self._names) * SMALLEST_CELL
        return QSize(self._left() + side + 60, self._top() + side + 8)

    # -- painting ------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        totals = self._counts.sum(axis=1)
        for row in range(len(self._names)):
            self._paint_names(painter, row, look)
            for column in range(len(self._names)):
                share = self._counts[row, column] / totals[row] if totals[row] else 0.0
                self._paint_cell(painter, row, column, share=float(share), look=look)
        self._paint_titles(painter, look)
        if self._names and self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.text, 2))
            painter.drawRect(QRectF(self.cell_rect(*self._at)).adjusted(1, 1, -2, -2))

    def _paint_cell(self, painter: QPainter, row: int, column: int, *, share: float, look: style.Tokens) -> None:
        cell = self.cell_rect(row, column).adjusted(1, 1, -1, -1)
        count = int(self._counts[row, column])
        colour = cell_colour(share, right=row == column, look=look) if count else look.sunken
        painter.fillRect(cell, colour)
        if count and cell.width() >= SMALLEST_CELL - 4:
            painter.setPen(ink_on(colour, look))
            painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, number(count))

    def _paint_names(self, painter: QPainter, index: int, look: style.Tokens) -> None:
        side, metrics = self._side(), painter.fontMetrics()
        painter.setPen(look.text if index == self._at[0] and self.hasFocus() else look.muted)
        name = metrics.elidedText(self._names[index], Qt.TextElideMode.ElideRight, self._room)
        box = QRect(TITLE, self._top() + index * side, self._room, side)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        painter.setPen(look.text if index == self._at[1] and self.hasFocus() else look.muted)
        painter.save()
        painter.translate(QPointF(self._left() + (index + 0.5) * side, self._top() - 6))
        painter.rotate(-45 if len(self._names) <= 12 else -90)
        name = metrics.elidedText(self._names[index], Qt.TextElideMode.ElideRight, self._room)
        painter.drawText(QRectF(0, -10, self._room + 4, 20), Qt.AlignmentFlag.AlignVCenter, name)
        painter.restore()

    def _paint_titles(self, painter: QPainter, look: style.Tokens) -> None:
        painter.setPen(look.text)
        extent = len(self._names) * self._side()
        painter.drawText(QRectF(self._left(), 2, max(extent, 160), 18), Qt.AlignmentFlag.AlignLeft, tr("predicted"))
        painter.save()
        painter.translate(14, self._top() + extent / 2)
        painter.rotate(-90)
        painter.drawText(QRectF(-80, -10, 160, 20), Qt.AlignmentFlag.AlignCenter, tr("labelled"))
        painter.restore()

    def _side(self) -> int:
        count = max(1, len(self._names))
        room = min((self.width() - self._left() - 60) // count, (self.height() - self._top() - 8) // count)
        return max(SMALLEST_CELL, min(LARGEST_CELL, room))

    def _left(self) -> int:
        return TITLE + self._room + 8

    def _top(self) -> int:
        return TITLE + (round(self._room * 0.71) + 10 if len(self._names) <= 12 else self._room)

    # -- mouse and keys ------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        self.setToolTip(self.sentence(*cell) if cell else "")
        if cell:
            self.cell_pointed.emit(self.sentence(*cell))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position().toPoint())
        if cell and event.button() == Qt.MouseButton.LeftButton:
            self.point_at(cell)
            self.cell_chosen.emit(*cell)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = ARROWS.get(Qt.Key(event.key()))
        if step and self._names:
            last = len(self._names) - 1
            row, column = self._at[0] + step[0], self._at[1] + step[1]
            self.point_at((min(max(row, 0), last), min(max(column, 0), last)))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._names:
            self.cell_chosen.emit(*self._at)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._names:
            self.point_at(self._at)

    def point_at(self, cell: tuple[int, int]) -> None:
        """Move the cursor to a cell (row, column) and describe it."""
        self._at = cell
        self.setAccessibleDescription(self.sentence(*cell))
        self.cell_pointed.emit(self.sentence(*cell))
        self.update()

    def _cell_at(self, point: QPoint) -> tuple[int, int] | None:
        side = self._side()
        column, row = (point.x() - self._left()) // side, (point.y() - self._top()) // side
        inside = 0 <= row < len(self._names) and 0 <= column < len(self._names)
        return (row, column) if inside and point.x() >= self._left() and point.y() >= self._top() else None


def cell_colour(share: float, *, right: bool, look: style.Tokens) -> QColor:
    """Return a colour that gets stronger with the share of the row."""
    strong, ground = look.good if right else look.bad, look.sunken
    # A single mistake must be visible, so the weakest shade is not the background.
    part = 0.18 + 0.62 * share
    return QColor.fromRgbF(
        part * strong.redF() + (1 - part) * ground.redF(),
        part * strong.greenF() + (1 - part) * ground.greenF(),
        part * strong.blueF() + (1 - part) * ground.blueF(),
    )


def ink_on(colour: QColor, look: style.Tokens) -> QColor:
    """Return the text colour if it is readable on `colour`, else black or white."""
    inks = (look.text, QColor("white"), QColor("black"))
    return next((ink for ink in inks if style.contrast(ink, colour) >= style.READABLE), inks[-1])
