"""The table of runs: one line each, sorted by any column. The note can be edited in place."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from desktop.i18n import printable, tr
from desktop.pages.runs import messages
from desktop.pages.runs.messages import RunLine

NOTE = 8
_ROW = 32
_WIDTHS = (64, 150, 110, 90, 150, 76, 160, 100)
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


class RunsModel(QAbstractTableModel):
    """Holds the lines. Emits `note_written(run, note)` when the person has edited one."""

    note_written = Signal(int, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._heads = messages.heads()
        self._lines: list[RunLine] = []
        self._column, self._order = 0, Qt.SortOrder.DescendingOrder

    def set_lines(self, lines: Sequence[RunLine]) -> None:
        """Show these runs. If they are the same runs, the view keeps its selection and a note that is being written."""
        shown, new = {line.number: line for line in self._lines}, {line.number: line for line in lines}
        if shown.keys() == new.keys():
            self._lines = [new[line.number] for line in self._lines]
            self.sort(self._column, self._order)
            self.dataChanged.emit(self.index(0, 0), self.index(len(lines) - 1, NOTE - 1))
            for number, line in new.items():
                if line.cells[NOTE] != shown[number].cells[NOTE]:  # Qt would set an open editor back to what was there
                    place = self.index(self.row_of(number), NOTE)
                    self.dataChanged.emit(place, place)
            return
        self.beginResetModel()
        self._lines = list(lines)
        self._sort()
        self.endResetModel()

    def line(self, row: int) -> RunLine:
        return self._lines[row]

    def row_of(self, run: int) -> int:
        """Return the row of a run; -1 if it is not shown."""
        return next((row for row, line in enumerate(self._lines) if line.number == run), -1)

    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._heads[section]
        return messages.hints()[section] or None if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        words = self._lines[index.row()].cells[index.column()]
        if role == Qt.ItemDataRole.EditRole:
            return words
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return tr("{head}: {value}", head=self._heads[index.column()], value=printable(words))
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return printable(words)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        usual = super().flags(index)
        return usual | Qt.ItemFlag.ItemIsEditable if index.column() == NOTE else usual

    def setData(self, index: _Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or index.column() != NOTE:
            return False
        line, note = self._lines[index.row()], str(value).strip()
        if note != line.cells[NOTE]:
            self.note_written.emit(line.number, note)
        return True

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._column, self._order = column, order
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        runs = [self._lines[index.row()].number for index in before]
        self._sort()
        after = [self.index(self.row_of(run), index.column()) for run, index in zip(runs, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _sort(self) -> None:
        # Twice, so that the newest of equal ones comes first.
        self._lines.sort(key=lambda line: -line.number)
        if self._column >= 0:
            descending = self._order == Qt.SortOrder.DescendingOrder
            self._lines.sort(key=lambda line: line.sort[self._column], reverse=descending)


class RunsTable(QTableView):
    """Shows a `RunsModel`. At most two runs make sense to select; the newest two of more count."""

    runs_selected = Signal()

    def __init__(self, model: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = model
        self.setModel(model)
        self.setAccessibleName(tr("Runs"))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setSortIndicator(0, Qt.SortOrder.DescendingOrder)
        for column, width in enumerate(_WIDTHS):
            header.resizeSection(column, max(width, header.sectionSizeHint(column)))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        self.setSortingEnabled(True)
        self.selectionModel().selectionChanged.connect(self.runs_selected)

    def selected_runs(self) -> list[int]:
        """Return the numbers of the selected runs, the oldest first."""
        return sorted(self._runs.line(index.row()).number for index in self.selectionModel().selectedRows())

    def edit_note(self) -> None:
        """Let the person write the note of the run under the cursor."""
        index = self.currentIndex()
        if index.isValid():
            self.edit(index.siblingAtColumn(NOTE))

    def choose(self, run: int) -> None:
        """Select one run alone."""
        row = self._runs.row_of(run)
        if row >= 0:
            self.selectRow(row)
