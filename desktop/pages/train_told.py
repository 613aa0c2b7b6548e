"""Tells what a finished run came to: right after it, again from the list of runs, and anew when labels have changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from desktop.i18n import tr
from desktop.pages.train import messages as train_words
from desktop.pages.train.compare import Mistake, Outcome, Standing, outcome
from desktop.pages.train.messages import Told
from desktop.pages.train.result import TrainResult
from desktop.pages.train.state import TrainingState
from desktop.pages.train_shown import shown_mistakes
from desktop.session import Session
from desktop.widgets.remark_list import Said
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tasks import Tasks
from ml.api import Finished, RunInfo, Sample, read_remarks


class ResultTeller(QObject):
    """Fills the result page. Whoever goes on from there to look at the run looks at the one that was told of."""

    def __init__(self, page: TrainResult, parent: QObject) -> None:
        super().__init__(parent)
        self._page = page
        self._session: Session | None = None
        self._told: Told | None = None
        self._counted: tuple[Sample, ...] | None = None
        self._said_itself: float | None = None
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_done)
        self._pictures: dict[int, int] = {}
        # First of all that follows from them, as these are connected before the window's own.
        page.explore_pressed.connect(self._choose_told)
        page.suspicious_pressed.connect(self._choose_told)

    def set_session(self, session: Session | None) -> None:
        self.forget()
        self._session = session

    def tell(self, event: Finished, state: TrainingState) -> None:
        """Of the run that has just ended."""
        standing = Standing(event.valid_accuracy, state.valid, tested=False, interval=event.valid_interval)
        if event.test_accuracy is not None and state.test:
            standing = Standing(event.test_accuracy, state.test, tested=True, interval=event.test_interval)
        told = Told(
            run=event.run,
            first=self.before(event.run) is None,
            seconds=event.seconds,
            early=event.early,
            watched=event.valid_accuracy is not None,
        )
        self._begin(told, standing, train_words.remarks_of(state.remarks), again=tr("Train again"))

    def tell_again(self, run: RunInfo) -> None:
        """Of a run that ended earlier, from what was kept of it."""
        session = self._session
        if session is None:
            return
        split = "valid" if run.test_accuracy is None else "test"
        count = sum(sample.split == split and sample.labelled for sample in session.samples)
        standing = Standing(train_words.score_of(run), count, split == "test")
        told = Told(run=run.number, first=self.before(run.number) is None, seconds=run.seconds)
        remarks = train_words.remarks_of(read_remarks(session.project.runs.folder(run.number)))
        self._begin(told, standing, remarks, again=tr("Back"))

    def before(self, run: int) -> int | None:
        """The finished run before this one."""
        runs = () if self._session is None else self._session.project.runs.all()
        return max((each.number for each in runs if each.state == "finished" and each.number < run), default=None)

    def look(self) -> None:
        """Count by the labels as they are now."""
        session = self._session
        if session is not None and self._told is not None and session.samples is not self._counted:
            run, samples = self._told.run, session.samples
            self._counted = samples
            self._forget_tasks()
            self._tasks.submit(partial(outcome, session.project, before=self.before(run), after=run, samples=samples))

    def forget(self) -> None:
        self._told = None
        self._forget_tasks()

    def close(self) -> None:
        self.forget()
        self._tasks.close()

    @Slot()
    def _choose_told(self) -> None:
        session, told = self._session, self._told
        if session is not None and told is not None and (session.run is None or session.run.number != told.run):
            session.set_run(told.run)

    def _forget_tasks(self) -> None:
        self._tasks.forget_all()
        self._pictures.clear()

    def _begin(self, told: Told, standing: Standing, remarks: Sequence[Said], *, again: str) -> None:
        """`standing` as the run itself says, until it is counted by the labels as they are now."""
        self._told, self._counted = told, None
        self._said_itself = standing.score
        self._page.show_finished(remarks=remarks, again=again)
        self._page.date_remarks(then=False)
        self._say(told, Outcome(standing=standing))
        self.look()

    def _say(self, told: Told, looked: Outcome) -> None:
        assert self._session is not None
        kind, task = self._session.project.kind, self._session.project.task
        score, count = looked.standing.score, looked.standing.count
        self._page.say(
            score=train_words.finished_score(kind, told.run, looked.standing, task),
            lines=train_words.result_lines(kind, told, looked, task=task),
            wrong=score is not None and round(score * count) < count,
        )

    def _show_mistakes(self, session: Session, mistakes: tuple[Mistake, ...]) -> None:
        self._page.show_mistakes(shown_mistakes(mistakes, session))
        for sample_id in self._page.mistakes.missing_pictures():
            number = self._tasks.submit(load_tile, session.project, session.sample(sample_id))
            self._pictures[number] = sample_id

    @Slot(int, object)
    def _on_done(self, number: int, result: object) -> None:
        if isinstance(result, Outcome) and self._session is not None and self._told is not None:
            self._say(self._told, result)
            then, now = self._said_itself, result.standing.score
            self._page.date_remarks(then=then is None or now is None or abs(then - now) > 1e-6)
            self._show_mistakes(self._session, result.mistakes)
        elif isinstance(result, QImage) and number in self._pictures:
            self._page.mistakes.set_picture(self._pictures.pop(number), result)
