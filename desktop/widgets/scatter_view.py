"""A plane of up to 100,000 points: move, zoom, point at one, and draw a line around some."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import tr

NEAR = 10
"""Pixels within which the pointer meets a point."""
POINT_MS = 40
MARGIN = 24
_MANY, _SOME = 20_000, 3_000
_STEP = 0.15
_MOST_ZOOM = 200.0
Points = NDArray[np.float32]
Colours = NDArray[np.uint32]


class ScatterView(QWidget):
    """Points are rows of `set_points`. Drag draws a line around points; the right button, or Shift, moves the plane."""

    pointed = Signal(int)
    """The point under the pointer; -1 for none."""
    clicked = Signal(int)
    lassoed = Signal(object)
    """The rows inside of the line, or those that can be seen when Enter is pressed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Map of the samples"))
        self.setAccessibleDescription(
            tr("Arrow keys move, plus and minus zoom, Enter shows the samples that can be seen, Home shows all.")
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(240, 200)
        self._points: Points = np.zeros((0, 2), dtype=np.float32)
        self._colours: Colours = np.zeros(0, dtype=np.uint32)
        self._order = np.zeros(0, dtype=np.int64)
        self._shuffled, self._shuffled_colours = self._points, self._colours
        self._selected = np.zeros(0, dtype=np.int64)
        self._middle, self._unit = np.zeros(2, dtype=np.float32), 1.0
        """What lies in the middle of the view, and pixels for a unit when all is shown."""
        self._zoom, self._offset = 1.0, QPointF(0, 0)
        self._line: list[QPointF] = []
        self._grip: QPointF | None = None
        self._begin = QPoint()
        self._under = -1
        self._cursor = QPointF()
        self._image: QImage | None = None
        self._buffer: NDArray[np.uint32] | None = None
        self._pointing = QTimer(self, interval=POINT_MS, singleShot=True)
        self._pointing.timeout.connect(self._point)

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_points(self, points: Points, colours: Colours, *, keep_view: bool = False) -> None:
        """Show points (n, 2) in colours (n,) as 0xAARRGGBB."""
        self._points, self._colours = np.asarray(points, dtype=np.float32), np.asarray(colours, dtype=np.uint32)
        # In a fixed random order, or the last class would cover the others.
        self._order = np.random.default_rng(0).permutation(len(points))
        self._shuffled = self._points[self._order]
        self._shuffled_colours = self._colours[self._order]
        self._selected, self._under = np.zeros(0, dtype=np.int64), -1
        self._fit()
        if not keep_view:
            self._zoom, self._offset = 1.0, QPointF(0, 0)
        self._redraw()

    def set_colours(self, colours: Colours) -> None:
        self._colours = np.asarray(colours, dtype=np.uint32)
        self._shuffled_colours = self._colours[self._order]
        self._redraw()

    def set_selected(self, rows: NDArray[np.int64]) -> None:
        """Mark these points."""
        self._selected = rows
        self._redraw()

    def count(self) -> int:
        return len(self._points)

    def places(self) -> NDArray[np.float32]:
        """Return where each point lies in the widget, in pixels."""
        return self._place(self._points)

    def _place(self, points: Points, ratio: float = 1.0) -> Points:
        """Return points of the plane as places in the widget, times `ratio`."""
        unit = self._unit * self._zoom * ratio
        scale = np.array([unit, -unit], dtype=np.float32)
        middle = [self.width() / 2 + self._offset.x(), self.height() / 2 + self._offset.y()]
        shift = np.array(middle, dtype=np.float32) * np.float32(ratio) - self._middle * scale
        return np.asarray(points * scale + shift, dtype=np.float32)

    def show_all(self) -> None:
        self._zoom, self._offset = 1.0, QPointF(0, 0)
        self._redraw()

    def move_by(self, x: float, y: float) -> None:
        """Move the plane by pixels."""
        self._offset += QPointF(x, y)
        self._redraw()

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        """Zoom around a place of the widget; its middle if None."""
        middle = QPointF(self.width() / 2, self.height() / 2)
        at = middle if at is None else at
        wanted = min(max(0.5, self._zoom * factor), _MOST_ZOOM)
        factor, self._zoom = wanted / self._zoom, wanted
        self._offset = (at - middle) * (1 - factor) + self._offset * factor
        self._redraw()

    def inside(self, line: QPolygonF) -> NDArray[np.int64]:
        """Return the points inside of a closed line."""
        places, box = self.places(), line.boundingRect()
        near = np.flatnonzero(
            (places[:, 0] >= box.left())
            & (places[:, 0] <= box.right())
            & (places[:, 1] >= box.top())
            & (places[:, 1] <= box.bottom())
        )
        corners = np.array([(corner.x(), corner.y()) for corner in line.toList()], dtype=np.float32)
        return np.asarray(near[_within(places[near], corners)])

    # -- painting ------------------------------------------------------------------------------------------------

    def _fit(self) -> None:
        if not len(self._points):
            return
        # The outermost few would leave no room for the others.
        low, high = np.percentile(self._points, (0.1, 99.9), axis=0)
        self._middle = ((low + high) / 2).astype(np.float32)
        extent = np.maximum(high - low, 1e-9)
        room = np.array([max(40, self.width() - 2 * MARGIN), max(40, self.height() - 2 * MARGIN)])
        self._unit = float((room / extent).min())

    def _redraw(self) -> None:
        self._image = None
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        look, painter = style.current(), QPainter(self)
        if self._image is None:
            self._image = self._draw()
        painter.drawImage(0, 0, self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._under >= 0 and self._under < len(self._points):
            x, y = self.places()[self._under]
            painter.setPen(QPen(look.text, 2))
            painter.drawEllipse(QPointF(float(x), float(y)), 7, 7)
        if len(self._line) > 1:
            shade = QColor(look.accent)
            shade.setAlphaF(0.15)
            painter.setBrush(shade)
            painter.setPen(QPen(look.accent, 2))
            painter.drawPolygon(QPolygonF(self._line))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.accent, 1))
            painter.drawRect(0, 0, self.width() - 1, self.height() - 1)

    def _draw(self) -> QImage:
        """Paint all points into a picture: Qt would take a second for 100,000 ellipses."""
        ratio = self.devicePixelRatioF()
        width, height = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        if self._buffer is None or self._buffer.shape != (height, width):
            self._buffer = np.empty((height, width), dtype=np.uint32)
        pixels = self._buffer
        pixels.fill(style.current().surface.rgba())
        radius = max(1, round(self._radius() * ratio))
        _stamp(pixels, _whole(self._place(self._shuffled, ratio)), self._faded(), radius)
        if len(self._selected):
            chosen = self._selected
            places = _whole(self._place(self._points[chosen], ratio))
            _stamp(pixels, places, np.full(len(chosen), style.current().text.rgba(), np.uint32), radius + 1)
            _stamp(pixels, places, self._colours[chosen], radius)
        image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        return image

    def _radius(self) -> float:
        few = 4.0 if len(self._points) <= _SOME else 2.5 if len(self._points) <= _MANY else 1.0
        return float(min(6.0, few * self._zoom**0.25))

    def _faded(self) -> Colours:
        """While some are selected, the others step back."""
        shown = self._shuffled_colours
        if not len(self._selected):
            return shown
        ground = style.current().surface
        channels = []
        for shift, part in ((16, ground.red()), (8, ground.green()), (0, ground.blue())):
            channels.append((((shown >> shift) & 255) * 2 + part * 3) // 5 << shift)
        return np.asarray(np.uint32(0xFF000000) | channels[0] | channels[1] | channels[2], dtype=np.uint32)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()
        self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_image"):
            self._redraw()

    # -- mouse and keys ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._begin = event.position().toPoint()
        moving = event.button() != Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if moving:
            self._grip = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            self._line = [event.position()]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            step = event.position() - self._grip
            self._grip = event.position()
            self.move_by(step.x(), step.y())
        elif self._line:
            self._line.append(event.position())
            self.update()
        else:
            self._cursor = event.position()
            if not self._pointing.isActive():
                self._pointing.start()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        line, self._line = self._line, []
        if self._grip is not None:
            self._grip = None
            self.unsetCursor()
        elif (event.position().toPoint() - self._begin).manhattanLength() < 6 and len(line) < 12:
            row = self._nearest(event.position())
            if row >= 0:
                self.clicked.emit(row)
        elif len(line) > 2:
            self.lassoed.emit(self.inside(QPolygonF(line)))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom_by(1.0015 ** event.angleDelta().y(), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEP * min(self.width(), self.height())
        moves = {
            Qt.Key.Key_Left: (step, 0.0),
            Qt.Key.Key_Right: (-step, 0.0),
            Qt.Key.Key_Up: (0.0, step),
            Qt.Key.Key_Down: (0.0, -step),
        }
        key = Qt.Key(event.key())
        if key in moves:
            self.move_by(*moves[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_by(1.25)
        elif key == Qt.Key.Key_Minus:
            self.zoom_by(0.8)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.lassoed.emit(self._visible())
        elif key == Qt.Key.Key_Home:
            self.show_all()
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._pointing.stop()
        self._set_under(-1)

    def _visible(self) -> NDArray[np.int64]:
        places = self.places()
        inside = (places >= 0).all(axis=1) & (places[:, 0] < self.width()) & (places[:, 1] < self.height())
        return np.asarray(np.flatnonzero(inside))

    def _point(self) -> None:
        self._set_under(self._nearest(self._cursor))

    def _set_under(self, row: int) -> None:
        if row != self._under:
            self._under = row
            self.pointed.emit(row)
            self.update()

    def _nearest(self, at: QPointF) -> int:
        """Return the point nearest to a place of the widget; -1 if none is near."""
        if not len(self._points):
            return -1
        squares = ((self.places() - np.array([at.x(), at.y()], dtype=np.float32)) ** 2).sum(axis=1)
        row = int(np.argmin(squares))
        return row if squares[row] <= NEAR**2 else -1


def _whole(places: Points) -> NDArray[np.int32]:
    return np.asarray(np.rint(places), dtype=np.int32)


def _stamp(pixels: NDArray[np.uint32], places: NDArray[np.int32], colours: Colours, radius: int) -> None:
    """Paint a disc at each place; what lies outside of the picture is left out."""
    height, width = pixels.shape
    inside = (
        (places[:, 0] >= radius)
        & (places[:, 0] < width - radius)
        & (places[:, 1] >= radius)
        & (places[:, 1] < height - radius)
    )
    flat, at = pixels.reshape(-1), places[inside, 1] * width + places[inside, 0]
    shown = colours[inside]
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if right**2 + down**2 <= radius**2 + (radius > 1):
                flat[at + (down * width + right)] = shown


def _within(points: NDArray[np.float32], corners: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which points (n, 2) lie within the polygon (m, 2), by the even-odd rule."""
    inside = np.zeros(len(points), dtype=np.bool_)
    x, y = points[:, 0], points[:, 1]
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
