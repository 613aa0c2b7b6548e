"""The grid of the Explore page: which samples it shows, their thumbnails, and the heatmaps over them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from desktop.models.prediction_table import Filter, Order
from desktop.pages.explore import messages
from desktop.pages.explore.model import ExploreModel
from desktop.widgets.thumbnail_grid import Ids, ThumbnailGrid
from desktop.widgets.tiles import Tile
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tile_loader import TileLoader
from ml.api import HandlensError, LabelChange, kind_named

SOUND_ASPECT = 0.75
SHAPES = 6


class GridController(QObject):
    """Drives a `ThumbnailGrid`. Drops what belongs to another project or run by itself."""

    def __init__(self, grid: ThumbnailGrid, model: ExploreModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid, self._model = grid, model
        self._maps_on_tiles = False
        self._shapes: list[float] = []
        """Height over width of the first pictures of this project."""
        self._loader = TileLoader(self)
        grid.pictures_wanted.connect(self._loader.want)
        self._loader.picture_ready.connect(self._on_picture)
        self._loader.overlay_ready.connect(grid.set_overlay)
        self._loader.failed.connect(self._on_failed)
        model.session_changed.connect(self._on_session_changed)
        model.run_changed.connect(self._on_run_changed)
        model.originals_found.connect(grid.forget_pictures)
        model.labels_changed.connect(self._on_labels_changed)
        model.map_changed.connect(self._show_maps)

    def show_predictions(self, order: Order, chosen: Filter) -> int:
        """Show the rows that pass the filter, in this order; how many there are."""
        table = self._model.table
        if table is None:
            return 0
        rows = table.sort(table.select(chosen), order)
        if chosen.only is not None and chosen.in_that_order:
            places = {sample_id: place for place, sample_id in enumerate(chosen.only)}
            rows = np.array(sorted(rows.tolist(), key=lambda row: places[int(table.ids[row])]), dtype=np.int64)
        self._grid.set_tiles(table.ids[rows], self._model.tile)
        return len(rows)

    def show_samples(self, ids: Ids, describe: Callable[[int], Tile], *, keep_place: bool = False) -> None:
        """Show these samples. `keep_place`: a few came or went, so do not scroll back to the top."""
        self._grid.set_tiles(ids, describe, keep_place=keep_place)

    def next_map(self) -> None:
        """Lay the heatmap of the large view over the tiles as well; the next time, show the next heatmap on both."""
        first = not self._maps_on_tiles and self._model.map_of != "off"
        self._maps_on_tiles = True
        if first:
            self._show_maps()
        else:
            self._model.cycle_map()

    def close(self) -> None:
        self._loader.close()

    @Slot()
    def _on_session_changed(self) -> None:
        session = self._model.session
        self._shapes = []
        self._loader.forget_all()
        if session is not None:
            pixels = kind_named(session.project.kind).input_name == "pixels"
            self._grid.set_aspect(1.0 if pixels else SOUND_ASPECT)
        else:
            self._grid.set_tiles(np.zeros(0, dtype=np.int64), self._model.tile)
            self._grid.forget_pictures()

    @Slot()
    def _on_run_changed(self) -> None:
        if self._model.table is not None:
            self._loader.set_makers(picture=self._make_picture, overlay=self._model.overlay)
            self._grid.forget_pictures()

    @Slot(object)
    def _on_labels_changed(self, changes: tuple[LabelChange, ...]) -> None:
        """A heatmap of the labelled class is another one after a change of the label."""
        if self._maps_on_tiles and self._model.map_of == "labelled":
            sample_ids = {change.sample_id for change in changes}
            self._loader.forget_overlays(sample_ids)
            self._grid.forget_overlays(sample_ids)

    @Slot()
    def _show_maps(self) -> None:
        self._grid.show_overlays(self._maps_on_tiles and self._model.map_of != "off")

    def _make_picture(self, sample_id: int) -> QImage | None:
        """Runs in a background thread."""
        session = self._model.session
        return None if session is None else load_tile(session.project, session.sample(sample_id))

    @Slot(int, object)
    def _on_picture(self, sample_id: int, picture: QImage) -> None:
        self._grid.set_picture(sample_id, picture)
        if len(self._shapes) < SHAPES and not picture.isNull():
            # The first few pictures decide which shape wastes the least room; later ones do not move the tiles.
            self._shapes.append(min(1.0, max(0.66, picture.height() / picture.width())))
            if len(self._shapes) == SHAPES:
                self._grid.set_aspect(sorted(self._shapes)[SHAPES // 2])

    @Slot(int, object)
    def _on_failed(self, _sample_id: int, error: object) -> None:
        session = self._model.session
        if not isinstance(error, HandlensError) or session is None or self._model.problem:
            return  # one problem is enough, and a missing drive is slow to answer
        self._model.set_problem(messages.cannot_show(session, error))
