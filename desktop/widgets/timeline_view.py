"""A long recording on one line: its spectrogram, lanes of detections below, and a strip of the whole above."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import tr
from ml.api import clock_time

SHORTEST_SPAN = 1.0
"""Seconds that are seen at the largest zoom."""
LEFT, RIGHT, STRIP, GAP, AXIS = 112, 10, 36, 6, 24
_ZOOM = 1.25
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICK_WIDTH = 90
_CLICK = 4
"""Pixels by which the mouse may move in a click."""
_LANES, _LANE_HEIGHTS = 160, (7, 20)


@dataclass(frozen=True, slots=True)
class Mark:
    """A detection: its `place` in the list of its owner, its `lane`, and whether it was found right or wrong."""

    place: int
    lane: int
    start: float
    end: float
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The detections of one class."""

    name: str
    colour: QColor


class TimelineView(QWidget):
    """Shows marks in the order of their beginnings. The wheel zooms, dragging moves, a click chooses or plays."""

    view_changed = Signal()
    """Another part is seen, see `visible`."""
    position_chosen = Signal(float)
    """The clicked second of the recording."""
    mark_chosen = Signal(int)
    stepped = Signal(int)
    """1 for the next detection, -1 for the one before."""
    answered = Signal(bool)
    play_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Timeline"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._length = self._span = 1.0
        self._start = 0.0
        self._overview, self._covered = QPixmap(), 0.0
        self._strip: QPixmap | None = None
        """The strip as it was painted last: with thousands of marks that takes longer than a frame."""
        self._close, self._close_start, self._close_seconds = QPixmap(), 0.0, 0.0
        self._lanes: tuple[Lane, ...] = ()
        self._marks: tuple[Mark, ...] = ()
        self._starts: list[float] = []
        self._longest = 0.0
        self._current = -1
        self._cursor: float | None = None
        self._pressed: QPointF | None = None
        self._dragged_from = 0.0
        self._in_strip = False

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_length(self, seconds: float, *, whole: bool = False) -> None:
        """Set how long the recording is. `whole`: show all of it."""
        was_whole = self._span >= self._length - 1e-9
        self._length, self._strip = max(seconds, SHORTEST_SPAN), None
        if whole or was_whole:
            self.show_part(0.0, self._length)
        else:
            self.show_part(self._start, self._span)

    def set_overview(self, picture: QImage | None, seconds: float) -> None:
        """Set the spectrogram of the first `seconds`."""
        self._overview = QPixmap() if picture is None else QPixmap.fromImage(picture)
        self._covered, self._strip = seconds, None
        self.update()

    def set_close(self, picture: QImage | None, start: float, seconds: float) -> None:
        """Set a finer spectrogram of a part."""
        self._close = QPixmap() if picture is None else QPixmap.fromImage(picture)
        self._close_start, self._close_seconds = start, seconds
        self.update()

    def set_marks(self, lanes: Sequence[Lane], marks: Sequence[Mark]) -> None:
        """Set the detections, sorted by their beginnings, and their lanes."""
        self._lanes, self._marks = tuple(lanes), tuple(marks)
        self._starts = [each.start for each in marks]
        self._strip = None
        self._longest = max((each.end - each.start for each in marks), default=0.0)
        self.update()

    def set_current(self, place: int) -> None:
        """Highlight a mark; -1 for none."""
        self._current = place
        self.update()

    def set_cursor(self, seconds: float | None) -> None:
        """Show where it is playing."""
        if seconds != self._cursor:
            self._cursor = seconds
            self.update()

    def visible(self) -> tuple[float, float]:
        """Return the start and the length of what is seen, in seconds."""
        return self._start, self._span

    def length(self) -> float:
        return self._length

    def marks(self) -> tuple[Mark, ...]:
        return self._marks

    def current(self) -> int:
        return self._current

    def show_part(self, start: float, seconds: float) -> None:
        """Show these seconds of the recording, as far as there are any."""
        self._span = min(max(seconds, SHORTEST_SPAN), self._length)
        self._start = min(max(start, 0.0), self._length - self._span)
        self.update()
        self.view_changed.emit()

    def reveal(self, start: float, end: float) -> None:
        """Move so that these seconds are seen, with some around them."""
        margin = 0.1 * self._span
        if start - margin < self._start or end + margin > self._start + self._span:
            self.show_part((start + end - self._span) / 2, self._span)

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Show `factor` times as many seconds; the second `around` stays where it is."""
        around = self._start + self._span / 2 if around is None else around
        share = (around - self._start) / self._span
        span = min(max(self._span * factor, SHORTEST_SPAN), self._length)
        self.show_part(around - share * span, span)

    # -- geometry ------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(800, 380)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 180)

    def strip_rect(self) -> QRectF:
        """Return the area of the whole recording."""
        return QRectF(LEFT, 0, max(1, self.width() - LEFT - RIGHT), STRIP)

    def lane_height(self) -> float:
        least, most = _LANE_HEIGHTS
        return min(most, max(least, _LANES / max(1, len(self._lanes))))

    def picture_rect(self) -> QRectF:
        """Return the area of the spectrogram of what is seen."""
        top = STRIP + GAP
        lanes = self.lane_height() * len(self._lanes)
        return QRectF(LEFT, top, max(1, self.width() - LEFT - RIGHT), max(40, self.height() - top - lanes - GAP - AXIS))

    def lane_rect(self, lane: int) -> QRectF:
        picture, height = self.picture_rect(), self.lane_height()
        return QRectF(LEFT, picture.bottom() + GAP + lane * height, picture.width(), height)

    def x_of(self, seconds: float) -> float:
        """Return where a second of the recording is."""
        picture = self.picture_rect()
        return picture.left() + (seconds - self._start) / self._span * picture.width()

    def seconds_at(self, x: float) -> float:
        """Return the second of the recording at `x`."""
        picture = self.picture_rect()
        return self._start + (x - picture.left()) / picture.width() * self._span

    # -- painting ------------------------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        picture = self.picture_rect()
        painter.fillRect(picture, look.sunken)
        self._paint_strip(painter, look)
        self._paint_picture(painter, picture)
        self._paint_lanes(painter, look)
        self._paint_time(painter, look)
        if self._cursor is not None and self._start <= self._cursor <= self._start + self._span:
            x, bottom = self.x_of(self._cursor), self.height() - AXIS
            for colour, width in ((Qt.GlobalColor.black, 3), (Qt.GlobalColor.white, 1)):
                painter.setPen(QPen(colour, width))
                painter.drawLine(QPointF(x, picture.top()), QPointF(x, bottom))
        if self.hasFocus():
            painter.setPen(QPen(look.accent, 1))
            painter.drawRect(picture)

    def _paint_strip(self, painter: QPainter, look: style.Tokens) -> None:
        strip = self.strip_rect()
        if self._strip is None or self._strip.width() != int(strip.width()):
            self._strip = self._drawn_strip(int(strip.width()), look)
        painter.drawPixmap(strip.topLeft(), self._strip)
        if self._span < self._length:
            left = strip.left() + self._start / self._length * strip.width()
            frame = QRectF(left, strip.top() + 1, max(3.0, self._span / self._length * strip.width()), STRIP - 2)
            painter.setPen(QPen(look.accent, 2))
            painter.drawRect(frame)

    def _drawn_strip(self, width: int, look: style.Tokens) -> QPixmap:
        strip = QPixmap(width, STRIP)
        strip.fill(look.sunken)
        painter = QPainter(strip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if not self._overview.isNull():
            covered = QRectF(0, 0, width * min(1.0, self._covered / self._length), STRIP)
            painter.drawPixmap(covered, self._overview, QRectF(self._overview.rect()))
        for x, lane in {(int(mark.start / self._length * width), mark.lane) for mark in self._marks}:
            painter.fillRect(x, STRIP - 6, 2, 6, self._lanes[lane].colour)
        painter.end()
        return strip

    def _paint_picture(self, painter: QPainter, picture: QRectF) -> None:
        painter.save()
        painter.setClipRect(picture)
        if not self._overview.isNull() and self._covered > 0:
            per_second = self._overview.width() / self._covered
            shown = min(self._span, self._covered - self._start)
            if shown > 0:
                source = QRectF(self._start * per_second, 0, shown * per_second, self._overview.height())
                target = QRectF(picture)
                target.setWidth(picture.width() * shown / self._span)
                painter.drawPixmap(target, self._overview, source)
        if not self._close.isNull() and self._span <= 2 * self._close_seconds:
            left, right = self.x_of(self._close_start), self.x_of(self._close_start + self._close_seconds)
            target = QRectF(left, picture.top(), right - left, picture.height())
            painter.drawPixmap(target, self._close, QRectF(self._close.rect()))
        painter.restore()

    def _paint_lanes(self, painter: QPainter, look: style.Tokens) -> None:
        height = self.lane_height()
        for number, lane in enumerate(self._lanes):
            area = self.lane_rect(number)
            painter.fillRect(area.adjusted(0, 1, 0, -1), look.sunken)
            if height >= 12:
                painter.fillRect(QRectF(0, area.center().y() - 4, 8, 8), lane.colour)
                painter.setPen(look.muted)
                room = QRectF(12, area.top(), LEFT - 18, height)
                name = painter.fontMetrics().elidedText(lane.name, Qt.TextElideMode.ElideRight, int(room.width()))
                painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), name)
        painter.save()
        painter.setClipRect(QRectF(LEFT, 0, self.picture_rect().width(), self.height()))
        for mark in self._visible_marks():
            self._paint_mark(painter, mark, look)
        painter.restore()

    def _visible_marks(self) -> list[Mark]:
        """Return what is seen, without what would cover the same pixels again."""
        first = bisect_left(self._starts, self._start - self._longest)
        last = bisect_left(self._starts, self._start + self._span)
        per_pixel = self._span / self.picture_rect().width()
        ends: dict[int, float] = {}
        shown = []
        for mark in self._marks[first:last]:
            if mark.end < self._start:
                continue
            hidden = mark.end - mark.start < per_pixel and mark.start < ends.get(mark.lane, -math.inf)
            if hidden and mark.place != self._current:
                continue
            ends[mark.lane] = mark.start + 2 * per_pixel
            shown.append(mark)
        return shown

    def _mark_rect(self, mark: Mark) -> QRectF:
        area = self.lane_rect(mark.lane).adjusted(0, 2, 0, -2)
        left = self.x_of(mark.start)
        return QRectF(left, area.top(), max(3.0, self.x_of(mark.end) - left), area.height())

    def _paint_mark(self, painter: QPainter, mark: Mark, look: style.Tokens) -> None:
        box, colour = self._mark_rect(mark), QColor(self._lanes[mark.lane].colour)
        if mark.right is False:
            colour.setAlpha(90)
        painter.fillRect(box, colour)
        if mark.right is not None:
            painter.setPen(QPen(look.good if mark.right else look.bad, 2))
            edge = box.bottom() if mark.right else box.center().y()
            painter.drawLine(QPointF(box.left(), edge), QPointF(box.right(), edge))
        if mark.place == self._current:
            painter.setPen(QPen(look.text, 2))
            painter.drawRect(box.adjusted(-2, -2, 2, 2))
            across, picture = QRectF(box), self.picture_rect()
            across.setTop(picture.top())
            across.setBottom(picture.bottom())
            painter.setPen(QPen(colour, 2))
            painter.drawRect(across)

    def _paint_time(self, painter: QPainter, look: style.Tokens) -> None:
        picture = self.picture_rect()
        rough = self._span * _TICK_WIDTH / picture.width()
        step = next((each for each in _STEPS if each >= rough), _STEPS[-1])
        top = self.height() - AXIS
        tick = math.ceil(self._start / step - 1e-9)
        while tick * step <= self._start + self._span + 1e-9:
            x, words = self.x_of(tick * step), clock_time(tick * step, fine=step < 1)
            painter.setPen(look.outline)
            painter.drawLine(QPointF(x, top), QPointF(x, top + 4))
            painter.setPen(look.muted)
            wide = painter.fontMetrics().horizontalAdvance(words) + 2
            box = QRectF(min(x - wide / 2, self.width() - wide), top + 5, wide, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, words)
            tick += 1

    # -- mouse and keys ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed, self._dragged_from = event.position(), self._start
        self._in_strip = self.strip_rect().contains(event.position())
        if self._in_strip:
            self._move_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            return
        if self._in_strip:
            self._move_to(event.position().x())
        elif abs(event.position().x() - self._pressed.x()) > _CLICK:
            moved = (event.position().x() - self._pressed.x()) / self.picture_rect().width() * self._span
            self.show_part(self._dragged_from - moved, self._span)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or self._in_strip or abs(event.position().x() - pressed.x()) > _CLICK:
            return
        for mark in reversed(self._visible_marks()):
            if self._mark_rect(mark).adjusted(-2, -2, 2, 2).contains(event.position()):
                self.mark_chosen.emit(mark.place)
                return
        if self.picture_rect().left() <= event.position().x() <= self.picture_rect().right():
            self.position_chosen.emit(self.seconds_at(event.position().x()))

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta()
        if abs(turned.x()) > abs(turned.y()) or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            delta = turned.x() or turned.y()
            self.show_part(self._start - delta / 1200 * self._span, self._span)
        else:
            self.zoom(_ZOOM ** (-turned.y() / 120), self.seconds_at(event.position().x()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
            self.stepped.emit(1 if key == Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Y, Qt.Key.Key_N):
            self.answered.emit(key == Qt.Key.Key_Y)
        elif key == Qt.Key.Key_Space:
            self.play_pressed.emit()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1 / _ZOOM**2)
        elif key == Qt.Key.Key_Minus:
            self.zoom(_ZOOM**2)
        elif key == Qt.Key.Key_Home:
            self.show_part(0.0, self._length)
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._strip = None
            self.update()

    def _move_to(self, x: float) -> None:
        strip = self.strip_rect()
        middle = (x - strip.left()) / strip.width() * self._length
        self.show_part(middle - self._span / 2, self._span)
