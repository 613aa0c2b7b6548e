"""The grid of the Explore page: which samples it shows, their thumbnails, and the heatmaps over them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from desktop.models.prediction_table import Filter, Order
from desktop.pages.explore import messages
from desktop.pages.explore.model import ExploreModel
from desktop.widgets.thumbnail_grid import Ids, ThumbnailGrid
from desktop.widgets.tiles import Tile
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tasks import Tasks
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


IN_FLIGHT = 6
What = Literal["picture", "overlay"]
Make = Callable[[int], QImage | None]
"""From a sample's id to its image, in a background thread. Raises where that cannot be."""


class TileLoader(QObject):
    """`want` replaces what was wanted before; each answer comes with `picture_ready` or `overlay_ready`.

    A null image says that there is none to be had.
    """

    picture_ready = Signal(int, object)
    overlay_ready = Signal(int, object)
    failed = Signal(int, object)
    """A sample's id and the exception."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._waiting: list[tuple[What, int]] = []
        self._running: dict[int, tuple[What, int]] = {}
        self._make: dict[What, Make] = {}

    def set_makers(self, *, picture: Make, overlay: Make) -> None:
        """Another project, run or overlay: nothing asked before is wanted any more."""
        self.forget_all()
        self._make = {"picture": picture, "overlay": overlay}

    def want(self, pictures: Sequence[int], overlays: Sequence[int]) -> None:
        """These and no others, in this order."""
        wanted: list[tuple[What, int]] = [("picture", sample_id) for sample_id in pictures]
        wanted += [("overlay", sample_id) for sample_id in overlays]
        keep = set(wanted)
        for number, key in list(self._running.items()):
            if key not in keep:
                self._tasks.forget(number)
                del self._running[number]
        running = set(self._running.values())
        self._waiting = [key for key in reversed(wanted) if key not in running]
        self._pump()

    def forget_overlays(self, sample_ids: Collection[int]) -> None:
        """What is being made of these samples holds no more."""
        for number, (what, sample_id) in list(self._running.items()):
            if what == "overlay" and sample_id in sample_ids:
                self._tasks.forget(number)
                del self._running[number]

    def forget_all(self) -> None:
        self._waiting = []
        self._running = {}
        self._tasks.forget_all()

    def close(self) -> None:
        self._waiting, self._running = [], {}
        self._tasks.close()

    def _pump(self) -> None:
        while self._waiting and len(self._running) < IN_FLIGHT:
            what, sample_id = self._waiting.pop()
            self._running[self._tasks.submit(self._make[what], sample_id)] = (what, sample_id)

    @Slot(int, object)
    def _on_done(self, number: int, result: object) -> None:
        self._deliver(number, result if isinstance(result, QImage) else QImage())

    @Slot(int, object)
    def _on_failed(self, number: int, error: object) -> None:
        what, sample_id = self._running.get(number, ("picture", 0))
        self._deliver(number, QImage())
        if what == "picture":
            self.failed.emit(sample_id, error)

    def _deliver(self, number: int, image: QImage) -> None:
        key = self._running.pop(number, None)
        if key is None:
            return
        what, sample_id = key
        (self.picture_ready if what == "picture" else self.overlay_ready).emit(sample_id, image)
        self._pump()
