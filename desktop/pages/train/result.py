"""After a training: the score, the findings and the worst mistakes; or why it failed, in one sentence."""

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
from desktop.i18n import class_caption, tr
from desktop.models.run_scores import recorded_score
from desktop.pages.train import messages
from desktop.pages.train.messages import RunSummary
from desktop.pages.train.state import TrainingState
from desktop.session import Session
from desktop.widgets.finding_list import FindingList, FindingRow
from desktop.widgets.scrolling import scrolling
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.workers.sample_renderer import load_tile, overlay_image
from desktop.workers.tasks import Tasks
from ml.api import Finished, Mistake, RunComparison, RunInfo, RunScore, Sample, compare_runs, read_findings


class TrainResult(QWidget):
    """Widgets only. Emits `explore_pressed`, `suspicious_pressed` (a finding leads to the labels), `again_pressed`."""

    explore_pressed = Signal()
    suspicious_pressed = Signal()
    again_pressed = Signal()
    use_pressed = Signal()
    release_pressed = Signal()
    export_pressed = Signal()

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
        self.use_button = QPushButton(tr("Use the model"))
        self.use_button.clicked.connect(self.use_pressed)
        self.release_button, self.export_button = QPushButton(tr("Release this run…")), QPushButton(tr("Export…"))
        self.release_button.clicked.connect(self.release_pressed)
        self.export_button.clicked.connect(self.export_pressed)
        for button in (self.release_button, self.export_button):
            button.setProperty("role", "link")
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
        # The page scrolls, so the tiles need not shrink below the size at which their names can be read.
        policy = self.mistakes.sizePolicy()
        policy.setHeightForWidth(True)
        self.mistakes.setSizePolicy(policy)
        self.mistakes.setMinimumHeight(1)
        self._lay_out()
        self.show_mistakes(())
        self.show_findings(())

    def show_mistakes(self, shown: Sequence[Shown]) -> None:
        """Show the mistakes with the highest confidence; an empty sequence hides the section."""
        self.mistakes.clear()
        self.mistakes.show_all(shown)
        self.mistakes.setVisible(bool(shown))
        self.mistakes_note.setText(tr("The worst mistakes"))
        self.mistakes_note.setVisible(bool(shown))

    def show_findings(self, remarks: Sequence[FindingRow]) -> None:
        """Show the findings of the self-test; an empty sequence hides the section."""
        self.remarks.set_findings(remarks)
        self.remarks_note.setVisible(bool(remarks))

    def show_score(self, *, score: str, lines: list[str], wrong: bool) -> None:
        """Show the score and the sentences below it. `wrong`: the run makes mistakes."""
        self.score.setText(score)
        self.lines.setText("\n".join(lines))
        self.explore_button.setText(tr("Look at the mistakes") if wrong else tr("Look at the results"))

    def date_remarks(self, *, then: bool) -> None:
        """Say whether the findings are about labels that have changed since."""
        self.remarks_note.setText(tr("Self-test, with the labels of that time") if then else tr("Self-test"))

    def show_finished(self, *, again: str, remarks: Sequence[FindingRow] = ()) -> None:
        """Clear the page for another run, see `show_score` and `show_mistakes`. `again`: text of the last button."""
        self.show_findings(remarks)
        self.show_mistakes(())
        self.again_button.setText(again)
        self._set_primary(self.explore_button)
        self.scroll_area.verticalScrollBar().setValue(0)
        for button in (self.explore_button, self.use_button, self.release_button, self.export_button):
            button.show()
        self.explore_button.setFocus()
        self.fold.hide()
        self.fold.setChecked(False)

    def show_failed(self, *, title: str, message: str, details: str) -> None:
        self.show_mistakes(())
        self.show_findings(())
        self.score.setText(title)
        self.lines.setText(message)
        for button in (self.explore_button, self.use_button, self.release_button, self.export_button):
            button.hide()
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
        for button in (
            self.explore_button,
            self.use_button,
            self.again_button,
            self.release_button,
            self.export_button,
        ):
            buttons.addWidget(button)
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
    """Fills a `TrainResult`. Leaving it for the Explore page makes its run the session's run."""

    def __init__(self, view: TrainResult, parent: QObject) -> None:
        super().__init__(parent)
        self._view = view
        self._session: Session | None = None
        self._summary: RunSummary | None = None
        self._compared_samples: tuple[Sample, ...] | None = None
        self._recorded_score: float | None = None
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._on_done)
        self._pictures: dict[int, int] = {}
        # Connected before the page's own slots, which open the Explore page: the run must be set by then.
        view.explore_pressed.connect(self._select_run)
        view.suspicious_pressed.connect(self._select_run)

    def run_number(self) -> int | None:
        """Return the run that is shown; None where a training failed."""
        return None if self._summary is None else self._summary.run

    def set_session(self, session: Session | None) -> None:
        self._clear()
        self._session = session

    def show_finished(self, event: Finished, state: TrainingState) -> None:
        """Show the run that has just ended."""
        score = RunScore(event.valid_accuracy, state.valid, tested=False, interval=event.valid_interval)
        if event.test_accuracy is not None and state.test:
            score = RunScore(event.test_accuracy, state.test, tested=True, interval=event.test_interval)
        summary = RunSummary(
            run=event.run,
            first=self._run_before(event.run) is None,
            seconds=event.seconds,
            early=event.early,
            watched=event.valid_accuracy is not None,
            change=messages.adjusting_text(event),
        )
        self._show(summary, score, messages.finding_rows(state.findings), again=tr("Train again"))

    def show_earlier(self, run: RunInfo) -> None:
        """Show a run that ended earlier, from its files."""
        session = self._session
        if session is None:
            return
        split = "valid" if run.test_accuracy is None else "test"
        count = sum(sample.split == split and sample.labelled for sample in session.samples)
        score = RunScore(recorded_score(run), count, split == "test")
        summary = RunSummary(run=run.number, first=self._run_before(run.number) is None, seconds=run.seconds)
        findings = messages.finding_rows(read_findings(session.project.runs.results(run.number)))
        self._show(summary, score, findings, again=tr("Back"))

    def show_failed(self, title: str, message: str, details: str) -> None:
        """Show why there is no run."""
        self._clear()
        self._view.show_failed(title=title, message=message, details=details)

    def refresh(self) -> None:
        """Compare the run by the present labels, if these have changed since."""
        session = self._session
        if session is not None and self._summary is not None and session.samples is not self._compared_samples:
            run, samples = self._summary.run, session.samples
            self._compared_samples = samples
            self._forget_tasks()
            before = self._run_before(run)
            self._tasks.submit(partial(compare_runs, session.project, before=before, after=run, samples=samples))

    def close(self) -> None:
        self._clear()
        self._tasks.close()

    def _run_before(self, run: int) -> int | None:
        runs = () if self._session is None else self._session.project.runs.all()
        return max((each.number for each in runs if each.state == "finished" and each.number < run), default=None)

    @Slot()
    def _select_run(self) -> None:
        session, summary = self._session, self._summary
        if session is not None and summary is not None and (session.run is None or session.run.number != summary.run):
            session.set_run(summary.run)

    def _clear(self) -> None:
        self._summary = None
        self._forget_tasks()

    def _forget_tasks(self) -> None:
        self._tasks.forget_all()
        self._pictures.clear()

    def _show(self, summary: RunSummary, score: RunScore, findings: Sequence[FindingRow], *, again: str) -> None:
        """Show the recorded `score` until the comparison by the present labels is there."""
        self._summary, self._compared_samples = summary, None
        self._recorded_score = score.score
        self._view.show_finished(remarks=findings, again=again)
        self._view.date_remarks(then=False)
        self._show_comparison(summary, RunComparison(score=score))
        self.refresh()

    def _show_comparison(self, summary: RunSummary, comparison: RunComparison) -> None:
        assert self._session is not None
        kind, task = self._session.project.kind, self._session.project.task
        score, count = comparison.score.score, comparison.score.count
        self._view.show_score(
            score=messages.finished_score(kind, summary.run, comparison.score, task),
            lines=messages.result_lines(kind, summary, comparison, task=task),
            wrong=score is not None and round(score * count) < count,
        )

    def _show_mistakes(self, session: Session, mistakes: tuple[Mistake, ...]) -> None:
        self._view.show_mistakes(_mistake_tiles(mistakes, session))
        for sample_id in self._view.mistakes.missing_pictures():
            number = self._tasks.submit(load_tile, session.project, session.sample(sample_id))
            self._pictures[number] = sample_id

    @Slot(int, object)
    def _on_done(self, number: int, result: object) -> None:
        if isinstance(result, RunComparison) and self._session is not None and self._summary is not None:
            self._show_comparison(self._summary, result)
            then, now = self._recorded_score, result.score.score
            self._view.date_remarks(then=then is None or now is None or abs(then - now) > 1e-6)
            self._show_mistakes(self._session, result.mistakes)
        elif isinstance(result, QImage) and number in self._pictures:
            self._view.mistakes.set_picture(self._pictures.pop(number), result)


def _mistake_tiles(mistakes: Sequence[Mistake], session: Session) -> list[Shown]:
    """Return the mistakes with their predicted and their true classes."""
    names = session.class_names
    return [
        Shown(
            sample_id=each.sample_id,
            predicted=class_caption(each.predicted, names),
            fraction=each.fraction,
            colour=style.class_colour(each.map_class),
            right=False,
            label=class_caption(each.labels, names),
            overlay=overlay_image(each.maps, each.map_class, kind=session.project.kind),
        )
        for each in mistakes
    ]
