"""Pictures for the tiles of a grid, made in the background in the order in which the grid wants them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from desktop.workers.tasks import Tasks

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
