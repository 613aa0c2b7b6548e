"""One page of "How it learns": a title, a paragraph, something to try, and a sentence about what it shows."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

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
