"""The Train page: choose how long it may learn, watch it learn, see what changed."""

from __future__ import annotations

import math

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop import words
from desktop.dialogs.cancel_training import CancelTraining
from desktop.i18n import msg, text, tr
from desktop.models.run_scores import RunScores
from desktop.pages.ids import EXPLORE, TRAIN
from desktop.pages.train import messages as train_words
from desktop.pages.train import progress as train_live
from desktop.pages.train import setup as train_before
from desktop.pages.train import state as train_ending
from desktop.pages.train.progress import TrainProgress, shown_now
from desktop.pages.train.result import ResultController, TrainResult
from desktop.pages.train.setup import TrainSetup
from desktop.pages.train.state import TrainingState
from desktop.session import Session
from desktop.workers.job_thread import TrainingThread
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tasks import Tasks
from ml.api import (
    BatchDone,
    EpochDone,
    Event,
    Failed,
    Finished,
    HandlensError,
    Note,
    Preset,
    ProbeDone,
    Runner,
    RunStarted,
    Showcase,
    StageStarted,
    Stalled,
    Stopped,
    TrainJob,
)

WORDS_EVERY_MS = 250


class TrainPage(QWidget):
    """Before, during and after a training. `runner` replaces the child process, as tests and the tour need it."""

    page_id = TRAIN
    title = msg("Train")
    icon = "ph.chart-line-up"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(self, parent: QWidget | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session: Session | None = None
        self._thread: TrainingThread | None = None
        self._state: TrainingState | None = None
        self._question: CancelTraining | None = None
        self._estimates: dict[Preset, float] = {}
        self._tasks = Tasks(self)
        self._requests: dict[int, tuple[str, int]] = {}
        self._tasks.done.connect(self._on_task_done)
        self._tasks.failed.connect(self._on_task_failed)
        self._words_timer = QTimer(self, interval=WORDS_EVERY_MS)
        self._words_timer.timeout.connect(self._say_words)
        self.choose, self.watch, self.result = TrainSetup(), TrainProgress(), TrainResult()
        self.teller = ResultController(self.result, self)
        self._standings = RunScores(self)
        self._standings.changed.connect(self._show_runs)
        self.stack = QStackedWidget()
        for part in (self.choose, self.watch, self.result):
            self.stack.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.stack)
        self.choose.train_pressed.connect(self.train)
        self.choose.resume_pressed.connect(self.resume)
        self.choose.network.runner = runner
        self.choose.network.changed.connect(self._estimate)
        self.watch.stop_pressed.connect(self._on_stop)
        self.watch.cancel_pressed.connect(self._on_cancel)
        self.choose.runs.run_chosen.connect(self._show_run)
        self.result.explore_pressed.connect(self._request_explore)
        self.result.suspicious_pressed.connect(self._request_suspicious)
        self.result.again_pressed.connect(self._show_choice)

    # -- what the window asks ------------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> None:
        return None

    def set_session(self, session: Session) -> None:
        if self._session is not None:
            self._session.labels_changed.disconnect(self._on_labels_changed)
            self._session.originals_found.disconnect(self._say_readiness)
        self._session = session
        session.labels_changed.connect(self._on_labels_changed)
        session.originals_found.connect(self._say_readiness)
        self._estimates = {}
        self.choose.set_kind(session.project.kind)
        self.teller.set_session(session)
        self._standings.set_session(session)
        self._show_choice()

    def shutdown(self) -> None:
        """End what runs in the background; a run that is going on stays to be resumed."""
        self._words_timer.stop()
        if self._question is not None:
            self._question.close()
        self._tasks.close()
        self.teller.close()
        self._standings.close()
        self.choose.network.close_checks()
        if self._thread is not None:
            self._thread.detach()
            self._thread = None
        if self._session is not None:
            self._session.labels_changed.disconnect(self._on_labels_changed)
            self._session.originals_found.disconnect(self._say_readiness)
        self._session = None

    def opened(self) -> None:
        self._say_readiness()
        self._standings.refresh()
        if self.stack.currentWidget() is self.choose:
            self.choose.train_button.setFocus()
        elif self.stack.currentWidget() is self.result:
            self.teller.look()

    def show_view(self, view: str) -> None:
        """Do nothing: what is shown follows from the training."""

    def show_job(self) -> None:
        """Do nothing: what is shown follows from the training."""

    def training(self) -> bool:
        """Return whether a run is being trained."""
        return self._thread is not None

    def can_close(self) -> bool:
        return not self.training()

    @Slot()
    def _request_explore(self) -> None:
        self.page_requested.emit(EXPLORE, "")

    @Slot()
    def _request_suspicious(self) -> None:
        self.page_requested.emit(EXPLORE, "suspicious")

    # -- verbs ---------------------------------------------------------------------------------------------------

    @Slot(str, object, int)
    def train(self, preset: Preset, epochs: int | None = None, seed: int = 0) -> None:
        """Begin a new run."""
        if self._session is not None:
            self._start(self._session.train_job(preset, epochs=epochs, seed=seed, **self.choose.chosen()))

    @Slot()
    def resume(self) -> None:
        """Go on with the run that was cut off."""
        run = None if self._session is None else self._session.resumable_run()
        if self._session is not None and run is not None:
            self._start(self._session.train_job(run.preset, seed=run.seed, resume=True))

    def _start(self, job: TrainJob) -> None:
        if self._thread is not None or self._session is None:
            return
        estimate = self._estimates.get(job.preset, math.nan)
        standing = self._session.resumable_run() if job.resume else None
        self._state = TrainingState(
            preset=job.preset,
            estimate=None if math.isnan(estimate) else estimate,
            stands=standing is not None and self._session.project.runs.stands(standing.number),
        )
        self.watch.begin(kind=self._session.project.kind, passes=float(job.epochs or 1), curves=job.preset != "quick")
        self._offer_stop()
        self.stack.setCurrentWidget(self.watch)
        self.watch.stop_button.setFocus()
        self._thread = TrainingThread(job, self._runner, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self._session.set_training(True)
        self._words_timer.start()
        self._say_words()
        self.sentence_changed.emit(tr("Watch the training."))

    @Slot()
    def _on_stop(self) -> None:
        if self._thread is not None and self._state is not None:
            self._thread.stop()
            self._state.stop()
            self.watch.ending(self._state.sentence, final=False)
            self._keep_question_true()

    @Slot()
    def _on_cancel(self) -> None:
        if self._state is not None and self._question is None:
            otherwise, stay = train_ending.not_discarded(self._state.ending, stopping=self._state.stopping)
            self._question = CancelTraining.ask(self, otherwise=otherwise, stay=stay)
            self._question.discard_chosen.connect(self._on_discard)
            self._question.finished.connect(self._forget_question)

    def _keep_question_true(self) -> None:
        if self._question is not None and self._state is not None:
            otherwise, stay = train_ending.not_discarded(self._state.ending, stopping=self._state.stopping)
            self._question.say(otherwise=otherwise, stay=stay)

    @Slot()
    def _forget_question(self) -> None:
        self._question = None

    @Slot()
    def _on_discard(self) -> None:
        if self._thread is not None:
            self._thread.cancel()
            self.watch.ending(tr("Cancelling. This run is being discarded."), final=True)

    # -- while it learns -----------------------------------------------------------------------------------------

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if self._state is None:
            return
        self._state.take(event)
        self.watch.woke_up()
        self._keep_question_true()
        match event:
            case StageStarted():
                self.watch.sentence.setText(self._state.sentence)
                self._offer_stop()
            case RunStarted():
                self._say_words()
                self._offer_stop()
                if self._state.stopping:
                    self.watch.sentence.setText(self._state.sentence)
            case Note() if not event.about:
                self.watch.show_note(event.sentence)
            case Stalled():
                self.watch.show_stall(event.sentence)
            case BatchDone():
                train_live.draw(self.watch.plot, event)
            case ProbeDone() | EpochDone():
                self._offer_stop()
                train_live.draw(self.watch.plot, event)
                if isinstance(event, ProbeDone):
                    self._draw_past()
                self._say_score()
            case Showcase():
                self._show_showcase(event)
            case _:
                return

    def _draw_past(self) -> None:
        """Of a run that goes on."""
        if self._session is not None and self._state is not None and self._state.stands and self._state.run is not None:
            train_live.draw_past(self.watch.plot, self._session.project.runs.history(self._state.run))

    def _offer_stop(self) -> None:
        if self._state is not None and not self._state.stopping:
            self.watch.can_stop(self._state.ending)

    def _say_score(self) -> None:
        if self._state is not None and self._session is not None:
            score, note = train_live.score_now(self._state, self._session.project.kind)
            self.watch.score.setText(score)
            self.watch.score_note.setText(note)

    @Slot()
    def _say_words(self) -> None:
        if self._state is None or self._thread is None:
            return
        self.watch.time_left.setText(train_words.time_left(self._state.seconds_left()))
        self.watch.bar.setValue(round(self._state.fraction * 1000))
        self.job_progress.emit(self._state.words(), self._state.fraction)

    def _show_showcase(self, event: Showcase) -> None:
        session, state = self._session, self._state
        if session is None or state is None:
            return
        shown = shown_now(event, session, state.class_names)
        self.watch.showcase.show_all(shown)
        right = sum(item.right is True for item in shown)
        self.watch.showcase_note.setText(
            tr("Right: {right} of {count}. Bright parts mattered most.", right=right, count=len(shown))
        )
        for sample_id in self.watch.showcase.missing_pictures():
            if ("picture", sample_id) not in self._requests.values():
                number = self._tasks.submit(load_tile, session.project, session.sample(sample_id))
                self._requests[number] = ("picture", sample_id)

    # -- when it has ended ---------------------------------------------------------------------------------------

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        thread, state, session = self._thread, self._state, self._session
        self._thread = None
        self._words_timer.stop()
        if self._question is not None:  # it is answered: there is nothing left to discard
            self._question.close()
        if thread is not None:
            thread.wait()
            thread.deleteLater()
        if session is None or state is None:
            return
        match event:
            case Finished():
                self._show_finished(event, state)
                session.refresh_runs(show=event.run)
                session.set_training(False)
                self.job_progress.emit(tr("Run {n} is ready", n=str(event.run)), -1.0)
            case Stopped():
                session.refresh_runs()
                session.set_training(False)
                self.job_progress.emit("", -1.0)
                self._show_choice(stopped=event.resumable)
            case Failed():
                session.refresh_runs()
                session.set_training(False)
                self.job_progress.emit(tr("The training failed"), -1.0)
                self.teller.forget()
                self.result.show_failed(
                    title=tr("The training failed"), message=text(event.message), details=event.details
                )
                self.sentence_changed.emit(tr("All your labels are kept."))
                self.stack.setCurrentWidget(self.result)
            case _:
                return

    def _show_finished(self, event: Finished, state: TrainingState) -> None:
        self.teller.tell(event, state)
        self.stack.setCurrentWidget(self.result)
        self.sentence_changed.emit(tr("Run {n} is ready.", n=str(event.run)))

    @Slot(int)
    def _show_run(self, number: int) -> None:
        """What a run of the list came to."""
        if self._session is None:
            return
        self.teller.tell_again(self._session.project.runs.finished(number))
        self.stack.setCurrentWidget(self.result)
        self.result.explore_button.setFocus()
        self.sentence_changed.emit(tr("This is run {n}.", n=str(number)))

    # -- before --------------------------------------------------------------------------------------------------

    @Slot()
    def _show_choice(self, *, stopped: bool = False) -> None:
        session = self._session
        if session is None:
            return
        self.stack.setCurrentWidget(self.choose)
        self.choose.train_button.setFocus()
        self.choose.offer_resume(train_before.left_over(session, stopped=stopped))
        self._say_readiness()
        self._show_runs()
        self._estimate()

    @Slot()
    def _show_runs(self) -> None:
        if self._session is not None:
            self.choose.runs.show_runs(train_before.runs_so_far(self._session, self._standings))

    @Slot()
    def _estimate(self) -> None:
        if self._session is not None:
            number = self._tasks.submit(train_before.estimate_all, self._session.project, self.choose.network.name())
            self._requests[number] = ("estimates", 0)

    @Slot()
    def _say_readiness(self) -> None:
        session = self._session
        if session is None:
            return
        sentence, ready = train_before.readiness(session)
        gone = session.missing_originals()
        if gone:
            sentence, ready = words.originals_gone(text(gone)), False
        self.choose.set_headline(sentence, ready=ready)
        self.choose.resume_button.setEnabled(not gone)
        if self.stack.currentWidget() is self.choose:
            self.sentence_changed.emit(tr("How long should it train?"))

    @Slot(object)
    def _on_labels_changed(self, _changes: object) -> None:
        if self.isVisible():  # else counting them would slow every key press on another page
            self._say_readiness()

    # -- answers from the background -----------------------------------------------------------------------------

    @Slot(int, object)
    def _on_task_done(self, number: int, result: object) -> None:
        what, which = self._requests.pop(number, ("", 0))
        if what == "picture" and isinstance(result, QImage):
            self.watch.showcase.set_picture(which, result)
        elif what == "estimates" and isinstance(result, dict):
            self._estimates = result
            self.choose.set_seconds(result)

    @Slot(int, object)
    def _on_task_failed(self, number: int, error: object) -> None:
        what, _which = self._requests.pop(number, ("", 0))
        if what == "picture" and isinstance(error, HandlensError):
            self.watch.show_note(error.message)
