"""Ask which column of a table names the file and which the class, above its first rows."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import printable, tr
from ml.api import LabelColumns, TableHead

_MOST_WIDTH = 220


class ColumnQuestion(QWidget):
    """Emits `chosen(columns)` once both columns are chosen."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._columns: tuple[str, ...] = ()
        self.file_box, self.label_box = QComboBox(), QComboBox()
        row = QHBoxLayout()
        row.setSpacing(look.s)
        for words, box in (
            (tr("Which column names the file?"), self.file_box),
            (tr("Which the class?"), self.label_box),
        ):
            label = QLabel(words)
            label.setBuddy(box)
            box.setAccessibleName(words)
            box.activated.connect(self._note)
            row.addWidget(label)
            row.addWidget(box)
        row.addStretch(1)
        self.table = QTableWidget()
        self.table.setAccessibleName(tr("The first rows of the table"))
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        column.addLayout(row)
        column.addWidget(self.table)

    def ask(self, head: TableHead, chosen: LabelColumns | None) -> None:
        """Show the first rows; `chosen`: what was answered before."""
        self._columns = head.columns
        names = [printable(name) for name in head.columns]
        for box, before in zip((self.file_box, self.label_box), chosen or (head.file, ""), strict=True):
            with QSignalBlocker(box):
                box.clear()
                box.addItems(names)
                box.setCurrentIndex(head.columns.index(before) if before in head.columns else -1)
        self.table.setColumnCount(len(names))
        self.table.setRowCount(len(head.rows))
        self.table.setHorizontalHeaderLabels(names)
        for row, cells in enumerate(head.rows):
            for place, cell in enumerate(cells):
                self.table.setItem(row, place, QTableWidgetItem(printable(cell)))
        self.table.resizeColumnsToContents()
        for place in range(len(names)):
            self.table.setColumnWidth(place, min(self.table.columnWidth(place), _MOST_WIDTH))
        height = self.table.horizontalHeader().sizeHint().height() + 2 * self.table.frameWidth()
        rows = sum(self.table.rowHeight(row) for row in range(len(head.rows)))
        self.table.setFixedHeight(height + rows + self.table.horizontalScrollBar().sizeHint().height())

    @Slot()
    def _note(self) -> None:
        file, label = self.file_box.currentIndex(), self.label_box.currentIndex()
        if file >= 0 and label >= 0 and file != label:
            self.chosen.emit(LabelColumns(self._columns[file], self._columns[label]))
