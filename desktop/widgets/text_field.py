"""Text fields."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QWidget


class TextField(QLineEdit):
    """A QLineEdit without drops: Qt's accepts a dropped folder as a move, and the file manager then deletes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(False)
