"""During a training: the score, the curves, twelve samples, and the current stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QVBoxLayout, QWidget

from desktop import settings, style
from desktop.dialogs.cancel_training import CancelTraining
from desktop.i18n import Message, class_caption, text, tr
from desktop.pages.train import messages
from desktop.pages.train.state import StopState, TrainingState, keep_alternative, stop_button_text
from desktop.session import Session
from desktop.widgets.live_plot import LivePlot
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.workers.job_thread import TrainingThread
from desktop.workers.sample_renderer import load_tile, overlay_image
from desktop.workers.slowdown import MachineLoad, Slowdown
from desktop.workers.tasks import Tasks
from ml.api import (
    DEFAULT_BACKBONE,
    BatchDone,
    EpochDone,
    EpochRecord,
    Event,
    Finished,
    FirstModel,
    HandlensError,
    KindName,
    Note,
    ProbeDone,
    Runner,
    RunScore,
    RunStarted,
    Showcase,
    StageStarted,
    Stalled,
    TimePlan,
    TrainJob,
    Worker,
    task_named,
    things,
)

WORDS_EVERY_MS = 250
LOAD_EVERY_MS = 5000
"""How often the machine is asked why it is slow; only while it is."""
UNDECIDED = 0.5
"""The threshold of every class during training; the real ones are chosen at the end."""


class TrainProgress(QWidget):
    """Widgets only. `stop_pressed` keeps the best model, `first_pressed` the first one, `cancel_pressed` discards the
    run; `look_pressed` asks to explore the first model."""

    stop_pressed = Signal()
    first_pressed = Signal()
    cancel_pressed = Signal()
    look_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.score = QLabel()
        self.score.setProperty("role", "number")
        self.score_note = QLabel()
        self.score_note.setProperty("role", "muted")
        self.score_note.setWordWrap(True)
        self.plot = LivePlot()
        self.fold = QToolButton()
        self.fold.setText(tr("Details"))
        self.fold.setToolTip(tr("Show the loss and the learning rate"))
        self.fold.setProperty("role", "fold")
        self.fold.setCheckable(True)
        self.fold.setArrowType(Qt.ArrowType.RightArrow)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.toggled.connect(self._on_fold)
        self.showcase = ShowcaseView()
        self.showcase_note = QLabel()
        self.showcase_note.setProperty("role", "muted")
        self.showcase_note.setWordWrap(True)
        self.sentence = QLabel()
        self.sentence.setProperty("role", "emphasis")
        self.sentence.setWordWrap(True)
        self.note = QLabel()
        self.note.setProperty("role", "warn")
        self.note.setWordWrap(True)
        self.slow = QLabel()
        self.slow.setProperty("role", "muted")
        self.slow.setWordWrap(True)
        self.slow.hide()
        self.time_left = QLabel()
        self.time_left.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Training progress"))
        self.stop_button = QPushButton()
        self.stop_button.clicked.connect(self.stop_pressed)
        self.first_button = QPushButton(tr("Cancel, keep the first model"))
        self.first_button.setToolTip(tr("End the adjusting now. The run ends with its first model."))
        self.first_button.clicked.connect(self.first_pressed)
        self.first_box, self.first_label, self.look_button = self._make_first()
        self.cancel_button = QPushButton(tr("Discard this training…"))
        self.cancel_button.setProperty("role", "quiet")
        self.cancel_button.setToolTip(tr("End now and keep nothing of this training. You are asked first."))
        self.cancel_button.clicked.connect(self.cancel_pressed)
        self._stalled = False
        self._note_before_stall = ""
        self._lay_out()

    def begin(self, *, kind: KindName, passes: float, curves: bool) -> None:
        """Clear everything for a new run. `curves`: whether there will be any to draw."""
        self.plot.setVisible(curves)
        self.fold.setVisible(curves)
        self._middle.setStretch(0, 5 if curves else 2)
        self.score.setText(tr("No score yet"))
        self.score_note.setText(tr("The score comes with the first model."))
        self.showcase_note.setText(
            tr("A few {things} it does not learn from will appear here, with its answers.", things=things(kind))
        )
        self.sentence.setText(tr("Starting …"))
        self.time_left.clear()
        self.clear_stall()
        self.first_box.hide()
        self.first_button.hide()
        self.note.clear()
        self.note.hide()
        self.show_slow("")
        self.bar.setValue(0)
        self.plot.clear(passes=passes)
        self.showcase.clear()
        self.set_stop_state("unbegun")
        self.cancel_button.setEnabled(True)

    def _on_fold(self, opened: bool) -> None:
        self.plot.show_details(opened)
        self.fold.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)

    def show_note(self, sentence: Message | str) -> None:
        self.note.setText(text(sentence))
        self.note.show()

    def show_first(self, sentence: str) -> None:
        """Say that there is a first model, and offer to look at it and to end with it."""
        self.first_label.setText(sentence)
        self.first_box.show()
        self.first_button.setEnabled(True)
        self.first_button.show()

    def _make_first(self) -> tuple[QFrame, QLabel, QPushButton]:
        box = QFrame()
        box.setProperty("role", "card")
        label, button = QLabel(), QPushButton(tr("Look at the first model"))
        label.setWordWrap(True)
        button.setProperty("role", "primary")
        button.clicked.connect(self.look_pressed)
        row = QHBoxLayout(box)
        row.setContentsMargins(16, 8, 8, 8)
        row.addWidget(label, 1)
        row.addWidget(button)
        return box, label, button

    def show_slow(self, sentence: str) -> None:
        """Say why it takes longer; an empty sentence hides the line."""
        self.slow.setText(sentence)
        self.slow.setVisible(bool(sentence))

    def show_stall(self, sentence: Message | str) -> None:
        """Say that nothing happens any more and highlight the cancel button, until `clear_stall`."""
        self._note_before_stall = self.note.text() if self.note.isVisibleTo(self) else ""
        self._stalled = True
        self.time_left.hide()
        self.show_note(sentence)
        self._highlight_cancel(True)

    def clear_stall(self) -> None:
        """Take back what `show_stall` said: the job is alive."""
        if self._stalled:
            self._stalled = False
            self.time_left.show()
            self.note.setText(self._note_before_stall)
            self.note.setVisible(bool(self._note_before_stall))
            self._highlight_cancel(False)

    def _highlight_cancel(self, on: bool) -> None:
        self.cancel_button.setProperty("role", "" if on else "quiet")
        self.cancel_button.style().unpolish(self.cancel_button)
        self.cancel_button.style().polish(self.cancel_button)

    def set_stop_state(self, state: StopState) -> None:
        """Say what a stop would mean now. Once training is over, none is needed."""
        words, tip = stop_button_text(state)
        self.stop_button.setText(words)
        self.stop_button.setToolTip(tip)
        self._enable(self.stop_button, state != "finishing")

    def show_stopping(self, sentence: str, *, final: bool) -> None:
        """Confirm the request to stop; if it is `final`, no other request can follow."""
        self.clear_stall()  # a job that does not answer is ended all the same
        self.sentence.setText(sentence)
        self.time_left.clear()
        self._enable(self.stop_button, False)
        self._enable(self.first_button, not final)
        self._enable(self.cancel_button, not final)

    def _enable(self, button: QPushButton, on: bool) -> None:
        """Keep the focus away from the cancel button: Qt moves it there when the stop button is disabled."""
        if not on and self.window().focusWidget() is button:
            self.sentence.setFocus()
        button.setEnabled(on)

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(4)
        left.addWidget(self.score)
        left.addWidget(self.score_note)
        left.addSpacing(8)
        left.addWidget(self.plot, 100)
        left.addWidget(self.fold)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.showcase_note)
        right.addWidget(self.showcase, 1)
        middle = QHBoxLayout()
        middle.setSpacing(24)
        middle.addLayout(left, 5)
        middle.addLayout(right, 6)
        self._middle = middle
        words = QHBoxLayout()
        words.addWidget(self.sentence, 1)
        words.addWidget(self.time_left, 0, Qt.AlignmentFlag.AlignRight)
        words.addSpacing(16)
        words.addWidget(self.stop_button)
        words.addWidget(self.first_button)
        words.addWidget(self.cancel_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 4, 24, 16)
        outer.setSpacing(8)
        outer.addWidget(self.first_box)
        outer.addLayout(middle, 1)
        outer.addWidget(self.note)
        outer.addWidget(self.slow)
        outer.addWidget(self.bar)
        outer.addLayout(words)


class ProgressController(QObject):
    """Runs one training at a time and shows it in a `TrainProgress`.

    `progressed(words, fraction)` while it runs; `first_model_ready(event)` when it can be explored; `ended(event)` with
    the terminal event. `runner` replaces the child process.
    """

    progressed = Signal(str, float)
    first_model_ready = Signal(object)
    ended = Signal(object)

    def __init__(self, view: TrainProgress, *, runner: Runner | None, parent: QWidget) -> None:
        super().__init__(parent)
        self._view = view
        self._worker = Worker()
        self._runner = runner or self._worker.run
        self._can_prepare = runner is None
        self._session: Session | None = None
        self._thread: TrainingThread | None = None
        self._question: CancelTraining | None = None
        self.state: TrainingState | None = None
        """Of the present training, or of the last one."""
        self._network = ""
        self._load = MachineLoad()
        self._load_tasks = Tasks(self)
        self._load_tasks.done.connect(self._on_load)
        self._load_timer = QTimer(self, interval=LOAD_EVERY_MS)
        self._load_timer.timeout.connect(self._ask_for_load)
        self._slowdown: Slowdown | None = None
        self._tasks = Tasks(self)
        self._pictures: dict[int, int] = {}
        self._tasks.done.connect(self._on_picture)
        self._tasks.failed.connect(self._on_no_picture)
        self._timer = QTimer(self, interval=WORDS_EVERY_MS)
        self._timer.timeout.connect(self._show_progress)
        view.stop_pressed.connect(self._on_stop)
        view.first_pressed.connect(self._on_first)
        view.cancel_pressed.connect(self._on_cancel)

    def set_session(self, session: Session) -> None:
        self._session = session

    def running(self) -> bool:
        return self._thread is not None

    def prepare(self) -> None:
        """Load the libraries of a first model in the background, so that it comes sooner after `start`."""
        if self._can_prepare and not self.running():
            self._worker.prepare()

    def start(self, job: TrainJob, *, plan: TimePlan | None) -> None:
        """Start a training. `plan` has the expected times; None where they are unknown."""
        session = self._session
        if session is None or self._thread is not None:
            return
        resumed = session.resumable_run() if job.resume else None
        has_checkpoint = resumed is not None and session.project.runs.has_checkpoint(resumed.number)
        if plan is not None and resumed is not None:
            epochs = len(session.project.runs.history(resumed.number)) if has_checkpoint else 0
            plan = plan.with_passes(plan.passes, done=min(epochs, plan.passes))
        elif plan is not None and job.epochs:
            plan = plan.with_passes(job.epochs)
        self.state = TrainingState(preset=job.preset, plan=plan, has_checkpoint=has_checkpoint)
        self._network = job.backbone or DEFAULT_BACKBONE
        self._view.begin(kind=session.project.kind, passes=float(job.epochs or 1), curves=job.preset != "quick")
        self._view.set_stop_state(self.state.stop_state)
        self._view.stop_button.setFocus()
        self._thread = TrainingThread(job, self._runner, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        session.set_training(True)
        self._timer.start()
        self._load_timer.start()
        self._slowdown = None
        self._show_progress()

    def close(self) -> None:
        """End the thread. The run can be resumed later."""
        self._timer.stop()
        if self._question is not None:
            self._question.close()
        self._load_timer.stop()
        self._tasks.close()
        self._load_tasks.close()
        if self._thread is not None:
            self._thread.detach()
            self._thread = None
        self._worker.close()
        self._session = None

    # -- stop and cancel -----------------------------------------------------------------------------------------

    @Slot()
    def _on_stop(self) -> None:
        if self._thread is not None and self.state is not None:
            self._thread.stop()
            self.state.stop()
            self._view.show_stopping(self.state.sentence, final=False)
            self._update_question()

    @Slot()
    def _on_first(self) -> None:
        if self._thread is not None and self.state is not None:
            self._thread.keep_first()
            self.state.stop()
            self._view.show_stopping(tr("Ending the adjusting. The first model stays."), final=True)
            self._update_question()

    @Slot()
    def _on_cancel(self) -> None:
        if self.state is not None and self._question is None:
            alternative, verb = keep_alternative(self.state.stop_state, stopping=self.state.stopping)
            self._question = CancelTraining.ask(self._view, alternative=alternative, keep=verb)
            self._question.discard_chosen.connect(self._on_discard)
            self._question.finished.connect(self._forget_question)

    def _update_question(self) -> None:
        if self._question is not None and self.state is not None:
            alternative, verb = keep_alternative(self.state.stop_state, stopping=self.state.stopping)
            self._question.set_alternative(alternative, keep=verb)

    @Slot()
    def _forget_question(self) -> None:
        self._question = None

    @Slot()
    def _on_discard(self) -> None:
        if self._thread is not None:
            self._thread.cancel()
            self._view.show_stopping(tr("Discarding this training."), final=True)

    # -- events --------------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        state, view = self.state, self._view
        if state is None:
            return
        state.update(event)
        view.clear_stall()
        self._update_question()
        match event:
            case StageStarted():
                view.sentence.setText(state.sentence)
                self._offer_stop(state)
            case RunStarted():
                self._show_pictures(event)
                self._show_progress()
                self._offer_stop(state)
                if state.stopping:
                    view.sentence.setText(state.sentence)
            case Note() if not event.about:
                view.show_note(event.sentence)
            case Stalled():
                view.show_stall(event.sentence)
            case FirstModel():
                self._offer_stop(state)
                self._show_first(event, state)
                self._show_progress()
            case BatchDone():
                _draw(view.plot, event)
            case ProbeDone() | EpochDone():
                self._offer_stop(state)
                _draw(view.plot, event)
                if isinstance(event, ProbeDone):
                    self._draw_earlier_epochs(state)
                self._show_score(state)
            case Showcase():
                self._show_showcase(event, state)
            case _:
                return

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        thread, self._thread = self._thread, None
        self._timer.stop()
        self._load_timer.stop()
        if isinstance(event, Finished):
            self._remember_speeds()
        if self._question is not None:  # there is nothing left to discard
            self._question.close()
        if thread is not None:
            thread.wait()
            thread.deleteLater()
        self.ended.emit(event)

    def _show_first(self, event: FirstModel, state: TrainingState) -> None:
        if self._session is None:
            return
        score = RunScore(event.valid_accuracy, state.valid, tested=False)
        if event.test_accuracy is not None and state.test:
            score = RunScore(event.test_accuracy, state.test, tested=True)
        self._view.show_first(messages.first_model_ready(self._session.project.kind, event, score, state.task))
        self.first_model_ready.emit(event)

    def _offer_stop(self, state: TrainingState) -> None:
        if not state.stopping:
            self._view.set_stop_state(state.stop_state)

    def _draw_earlier_epochs(self, state: TrainingState) -> None:
        """Draw the epochs before the interruption of a resumed run."""
        if self._session is not None and state.has_checkpoint and state.run is not None:
            _draw_history(self._view.plot, self._session.project.runs.history(state.run))

    def _show_score(self, state: TrainingState) -> None:
        if self._session is not None:
            score, note = _score_now(state, self._session.project.kind)
            self._view.score.setText(score)
            self._view.score_note.setText(note)

    @Slot()
    def _show_progress(self) -> None:
        if self.state is None or self._thread is None:
            return
        seconds = self.state.seconds_left()
        waiting = "" if self.state.stopping else tr("measuring the time …")
        self._view.time_left.setText(messages.time_left(seconds) if seconds is not None else waiting)
        self._view.show_slow(self._why_slow(self.state))
        self._view.bar.setValue(round(self.state.fraction * 1000))
        self.progressed.emit(self.state.words(), self.state.fraction)

    def _why_slow(self, state: TrainingState) -> str:
        """Say why the training takes longer than usual; empty where it does not."""
        clock = state.time
        if state.stopping or not (clock.slower or clock.longer):
            return ""
        passes = state.epochs if clock.more_passes else 0
        return messages.slow_sentence(slower=clock.slower, reason=self._slowdown, passes=passes)

    @Slot()
    def _ask_for_load(self) -> None:
        if self.state is not None and (self.state.time.slower or self.state.time.longer):
            self._load_tasks.submit(self._load.measure)

    @Slot(int, object)
    def _on_load(self, _number: int, slowdown: object) -> None:
        assert slowdown is None or isinstance(slowdown, Slowdown)
        self._slowdown = slowdown

    def _remember_speeds(self) -> None:
        """Let the next estimate on this machine begin with what this training measured."""
        if self._session is not None and self.state is not None:
            speeds = self.state.time.speeds()
            settings.remember_speeds(self._session.project.kind, self._network, speeds)

    # -- the showcase --------------------------------------------------------------------------------------------

    def _show_showcase(self, event: Showcase, state: TrainingState) -> None:
        session, showcase = self._session, self._view.showcase
        if session is None:
            return
        tiles = _showcase_tiles(event, session, state.class_names)
        showcase.show_all(tiles)
        right = sum(item.right is True for item in tiles)
        self._view.showcase_note.setText(
            tr("Right: {right} of {count}. Bright parts mattered most.", right=right, count=len(tiles))
        )
        self._load_pictures(session)

    def _show_pictures(self, event: RunStarted) -> None:
        """Show the samples before there is a prediction for them."""
        session = self._session
        if session is None or not event.showcase:
            return
        self._view.showcase.show_all([Shown(sample_id=sample_id) for sample_id in event.showcase])
        self._view.showcase_note.setText(
            tr(
                "These {things} are for checking while it learns. The first answers follow soon.",
                things=things(session.project.kind),
            )
        )
        self._load_pictures(session)

    def _load_pictures(self, session: Session) -> None:
        for sample_id in self._view.showcase.missing_pictures():
            if sample_id not in self._pictures.values():
                self._pictures[self._tasks.submit(load_tile, session.project, session.sample(sample_id))] = sample_id

    @Slot(int, object)
    def _on_picture(self, number: int, image: object) -> None:
        assert isinstance(image, QImage)
        self._view.showcase.set_picture(self._pictures.pop(number), image)

    @Slot(int, object)
    def _on_no_picture(self, number: int, error: object) -> None:
        self._pictures.pop(number)
        if isinstance(error, HandlensError):
            self._view.show_note(error.message)


def _draw(plot: LivePlot, event: ProbeDone | BatchDone | EpochDone) -> None:
    """Add the numbers of an event to the curves."""
    match event:
        case ProbeDone():
            plot.add_score(0.0, valid_loss=event.valid_loss, accuracy=event.valid_accuracy)
        case BatchDone():
            plot.set_passes(event.epochs)
            x = event.epoch - 1 + event.step / max(1, event.steps)
            plot.add_batch(x, loss=event.loss, rate=event.rate)
        case EpochDone():
            plot.set_passes(event.epochs)
            plot.add_score(float(event.epoch), valid_loss=event.valid_loss, accuracy=event.valid_accuracy)


def _draw_history(plot: LivePlot, epochs: Iterable[EpochRecord]) -> None:
    for each in epochs:
        plot.add_pass(float(each.number), loss=each.train_loss, rate=each.rate)
        plot.add_score(float(each.number), valid_loss=each.valid_loss, accuracy=each.accuracy)


def _score_now(state: TrainingState, kind: KindName) -> tuple[str, str]:
    """Return the score of the newest epoch, and a note on its sample set."""
    if state.accuracy is None or state.valid == 0:
        return tr("No score"), tr("There are no validation {things}.", things=things(kind))
    if not task_named(state.task).exclusive:
        score = messages.multilabel_score(state.accuracy)
    else:
        score = messages.right_of(state.accuracy, state.valid)
    note = messages.score_note(kind, state.accuracy, state.probe_accuracy, state.valid, state.task)
    return score, note


def _showcase_tiles(event: Showcase, session: Session, names: Sequence[str]) -> list[Shown]:
    """Return the fixed samples with the predictions of the present model."""
    tiles = []
    for row, sample_id in enumerate(event.sample_ids):
        top = int(np.argmax(event.probabilities[row]))
        predicted: tuple[int, ...] = (top,)
        if not task_named(session.project.task).exclusive:
            predicted = tuple(int(index) for index in np.flatnonzero(event.probabilities[row] >= UNDECIDED))
        sample = session.sample(sample_id)
        tiles.append(
            Shown(
                sample_id=sample_id,
                predicted=class_caption(predicted, names),
                fraction=float(event.probabilities[row, top]),
                colour=style.class_colour(top),
                right=set(sample.labels) == set(predicted) if sample.labelled else None,
                label=class_caption(sample.labels, names) if sample.labelled else "",
                overlay=overlay_image(event.maps[row], top, kind=session.project.kind),
            )
        )
    return tiles
