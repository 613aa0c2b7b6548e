"""A layout of widgets in rows, like words in a paragraph."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

GAP = 4


class FlowBox(QWidget):
    """Puts its items side by side, and starts a new row if one does not fit."""

    def __init__(self, parent: QWidget | None = None, *, gap: int = GAP) -> None:
        super().__init__(parent)
        self._gap = gap
        self._items: list[QWidget] = []

    def set_items(self, items: Sequence[QWidget]) -> None:
        """Replace all items."""
        for item in self._items:
            item.hide()
            item.deleteLater()
        self._items = list(items)
        for item in self._items:
            item.setParent(self)
            item.show()
        self._place(self.width(), move=True)
        self.updateGeometry()

    def height_for(self, width: int) -> int:
        """Return the height of the rows at this width."""
        return self._place(width, move=False)

    def sizeHint(self) -> QSize:
        return QSize(200, self.height_for(max(1, self.width())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setMinimumHeight(self._place(event.size().width(), move=True))

    def event(self, event: QEvent) -> bool:
        """Lay out again: an item was shown, hidden or got another text."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.setMinimumHeight(self._place(self.width(), move=True))
        return super().event(event)

    def _place(self, width: int, *, move: bool) -> int:
        x = y = row_height = 0
        placed: list[tuple[QWidget, QSize, int]] = []
        """The row that is being filled: item, size and left."""
        for item in self._items:
            if item.isHidden():
                continue
            wanted = item.sizeHint().expandedTo(item.minimumSize()).boundedTo(item.maximumSize())
            size = wanted.boundedTo(QSize(max(1, width), 1 << 20))
            if x > 0 and x + size.width() > width:
                if move:
                    _move(placed, y, row_height)
                x, y, row_height, placed = 0, y + row_height + self._gap, 0, []
            placed.append((item, size, x))
            x += size.width() + self._gap
            row_height = max(row_height, size.height())
        if move:
            _move(placed, y, row_height)
        return y + row_height


def _move(row: Sequence[tuple[QWidget, QSize, int]], top: int, height: int) -> None:
    """Put the items of a row side by side, on one middle line."""
    for item, size, left in row:
        item.setGeometry(left, top + (height - size.height()) // 2, size.width(), size.height())
