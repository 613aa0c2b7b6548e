"""Searches the recording that is shown with a released model, for spans to suggest. No widgets here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot

from desktop.i18n import error_text, tr
from desktop.workers.tasks import Tasks
from ml.api import Detection, HandlensError, ReleasedModel, UnreadableInput, detect_files

SearchState = Literal["none", "searching", "done", "failed"]
MOST_RECORDINGS = 200
"""Recordings whose detections are kept; the one that was searched first is dropped."""
_TELL_EVERY = 0.4


class SpanFinder(QObject):
    """Searches one file at a time, in a thread. What was found in a file is kept until the model changes."""

    changed = Signal()
    """More was found, or a search began or ended."""
    _noted = Signal(object, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._noted.connect(self._on_noted, Qt.ConnectionType.QueuedConnection)
        self._load: Callable[[], ReleasedModel] | None = None
        self._opened: tuple[Callable[[], ReleasedModel], ReleasedModel] | None = None
        """Belongs to the thread of the pool: what opened the model, and the model."""
        self._found: dict[Path, tuple[Detection, ...]] = {}
        self._request, self._path = 0, Path()
        self._problems: dict[Path, str] = {}

    # -- what it is asked ----------------------------------------------------------------------------------------

    def set_model(self, load: Callable[[], ReleasedModel] | None) -> None:
        """Search with the model that `load` opens in the thread; None: search nothing. Forgets what was found."""
        self._tasks.forget_all()
        self._request, self._load = 0, load
        self._found.clear()
        self._problems.clear()
        self.changed.emit()

    def has_model(self) -> bool:
        return self._load is not None

    def want(self, path: Path) -> None:
        """Search this file next, unless that was done. The search of another file ends, and begins again later."""
        if self._load is None or self.state(path) != "none":
            return
        self.stop()
        self._found[path] = ()
        self._path = path
        self._request = self._tasks.submit_stoppable(self._search, self._load, path)
        self.changed.emit()

    def stop(self) -> None:
        """End the search, for instance to leave the machine to a training."""
        if self._request:
            self._tasks.forget(self._request)
            self._found.pop(self._path, None)
            self._request = 0

    def close(self) -> None:
        """End everything without another signal."""
        self.blockSignals(True)
        self._tasks.close()
        self._load = self._opened = None
        self._request = 0

    # -- what it says --------------------------------------------------------------------------------------------

    def found(self, path: Path) -> tuple[Detection, ...]:
        """Return what was found in a file so far, in the order of the beginnings."""
        return self._found.get(path, ())

    def state(self, path: Path) -> SearchState:
        if path in self._problems:
            return "failed"
        if path not in self._found:
            return "none"
        return "searching" if self._request and path == self._path else "done"

    def problem(self, path: Path) -> str:
        """Say why the search of a file failed; empty if it did not."""
        return self._problems.get(path, "")

    # -- the search ----------------------------------------------------------------------------------------------

    def _search(
        self, load: Callable[[], ReleasedModel], path: Path, *, stopped: Callable[[], bool]
    ) -> tuple[Detection, ...]:
        """Return all detections in a file, and note them meanwhile. Runs in the thread."""
        if self._opened is None or self._opened[0] is not load:
            self._opened = load, load()
        found, told = list[Detection](), time.monotonic()
        for item in detect_files(self._opened[1], [path], go_on=lambda _path, _seconds: not stopped()):
            if isinstance(item, UnreadableInput):
                raise HandlensError(item.reason)
            if isinstance(item, Detection):
                found.append(item)
                if time.monotonic() - told > _TELL_EVERY:
                    told = time.monotonic()
                    self._noted.emit(path, tuple(found))
        return tuple(found)

    @Slot(object, object)
    def _on_noted(self, path: Path, found: tuple[Detection, ...]) -> None:
        if self._request and path == self._path:
            self._found[path] = found
            self.changed.emit()

    @Slot(int, object)
    def _on_done(self, _number: int, found: object) -> None:
        assert isinstance(found, tuple)
        self._request = 0
        self._found[self._path] = found
        if len(self._found) > MOST_RECORDINGS:
            del self._found[next(iter(self._found))]
        self.changed.emit()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._request = 0
        reason = error_text(error) if isinstance(error, HandlensError) else type(error).__name__
        self._problems[self._path] = tr("No spans are suggested here. {problem}", problem=reason)
        self.changed.emit()
