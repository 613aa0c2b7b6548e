"""How every finished run does by the labels as they are now, counted beside the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop.models.run_comparison import RunScore, run_scores
from desktop.session import Session
from desktop.workers.tasks import Tasks

PAUSE_MS = 200
"""Keys that follow each other are counted once."""


class RunScores(QObject):
    """`changed` whenever they were counted anew: while somebody looks at `page`, or `look` is called."""

    changed = Signal()

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._session: Session | None = None
        self._known: dict[int, RunScore] = {}
        self._stale = True
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_counted)
        self._pause = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self._count)

    def set_session(self, session: Session | None) -> None:
        if self._session is not None:
            self._session.labels_changed.disconnect(self._on_changed)
            self._session.runs_changed.disconnect(self._on_changed)
        self._session, self._known = session, {}
        self._tasks.forget_all()
        self._pause.stop()
        if session is not None:
            session.labels_changed.connect(self._on_changed)
            session.runs_changed.connect(self._on_changed)
            self._count()

    def of(self, run: int) -> RunScore | None:
        """None while it has not been counted, or where it cannot be."""
        return self._known.get(run)

    def look(self) -> None:
        """Somebody looks: count what has changed meanwhile."""
        if self._stale:
            self._count()

    def close(self) -> None:
        self.set_session(None)
        self._tasks.close()

    @Slot()
    def _on_changed(self) -> None:
        self._stale = True
        if self._page.isVisible():
            self._pause.start()

    @Slot()
    def _count(self) -> None:
        session = self._session
        if session is None:
            return
        self._stale = False
        self._tasks.forget_all()
        runs = [run.number for run in session.project.runs.all() if run.state == "finished"]
        if runs:
            self._tasks.submit(run_scores, session.project, runs, session.samples)

    @Slot(int, object)
    def _on_counted(self, _number: int, found: object) -> None:
        assert isinstance(found, dict)
        self._known = found
        self.changed.emit()
