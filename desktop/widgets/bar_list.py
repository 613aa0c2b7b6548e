"""A list of classes with pictures, bars and counts. Virtual: a thousand classes cost no more than ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from desktop import style
from desktop.i18n import number
from desktop.widgets.elide_distinct import cut_apart
from desktop.widgets.picture_row import paint_filling

_PICTURES = 3
_SHORTEST = 80
"""The least width of the longest bar; pictures give way to it."""
_AROUND = 8
"""Pixels of a row without its pictures."""
_ROWS_AT_FIRST = 5
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, kw_only=True, slots=True)
class BarRow:
    """One class: its name, count and colour, its words for a screen reader, and up to three pictures."""

    name: str
    count: int
    colour: QColor
    words: str
    images: tuple[QImage, ...] = ()


class _Rows(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: list[BarRow] = []

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row.words
        return row.name if role == Qt.ItemDataRole.ToolTipRole else None


class BarList(QListView):
    """Shows classes with `set_rows`; `set_images` adds the pictures of one class later."""

    def __init__(self, parent: QWidget | None = None, *, row_height: int = 44) -> None:
        super().__init__(parent)
        self.row_height = row_height
        self._model = _Rows(self)
        self.setModel(self._model)
        self.setItemDelegate(_Bars(self))
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(2 * row_height)

    def set_rows(self, rows: Sequence[BarRow]) -> None:
        self._model.beginResetModel()
        self._model.rows = list(rows)
        self._model.endResetModel()
        # No higher than its rows: an empty box below them would look like missing classes.
        self.setMaximumHeight(max(len(rows), 2) * self.row_height + 2 * self.frameWidth())
        self.updateGeometry()

    def rows(self) -> tuple[BarRow, ...]:
        return tuple(self._model.rows)

    def set_images(self, place: int, images: Sequence[QImage]) -> None:
        row = self._model.rows[place]
        self._model.rows[place] = BarRow(
            name=row.name, count=row.count, colour=row.colour, words=row.words, images=tuple(images)
        )
        index = self._model.index(place, 0)
        self._model.dataChanged.emit(index, index)

    def sizeHint(self) -> QSize:
        """At first for a few rows: it takes what room is left, and what stands below it stays in sight."""
        return QSize(480, min(max(self._model.rowCount(), 2), _ROWS_AT_FIRST) * self.row_height + 2 * self.frameWidth())


class _Bars(QStyledItemDelegate):
    """Paints a row: name (at most 30 % of the width), up to three pictures, bar, count."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        model = index.model()
        assert isinstance(model, _Rows)
        row, look = model.rows[index.row()], style.current()
        area: QRect = option.rect.adjusted(look.m, 0, -look.m, 0)
        metrics = option.fontMetrics
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        longest = max(metrics.horizontalAdvance(item.name) for item in model.rows)
        name_width = min(longest + look.s, area.width() * 3 // 10)
        painter.setPen(look.text)
        name = cut_apart([item.name for item in model.rows], option.font, name_width)[row.name]
        painter.drawText(QRect(area.x(), area.y(), name_width, area.height()), Qt.AlignmentFlag.AlignVCenter, name)
        left = area.x() + name_width + look.m
        square = area.height() - _AROUND
        top = area.y() + _AROUND / 2
        count = number(row.count)
        top_count = max(item.count for item in model.rows)
        behind = metrics.horizontalAdvance(number(top_count)) + 2 * look.s
        free = area.right() - left - look.m - behind - _SHORTEST
        pictures = max(0, min(_PICTURES, free // (square + look.xs)))
        for place in range(pictures):
            target = QRectF(left + place * (square + look.xs), top, square, square)
            paint_filling(painter, target, row.images[place] if place < len(row.images) else None)
        left += pictures * (square + look.xs) + (look.m if pictures else 0)
        room = area.right() - left - behind
        width = max(3.0, room * row.count / max(1, top_count))
        path = QPainterPath()
        path.addRoundedRect(QRectF(left, area.center().y() - 5, width, 10), 3, 3)
        painter.fillPath(path, row.colour)
        spot = QRect(int(left + width + look.s), area.y(), area.right() - int(left + width + look.s) + 1, area.height())
        painter.drawText(spot, Qt.AlignmentFlag.AlignVCenter, count)
        painter.restore()

    def _view(self) -> BarList:
        view = self.parent()
        assert isinstance(view, BarList)
        return view

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(320, self._view().row_height)
