"""How learning works, in two minutes and by doing: four short lessons on one's own project."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import tr
from desktop.learn.curves_page import CurvesPage
from desktop.learn.lesson import Lesson
from desktop.learn.line_page import LinePage
from desktop.learn.map_page import MapPage
from desktop.learn.stages_page import StagesPage
from desktop.session import Session

LIST_WIDTH = 190


class LearnDialog(QDialog):
    """Leaves the window free. Without a project, the lessons about a run say what is missing."""

    def __init__(self, session: Session | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(tr("How it learns"))
        self.resize(920, 620)
        self.line, self.map = LinePage(), MapPage(session)
        self.lessons: tuple[Lesson, ...] = (self.line, StagesPage(session), CurvesPage(session), self.map)
        self.topics, self.stack = QListWidget(), QStackedWidget()
        self.topics.setAccessibleName(tr("Lessons"))
        self.topics.setFixedWidth(LIST_WIDTH)
        self.topics.setSpacing(look.xs)
        for name in (tr("Learning"), tr("What it knew before"), tr("Learned by heart"), tr("Heat maps")):
            self.topics.addItem(name)
        for lesson in self.lessons:
            self.stack.addWidget(lesson)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.next_button = QPushButton(tr("Next"))
        self.next_button.clicked.connect(lambda: self.topics.setCurrentRow(self.topics.currentRow() + 1))
        buttons.addButton(self.next_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.finished.connect(self._on_finished)
        self.topics.currentRowChanged.connect(self._show_lesson)
        self.topics.setCurrentRow(0)
        row = QHBoxLayout()
        row.addWidget(self.topics)
        row.addWidget(self.stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.l)
        column.addLayout(row, 1)
        column.addWidget(buttons)

    @classmethod
    def show_lessons(cls, session: Session | None, parent: QWidget | None = None) -> LearnDialog:
        """Open the dialog without blocking the window."""
        dialog = cls(session, parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
        return dialog

    @Slot(int)
    def _show_lesson(self, row: int) -> None:
        for lesson in self.lessons:
            lesson.leave()
        self.stack.setCurrentIndex(row)
        self.next_button.setEnabled(row + 1 < len(self.lessons))

    @Slot()
    def _on_finished(self) -> None:
        for lesson in self.lessons:
            lesson.leave()
        self.map.close_tasks()
