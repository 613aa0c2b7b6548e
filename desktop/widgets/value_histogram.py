"""A histogram of values with two edges that can be dragged: what is black and what is white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import tr

_HEIGHT, _STRIP, _KNOB, _SIDE = 72, 8, 6, 8
_BARS = 96
_NEAR = 12
"""Pixels from which an edge can be taken."""
_SHARES = (0.05, 99.95)
"""Per cent of the values between which the axis lies at least."""
_CLOSEST = 0.005
"""The edges stay so far apart, as a share of the axis."""


class ValueHistogram(QWidget):
    """Takes values with `set_values` and edges with `set_edges`. Emits `edges_changed(low, high)` while one is dragged.

    Below the bars a strip shows which values become black, grey and white.
    """

    edges_changed = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("How often each value occurs, with the values for black and white"))
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._values: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._bars: NDArray[np.float64] = np.zeros(0)
        self._axis = (0.0, 1.0)
        self._edges = (0.0, 1.0)
        self._dragged: int | None = None

    def sizeHint(self) -> QSize:
        return QSize(360, _HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, _HEIGHT)

    def set_values(self, values: NDArray[np.float32]) -> None:
        """Show how often each value occurs; the axis holds nearly all of them and both edges."""
        self._values = values[np.isfinite(values)]
        self._fit()

    def set_edges(self, low: float, high: float) -> None:
        """Move the edges; the axis grows if need be."""
        self._edges = (low, high)
        self._fit()

    def edges(self) -> tuple[float, float]:
        return self._edges

    def share_outside(self) -> float:
        """Return the share of the values that become plain black or white; 0 before there are values."""
        low, high = self._edges
        return float(((self._values < low) | (self._values > high)).mean()) if self._values.size else 0.0

    def bars(self) -> tuple[float, ...]:
        """Return the heights of the bars, 0…1; none before there are values."""
        return tuple(self._bars.tolist())

    def x_of(self, value: float) -> float:
        """Return where a value lies, in pixels from the left."""
        first, last = self._axis
        return _SIDE + (value - first) / (last - first) * (self.width() - 2 * _SIDE)

    def _fit(self) -> None:
        low, high = self._edges
        if self._values.size:
            least, most = (float(value) for value in np.percentile(self._values, _SHARES))
            low, high = min(low, least), max(high, most)
        if not high > low:
            high = low + 1.0
        around = 0.03 * (high - low)
        self._axis = (low - around, high + around)
        self._bars = np.zeros(0)
        if self._values.size:
            counts = np.histogram(self._values, bins=_BARS, range=self._axis)[0].astype(np.float64)
            # The root keeps rare values visible beside a dark ground that is most of every picture.
            self._bars = np.sqrt(counts / max(1.0, counts.max()))
        self.update()

    def _value_at(self, x: float) -> float:
        first, last = self._axis
        return first + (x - _SIDE) / max(1, self.width() - 2 * _SIDE) * (last - first)

    def _edge_near(self, x: float) -> int | None:
        away = [abs(self.x_of(edge) - x) for edge in self._edges]
        nearest = 0 if away[0] < away[1] else 1
        return nearest if away[nearest] <= _NEAR else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._dragged = self._edge_near(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._dragged is None:
            near = self._edge_near(x) is not None
            self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
            return
        first, last = self._axis
        low, high = self._edges
        apart = _CLOSEST * (last - first)
        value = min(max(self._value_at(x), first), last)
        self._edges = (min(value, high - apart), high) if self._dragged == 0 else (low, max(value, low + apart))
        self.update()
        self.edges_changed.emit(*self._edges)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        if self._dragged is not None:
            self._dragged = None
            self._fit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        floor = self.height() - _STRIP - 4
        plot = QRectF(_SIDE, 0, self.width() - 2 * _SIDE, floor)
        painter.fillRect(plot, look.surface)
        low, high = (self.x_of(edge) for edge in self._edges)
        width = plot.width() / max(1, len(self._bars))
        for place, bar in enumerate(self._bars):
            left, height = plot.left() + place * width, bar * (floor - 2)
            used = low <= left + width / 2 <= high
            painter.fillRect(QRectF(left, floor - height, width, height), look.muted if used else look.line)
        strip = QRectF(plot.left(), self.height() - _STRIP, plot.width(), _STRIP)
        shade = QLinearGradient(QPointF(low, 0), QPointF(max(high, low + 1), 0))
        shade.setColorAt(0, QColor("black"))
        shade.setColorAt(1, QColor("white"))
        painter.fillRect(strip, shade)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(look.accent)
        for x in (low, high):
            painter.setPen(QPen(look.accent, 2))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawPolygon(QPolygonF([QPointF(x - _KNOB, 0), QPointF(x + _KNOB, 0), QPointF(x, 1.5 * _KNOB)]))
