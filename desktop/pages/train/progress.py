"""During a training: the score in words, the curves, twelve samples, and what is happening now."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from desktop.i18n import Message, text, tr
from desktop.pages import train_ending
from desktop.pages.train_ending import Ending
from desktop.widgets.live_plot import LivePlot
from desktop.widgets.showcase import ShowcaseView
from ml.api import Kind, things


class TrainWatch(QWidget):
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

    def can_stop(self, state: Ending) -> None:
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
