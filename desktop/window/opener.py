"""Opens projects in the background, so that the window stays alive meanwhile."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from desktop.window.opening import Loaded, load_project, prepare, restore_and_load
from desktop.workers.opening_errors import backup_day, why_not_opened
from desktop.workers.tasks import Tasks


class ProjectOpener(QObject):
    """Answers each `open` with one of its signals, unless another `open` or `close` comes first."""

    opened = Signal(object)
    """The `Session` of the project."""
    failed = Signal(str, str)
    """A sentence, and technical details or ""."""
    model_ready = Signal(object)
    """The path of a model file, once the core that reads it is loaded."""
    damaged = Signal(object, str, str)
    """The database is damaged and has a backup: the path of the project, a sentence, and technical details."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._request = 0
        self._path = Path()
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)

    def warm_up(self) -> None:
        """Load the core in the background: the first project then opens sooner."""
        self._tasks.submit(prepare)

    def open(self, path: Path) -> None:
        self._path = path
        self._request = self._tasks.submit(load_project, path)

    def open_model(self, path: Path) -> None:
        """Load the core for a model file without a project."""
        self._path = path
        self._request = self._tasks.submit(prepare)

    def restore(self, path: Path) -> None:
        """Restore the newest backup of the project, then open it."""
        self._path = path
        self._request = self._tasks.submit(restore_and_load, path)

    def close(self) -> None:
        self._request = 0
        self._tasks.close()

    @Slot(int, object)
    def _on_loaded(self, number: int, loaded: object) -> None:
        if not self._answers(number):
            return
        if loaded is None:
            self.model_ready.emit(self._path)
            return
        # The session needs the core, which is not loaded with the window.
        from desktop.session import Session

        assert isinstance(loaded, Loaded)
        try:
            session = Session(loaded.project, samples=loaded.samples)
        except Exception as error:  # the project may be a stranger's, and the window must stay usable
            loaded.project.close()
            self._report(error)
            return
        self.opened.emit(session)

    @Slot(int, object)
    def _on_failed(self, number: int, error: Exception) -> None:
        if self._answers(number):
            self._report(error)

    def _report(self, error: Exception) -> None:
        sentence = why_not_opened(error, self._path)
        details = str(getattr(error, "details", "") or repr(error))
        if backup_day(error):
            self.damaged.emit(self._path, sentence, details)
        else:
            self.failed.emit(sentence, details)

    def _answers(self, number: int) -> bool:
        answers, self._request = number == self._request, 0 if number == self._request else self._request
        return answers
