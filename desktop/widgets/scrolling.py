"""Scroll areas for content that may be higher than the window."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget


class ShrinkingArea(QScrollArea):
    """As high as its content where there is room, and scrolls where there is not."""

    def __init__(self, content: QWidget, *, least: int) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setMinimumHeight(least)
        self._content = content
        content.setProperty("role", "scrolled")
        content.installEventFilter(self)
        self.setWidget(content)

    def sizeHint(self) -> QSize:
        content, layout = self._content, self._content.layout()
        height = content.sizeHint().height()
        if layout is not None and layout.hasHeightForWidth():
            height = layout.heightForWidth(self.viewport().width())
        return QSize(super().sizeHint().width(), max(height, content.minimumSizeHint().height()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.updateGeometry()
        return super().eventFilter(watched, event)


def scrolling(content: QWidget) -> QScrollArea:
    """Wrap `content` in a scroll area that scrolls up and down only."""
    content.setProperty("role", "scrolled")
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


class PassWheel(QObject):
    """Passes wheel events of `parts` on to the scroll area around them."""

    def __init__(self, parent: QObject, *parts: QWidget) -> None:
        super().__init__(parent)
        for part in parts:
            part.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True
