"""Stacked bars over time: how many of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from desktop import style
from desktop.i18n import tr

_GAP = 0.2
_WIDEST = 48.0
_LEAST_LABEL = 120
"""Pixels between two labels below the bars."""


class StackedBars(QWidget):
    """Takes a count for each time and class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Counts over time"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._times: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self._colours: tuple[QColor, ...] = ()
        self._counts = np.zeros((0, 0), dtype=np.int64)

    def set_counts(
        self, times: Sequence[str], names: Sequence[str], colours: Sequence[QColor], counts: NDArray[np.int64]
    ) -> None:
        """Show `counts` (times, classes)."""
        self._times, self._names, self._colours, self._counts = tuple(times), tuple(names), tuple(colours), counts
        self.setAccessibleDescription(self._words_of_highest())
        self.update()

    def bars(self) -> list[int]:
        """Return the height of each bar, as a count."""
        return [int(row.sum()) for row in self._counts]

    def sizeHint(self) -> QSize:
        return QSize(640, 240)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 120)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self._bar_at(event.pos().x())
            QToolTip.showText(event.globalPos(), "" if place is None else self._words(place), self)
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        room = self._room()
        highest = max(self.bars(), default=0)
        if not highest:
            painter.setPen(look.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("Nothing was counted."))
            return
        step = _step(highest)
        top = -(-highest // step) * step
        for value in range(0, top + 1, step):
            y = room.bottom() - room.height() * value / top
            painter.setPen(look.line)
            painter.drawLine(int(room.left()), int(y), int(room.right()), int(y))
            painter.setPen(look.muted)
            label = QRectF(0, y - 8, room.left() - look.s, 16)
            painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(value))
        self._paint_bars(painter, room, top)

    def _paint_bars(self, painter: QPainter, room: QRectF, top: int) -> None:
        look, width = style.current(), room.width() / len(self._times)
        bar = min(_WIDEST, max(1.0, width * (1 - _GAP)))
        every = max(1, -(-_LEAST_LABEL * len(self._times) // max(1, int(room.width()))))
        for place, time in enumerate(self._times):
            left, bottom = room.left() + width * (place + 0.5) - bar / 2, room.bottom()
            for count, colour in zip(self._counts[place].tolist(), self._colours, strict=True):
                height = room.height() * count / top
                painter.fillRect(QRectF(left, bottom - height, bar, height), colour)
                bottom -= height
            if place % every == 0:
                painter.setPen(look.muted)
                spot = QRectF(left + bar / 2 - width * every / 2, room.bottom() + 4, width * every, 16)
                shown = painter.fontMetrics().elidedText(
                    time or tr("unknown"), Qt.TextElideMode.ElideLeft, int(spot.width())
                )
                painter.drawText(spot, Qt.AlignmentFlag.AlignCenter, shown)

    def _room(self) -> QRectF:
        widest = self.fontMetrics().horizontalAdvance(str(max(self.bars(), default=0) * 10))
        return QRectF(self.rect()).adjusted(widest + 8, 10, -4, -24)

    def _bar_at(self, x: int) -> int | None:
        room = self._room()
        if not self._times or not room.left() <= x <= room.right():
            return None
        return min(len(self._times) - 1, int((x - room.left()) / room.width() * len(self._times)))

    def _words(self, place: int) -> str:
        lines = [self._times[place] or tr("Time unknown")]
        for name, count in zip(self._names, self._counts[place].tolist(), strict=True):
            if count:
                lines.append(tr("{name}: {n}", name=name, n=str(count)))
        return "\n".join(lines)

    def _words_of_highest(self) -> str:
        bars = self.bars()
        return self._words(bars.index(max(bars))) if bars else ""


def _step(highest: int) -> int:
    """Return a round distance of lines, so that there are at most five."""
    step = 1
    while highest / step > 5:
        step *= 5 if str(step)[0] == "2" else 2
        step = step if str(step)[0] in "125" else 10 ** len(str(step))
    return step
