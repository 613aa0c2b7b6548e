"""A spectrogram with axes in seconds and kHz, and a cursor that moves while the sound plays."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from desktop import style
from desktop.i18n import current_language, tr
from desktop.widgets.overlay_view import BETWEEN, OverlayView
from ml.api import hz_to_mel, hz_to_slaney

LEFT, BOTTOM, TOP, RIGHT = 44, 36, 8, 10
_KHZ = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class SpectrogramView(OverlayView):
    """Shows an image whose top row is the highest band of a mel scale from `f_min` to `f_max` Hz."""

    position_chosen = Signal(float)
    """The clicked position in seconds within the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Spectrogram"))
        self._start = 0.0
        self._seconds = 1.0
        self._f_min, self._f_max, self._times_higher = 0.0, 8000.0, 1
        self._to_mel = hz_to_mel
        self._cursor: float | None = None
        self._unit = tr("seconds")
        self._left = LEFT

    def set_axes(self, *, start: float, seconds: float, f_min: float, f_max: float, time_expansion: int = 1) -> None:
        """Set the axes: the window starts `start` s into its recording; frequencies in Hz.

        What was recorded is `time_expansion` times higher than the mel scale of the image says.
        """
        self._start, self._seconds, self._f_min, self._f_max = start, max(seconds, 1e-3), f_min, f_max
        self._times_higher = time_expansion
        self._cursor = None
        self.update()

    def set_band_of(self, f_min: float, f_max: float, *, slaney: bool) -> None:
        """Set the frequencies of the picture in Hz, and whether its scale is Slaney's mel instead of HTK's."""
        self._f_min, self._f_max, self._to_mel = f_min, f_max, hz_to_slaney if slaney else hz_to_mel
        self.update()

    def set_cursor(self, seconds: float | None) -> None:
        """Show the playing position in seconds within the window; None for none."""
        if seconds != self._cursor:
            self._cursor = seconds
            self.update()

    def cursor_seconds(self) -> float | None:
        return self._cursor

    def set_picture(self, picture: QImage | None) -> None:
        self._cursor = None
        super().set_picture(picture)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._picture is None:
            super().paintEvent(event)
            return
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        plot = self.plot_rect()
        plots = self._plots()
        for part in plots:
            painter.fillRect(part, look.sunken)
        self.paint_layers(painter, plots[-1])
        for part in plots[:-1]:
            self.paint_picture(painter, part)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        self._paint_time(painter, plot, look)
        for part in plots:
            self.paint_side(painter, part, look)
        if self._cursor is not None:
            x = plot.left() + plot.width() * min(1.0, self._cursor / self._seconds)
            painter.setPen(QPen(Qt.GlobalColor.black, 3))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            painter.setPen(QPen(Qt.GlobalColor.white, 1))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        plot = self.plot_rect()
        if self._picture is not None and plot.contains(event.position()):
            self.position_chosen.emit((event.position().x() - plot.left()) / plot.width() * self._seconds)

    def plot_rect(self) -> QRectF:
        """Return the area inside the axes."""
        return QRectF(self.rect()).adjusted(self._left, TOP, -RIGHT, -BOTTOM)

    def _plots(self) -> tuple[QRectF, ...]:
        """Return where the picture is painted; the last one has the overlay, and the time axis below it."""
        plot = self.plot_rect()
        if not self.is_beside():
            return (plot,)
        high = (plot.height() - BETWEEN) / 2
        return plot.adjusted(0, 0, 0, high - plot.height()), plot.adjusted(0, plot.height() - high, 0, 0)

    def height_of(self, hertz: float) -> float:
        """Return the y of a frequency; it may lie outside of the plot."""
        low, high = float(self._to_mel(self._f_min)), float(self._to_mel(self._f_max))
        plot = self.plot_rect()
        return plot.bottom() - (float(self._to_mel(hertz / self._times_higher)) - low) / (high - low) * plot.height()

    def _paint_time(self, painter: QPainter, plot: QRectF, look: style.Tokens) -> None:
        step = _round_step(self._seconds / 5)
        tick = math.ceil(self._start / step - 1e-9) * step
        while tick <= self._start + self._seconds + 1e-9:
            x = plot.left() + (tick - self._start) / self._seconds * plot.width()
            painter.setPen(look.outline)
            painter.drawLine(QPointF(x, plot.bottom()), QPointF(x, plot.bottom() + 4))
            painter.setPen(look.muted)
            # The last number may stick out of the plot, but not out of the widget.
            wide = painter.fontMetrics().horizontalAdvance(axis_number(tick)) + 2
            box = QRectF(min(x - wide / 2, self.width() - wide), plot.bottom() + 5, wide, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter, axis_number(tick))
            tick = round(tick + step, 6)
        painter.drawText(
            QRectF(plot.left(), plot.bottom() + 19, plot.width(), 16), Qt.AlignmentFlag.AlignHCenter, self._unit
        )

    def paint_side(self, painter: QPainter, plot: QRectF, look: style.Tokens) -> None:
        """Paint the frequency axis."""
        low, high = float(self._to_mel(self._f_min)), float(self._to_mel(self._f_max))
        lowest_text = plot.bottom() + 8
        for khz in _KHZ:
            place = (float(self._to_mel(khz * 1000 / self._times_higher)) - low) / (high - low)
            y = plot.bottom() - place * plot.height()
            if not 0 <= place <= 1 or lowest_text - y < 15:
                continue
            lowest_text = y
            painter.setPen(look.outline)
            painter.drawLine(QPointF(plot.left() - 4, y), QPointF(plot.left(), y))
            painter.setPen(look.muted)
            box = QRectF(0, y - 8, LEFT - 7, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, axis_number(khz))
        painter.save()
        painter.translate(10, plot.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-40, -10, 80, 14), Qt.AlignmentFlag.AlignCenter, tr("kHz"))
        painter.restore()


def axis_number(value: float) -> str:
    """Format a number for an axis."""
    return current_language().number(value, "g")


def _round_step(rough: float) -> float:
    """Round up to 1, 2 or 5 × a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-6)))
    for factor in (1, 2, 5, 10):
        if factor * power >= rough:
            return factor * power
    return 10 * power
