"""Details that are hidden until the user opens them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from desktop import icons, style


class Collapsible(QWidget):
    """A line with an arrow that shows and hides `content` below it."""

    opened = Signal(bool)

    def __init__(self, words: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QToolButton()
        self._button.setProperty("role", "fold")
        self._button.setText(words)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setCheckable(True)
        self._button.toggled.connect(self._turn)
        self._content = content
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().s)
        column.addWidget(self._button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(content)
        self._turn(False)

    @property
    def button(self) -> QToolButton:
        return self._button

    @Slot(bool)
    def _turn(self, wanted: bool) -> None:
        self._content.setVisible(wanted)
        icons.set_icon(self._button, "ph.caret-down" if wanted else "ph.caret-right", colour="muted")
        self.opened.emit(wanted)
