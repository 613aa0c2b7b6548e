"""A grid of thumbnails that stays fast with 100,000 of them: it loads only what is on the screen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    QStringListModel,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QImage, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from desktop.i18n import tr
from desktop.widgets.tiles import CAPTION, MARGIN, OVERLAY_ROLE, PICTURE_ROLE, TILE_ROLE, Tile, TilePainter

Ids = NDArray[np.int64]
"""Sample ids in an order."""
Index = QModelIndex | QPersistentModelIndex
SMALLEST_TILE = 150
CACHE_BYTES = 96 * 1024 * 1024


class ImageCache:
    """An LRU cache of images, at most `limit` bytes."""

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._images: OrderedDict[Hashable, QImage] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._images

    def __len__(self) -> int:
        return len(self._images)

    def get(self, key: Hashable) -> QImage | None:
        image = self._images.get(key)
        if image is not None:
            self._images.move_to_end(key)
        return image

    def put(self, key: Hashable, image: QImage) -> None:
        old = self._images.pop(key, None)
        self._bytes += image.sizeInBytes() - (old.sizeInBytes() if old is not None else 0)
        self._images[key] = image
        while self._bytes > self._limit and len(self._images) > 1:
            _, gone = self._images.popitem(last=False)
            self._bytes -= gone.sizeInBytes()

    def drop(self, key: Hashable) -> None:
        gone = self._images.pop(key, None)
        if gone is not None:
            self._bytes -= gone.sizeInBytes()

    def clear(self) -> None:
        self._images.clear()
        self._bytes = 0


class TileModel(QStringListModel):
    """A list of sample ids. A tile is described only when it is painted.

    Of the base class only the count of rows is used. Qt asks for it nine times per row when all are selected, which
    takes a second for 50,000 rows where Python answers.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.ids: Ids = np.zeros(0, dtype=np.int64)
        self.describe: Callable[[int], Tile] = lambda _id: Tile(caption="")
        self.pictures = ImageCache()
        self.overlays = ImageCache()
        self.overlays_shown = False
        self.frame = QSize(150, 150)
        self.ratio = 1.0
        self._scaled = ImageCache()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.ids):
            return None
        sample_id = int(self.ids[index.row()])
        if role == PICTURE_ROLE:
            return self._picture(sample_id)
        if role == OVERLAY_ROLE:
            return self.overlays.get(sample_id) if self.overlays_shown else None
        if role == TILE_ROLE:
            return self.describe(sample_id)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return self.describe(sample_id).spoken
        return None

    def reset(self, ids: Ids, describe: Callable[[int], Tile]) -> None:
        self.ids, self.describe = ids, describe
        self.setStringList([""] * len(ids))

    def forget_scaled(self) -> None:
        self._scaled.clear()

    def _picture(self, sample_id: int) -> QImage | None:
        """Return the picture at its painted size. Scaling once is cheaper than scaling in every frame."""
        key = (sample_id, self.frame.width(), self.frame.height(), self.ratio)
        scaled = self._scaled.get(key)
        if scaled is not None:
            return scaled
        picture = self.pictures.get(sample_id)
        if picture is None or picture.isNull():
            return picture
        scaled = picture.scaled(
            self.frame * self.ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        scaled.setDevicePixelRatio(self.ratio)
        self._scaled.put(key, scaled)
        return scaled


class ThumbnailGrid(QListView):
    """Shows samples by id. Requests pictures with `pictures_wanted` and takes them with `set_picture`."""

    chosen = Signal(int)
    """The sample under the cursor has changed."""
    pictures_wanted = Signal(object, object)
    """Two tuples of ids: those without a picture and those without an overlay, visible ones first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Samples"))
        self._model = TileModel(self)
        self._painter = TilePainter(self)
        self.setModel(self._model)
        self.setItemDelegate(self._painter)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.verticalScrollBar().setSingleStep(48)
        # Its room is reserved so that nothing jumps, but it is drawn only if there is something to scroll.
        self.verticalScrollBar().setEnabled(False)
        self.verticalScrollBar().rangeChanged.connect(self._on_range)
        self._aspect = 1.0
        self._asked: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self._ask = QTimer(self, singleShot=True, interval=0)
        self._ask.timeout.connect(self._wish)
        self.selectionModel().currentChanged.connect(self._on_current)

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_aspect(self, aspect: float) -> None:
        """Set the height of a picture over its width."""
        if aspect != self._aspect:
            self._aspect = aspect
            self._fit_cells()

    def set_tiles(self, ids: Ids, describe: Callable[[int], Tile], *, keep_place: bool = False) -> None:
        """Show these samples, scrolled to the top. `describe` is called for tiles as they come into view.

        `keep_place`: keep the scroll position and the row of the cursor.
        """
        row = max(0, min((index.row() for index in self.selectedIndexes()), default=0)) if keep_place else 0
        scrolled = self.verticalScrollBar().value()
        self._model.reset(ids, describe)
        if keep_place:
            self.doItemsLayout()
            self.verticalScrollBar().setValue(scrolled)
        else:
            self.scrollToTop()
        if len(ids):
            self._put_cursor(min(row, len(ids) - 1))

    def ids(self) -> Ids:
        return self._model.ids

    def selected_ids(self) -> tuple[int, ...]:
        """Return the selected samples in the order of the grid."""
        ranges = self.selectionModel().selection()  # not its indexes: 100,000 of them take a second
        selected = np.zeros(len(self._model.ids), dtype=np.bool_)
        for place in range(ranges.count()):
            selected[ranges.at(place).top() : ranges.at(place).bottom() + 1] = True
        return tuple(self._model.ids[selected].tolist())

    def selected_count(self) -> int:
        """Count the selected samples without listing them: 100,000 may be selected."""
        ranges = self.selectionModel().selection()
        return sum(ranges.at(place).height() for place in range(ranges.count()))

    def last_selected_row(self) -> int:
        """Return the row of the last selected tile, -1 if none is selected."""
        ranges = self.selectionModel().selection()
        return max((ranges.at(place).bottom() for place in range(ranges.count())), default=-1)

    def current_id(self) -> int | None:
        index = self.currentIndex()
        return int(self._model.ids[index.row()]) if index.isValid() else None

    def choose(self, sample_id: int) -> bool:
        """Put the cursor on a sample; False if it is not in the grid."""
        rows = np.flatnonzero(self._model.ids == sample_id)
        if len(rows):
            self._put_cursor(int(rows[0]))
        return len(rows) > 0

    def choose_row(self, row: int) -> None:
        """Put the cursor on the tile in that row, and select it alone."""
        self._put_cursor(row)

    def picture(self, sample_id: int) -> QImage | None:
        """Return the loaded picture of a sample; a null image if it has none, None if it is not loaded yet."""
        return self._model.pictures.get(sample_id)

    def overlay(self, sample_id: int) -> QImage | None:
        """Return the loaded overlay of a sample, as `picture`."""
        return self._model.overlays.get(sample_id)

    def loaded_pictures(self) -> int:
        return len(self._model.pictures)

    def loaded_overlays(self) -> int:
        return len(self._model.overlays)

    def overlays_shown(self) -> bool:
        return self._model.overlays_shown

    def set_picture(self, sample_id: int, image: QImage) -> None:
        self._model.pictures.put(sample_id, image)
        self.viewport().update()

    def set_overlay(self, sample_id: int, image: QImage) -> None:
        self._model.overlays.put(sample_id, image)
        self.viewport().update()

    def show_overlays(self, shown: bool) -> None:
        """Show or hide overlays. Drops the present ones, so that others are requested."""
        self._model.overlays_shown = shown
        self._model.overlays.clear()
        self._asked = ((), ())
        self.viewport().update()

    def forget_overlays(self, sample_ids: Iterable[int]) -> None:
        """Drop the overlays of these samples and request them again."""
        for sample_id in sample_ids:
            self._model.overlays.drop(sample_id)
        self.refresh()

    def forget_pictures(self) -> None:
        """Drop all pictures and overlays: another project is shown."""
        self._model.pictures.clear()
        self._model.overlays.clear()
        self._model.forget_scaled()
        self._asked = ((), ())

    def refresh(self) -> None:
        """Describe the tiles again; their order stays."""
        self._asked = ((), ())
        self.viewport().update()

    # -- Qt ------------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_cells()
        super().resizeEvent(event)

    def _fit_cells(self) -> None:
        """Fit as many columns as possible, and stretch the tiles to fill the width."""
        width = self.viewport().width() - 1
        side = width // max(1, width // SMALLEST_TILE)
        picture = round((side - 2 * MARGIN) * self._aspect)
        self._painter.cell = QSize(side, picture + 2 * MARGIN + CAPTION)
        self.setGridSize(self._painter.cell)
        self._model.frame = self._painter.frame_size()
        self._model.ratio = self.devicePixelRatioF()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._ask.start()

    def keyboardSearch(self, _search: str) -> None:
        """Do nothing: tiles have no names, and looking for one in all of them takes seconds."""

    def _put_cursor(self, row: int) -> None:
        """Select one tile alone. setCurrentIndex would add to the selection while the Ctrl of Ctrl+Z is down."""
        self.selectionModel().setCurrentIndex(self._model.index(row), QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_range(self, low: int, high: int) -> None:
        self.verticalScrollBar().setEnabled(high > low)

    def _on_current(self, current: QModelIndex, _previous: QModelIndex) -> None:
        if current.isValid():
            self.chosen.emit(int(self._model.ids[current.row()]))

    def _wish(self) -> None:
        rows = self._rows_near()
        ids = [int(self._model.ids[row]) for row in rows]
        pictures = tuple(i for i in ids if i not in self._model.pictures)
        overlays = tuple(i for i in ids if i not in self._model.overlays) if self._model.overlays_shown else ()
        if (pictures, overlays) != self._asked:
            self._asked = (pictures, overlays)
            self.pictures_wanted.emit(pictures, overlays)

    def _rows_near(self) -> list[int]:
        """List the rows on the screen, then half a screen below and above."""
        total, cell = len(self._model.ids), self._painter.cell
        if total == 0:
            return []
        columns = max(1, self.viewport().width() // max(1, cell.width()))
        top, height = self.verticalOffset(), self.viewport().height()
        first = top // cell.height() * columns
        last = ((top + height) // cell.height() + 1) * columns
        more = (last - first) // 2
        below = range(min(last, total), min(last + more, total))
        above = range(max(0, first - more), max(0, first))
        return [*range(max(0, first), min(last, total)), *below, *reversed(above)]
