"""Screenshots for the tour: both themes, two sizes, never a blank one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QImage, QPainter, QPen, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from desktop import icons, style

SIZES = (QSize(1366, 768), QSize(1920, 1080))
_SETTLE_MS = 60
_FEWEST_COLOURS = 8


class BlankPictureError(Exception):
    """A window painted nothing."""


class Camera:
    """Takes numbered screenshots of `window`, with a dialog in front if there is one."""

    def __init__(self, app: QApplication, window: QWidget, folder: Path) -> None:
        self._app = app
        self._window = window
        self._folder = folder
        self._taken = 0

    def shoot(self, name: str, *, front: QWidget | None = None) -> None:
        """Save `NN-name-THEME-WIDTH.png` for every theme and size; ends in the other theme at the first size."""
        self._taken += 1
        # A change of the theme costs most, so it changes once and the next picture begins where this one ends.
        themes = sorted(style.THEMES, key=style.current().theme.__ne__)
        for theme, sizes in zip(themes, (SIZES, reversed(SIZES)), strict=True):
            self._dress(theme)
            for size in sizes:
                self._window.resize(size)
                QTest.qWait(_SETTLE_MS)
                self._save(self._picture(front), f"{self._taken:02d}-{name}-{theme}-{size.width()}")

    def _save(self, picture: QPixmap, name: str) -> None:
        path = self._folder / f"{name}.png"
        if _colours(picture.toImage()) < _FEWEST_COLOURS:
            raise BlankPictureError(name)
        if not picture.save(str(path)):
            raise OSError(f"{path} could not be written")

    def _dress(self, theme: style.Theme) -> None:
        if theme != style.current().theme:
            style.apply(self._app, theme)
            icons.follow_theme()

    def _picture(self, front: QWidget | None) -> QPixmap:
        picture = self._window.grab()
        if front is None:
            return picture
        over = front.grab()
        corner = QPoint((picture.width() - over.width()) // 2, (picture.height() - over.height()) // 2)
        shade = style.current().text if style.current().theme == "light" else style.current().sunken
        painter = QPainter(picture)
        painter.setOpacity(0.35)
        painter.fillRect(picture.rect(), shade)
        painter.setOpacity(1.0)
        painter.drawPixmap(corner, over)
        painter.setPen(QPen(style.current().outline, 1))
        painter.drawRect(corner.x() - 1, corner.y() - 1, over.width() + 1, over.height() + 1)
        painter.end()
        return picture


def _colours(image: QImage) -> int:
    """Count the different colours on a coarse grid over the picture."""
    step = 7
    return len({image.pixel(x, y) for x in range(0, image.width(), step) for y in range(0, image.height(), step)})
