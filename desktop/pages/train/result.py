"""After a training: how it went in words, and what to do next. Or why it did not go, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import tr
from desktop.models.run_comparison import Mistake, Outcome, RunScore, outcome
from desktop.models.run_scores import score_of
from desktop.pages.train import messages as train_words
from desktop.pages.train.messages import RunSummary
from desktop.pages.train.progress import shown_mistakes
from desktop.pages.train.state import TrainingState
from desktop.session import Session
from desktop.widgets.remark_list import FindingList, FindingRow
from desktop.widgets.scrolling import scrolling
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tasks import Tasks
from ml.api import Finished, RunInfo, Sample, read_findings


class TrainResult(QWidget):
    """`explore_pressed`, `suspicious_pressed` (a finding leads to the labels) and `again_pressed` out."""

    explore_pressed = Signal()
    suspicious_pressed = Signal()
    again_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.score = QLabel()
        self.score.setProperty("role", "number")
        self.score.setWordWrap(True)
        self.lines = QLabel()
        self.lines.setWordWrap(True)
        self.lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.explore_button = QPushButton(tr("Look at the mistakes"))
        self.explore_button.clicked.connect(self.explore_pressed)
        self.again_button = QPushButton(tr("Train again"))
        self.again_button.clicked.connect(self.again_pressed)
        self.fold = QToolButton()
        self.fold.setText(tr("Details"))
        self.fold.setProperty("role", "fold")
        self.fold.setCheckable(True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName(tr("Details"))
        self.details.hide()
        self.fold.toggled.connect(self.details.setVisible)
        self.remarks_note = QLabel()
        self.remarks_note.setProperty("role", "emphasis")
        self.remarks = FindingList()
        self.remarks.verb_pressed.connect(self.suspicious_pressed)
        self.mistakes_note = QLabel()
        self.mistakes_note.setProperty("role", "emphasis")
        self.mistakes = ShowcaseView()
        self.mistakes.setAccessibleName(tr("The worst mistakes"))
        # The page scrolls, so they need be no smaller than their names are readable at.
        policy = self.mistakes.sizePolicy()
        policy.setHeightForWidth(True)
        self.mistakes.setSizePolicy(policy)
        self.mistakes.setMinimumHeight(1)
        self._lay_out()
        self.show_mistakes(())
        self.show_remarks(())

    def show_mistakes(self, shown: Sequence[Shown]) -> None:
        """What it is most sure of and wrong about; nothing hides the place."""
        self.mistakes.clear()
        self.mistakes.show_all(shown)
        self.mistakes.setVisible(bool(shown))
        self.mistakes_note.setText(tr("The worst mistakes"))
        self.mistakes_note.setVisible(bool(shown))

    def show_remarks(self, remarks: Sequence[FindingRow]) -> None:
        """What the self-test found; nothing hides the place."""
        self.remarks.set_remarks(remarks)
        self.remarks_note.setVisible(bool(remarks))

    def say(self, *, score: str, lines: list[str], wrong: bool) -> None:
        """`wrong` is whether there is anything it gets wrong."""
        self.score.setText(score)
        self.lines.setText("\n".join(lines))
        self.explore_button.setText(tr("Look at the mistakes") if wrong else tr("Look at the results"))

    def date_remarks(self, *, then: bool) -> None:
        """Whether they speak of labels that are others now."""
        self.remarks_note.setText(tr("Self-test, with the labels of that time") if then else tr("Self-test"))

    def show_finished(self, *, again: str, remarks: Sequence[FindingRow] = ()) -> None:
        """Another run, of which `say` and `show_mistakes` tell; `again` are the words of the button that leads back."""
        self.show_remarks(remarks)
        self.show_mistakes(())
        self.again_button.setText(again)
        self._set_primary(self.explore_button)
        self.scroll_area.verticalScrollBar().setValue(0)
        self.explore_button.show()
        self.explore_button.setFocus()
        self.fold.hide()
        self.fold.setChecked(False)

    def show_failed(self, *, title: str, message: str, details: str) -> None:
        self.show_mistakes(())
        self.show_remarks(())
        self.score.setText(title)
        self.lines.setText(message)
        self.explore_button.hide()
        self.again_button.setText(tr("Train again"))
        self._set_primary(self.again_button)
        self.scroll_area.verticalScrollBar().setValue(0)
        self.again_button.setFocus()
        self.details.setPlainText(details)
        self.fold.setChecked(False)
        self.fold.setVisible(bool(details))

    def _set_primary(self, button: QPushButton) -> None:
        for each in (self.explore_button, self.again_button):
            style.set_role(each, "primary" if each is button else "")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.explore_button)
        buttons.addWidget(self.again_button)
        buttons.addWidget(self.fold)
        buttons.addStretch(1)
        content = QWidget()
        self.scroll_area = scrolling(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.scroll_area)
        column = QVBoxLayout(content)
        column.setContentsMargins(24, 8, 24, 24)
        column.setSpacing(12)
        column.addWidget(self.score)
        column.addWidget(self.lines)
        column.addLayout(buttons)
        column.addWidget(self.details, 1)
        column.addSpacing(4)
        column.addWidget(self.remarks_note)
        column.addWidget(self.remarks)
        column.addSpacing(4)
        column.addWidget(self.mistakes_note)
        column.addWidget(self.mistakes, 100)
        column.addStretch(1)


class ResultController(QObject):
    """Fills the result page. Whoever goes on from there to look at the run looks at the one that was told of."""

    def __init__(self, page: TrainResult, parent: QObject) -> None:
        super().__init__(parent)
        self._page = page
        self._session: Session | None = None
        self._told: RunSummary | None = None
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
        standing = RunScore(event.valid_accuracy, state.valid, tested=False, interval=event.valid_interval)
        if event.test_accuracy is not None and state.test:
            standing = RunScore(event.test_accuracy, state.test, tested=True, interval=event.test_interval)
        told = RunSummary(
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
        standing = RunScore(score_of(run), count, split == "test")
        told = RunSummary(run=run.number, first=self.before(run.number) is None, seconds=run.seconds)
        remarks = train_words.remarks_of(read_findings(session.project.runs.folder(run.number)))
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

    def _begin(self, told: RunSummary, standing: RunScore, remarks: Sequence[FindingRow], *, again: str) -> None:
        """`standing` as the run itself says, until it is counted by the labels as they are now."""
        self._told, self._counted = told, None
        self._said_itself = standing.score
        self._page.show_finished(remarks=remarks, again=again)
        self._page.date_remarks(then=False)
        self._say(told, Outcome(standing=standing))
        self.look()

    def _say(self, told: RunSummary, looked: Outcome) -> None:
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
