"""The runs so far, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

MOST_RUNS = 6


class RunList(QWidget):
    """Lines of words; hidden while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 16, 0, 0)
        self._grid.setHorizontalSpacing(32)
        self._grid.setVerticalSpacing(6)
        self._labels: list[QLabel] = []
        self.hide()

    def show_runs(self, runs: Sequence[Sequence[str]]) -> None:
        """One sequence of cells per run, the newest first."""
        for label in self._labels:
            label.hide()
            label.deleteLater()
        title = QLabel(self.tr("Runs so far"))
        title.setProperty("role", "emphasis")
        self._labels = [title]
        self._grid.addWidget(title, 0, 0, 1, 4)
        for row, cells in enumerate(runs[:MOST_RUNS], start=1):
            for column, text in enumerate(cells):
                label = QLabel(text)
                if column != 1:
                    label.setProperty("role", "muted")
                self._grid.addWidget(label, row, column)
                self._labels.append(label)
        self._grid.setColumnStretch(4, 1)
        self.setVisible(bool(runs))
