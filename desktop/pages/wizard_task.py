"""The wizard's one question about what it found: one thing in each, or more than one at once."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QRadioButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr
from ml.api import Kind, ScanReport, Task


class TaskPart(QWidget):
    """Two choices in a row; `chosen(task)` when the person takes the other one."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.single, self.multi = QRadioButton(), QRadioButton(tr("More than one may be present"))
        self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(look.l)
        for button in (self.single, self.multi):
            self._group.addButton(button)
            button.clicked.connect(self._on_clicked)
            row.addWidget(button)
        row.addStretch(1)
        self.hint = QLabel()
        self.hint.setProperty("role", "muted")
        self.hint.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.xs)
        column.addLayout(row)
        column.addWidget(self.hint)
        self._task: Task = "single"

    def task(self) -> Task:
        return self._task

    def show_report(self, report: ScanReport) -> None:
        """What is chosen now, in the words of what was found."""
        self._task = report.task
        self.single.setText(self._one_thing(report.kind))
        with QSignalBlocker(self._group):
            (self.multi if report.task == "multi" else self.single).setChecked(True)
        self.hint.setText(self._hint(report))
        self.hint.setVisible(bool(self.hint.text()))

    def _one_thing(self, kind: Kind) -> str:
        return {
            "images": tr("Each picture shows one thing"),
            "recordings": tr("In each sound there is one thing"),
            "sensors": tr("Each log shows one thing"),
        }[kind]

    def _hint(self, report: ScanReport) -> str:
        if report.task == "multi":
            return tr("It learns for each class whether it is present. A sample may also have none of them.")
        if any(item.conflicting for item in report.duplicates):
            return tr("Some files lie in several class folders. Perhaps more than one class may be present.")
        return ""

    @Slot()
    def _on_clicked(self) -> None:
        task: Task = "multi" if self.multi.isChecked() else "single"
        if task != self._task:
            self._task = task
            self.chosen.emit(task)
