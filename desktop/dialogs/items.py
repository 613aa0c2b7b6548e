"""A list in a dialog, such as the unreadable files and the reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import printable, tr

_ROW = 32
_MOST_WRAPPED = 500
"""Longer lists keep one line per row: measuring every row would take too long."""
_LONG_WORD = re.compile(r"\S{25,}")
_MAY_BREAK = "\u200b"
"""A space without width."""
_Index = QModelIndex | QPersistentModelIndex


class ItemsDialog(QDialog):
    """Rows of equal length under `heads`. The list can be copied."""

    def __init__(
        self,
        *,
        title: str,
        sentence: str,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(title)
        self.resize(860, 520)
        headline = QLabel(sentence)
        headline.setProperty("role", "emphasis")
        headline.setWordWrap(True)
        self._model = _Rows(heads, rows, self)
        table = QTableView()
        table.setModel(self._model)
        table.setShowGrid(False)
        table.setWordWrap(len(rows) <= _MOST_WRAPPED)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW)
        if len(rows) <= _MOST_WRAPPED:
            table.verticalHeader().setMinimumSectionSize(_ROW)
            table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        if len(heads) > 1:
            header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
            header.resizeSection(0, 300)
        header.setStretchLastSection(True)
        table.setAccessibleName(sentence)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton(tr("Copy the list"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.m)
        column.addWidget(headline)
        column.addWidget(table, 1)
        column.addWidget(buttons)

    @classmethod
    def show_items(
        cls, parent: QWidget | None, *, title: str, sentence: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> ItemsDialog:
        """Open the list without blocking the window."""
        dialog = cls(title=title, sentence=sentence, heads=heads, rows=rows, parent=parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def rows(self) -> tuple[tuple[str, ...], ...]:
        return self._model.rows

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText("\n".join("\t".join(row) for row in self._model.rows))


class _Rows(QAbstractTableModel):
    def __init__(self, heads: Sequence[str], rows: Sequence[Sequence[str]], parent: QWidget) -> None:
        super().__init__(parent)
        self._heads = tuple(heads)
        self.rows = tuple(tuple(row) for row in rows)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._heads)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        text = printable(self.rows[index.row()][index.column()], keep="\n")
        if role == Qt.ItemDataRole.DisplayRole:
            # Qt cannot break a long file name and would cut it off behind its folder.
            return _LONG_WORD.sub(lambda word: _MAY_BREAK.join(word[0]), text)
        return text if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self._heads[section]
        return None
