"""A large picture with an overlay."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style
from desktop.i18n import Message, text, tr
from desktop.widgets.pixels import fitted
from ml.api import inferno

LEGEND_HEIGHT = 16
MUCH_LARGER = 1.4
BETWEEN = 8
"""Pixels between a plain picture and the one with an overlay."""


class OverlayView(QWidget):
    """Paints a picture as large as possible, and an overlay on it at the chosen opacity."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Picture"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._picture: QImage | None = None
        self._overlay: QImage | None = None
        self._opacity = 0.7
        self._beside = self._pixelated = False
        self._message = ""

    def set_picture(self, picture: QImage | None) -> None:
        """Show a picture and remove the overlay."""
        self._picture, self._overlay, self._message = picture, None, ""
        self.update()

    def set_overlay(self, overlay: QImage | None) -> None:
        self._overlay = overlay
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity of the overlay, 0…1."""
        self._opacity = opacity
        self.update()

    def set_beside(self, beside: bool) -> None:
        """Show the plain picture and the one with the overlay side by side, or one below the other."""
        self._beside = beside
        self.update()

    def is_beside(self) -> bool:
        return self._beside

    def set_pixelated(self, pixelated: bool) -> None:
        """Show each pixel of the picture as a square."""
        self._pixelated = pixelated
        self.update()

    def set_message(self, message: Message | str) -> None:
        """Show a sentence in place of the picture."""
        self._picture, self._overlay, self._message = None, None, text(message)
        self.setAccessibleDescription(self._message)
        self.update()

    def has_overlay(self) -> bool:
        return self._overlay is not None

    def has_picture(self) -> bool:
        return self._picture is not None

    def picture(self) -> QImage | None:
        """The picture that is shown."""
        return self._picture

    def overlay(self) -> QImage | None:
        return self._overlay

    def opacity(self) -> float:
        return self._opacity

    def message(self) -> str:
        """The sentence that is shown in place of the picture."""
        return self._message

    def sizeHint(self) -> QSize:
        return QSize(340, 300)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 160)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), look.sunken)
        if self._picture is None:
            painter.setPen(look.muted)
            room = self.rect().adjusted(16, 16, -16, -16)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap), self._message)
            return
        size = QSizeF(self._picture.size())
        if not self._beside:
            self.paint_layers(painter, fitted(size, QRectF(self.rect())))
            return
        plain, laid_over = _halves(size, QRectF(self.rect()))
        self.paint_picture(painter, plain)
        self.paint_layers(painter, laid_over)

    def paint_picture(self, painter: QPainter, target: QRectF) -> None:
        """Paint the picture into `target`."""
        if self._picture is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not self._pixelated)
            painter.drawImage(target, self._picture)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)

    def paint_layers(self, painter: QPainter, target: QRectF) -> None:
        """Paint the picture into `target` and the overlay over it."""
        self.paint_picture(painter, target)
        if self._overlay is not None:
            painter.setOpacity(self._opacity)
            painter.drawImage(target, self._overlay)
            painter.setOpacity(1.0)


def _halves(size: QSizeF, room: QRectF) -> tuple[QRectF, QRectF]:
    """Return where two pictures of this size go: beside each other, or below where they are much larger there."""
    wide, high = (room.width() - BETWEEN) / 2, (room.height() - BETWEEN) / 2
    across = [QRectF(room.left() + place, room.top(), wide, room.height()) for place in (0, wide + BETWEEN)]
    down = [QRectF(room.left(), room.top() + place, room.width(), high) for place in (0, high + BETWEEN)]
    ways = [(fitted(size, one), fitted(size, other)) for one, other in (across, down)]
    return ways[1] if ways[1][0].width() > MUCH_LARGER * ways[0][0].width() else ways[0]


class OverlayLegend(QWidget):
    """Explains the colours of an overlay: little … much."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Legend: dark is little, bright is much"))
        self.setFixedHeight(LEGEND_HEIGHT + 2)

    def sizeHint(self) -> QSize:
        return QSize(180, LEGEND_HEIGHT + 2)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = style.current()
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(look.caption)
        painter.setFont(font)
        painter.setPen(look.muted)
        little, much = tr("little"), tr("much")
        metrics = painter.fontMetrics()
        left = metrics.horizontalAdvance(little) + look.s
        right = self.width() - metrics.horizontalAdvance(much) - look.s
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | middle, little)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | middle, much)
        bar = QRectF(left, self.height() / 2 - 4, max(0, right - left), 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(_gradient(bar))
        painter.drawRoundedRect(bar, 4, 4)


def _gradient(bar: QRectF) -> QLinearGradient:
    """Return the colours and opacities of `ml.api.overlay_rgba`."""
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for step in range(11):
        value = step / 10
        red, green, blue = (int(channel) for channel in inferno([0.25 + 0.75 * value])[0])  # type: ignore[arg-type]
        gradient.setColorAt(value, QColor(red, green, blue, round(255 * value)))
    return gradient
