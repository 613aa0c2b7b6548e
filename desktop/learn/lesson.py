"""One page of "How it learns": a title, a paragraph, something to try, and a sentence about what it shows."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from desktop import style


class Lesson(QWidget):
    """Sub-classes add what there is to try to `column`, and the label `verdict`."""

    def __init__(self, title: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.title, self.words, self.verdict = QLabel(title), QLabel(words), QLabel()
        self.title.setProperty("role", "title")
        for label in (self.title, self.words, self.verdict):
            label.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.verdict.setProperty("role", "emphasis")
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(look.xl, 0, 0, 0)
        self.column.setSpacing(look.m)
        self.column.addWidget(self.title)
        self.column.addWidget(self.words)

    def leave(self) -> None:
        """Stop what moves: another page is shown, or the dialog closes."""


class Sketch(QWidget):
    """What a lesson draws: as large as there is room. Sub-classes paint with what `begin` returns."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        return QSize(300, 180)

    def begin(self) -> QPainter:
        """Return a painter over an empty ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), style.current().sunken)
        return painter
