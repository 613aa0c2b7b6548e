"""The scores of all finished runs by the present labels, computed in the background."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.session import Session
from desktop.workers.tasks import Tasks
from ml.api import Preset, RunInfo, RunScore, TaskName, run_scores, task_named

PAUSE_MS = 200
"""Several key presses in a row cause one computation."""


class RunScores(QObject):
    """Emits `changed` after each computation. Label changes cause one while `page` is visible, else `refresh` does."""

    changed = Signal()

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._session: Session | None = None
        self._scores: dict[int, RunScore] = {}
        self._stale = True
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_computed)
        self._pause = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._pause.timeout.connect(self._compute)

    def set_session(self, session: Session | None) -> None:
        if self._session is not None:
            self._session.labels_changed.disconnect(self._on_changed)
            self._session.runs_changed.disconnect(self._on_changed)
        self._session, self._scores = session, {}
        self._tasks.forget_all()
        self._pause.stop()
        if session is not None:
            session.labels_changed.connect(self._on_changed)
            session.runs_changed.connect(self._on_changed)
            # Not at once: the project is being shown, and this would take half of the processor time from that.
            self._stale = False
            self._pause.start()

    def of(self, run: int) -> RunScore | None:
        """Return the score of a run; None before it is computed, or where the predictions are gone."""
        return self._scores.get(run)

    def refresh(self) -> None:
        """Compute the scores again if labels or runs have changed."""
        if self._stale:
            self._compute()

    def close(self) -> None:
        self.set_session(None)
        self._tasks.close()

    @Slot()
    def _on_changed(self) -> None:
        self._stale = True
        if self._page.isVisible():
            self._pause.start()

    @Slot()
    def _compute(self) -> None:
        session = self._session
        if session is None:
            return
        self._stale = False
        self._tasks.forget_all()
        runs = [run.number for run in session.project.runs.all() if run.state == "finished"]
        if runs:
            self._tasks.submit(run_scores, session.project, runs, session.samples)

    @Slot(int, object)
    def _on_computed(self, _number: int, scores: object) -> None:
        assert isinstance(scores, dict)
        self._scores = scores
        self.changed.emit()


def score_text(run: RunInfo, score: RunScore | None, counts: Mapping[str, int], task: TaskName) -> str:
    """Return the score of a run in words, such as "94 of 100 right"; empty where nothing was evaluated.

    Without `score`, that is before it is computed, use the score from when the run was made. `counts` as
    `Session.split_counts` returns them.
    """
    if score is None:
        split = "test" if run.test_accuracy is not None else "valid"
        score = RunScore(recorded_score(run), counts.get(split, 0), split == "test")
    if score.score is None or score.count == 0:
        return ""
    if not task_named(task).exclusive:
        return tr("score {score} of 100", score=round(100 * score.score))
    return tr("{right} of {count} right", right=round(score.score * score.count), count=score.count)


def preset_name(preset: Preset) -> str:
    return {"quick": tr("Quick"), "standard": tr("Standard"), "thorough": tr("Thorough")}[preset]


def recorded_score(run: RunInfo) -> float | None:
    """Return the score from when the run was made, of the test set where there is one."""
    return run.test_accuracy if run.test_accuracy is not None else run.valid_accuracy
