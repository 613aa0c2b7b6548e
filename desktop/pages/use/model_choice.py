"""The chooser of the run whose model is used. It stands in the title row of the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.models.run_scores import RunScores, score_text
from desktop.pages.use import messages
from desktop.session import Session
from ml.api import HandlensError, Message, ReleasedModel, RunInfo, model_path, open_run_model, task_named


class ModelChoice(QWidget):
    """Lists the finished runs, the newest first. The released one is chosen at first, else the newest."""

    chosen = Signal()
    """Another run is to be used, or none: see `loader`."""
    score_changed = Signal()

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._session: Session | None = None
        self._number: int | None = None
        self.keeps_run = False
        """Whether a new run leaves the choice as it is: there are answers of the chosen one."""
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Model"))
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.box.activated.connect(self._on_activated)
        self.run_scores = RunScores(page)
        self.run_scores.changed.connect(self._fill)
        self.run_scores.changed.connect(self.score_changed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box)
        self.hide()  # the window shows it in its title row; without a window it would cover the page

    def set_session(self, session: Session) -> None:
        self._session = session
        self.run_scores.set_session(session)
        session.runs_changed.connect(self._on_runs_changed)
        session.released_changed.connect(self._follow)
        self._follow()

    def refresh(self) -> None:
        """Count the scores again if labels have changed."""
        self.run_scores.refresh()

    def close_scores(self) -> None:
        """End what runs in the background, and forget the project."""
        session, self._session = self._session, None
        if session is not None:
            session.runs_changed.disconnect(self._on_runs_changed)
            session.released_changed.disconnect(self._follow)
        self.run_scores.close()

    def run_number(self) -> int | None:
        """Return the run whose model is used; None without one."""
        return self._number

    def choose(self, number: int) -> None:
        """Use this run, if it has a model."""
        place = self.box.findData(number)
        if place >= 0 and number != self._number:
            self.box.setCurrentIndex(place)
            self._number = number
            self.chosen.emit()

    def loader(self) -> Callable[[], ReleasedModel] | None:
        """Return what loads the model, for a background thread; None without a run."""
        if self._session is None or self._number is None:
            return None
        return partial(_load, self._session, self._number)

    def score(self) -> Message | None:
        """Return how good the run is, with its interval."""
        session, run = self._session, self._run()
        if session is None or run is None:
            return None
        several, now = not task_named(session.project.task).exclusive, self.run_scores.of(run.number)
        return messages.run_score(run, now, session.samples, several=several)

    def _run(self) -> RunInfo | None:
        session = self._session
        runs = () if session is None else session.project.runs.all()
        return next((run for run in runs if run.number == self._number), None)

    def _usable(self) -> list[RunInfo]:
        """Return the finished runs that have a model, the newest first."""
        session = self._session
        runs = () if session is None else session.project.runs.all()
        return [run for run in reversed(runs) if session is not None and _has_model(session, run)]

    @Slot()
    def _on_runs_changed(self) -> None:
        if self.keeps_run and any(run.number == self._number for run in self._usable()):
            self._fill()
        else:
            self._follow()

    @Slot()
    def _follow(self) -> None:
        """Choose the released run, else the newest one."""
        session, runs = self._session, self._usable()
        if session is None:
            return
        released = session.project.released()
        wanted = [run for run in runs if released is not None and run.number == released.run] or runs
        number = wanted[0].number if wanted else None
        changed = number != self._number or number is None
        self._number = number
        self._fill()
        if changed:
            self.chosen.emit()

    @Slot()
    def _fill(self) -> None:
        session = self._session
        if session is None:
            return
        counts, released = session.split_counts(), session.project.released()
        with QSignalBlocker(self.box):
            self.box.clear()
            for run in self._usable():
                score = score_text(run, self.run_scores.of(run.number), counts, session.project.task)
                in_force = released is not None and released.run == run.number
                name = "" if released is None or not in_force else released.name
                self.box.addItem(messages.run_line(run, score, released=in_force, name=name), run.number)
            self.box.setCurrentIndex(self.box.findData(self._number))
        self.box.setVisible(self.box.count() > 0)

    @Slot()
    def _on_activated(self) -> None:
        self.choose(self.box.currentData())


def _has_model(session: Session, run: RunInfo) -> bool:
    if run.state != "finished":
        return False
    try:
        model_path(session.project, run.number)
    except HandlensError:
        return False
    return True


def _load(session: Session, number: int) -> ReleasedModel:
    return open_run_model(session.project, number)[1]
