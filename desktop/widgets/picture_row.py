"""A row of pictures, each cropped to its place."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop import style


def paint_filling(painter: QPainter, target: QRectF, image: QImage | None) -> None:
    """Fill `target` with the middle of `image`, with round corners; without an image paint an empty place."""
    look = style.current()
    path = QPainterPath()
    path.addRoundedRect(target, 4, 4)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    if image is None or image.isNull():
        painter.fillPath(path, look.line)
    else:
        size = target.size().scaled(QSizeF(image.size()), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (image.width() - size.width()) / 2, (image.height() - size.height()) / 2
        painter.setClipPath(path)
        painter.drawImage(target, image, QRectF(left, top, size.width(), size.height()))
    painter.restore()


class PictureRow(QWidget):
    """`count` places of `height` pixels that share the width; `set_images` fills them from the first.

    Empty places are grey, or not painted if `show_empty` is False.
    """

    def __init__(self, *, count: int, height: int, show_empty: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._show_empty = show_empty
        self._count = count
        self._gap = style.current().xs
        self._images: tuple[QImage, ...] = ()
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_images(self, images: Sequence[QImage]) -> None:
        self._images = tuple(images[: self._count])
        self.update()

    def images(self) -> tuple[QImage, ...]:
        return self._images

    def sizeHint(self) -> QSize:
        return QSize(self._count * (self.height() + self._gap), self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._count * 24, self.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        width = (self.width() - (self._count - 1) * self._gap) / self._count
        for place in range(self._count if self._show_empty else len(self._images)):
            target = QRectF(place * (width + self._gap), 0, width, self.height())
            paint_filling(painter, target, self._images[place] if place < len(self._images) else None)
        painter.end()
