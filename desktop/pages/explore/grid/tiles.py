"""What the tiles of the grid show: their pictures, as they are wanted, and the maps over them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.detail.controller import DetailController
from desktop.pages.explore.view import ExploreView
from desktop.session import Session
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, kind_named

SOUND_ASPECT = 0.75
SHAPES = 6


class ExploreTiles(QObject):
    """`set_session` for another project, `begin` for another run, `next_map` when somebody asks for maps."""

    def __init__(self, board: ExploreView, spot: DetailController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._board, self._spot = board, spot
        self._session: Session | None = None
        self._maps_too = False
        self._shapes: list[float] = []
        """Height over width of the first pictures of this project."""
        self._loader = TileLoader(self)
        board.grid.pictures_wanted.connect(self._loader.want)
        self._loader.picture_ready.connect(self._on_picture)
        self._loader.overlay_ready.connect(board.grid.set_overlay)
        self._loader.failed.connect(self._on_failed)
        spot.map_changed.connect(self._show_maps)

    def set_session(self, session: Session | None) -> None:
        self._session, self._shapes = session, []
        self._loader.forget_all()
        if session is not None:
            self._board.grid.set_aspect(
                1.0 if kind_named(session.project.kind).input_name == "pixels" else SOUND_ASPECT
            )

    def begin(self) -> None:
        """Nothing shown before holds any more."""
        self._loader.set_makers(picture=self._make_picture, overlay=self._spot.overlay_of)
        self._board.grid.forget_pictures()

    def next_map(self) -> None:
        """First the map that is shown large goes over the tiles as well; from then on the next one over both."""
        first = not self._maps_too and self._spot.map_of != "off"
        self._maps_too = True
        if first:
            self._show_maps()
        else:
            self._spot.cycle_map()

    def take(self, sample_ids: Collection[int]) -> None:
        """These were labelled anew; where the maps are of what they are labelled, others belong over them."""
        if self._maps_too and self._spot.map_of == "labelled":
            self._loader.forget_overlays(sample_ids)
            self._board.grid.forget_overlays(sample_ids)

    def close(self) -> None:
        self._loader.close()

    @Slot()
    def _show_maps(self) -> None:
        self._board.grid.show_overlays(self._maps_too and self._spot.map_of != "off")

    def _make_picture(self, sample_id: int) -> QImage | None:
        """Runs in a background thread."""
        session = self._session
        return None if session is None else load_tile(session.project, session.sample(sample_id))

    @Slot(int, object)
    def _on_picture(self, sample_id: int, picture: QImage) -> None:
        grid = self._board.grid
        grid.set_picture(sample_id, picture)
        if len(self._shapes) < SHAPES and not picture.isNull():
            # The first few pictures say which shape wastes the least room; from then on it stays.
            self._shapes.append(min(1.0, max(0.66, picture.height() / picture.width())))
            if len(self._shapes) == SHAPES:
                grid.set_aspect(sorted(self._shapes)[SHAPES // 2])

    @Slot(int, object)
    def _on_failed(self, _sample_id: int, error: object) -> None:
        if not isinstance(error, HandlensError) or self._session is None or self._board.problem.text():
            return  # it is said already, and a drive that has gone is slow to answer
        self._board.say_problem(explore_words.cannot_show(self._session, error))


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
