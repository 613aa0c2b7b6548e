"""The probabilities of the most probable classes, as bars with names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import current_language, tr
from desktop.widgets.elide_distinct import cut_apart

ROW = 24
GAP = 8
WIDEST_NUMBER = 0.999
"""The longest text of a number: "> 99 %"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One class: `fraction` in 0…1. `labelled` marks the present label."""

    name: str
    fraction: float
    colour: QColor
    labelled: bool = False
    threshold: float | None = None
    """The threshold from which the class counts as present, in multi-label runs."""


class ProbabilityBars(QWidget):
    """Paints the bars in the given order."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Confidence in each class"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._bars: tuple[Bar, ...] = ()

    def set_bars(self, bars: Sequence[Bar]) -> None:
        self._bars = tuple(bars)
        values = [tr("{name} {percent}", name=bar.name, percent=percent(bar.fraction)) for bar in self._bars]
        self.setAccessibleDescription(current_language().join(values))
        self.updateGeometry()
        self.update()

    def bars(self) -> tuple[Bar, ...]:
        return self._bars

    def sizeHint(self) -> QSize:
        return QSize(300, ROW * (max(1, len(self._bars)) + self._explained()))

    def _explained(self) -> bool:
        """Whether the legend of the threshold marks is needed."""
        return any(bar.threshold is not None for bar in self._bars)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bold = painter.font()
        bold.setBold(True)
        metrics = QFontMetrics(bold)
        middle = Qt.AlignmentFlag.AlignVCenter
        longest = max((metrics.horizontalAdvance(bar.name) for bar in self._bars), default=0)
        name_width = min(self.width() * 2 // 5, longest + 6)
        names = cut_apart([bar.name for bar in self._bars], bold, name_width)
        number_width = metrics.horizontalAdvance(percent(WIDEST_NUMBER))
        for row, bar in enumerate(self._bars):
            top = row * ROW
            painter.setPen(look.text if bar.labelled else look.muted)
            font = painter.font()
            font.setBold(bar.labelled)
            painter.setFont(font)
            fits = painter.fontMetrics().horizontalAdvance(bar.name) <= name_width
            name = bar.name if fits else names[bar.name]
            painter.drawText(QRect(0, top, name_width, ROW), Qt.AlignmentFlag.AlignLeft | middle, name)
            room = self.width() - name_width - number_width - 2 * GAP
            track = QRectF(name_width + GAP, top + ROW / 2 - 5, max(0, room), 10)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.line)
            painter.drawRoundedRect(track, 3, 3)
            painter.setBrush(bar.colour)
            filled = QRectF(track)
            filled.setWidth(max(2.0, track.width() * bar.fraction))
            painter.drawRoundedRect(filled, 3, 3)
            if bar.threshold is not None:
                at = track.left() + track.width() * bar.threshold
                painter.setPen(QPen(look.text, 2))
                painter.drawLine(QPointF(at, track.top() - 3), QPointF(at, track.bottom() + 3))
            painter.setPen(look.text if bar.labelled else look.muted)
            number = QRect(self.width() - number_width, top, number_width, ROW)
            painter.drawText(number, Qt.AlignmentFlag.AlignRight | middle, percent(bar.fraction))
        if self._explained():
            small = painter.font()
            small.setBold(False)
            small.setPixelSize(look.caption)
            painter.setFont(small)
            painter.setPen(look.muted)
            line = QRect(0, ROW * len(self._bars), self.width(), ROW)
            hint = tr("A class counts as present from its mark on.")
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | middle, hint)


def percent(fraction: float) -> str:
    """Say a probability: "97 %", "> 99 %", "< 1 %"; "100 %" only for exactly 1."""
    if fraction < 0.005:
        return tr("< {n} %", n=1)
    if 0.995 <= fraction < 1.0:
        return tr("> {n} %", n=99)
    return tr("{n} %", n=round(fraction * 100))
