"""The runs so far, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from desktop.i18n import tr

MOST_RUNS = 6


class RunList(QWidget):
    """Lines of words, `run_chosen(number)` when one is clicked; hidden while there is none."""

    run_chosen = Signal(int)
    all_pressed = Signal()
    """The person wants to see all runs and compare them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 16, 0, 0)
        self._grid.setHorizontalSpacing(32)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(4, 1)
        self._shown: list[tuple[int, tuple[str, ...]]] = []
        self._parts: list[QWidget] = []
        self.buttons: dict[int, QPushButton] = {}
        """By the number of the run."""
        self.hide()

    def show_runs(self, runs: Sequence[tuple[int, tuple[str, ...]]]) -> None:
        """Of each run its number and its cells, the newest first."""
        if list(runs) == self._shown:
            return
        focused = next((number for number, button in self.buttons.items() if button.hasFocus()), None)
        for part in self._parts:
            part.hide()
            part.deleteLater()
        self._shown = list(runs)
        title = QLabel(tr("Runs so far"))
        title.setProperty("role", "emphasis")
        self.all_button = QPushButton(tr("Compare runs"))
        self.all_button.setProperty("role", "link")
        self.all_button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.all_button.clicked.connect(self.all_pressed)
        self._parts, self.buttons = [title, self.all_button], {}
        self._grid.addWidget(title, 0, 0, 1, 3)
        self._grid.addWidget(self.all_button, 0, 3)
        for row, (number, cells) in enumerate(self._shown[:MOST_RUNS], start=1):
            for column, text in enumerate(cells):
                cell = self._button(number, cells) if column == 0 else _cell(text, muted=column != 1)
                self._grid.addWidget(cell, row, column)
                self._parts.append(cell)
        self.setVisible(bool(self._shown))
        if focused in self.buttons:
            self.buttons[focused].setFocus()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The whole line is as good as the name in it."""
        for button in self.buttons.values():
            if button.geometry().top() <= event.position().y() <= button.geometry().bottom():
                button.click()
                return
        super().mouseReleaseEvent(event)

    def _button(self, number: int, cells: Sequence[str]) -> QPushButton:
        button = QPushButton(cells[0])
        button.setProperty("role", "link")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setToolTip(tr("Show the result of this run"))
        button.setAccessibleName(", ".join(cells))
        button.clicked.connect(lambda: self.run_chosen.emit(number))
        self.buttons[number] = button
        return button


def _cell(text: str, *, muted: bool) -> QLabel:
    label = QLabel(text)
    label.setCursor(Qt.CursorShape.PointingHandCursor)
    if muted:
        label.setProperty("role", "muted")
    return label
