"""Opens projects in the background, so that the window stays alive meanwhile."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import error_text, text
from desktop.window.opening import Loaded, load_project, prepare
from desktop.workers.tasks import Tasks


class ProjectOpener(QObject):
    """Answers each `open` with one of its signals, unless another `open` or `close` comes first."""

    opened = Signal(object)
    """The `Session` of the project."""
    failed = Signal(str, str)
    """A sentence, and technical details or ""."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._request = 0
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)

    def warm_up(self) -> None:
        """Load the core in the background: the first project then opens sooner."""
        self._tasks.submit(prepare)

    def open(self, path: Path) -> None:
        self._request = self._tasks.submit(load_project, path)

    def close(self) -> None:
        self._request = 0
        self._tasks.close()

    @Slot(int, object)
    def _on_loaded(self, number: int, loaded: object) -> None:
        if not self._answers(number):
            return
        # The session needs the core, which is not loaded with the window.
        from desktop.session import Session
        from ml.api import HandlensError

        assert isinstance(loaded, Loaded)
        try:
            session = Session(loaded.project, samples=loaded.samples)
        except HandlensError as error:
            loaded.project.close()
            self.failed.emit(text(error.message), error.details)
            return
        self.opened.emit(session)

    @Slot(int, object)
    def _on_failed(self, number: int, error: Exception) -> None:
        if self._answers(number):
            self.failed.emit(error_text(error), getattr(error, "details", ""))

    def _answers(self, number: int) -> bool:
        answers, self._request = number == self._request, 0 if number == self._request else self._request
        return answers
