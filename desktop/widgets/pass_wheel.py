"""The wheel over a part of a page that scrolls: it scrolls the page and changes nothing by accident."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget


class PassWheel(QObject):
    """Hands the wheel of `parts` on to what is around them."""

    def __init__(self, parent: QObject, *parts: QWidget) -> None:
        super().__init__(parent)
        for part in parts:
            part.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True
