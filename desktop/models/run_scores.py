"""The scores of the finished runs on the present labels, counted in the background, and how to say them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.models.run_comparison import RunScore, run_scores
from desktop.session import Session
from desktop.workers.tasks import Tasks
from ml.api import RunInfo, Sample, Task

PAUSE_MS = 200
"""Wait until the user has labelled several samples, then count once."""


class RunScores(QObject):
    """Emits `changed` after counting. Counts while `page` is visible, and when `refresh` is called."""

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
        """Return the score of a run; None if it is not counted yet, or cannot be."""
        return self._known.get(run)

    def refresh(self) -> None:
        """Count again if labels have changed: the page has become visible."""
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


def split_counts(samples: Iterable[Sample]) -> dict[str, int]:
    """Count the samples of each split."""
    return Counter(sample.split or "" for sample in samples)


def run_score(run: RunInfo, score: RunScore | None, counts: Mapping[str, int], task: Task) -> str:
    """Say the score of a run, "94 of 100 right"; empty if it has none. `counts` as `split_counts`.

    `score` is the one on the present labels. None: use the score that was stored when the run ended.
    """
    if score is None:
        split = "test" if run.test_accuracy is not None else "valid"
        score = RunScore(score_of(run), counts.get(split, 0), split == "test")
    if score.score is None or score.count == 0:
        return ""
    return score_of_several(score.score) if task == "multi" else right_of(score.score, score.count)


def score_of(run: RunInfo) -> float | None:
    """Return the stored score of a run: on the test split, or without one on the validation split."""
    return run.test_accuracy if run.test_accuracy is not None else run.valid_accuracy


def right_of(accuracy: float, count: int) -> str:
    """Say an accuracy as counts: "94 of 100 right"."""
    return tr("{right} of {count} right", right=round(accuracy * count), count=count)


def score_of_several(score: float) -> str:
    """Say a mean average precision, the score of multi-label runs: "score 86 of 100"."""
    return tr("score {score} of 100", score=round(100 * score))
