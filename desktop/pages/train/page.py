"""The Train page: set up a training, watch its progress, read its result."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop.dialogs.notice import Notice, Question
from desktop.dialogs.release import RunHandOver
from desktop.i18n import msg, text, tr
from desktop.learn.dialog import LearnDialog
from desktop.models.run_scores import RunScores
from desktop.pages.ids import EXPLORE, RUNS, TRAIN, USE
from desktop.pages.train import messages
from desktop.pages.train.progress import ProgressController, TrainProgress
from desktop.pages.train.result import ResultController, TrainResult
from desktop.pages.train.setup import SetupController, TrainSetup
from desktop.session import Session
from ml.api import Event, Failed, Finished, FirstModel, Preset, Runner, Stopped, TrainJob, can_finetune


class TrainPage(QWidget):
    """Three widgets, one for each phase of a training, and a controller for each.

    `runner` replaces the child process, as tests and the tour need it.
    """

    page_id = TRAIN
    title = msg("Train")
    icon = "ph.chart-line-up"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._job: TrainJob | None = None
        self._run_scores = RunScores(self)
        self.setup, self.progress, self.result = TrainSetup(runner=runner), TrainProgress(), TrainResult()
        self._setup = SetupController(self.setup, self._run_scores, self)
        self._training = ProgressController(self.progress, runner=runner, parent=self)
        self._result = ResultController(self.result, self)
        self.stack = QStackedWidget()
        for part in (self.setup, self.progress, self.result):
            self.stack.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stack)
        self.setup.train_pressed.connect(self.train)
        self.setup.resume_pressed.connect(self.resume)
        self.setup.lessons_pressed.connect(self._show_lessons)
        self.setup.runs.run_chosen.connect(self._show_run)
        self.setup.runs.all_pressed.connect(self._request_runs)
        self._setup.readiness_changed.connect(self._on_readiness)
        self._training.progressed.connect(self.job_progress)
        self._training.first_model_ready.connect(self._on_first_model)
        self.progress.look_pressed.connect(self._request_explore)
        self._training.ended.connect(self._on_ended)
        self.result.explore_pressed.connect(self._request_explore)
        self.result.suspicious_pressed.connect(self._request_suspicious)
        self.result.again_pressed.connect(self._show_setup)
        self.result.use_pressed.connect(self._request_use)
        self.result.release_pressed.connect(self._release)
        self.result.export_pressed.connect(self._export)
        self.hand_over = RunHandOver(self, runner=runner)
        self.hand_over.notice.connect(self._say)

    # -- what the window asks ------------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> None:
        return None

    def set_session(self, session: Session) -> None:
        self._session = session
        self._setup.set_session(session)
        self._training.set_session(session)
        session.training_requested.connect(self.train_again)
        self._result.set_session(session)
        self._run_scores.set_session(session)
        self._show_setup()

    def opened(self) -> None:
        self._setup.check_readiness()
        self._run_scores.refresh()
        if self.stack.currentWidget() is self.setup:
            self._training.prepare()
            self.setup.primary_button().setFocus()
        elif self.stack.currentWidget() is self.result:
            self._result.refresh()

    def show_view(self, view: str) -> None:
        """Do nothing: what is shown follows from the training."""

    def show_job(self) -> None:
        """Do nothing: what is shown follows from the training."""

    def training(self) -> bool:
        """Return whether a run is being trained."""
        return self._training.running()

    def can_close(self) -> bool:
        return not self.training()

    def shutdown(self) -> None:
        """End what runs in the background. A run that is being trained can be resumed later."""
        self._training.close()
        self._setup.close()
        self._result.close()
        self._run_scores.close()
        self.hand_over.close()
        if self._session is not None:
            self._session.training_requested.disconnect(self.train_again)
        self._session = None

    @Slot()
    def _request_explore(self) -> None:
        # Not the tab used last: the button promises the mistakes.
        self.page_requested.emit(EXPLORE, "wrong")

    @Slot()
    def _request_suspicious(self) -> None:
        self.page_requested.emit(EXPLORE, "suspicious")

    @Slot()
    def _request_runs(self) -> None:
        self.page_requested.emit(RUNS, "")

    @Slot()
    def _request_use(self) -> None:
        self.page_requested.emit(USE, str(self._result.run_number() or ""))

    @Slot()
    def _release(self) -> None:
        run = self._result.run_number()
        if self._session is not None and run is not None:
            self.hand_over.release(self._session, run)

    @Slot()
    def _export(self) -> None:
        run = self._result.run_number()
        if self._session is not None and run is not None:
            self.hand_over.export(self._session, run)

    @Slot()
    def _show_lessons(self) -> None:
        LearnDialog.show_lessons(self._session, self)

    @Slot(str, bool)
    def _say(self, sentence: str, good: bool) -> None:
        if good:
            self.sentence_changed.emit(sentence)
        else:
            Notice.tell(self, sentence)

    # -- verbs ---------------------------------------------------------------------------------------------------

    @Slot(str, object, int)
    def train(self, preset: Preset, epochs: int | None = None, seed: int = 0) -> None:
        """Start a new run."""
        if self._session is not None:
            self._start(self._session.train_job(preset, epochs=epochs, seed=seed, **self.setup.options()))

    @Slot()
    def train_again(self) -> None:
        """Start a run with the preset of the newest one, as another page requests it."""
        session = self._session
        if session is None:
            return
        refused = self._setup.refusal()
        if refused:
            session.training_refused.emit(refused)
            return
        newest = session.project.runs.newest()
        self.train(newest.preset if newest is not None and can_finetune() else self.setup.preset())

    @Slot()
    def resume(self) -> None:
        """Continue the interrupted run."""
        run = None if self._session is None else self._session.resumable_run()
        if self._session is not None and run is not None:
            self._start(self._session.train_job(run.preset, seed=run.seed, resume=True))

    def _start(self, job: TrainJob) -> None:
        if self._session is None or self.training():
            return
        self._job = job
        self.stack.setCurrentWidget(self.progress)
        self._training.start(job, plan=self._setup.plan(job.preset))
        self.sentence_changed.emit(tr("Watch the training."))

    @Slot(object)
    def _on_first_model(self, event: FirstModel) -> None:
        if self._session is not None:
            self._session.refresh_runs(show=event.run)
            self.sentence_changed.emit(tr("The first model of run {n} is ready.", n=str(event.run)))

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        session, state = self._session, self._training.state
        if session is None or state is None:
            return
        match event:
            case Finished():
                self._result.show_finished(event, state)
                self.stack.setCurrentWidget(self.result)
                self.sentence_changed.emit(tr("Run {n} is ready.", n=str(event.run)))
                session.refresh_runs(show=event.run)
                ended = tr("Run {n} is ready", n=str(event.run))
                self.job_progress.emit(messages.adjusting_text(event) or ended, -1.0)
            case Stopped():
                session.refresh_runs()
                self.job_progress.emit("", -1.0)
                self._show_setup()
            case Failed():
                session.refresh_runs()
                self.job_progress.emit(tr("The training failed"), -1.0)
                self._result.show_failed(tr("The training failed"), text(event.message), event.details)
                self.sentence_changed.emit(tr("All your labels are kept."))
                self.stack.setCurrentWidget(self.result)
            case _:
                return
        session.set_training(False)
        if isinstance(event, Failed) and event.reason == "changed_weights":
            self._offer_changed_weights(event)

    def _offer_changed_weights(self, event: Failed) -> None:
        """Ask whether to trust weights that are not those of the first download, and start again with them."""
        yes, no = tr("Use the new weights"), tr("Do not use them")
        if self._job is not None and Question.ask(self, event.message, yes=yes, no=no):
            self._start(dataclasses.replace(self._job, accept_changed_weights=True))

    # -- the other phases ----------------------------------------------------------------------------------------

    @Slot(int)
    def _show_run(self, number: int) -> None:
        """Show the result of a finished run again."""
        if self._session is None:
            return
        self._result.show_earlier(self._session.project.runs.finished(number))
        self.stack.setCurrentWidget(self.result)
        self.result.explore_button.setFocus()
        self.sentence_changed.emit(tr("This is run {n}.", n=str(number)))

    @Slot()
    def _show_setup(self) -> None:
        self.stack.setCurrentWidget(self.setup)
        self._setup.refresh()

    @Slot()
    def _on_readiness(self) -> None:
        if self.stack.currentWidget() is self.setup:
            self.sentence_changed.emit(tr("One press trains a model. You can look at it within seconds."))
