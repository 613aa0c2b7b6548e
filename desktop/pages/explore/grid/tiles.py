"""What the tiles of the grid show: their pictures, as they are wanted, and the maps over them."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.detail.controller import ExploreFocus
from desktop.pages.explore.view import ExploreBoard
from desktop.pages.explore_loader import TileLoader
from desktop.session import Session
from desktop.workers.sample_renderer import load_tile
from ml.api import HandlensError

SOUND_ASPECT = 0.75
SHAPES = 6


class ExploreTiles(QObject):
    """`set_session` for another project, `begin` for another run, `next_map` when somebody asks for maps."""

    def __init__(self, board: ExploreBoard, spot: ExploreFocus, parent: QObject | None = None) -> None:
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
            self._board.grid.set_aspect(1.0 if session.project.windowing is None else SOUND_ASPECT)

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
