"""The chooser of the run that the Explore page shows."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSignalBlocker, Slot
from PySide6.QtWidgets import QWidget

from desktop.i18n import text
from desktop.models.run_scores import RunScores, split_counts
from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.view import ExploreView
from desktop.session import Session
from ml.api import HandlensError


class RunChooser(QObject):
    """Keeps the list of finished runs as it is; what is chosen there goes to the session."""

    def __init__(self, board: ExploreView, page: QWidget) -> None:
        super().__init__(page)
        self._board = board
        self._session: Session | None = None
        self.run_scores = RunScores(page)
        self.run_scores.changed.connect(self._fill)
        board.run_box.activated.connect(self._on_chosen)

    def set_session(self, session: Session | None) -> None:
        if self._session is not None:
            self._session.runs_changed.disconnect(self._fill)
        self._session = session
        self.run_scores.set_session(session)
        if session is not None:
            session.runs_changed.connect(self._fill)
            self._fill()

    def show_run(self, number: int) -> None:
        self._board.run_box.setCurrentIndex(self._board.run_box.findData(number))

    @Slot()
    def _fill(self) -> None:
        session, box = self._session, self._board.run_box
        if session is None:
            return
        with QSignalBlocker(box):
            box.clear()
            finished = [run for run in session.project.runs.all() if run.state == "finished"]
            counts = split_counts(session.samples)
            for run in reversed(finished):
                standing = self.run_scores.of(run.number)
                box.addItem(explore_words.run_line(run, standing, counts, session.project.task), run.number)
            if session.run is not None:
                self.show_run(session.run.number)

    @Slot()
    def _on_chosen(self) -> None:
        number = self._board.run_box.currentData()
        if self._session is None or (self._session.run is not None and self._session.run.number == number):
            return
        try:
            self._session.set_run(number)
        except HandlensError as error:
            self._board.say_problem(text(error.message))
