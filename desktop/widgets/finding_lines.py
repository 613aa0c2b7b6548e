"""What was found in the files, a line for each with a link to these files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import text, tr
from ml.api import Finding

_MOST = 4


class FindingLines(QWidget):
    """Shows warnings about the data. Emits `show_asked(finding)` for the files of one."""

    show_asked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[QPushButton] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(style.current().xs)
        self.hide()

    def show_findings(self, found: Sequence[Finding]) -> None:
        """Show the first of the findings; an empty list hides the widget."""
        while (item := self._column.takeAt(0)) is not None:
            row = item.widget()
            if row is not None:
                row.hide()
                row.deleteLater()
        self.buttons = []
        for finding in found[:_MOST]:
            self._column.addWidget(self._row(finding))
        self.setVisible(bool(found))

    def _row(self, finding: Finding) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.current().s)
        sentence = text(finding.sentence)
        label = QLabel(sentence)
        label.setProperty("role", "warn")
        label.setWordWrap(True)
        line.addWidget(label, 1)
        if finding.paths:
            button = QPushButton(tr("Show"))
            button.setProperty("role", "link")
            button.setAccessibleName(tr("Show: {sentence}", sentence=sentence))
            button.clicked.connect(partial(self._ask, finding))
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
            self.buttons.append(button)
        return row

    def _ask(self, finding: Finding) -> None:
        self.show_asked.emit(finding)
