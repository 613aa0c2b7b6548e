"""A spectrogram, or the traces of a log, on which spans are drawn, moved and chosen. It zooms in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.spectrogram_view import SpectrogramView
from desktop.widgets.trace_view import TraceView

GRIP = 6
"""Pixels beside an end of a span in which it can be taken."""
SHORTEST = 0.02
"""Seconds of the shortest span that a mouse draws; of a log without times it is a row."""
MOST_ZOOM = 32.0
_BAR = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSpan:
    """A span in seconds of the recording, or rows of a log. `ghost`: it is suggested and not a label yet."""

    start: float
    end: float
    name: str
    colour: QColor
    ghost: bool = False


class SpanView(SpectrogramView):
    """Draws with the mouse; the fields beside it do the same by keys. Times are seconds of the recording."""

    selection_changed = Signal(float, float)
    """Start and end of the selection; equal where there is none."""
    span_moved = Signal(int, float, float)
    """The place of a span in the list, and its new start and end."""
    span_chosen = Signal(int)
    """The place of the chosen span in the list; -1 for none."""
    span_removed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._whole = (0.0, 1.0)
        self._spans: tuple[ShownSpan, ...] = ()
        self._selection: tuple[float, float] | None = None
        self._chosen = -1
        self._drag: tuple[Literal["draw", "start", "end"], float] | None = None
        self._zoom = 1.0
        self._gain = 0.0
        self._timed = True
        self._band: tuple[float, float] | None = None

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_axes(self, *, start: float, seconds: float, f_min: float, f_max: float, time_expansion: int = 1) -> None:
        self._whole = (start, start + max(seconds, 1e-3))
        self._zoom = 1.0
        super().set_axes(start=start, seconds=seconds, f_min=f_min, f_max=f_max, time_expansion=time_expansion)
        self.select(None)

    def set_spans(self, spans: Sequence[ShownSpan]) -> None:
        """Show these spans; the one that was chosen stays chosen by its place."""
        self._spans = tuple(spans)
        if self._chosen >= len(self._spans):
            self._chosen = -1
        self.setAccessibleDescription(
            "; ".join(span_words(_words(span), span.start, span.end, timed=self._timed) for span in self._spans)
        )
        self.update()

    def spans(self) -> tuple[ShownSpan, ...]:
        return self._spans

    def selection(self) -> tuple[float, float] | None:
        """Return the selected time; None where nothing is selected."""
        return self._selection

    def chosen(self) -> int:
        """Return the place of the chosen span; -1 for none."""
        return self._chosen

    def select(self, span: tuple[float, float] | None) -> None:
        """Select a time of the recording; None takes the selection away."""
        if span is not None:
            low, high = self._whole
            begin, end = sorted(self._snapped(min(max(low, each), high)) for each in span)
            span = (begin, end) if end > begin else None
        if span != self._selection:
            self._selection = span
            self.selection_changed.emit(*(span or (0.0, 0.0)))
            self.update()

    def is_dragging(self) -> bool:
        """Return whether the end of a span is being moved."""
        return self._drag is not None and self._drag[0] != "draw"

    def choose(self, place: int) -> None:
        """Choose a span by its place in the list; -1 for none."""
        if place != self._chosen:
            self._chosen = place
            self.span_chosen.emit(place)
            self.update()

    def set_gain(self, decibel: float) -> None:
        """Paint quiet parts brighter, or loud ones darker."""
        self._gain = decibel
        self.update()

    def set_band(self, band: tuple[float, float] | None) -> None:
        """Darken the frequencies that are not heard: those outside of these two in Hz; None for none."""
        self._band = band
        self.update()

    def band(self) -> tuple[float, float] | None:
        return self._band

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Zoom in time around a moment of the recording, else around the selection or the middle."""
        begin, seconds = self._start, self._seconds
        if around is None:
            around = sum(self._selection) / 2 if self._selection else begin + seconds / 2
        self._zoom = min(max(1.0, self._zoom * factor), MOST_ZOOM)
        wide = (self._whole[1] - self._whole[0]) / self._zoom
        self._show_from(around - (around - begin) / seconds * wide, wide)

    def pan(self, seconds: float) -> None:
        """Show an earlier or later part."""
        self._show_from(self._start + seconds, self._seconds)

    def _show_from(self, begin: float, wide: float) -> None:
        low, high = self._whole
        self._start, self._seconds = min(max(low, begin), high - wide), wide
        self.update()

    # -- painting ------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        cursor = self._cursor
        if cursor is not None:  # the base class paints it where the whole window is shown
            self._cursor = None
        super().paintEvent(event)
        self._cursor = cursor
        if self._picture is None:
            return
        painter = QPainter(self)
        plot, look = self.plot_rect(), style.current()
        painter.setClipRect(plot.adjusted(0, 0, 0, 1))
        if self._band is not None:
            self._paint_band(painter, plot, self._band)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        for place, span in enumerate(self._spans):
            self._paint_span(painter, plot, span, chosen=place == self._chosen)
        if self._selection is not None:
            left, right = (self._x(each) for each in self._selection)
            painter.fillRect(QRectF(left, plot.top(), right - left, plot.height()), QColor(255, 255, 255, 60))
            painter.setPen(QPen(Qt.GlobalColor.white, 1, Qt.PenStyle.DashLine))
            painter.drawRect(QRectF(left, plot.top(), right - left, plot.height() - 1))
        if cursor is not None:
            x = self._x(self._whole[0] + cursor)
            for colour, width in ((Qt.GlobalColor.black, 3), (Qt.GlobalColor.white, 1)):
                painter.setPen(QPen(colour, width))
                painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def paint_layers(self, painter: QPainter, target: QRectF) -> None:
        """Paint the visible part of the picture, brighter or darker by the gain."""
        picture = self._picture
        if picture is None:
            return
        whole = self._whole[1] - self._whole[0]
        left = (self._start - self._whole[0]) / whole * picture.width()
        part = QRectF(left, 0, self._seconds / whole * picture.width(), picture.height())
        painter.drawImage(target, picture, part)
        shade = round(min(255.0, abs(self._gain) * 255 / 80))
        if shade:
            mode = QPainter.CompositionMode
            painter.setCompositionMode(mode.CompositionMode_Plus if self._gain > 0 else mode.CompositionMode_Multiply)
            grey = shade if self._gain > 0 else 255 - shade
            painter.fillRect(target, QColor(grey, grey, grey))
            painter.setCompositionMode(mode.CompositionMode_SourceOver)

    def _paint_band(self, painter: QPainter, plot: QRectF, band: tuple[float, float]) -> None:
        bottom, top = (min(max(plot.top(), self.height_of(hertz)), plot.bottom()) for hertz in band)
        painter.fillRect(QRectF(plot.left(), plot.top(), plot.width(), top - plot.top()), QColor(0, 0, 0, 150))
        painter.fillRect(QRectF(plot.left(), bottom, plot.width(), plot.bottom() - bottom), QColor(0, 0, 0, 150))
        painter.setPen(QPen(Qt.GlobalColor.white, 1, Qt.PenStyle.DotLine))
        for y in (top, bottom):
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))

    def _paint_span(self, painter: QPainter, plot: QRectF, span: ShownSpan, *, chosen: bool) -> None:
        left, right = self._x(span.start), self._x(span.end)
        if right < plot.left() or left > plot.right():
            return
        fill = QColor(span.colour)
        fill.setAlpha(80 if chosen else 40)
        box = QRectF(left, plot.top(), max(2.0, right - left), plot.height())
        painter.fillRect(box, fill)
        pen = QPen(span.colour, 3 if chosen else 2, Qt.PenStyle.DashLine if span.ghost else Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawLine(box.topLeft(), box.bottomLeft())
        painter.drawLine(box.topRight(), box.bottomRight())
        words = _words(span)
        wide = painter.fontMetrics().horizontalAdvance(words) + 8
        bar = QRectF(max(plot.left(), left), plot.top(), wide, _BAR)
        painter.fillRect(bar, QColor(0, 0, 0, 170))
        painter.fillRect(QRectF(bar.left(), bar.top(), 3, bar.height()), span.colour)
        painter.setPen(Qt.GlobalColor.white)
        painter.drawText(bar.adjusted(5, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)

    def _x(self, seconds: float) -> float:
        plot = self.plot_rect()
        return plot.left() + (seconds - self._start) / self._seconds * plot.width()

    def _seconds_at(self, x: float) -> float:
        plot = self.plot_rect()
        return self._start + (x - plot.left()) / plot.width() * self._seconds

    def _selected_time(self) -> float:
        return 0.0 if self._selection is None else self._selection[1] - self._selection[0]

    def _shortest(self) -> float:
        return SHORTEST if self._timed else 1.0

    def _snapped(self, time: float) -> float:
        """Return a time as it can be chosen: of a log without times a whole row."""
        return time if self._timed else float(round(time))

    # -- the mouse -----------------------------------------------------------------------------------------------

    def _grip(self, x: float) -> tuple[int, Literal["start", "end"]] | None:
        """Return the span whose end lies here, the chosen one first."""
        order = sorted(range(len(self._spans)), key=lambda place: place != self._chosen)
        for place in order:
            span = self._spans[place]
            if not span.ghost and abs(self._x(span.end) - x) <= GRIP:
                return place, "end"
            if not span.ghost and abs(self._x(span.start) - x) <= GRIP:
                return place, "start"
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._picture is None or event.button() != Qt.MouseButton.LeftButton:
            return
        x = event.position().x()
        grip = self._grip(x)
        if grip is not None:
            self.choose(grip[0])
            self._drag = (grip[1], x)
        elif self.plot_rect().contains(event.position()):
            self._drag = ("draw", x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._drag is None:
            near = self._picture is not None and self._grip(x) is not None
            self.setCursor(Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.IBeamCursor)
            return
        what, begin = self._drag
        if what == "draw":
            self.select((self._seconds_at(begin), self._seconds_at(x)))
        else:
            self._move(what, self._seconds_at(x))

    def _move(self, what: Literal["start", "end"], to: float) -> None:
        """Show the chosen span with another end; it is not a label before the button is released."""
        span, to = self._spans[self._chosen], self._snapped(to)
        low, high = self._whole
        start = min(max(low, to), span.end - self._shortest()) if what == "start" else span.start
        end = max(min(high, to), span.start + self._shortest()) if what == "end" else span.end
        moved = ShownSpan(start=start, end=end, name=span.name, colour=span.colour)
        self._spans = (*self._spans[: self._chosen], moved, *self._spans[self._chosen + 1 :])
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._drag is None:
            return
        (what, begin), self._drag = self._drag, None
        x = event.position().x()
        if what != "draw":
            span = self._spans[self._chosen]
            self.span_moved.emit(self._chosen, span.start, span.end)
        elif (
            abs(x - begin) < GRIP
            or self._selection is None
            or self._selection[1] - self._selection[0] < self._shortest()
        ):
            self.select(None)
            at = self._seconds_at(x)
            inside = [place for place, span in enumerate(self._spans) if span.start <= at <= span.end]
            self.choose(inside[-1] if inside else -1)
            self.position_chosen.emit(max(0.0, at - self._whole[0]))

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or turn.x():
            self.pan(-(turn.x() or turn.y()) / 1200 * self._seconds)
        else:
            self.zoom(1.25 ** (turn.y() / 120), self._seconds_at(event.position().x()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._chosen >= 0:
            self.span_removed.emit(self._chosen)
        else:
            super().keyPressEvent(event)

    def set_picture(self, picture: QImage | None) -> None:
        super().set_picture(picture)
        self.choose(-1)


class SpanTraceView(SpanView, TraceView):
    """The same on the traces of a log; times are seconds of the log, or rows."""

    def set_lanes(self, names: Sequence[str], *, start: float, length: float, timed: bool) -> None:
        self._timed = timed
        super().set_lanes(names, start=start, length=length, timed=timed)


def span_words(name: str, start: float, end: float, *, timed: bool) -> str:
    """Say when a span is."""
    if timed:
        return tr("{name} from {start:.2f} to {end:.2f} s", name=name, start=start, end=end)
    return tr("{name} from row {start:.0f} to row {end:.0f}", name=name, start=start, end=end)


def _words(span: ShownSpan) -> str:
    return tr("{name}?", name=span.name) if span.ghost else span.name
