"""Counts per hour and day, as a plot and a table."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.dialogs.folder import FileSaver
from desktop.i18n import current_language, printable, tr, trn
from desktop.widgets.stacked_bars import StackedBars
from desktop.workers.tasks import Tasks
from ml.api import CountTable, HourTally, Per, replacing

_SIZE = (860, 560)
_MOST_ROWS = 5_000


class CountsDialog(QDialog):
    """Counts in the background, then shows hours, days or hours of the clock. Does not block the window."""

    def __init__(
        self,
        tally: Callable[[], HourTally],
        classes: Sequence[str],
        colours: Sequence[QColor],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._classes, self._colours = tuple(classes), tuple(colours)
        self._tally: HourTally | None = None
        self.setWindowTitle(tr("Counts per hour and day"))
        self.resize(*_SIZE)
        self.per_box = QComboBox()
        self.per_box.setAccessibleName(tr("Count"))
        for words, per in (
            (tr("Each hour"), "hour"),
            (tr("Each day"), "day"),
            (tr("By hour of the day"), "clock"),
        ):
            self.per_box.addItem(words, per)
        self.note = QLabel(tr("Reading when the files were made…"))
        self.note.setWordWrap(True)
        self.note.setProperty("role", "muted")
        self.bars, self.table = StackedBars(), QTableWidget()
        self.table.setAccessibleName(tr("Counts"))
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.save_button, close = QPushButton(tr("Save as table…")), QPushButton(tr("Close"))
        self.save_button.setEnabled(False)
        self._lay_out(close)
        self.per_box.activated.connect(self._show)
        self.save_button.clicked.connect(self._save)
        close.clicked.connect(self.reject)
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_counted)
        self._tasks.failed.connect(self._on_failed)
        self._tasks.submit(tally)
        self.finished.connect(self._end)

    def _lay_out(self, close: QPushButton) -> None:
        look = style.current()
        head, buttons = QHBoxLayout(), QHBoxLayout()
        head.setSpacing(look.m)
        head.addWidget(self.per_box)
        head.addWidget(self.note, 1)
        buttons.setSpacing(look.s)
        buttons.addWidget(self.save_button)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.l, look.xl, look.l)
        column.setSpacing(look.m)
        column.addLayout(head)
        column.addWidget(self.bars, 3)
        column.addWidget(self.table, 2)
        column.addLayout(buttons)

    def counts(self) -> CountTable | None:
        """Return what is shown, None while it is counted."""
        per: Per = self.per_box.currentData()
        return None if self._tally is None else self._tally.table(self._classes, per)

    @Slot(int, object)
    def _on_counted(self, _number: int, tally: object) -> None:
        if not isinstance(tally, HourTally):
            return
        self._tally = tally
        untimed = len(tally.untimed)
        self.note.setText(
            trn(
                "Of {count} file it is unknown when it was made: neither its name nor its metadata tell.",
                "Of {count} files it is unknown when they were made: neither their names nor their metadata tell.",
                untimed,
            )
            if untimed
            else ""
        )
        self.save_button.setEnabled(True)
        self._show()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: object) -> None:
        self.note.setText(tr("A fault in Handlens ended this ({fault}). Try again.", fault=type(error).__name__))

    @Slot()
    def _show(self) -> None:
        counts = self.counts()
        if counts is None:
            return
        names = [printable(name) for name in counts.classes]
        self.bars.set_counts(counts.times, names, self._colours, counts.counts)
        timed = bool(counts.minutes.any())
        headers = [tr("Time"), *((tr("Minutes recorded"),) if timed else ()), *names]
        shown = counts.times[:_MOST_ROWS]
        self.table.setColumnCount(len(headers))
        self.table.setHorizontalHeaderLabels(headers)
        for column, colour in enumerate(self._colours, len(headers) - len(names)):
            head = self.table.horizontalHeaderItem(column)
            if head is not None:
                head.setIcon(QIcon(_swatch(colour)))
        self.table.setRowCount(len(shown))
        for row, time in enumerate(shown):
            cells = [time or tr("Time unknown")]
            if timed:
                cells.append(current_language().number(float(counts.minutes[row]), ",.1f"))
            cells += [str(count) for count in counts.counts[row].tolist()]
            for column, cell in enumerate(cells):
                self.table.setItem(row, column, QTableWidgetItem(cell))
        self.table.resizeColumnsToContents()

    @Slot()
    def _save(self) -> None:
        counts = self.counts()
        target = FileSaver.ask(self, tr("Save the counts"), tr("counts.csv"), tr("Text (*.csv)"), suffix=".csv")
        if counts is None or target is None:
            return
        try:
            _write(counts, target)
        except OSError as error:
            self.note.setText(tr("{path} could not be written: {reason}.", path=str(target), reason=str(error)))
        else:
            self.note.setText(tr("The counts are in {path}.", path=str(target)))

    @Slot()
    def _end(self) -> None:
        self._tasks.close()


def _swatch(colour: QColor) -> QPixmap:
    swatch = QPixmap(12, 12)
    swatch.fill(colour)
    return swatch


def _write(counts: CountTable, target: Path) -> None:
    with replacing(target) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        names = [f"'{name}" if name.startswith(("=", "+", "-", "@")) else name for name in counts.classes]
        table.writerow(("time", "minutes", *names))
        for time, minutes, row in zip(counts.times, counts.minutes.tolist(), counts.counts.tolist(), strict=True):
            table.writerow((time, round(minutes, 2), *row))
