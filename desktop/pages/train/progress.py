"""During a training: the score in words, the curves, twelve samples, and what is happening now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import Message, text, tr
from desktop.models.run_comparison import Mistake
from desktop.models.run_scores import right_of
from desktop.pages.explore.messages import named
from desktop.pages.train import messages as train_words
from desktop.pages.train import state as train_ending
from desktop.pages.train.state import StopState, TrainingState
from desktop.session import Session
from desktop.widgets.live_plot import LivePlot
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.workers.sample_renderer import overlay_image
from ml.api import BatchDone, EpochDone, EpochRecord, Kind, ProbeDone, Showcase, things


class TrainProgress(QWidget):
    """Only shows what it is told. `stop_pressed` keeps the best, `cancel_pressed` asks for the end of it all."""

    stop_pressed = Signal()
    cancel_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.score = QLabel()
        self.score.setProperty("role", "number")
        self.score_note = QLabel()
        self.score_note.setProperty("role", "muted")
        self.score_note.setWordWrap(True)
        self.plot = LivePlot()
        self.showcase = ShowcaseView()
        self.showcase_note = QLabel()
        self.showcase_note.setProperty("role", "muted")
        self.sentence = QLabel()
        self.sentence.setProperty("role", "emphasis")
        self.sentence.setWordWrap(True)
        self.note = QLabel()
        self.note.setProperty("role", "warn")
        self.note.setWordWrap(True)
        self.time_left = QLabel()
        self.time_left.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Training progress"))
        self.stop_button = QPushButton()
        self.stop_button.clicked.connect(self.stop_pressed)
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.setProperty("role", "quiet")
        self.cancel_button.setToolTip(tr("End now and discard this run"))
        self.cancel_button.clicked.connect(self.cancel_pressed)
        self._stalled = False
        self._stalled_over = ""
        self._lay_out()

    def begin(self, *, kind: Kind, passes: float, curves: bool) -> None:
        """A new run: everything empty. `curves` is whether there will be any to draw."""
        self.plot.setVisible(curves)
        self._middle.setStretch(0, 5 if curves else 2)
        self.score.setText(tr("No score yet"))
        self.score_note.setText(tr("The score comes with the first model."))
        self.showcase_note.setText(
            tr("A few {things} it does not learn from will appear here, with its answers.", things=things(kind))
        )
        self.sentence.setText(tr("Starting …"))
        self.time_left.clear()
        self.woke_up()
        self.note.clear()
        self.note.hide()
        self.bar.setValue(0)
        self.plot.clear(passes=passes)
        self.showcase.clear()
        self.can_stop("unbegun")
        self.cancel_button.setEnabled(True)

    def show_note(self, sentence: Message | str) -> None:
        self.note.setText(text(sentence))
        self.note.show()

    def show_stall(self, sentence: Message | str) -> None:
        """Nothing happens any more: say so and point at the way out, until `woke_up`."""
        self._stalled_over = self.note.text() if self.note.isVisibleTo(self) else ""
        self._stalled = True
        self.time_left.hide()
        self.show_note(sentence)
        self._point_at_cancel(True)

    def woke_up(self) -> None:
        """Something happened: what `show_stall` said is not true any more."""
        if self._stalled:
            self._stalled = False
            self.time_left.show()
            self.note.setText(self._stalled_over)
            self.note.setVisible(bool(self._stalled_over))
            self._point_at_cancel(False)

    def _point_at_cancel(self, on: bool) -> None:
        self.cancel_button.setProperty("role", "" if on else "quiet")
        self.cancel_button.style().unpolish(self.cancel_button)
        self.cancel_button.style().polish(self.cancel_button)

    def can_stop(self, state: StopState) -> None:
        """What a stop would mean now; none is needed once it finishes by itself."""
        words, tip = train_ending.button(state)
        self.stop_button.setText(words)
        self.stop_button.setToolTip(tip)
        self._enable(self.stop_button, state != "finishing")

    def ending(self, sentence: str, *, final: bool) -> None:
        """The user has asked for the end; if it is `final`, nothing more can be asked."""
        self.woke_up()  # what does not answer is ended all the same
        self.sentence.setText(sentence)
        self.time_left.clear()
        self._enable(self.stop_button, False)
        self._enable(self.cancel_button, not final)

    def _enable(self, button: QPushButton, on: bool) -> None:
        """Qt would hand the focus of a button that goes dark to the next one, and that discards everything."""
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
        words.addWidget(self.cancel_button)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 4, 24, 16)
        outer.setSpacing(8)
        outer.addLayout(middle, 1)
        outer.addWidget(self.note)
        outer.addWidget(self.bar)
        outer.addLayout(words)


def draw(plot: LivePlot, event: ProbeDone | BatchDone | EpochDone) -> None:
    """Add what the event says to the curves."""
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


def draw_past(plot: LivePlot, passes: Iterable[EpochRecord]) -> None:
    """The passes of a run before it was cut off."""
    for each in passes:
        plot.add_pass(float(each.number), loss=each.train_loss, rate=each.rate)
        plot.add_score(float(each.number), valid_loss=each.valid_loss, accuracy=each.accuracy)


def score_now(state: TrainingState, kind: Kind) -> tuple[str, str]:
    """The score of the newest pass, large, and of what it is."""
    if state.accuracy is None or state.valid == 0:
        return tr("No score"), tr("There are no validation {things}.", things=things(kind))
    if state.task == "multi":
        score = train_words.large_score_of_several(state.accuracy)
    else:
        score = right_of(state.accuracy, state.valid)
    note = train_words.score_note(kind, state.accuracy, state.probe_accuracy, state.valid, state.task)
    return score, note


UNDECIDED = 0.5
"""While it learns there are no thresholds yet: a class counts as present from here on."""


def shown_now(event: Showcase, session: Session, names: Sequence[str]) -> list[Shown]:
    """The fixed samples as the present model sees them."""
    shown = []
    for row, sample_id in enumerate(event.sample_ids):
        predicted = int(np.argmax(event.probabilities[row]))
        said: tuple[int, ...] = (predicted,)
        if session.project.task == "multi":
            said = tuple(int(index) for index in np.flatnonzero(event.probabilities[row] >= UNDECIDED))
        sample = session.sample(sample_id)
        shown.append(
            Shown(
                sample_id=sample_id,
                predicted=named(said, names),
                fraction=float(event.probabilities[row, predicted]),
                colour=style.class_colour(predicted),
                right=set(sample.labels) == set(said) if sample.labelled else None,
                overlay=overlay_image(event.maps[row], predicted, kind=session.project.kind),
            )
        )
    return shown


def shown_mistakes(mistakes: Sequence[Mistake], session: Session) -> list[Shown]:
    """What it gets wrong, with what it should have said."""
    names = [item.name for item in session.classes]
    return [
        Shown(
            sample_id=each.sample_id,
            predicted=named(each.said, names),
            fraction=each.fraction,
            colour=style.class_colour(each.predicted),
            right=False,
            label=named(each.labels, names),
            overlay=overlay_image(each.maps, each.predicted, kind=session.project.kind),
        )
        for each in mistakes
    ]
