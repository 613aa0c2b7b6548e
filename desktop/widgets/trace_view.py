"""The traces of a sensor log: a time axis, and a named lane for each column."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.spectrogram_view import SpectrogramView

_WIDEST = 110


class TraceView(SpectrogramView):
    """Shows an image whose lanes are, from top to bottom, the columns named by `set_lanes`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Measurements over time"))
        self._names: tuple[str, ...] = ()

    def set_lanes(self, names: Sequence[str], *, start: float, length: float, timed: bool) -> None:
        """Name the lanes. `start` and `length` of the window are seconds, or rows if not `timed`."""
        self._names = tuple(names)
        self._unit = tr("seconds") if timed else tr("rows")
        metrics = self.fontMetrics()
        self._left = 14 + min(_WIDEST, max((metrics.horizontalAdvance(name) for name in self._names), default=30))
        self.set_axes(start=start, seconds=length, f_min=0.0, f_max=0.0)

    def lanes(self) -> tuple[str, ...]:
        return self._names

    def paint_side(self, painter: QPainter, plot: QRectF, look: style.Tokens) -> None:
        painter.setPen(look.muted)
        for place, name in enumerate(self._names):
            height = plot.height() / len(self._names)
            box = QRectF(4, plot.top() + place * height, self._left - 11, height)
            shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideRight, int(box.width()))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, shown)
