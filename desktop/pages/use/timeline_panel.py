"""The timeline of one long recording with its buttons: plain values in, what the person does out."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.i18n import current_language, tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.timeline_view import TimelineView

LENGTH_STEPS = 60


class TimelinePanel(QWidget):
    """Emits what the person chooses and presses."""

    back_pressed = Signal()
    class_chosen = Signal()
    threshold_moved = Signal(float)
    length_moved = Signal(float)
    review_toggled = Signal(bool)
    proposal_taken = Signal()
    export_pressed = Signal(str)
    """A key of `ml.api.DETECTION_FILES`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._longest = 1.0
        self.view = TimelineView()
        self.back_button = QPushButton(tr("Back to the answers"))
        icons.set_icon(self.back_button, "ph.arrow-left")
        self.file_name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "emphasis")
        self.progress = _wrapped("muted", wrap=False)
        self.problem, self.sound_note = _wrapped("error"), _wrapped("caption")
        self.previous_button, self.next_button = QPushButton(tr("Previous")), QPushButton(tr("Next"))
        self.play_button = QPushButton(tr("Play"))
        self.right_button, self.wrong_button = QPushButton(tr("Right (Y)")), QPushButton(tr("Wrong (N)"))
        self.in_button, self.out_button = QPushButton(), QPushButton()
        self.current_line = ElidedLabel()
        self.class_box = QComboBox()
        self.class_box.setAccessibleName(tr("Class"))
        self.class_box.setMaximumWidth(200)
        self.threshold, self.length = QSlider(Qt.Orientation.Horizontal), QSlider(Qt.Orientation.Horizontal)
        self.threshold_value, self.length_value = QLabel(), QLabel()
        self.consequence = _wrapped("muted")
        self.precision = _wrapped("muted")
        self.review_button = QPushButton(tr("Review a sample"))
        self.review_button.setCheckable(True)
        self.proposal, self.proposal_button = _wrapped("good"), QPushButton()
        self.saved = _wrapped("good")
        self.counts_button = QPushButton(tr("Counts over time…"))
        icons.set_icon(self.counts_button, "ph.chart-bar")
        self.exports = self._make_exports()
        self._prepare()
        self._lay_out()
        self._connect()

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_classes(self, names: Sequence[str], shown: Sequence[str]) -> None:
        """Fill the list of classes: their names, and how they are shown."""
        with QSignalBlocker(self.class_box):
            self.class_box.clear()
            self.class_box.addItem(tr("All classes"), None)
            for name, words in zip(names, shown, strict=True):
                self.class_box.addItem(words, name)

    def class_name(self) -> str | None:
        """Return whose limits are shown; None for all classes."""
        name: str | None = self.class_box.currentData()
        return name

    def set_limits(self, threshold: float, shortest: float, *, lowest: float, longest: float) -> None:
        """Show the threshold, at least `lowest`, and the shortest length in seconds, at most `longest`."""
        self._longest = longest
        for slider, least, most, value in (
            (self.threshold, round(100 * lowest), 99, round(100 * threshold)),
            (self.length, 0, LENGTH_STEPS, round(shortest / longest * LENGTH_STEPS)),
        ):
            with QSignalBlocker(slider):
                slider.setRange(least, most)
                slider.setValue(value)
        self._show_values()

    def set_words(self, consequence: str, precision: str) -> None:
        self.consequence.setText(consequence)
        self.precision.setText(precision)
        self.precision.setVisible(bool(precision))

    def set_proposal(self, words: str, threshold: float) -> None:
        """Offer a threshold and say what it leads to; nothing without words."""
        self.proposal.setText(words)
        self.proposal_button.setText(tr("Use {threshold}", threshold=current_language().number(threshold, ".2f")))
        for part in (self.proposal, self.proposal_button):
            part.setVisible(bool(words))

    def set_current(self, words: str, *, there: bool) -> None:
        """Describe the chosen detection; `there`: there is one."""
        self.current_line.setText(words)
        for button in (self.right_button, self.wrong_button):
            button.setEnabled(there)

    def set_playing(self, playing: bool) -> None:
        self.play_button.setText(tr("Stop") if playing else tr("Play"))
        icons.set_icon(self.play_button, "ph.stop" if playing else "ph.play")

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def set_sound_problem(self, sentence: str) -> None:
        """Say why nothing can be heard; empty if something can."""
        self.play_button.setEnabled(not sentence)
        self.sound_note.setText(sentence)
        self.sound_note.setVisible(bool(sentence))

    def show_progress(self, words: str) -> None:
        self.progress.setText(words)

    def show_saved(self, sentence: str, *, good: bool = True) -> None:
        self.saved.setText(sentence)
        style.set_role(self.saved, "good" if good else "error")
        self.saved.setVisible(bool(sentence))

    # -- parts ---------------------------------------------------------------------------------------------------

    def _make_exports(self) -> dict[str, QPushButton]:
        words = {
            "csv": tr("Table (CSV)…"),
            "audacity": tr("Audacity labels…"),
            "raven": tr("Raven table…"),
            "birdnet": tr("BirdNET table…"),
            "counts": tr("Counts per hour…"),
            "clips": tr("Clips…"),
        }
        return {form: QPushButton(each) for form, each in words.items()}

    def _prepare(self) -> None:
        for button, icon, name in (
            (self.in_button, "ph.magnifying-glass-plus", tr("Zoom in")),
            (self.out_button, "ph.magnifying-glass-minus", tr("Zoom out")),
        ):
            icons.set_icon(button, icon)
            button.setAccessibleName(name)
            button.setToolTip(name)
        icons.set_icon(self.previous_button, "ph.caret-left")
        icons.set_icon(self.next_button, "ph.caret-right")
        icons.set_icon(self.play_button, "ph.play")
        self.threshold.setAccessibleName(tr("Sure enough from"))
        self.length.setAccessibleName(tr("Long enough from"))
        for value in (self.threshold_value, self.length_value):
            value.setMinimumWidth(52)
        # The timeline keeps the focus, so that its keys go on working.
        for each in (self.previous_button, self.next_button, self.play_button, self.right_button, self.wrong_button):
            each.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.problem.hide()
        self.saved.hide()
        self.set_proposal("", 0.0)

    def _lay_out(self) -> None:
        look = style.current()
        head = _row(self.back_button, self.file_name, self.progress, stretch=1)
        moves = _row(
            self.previous_button, self.next_button, self.play_button, self.right_button, self.wrong_button,
            self.current_line, self.out_button, self.in_button, stretch=5,
        )  # fmt: skip
        sure, long = QLabel(tr("Sure enough from")), QLabel(tr("Long enough from"))
        limits = _row(
            self.class_box, sure, self.threshold, self.threshold_value, long, self.length, self.length_value, stretch=2
        )
        limits.setStretch(5, 1)
        review = _row(self.precision, self.review_button, stretch=0)
        proposal = _row(self.proposal, self.proposal_button, stretch=0)
        exports = FlowBox(gap=look.s)
        exports.set_items((self.counts_button, *self.exports.values()))
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, 0, look.xl, look.l)
        column.setSpacing(look.s)
        column.addLayout(head)
        column.addWidget(self.problem)
        column.addWidget(self.view, 1)
        column.addLayout(moves)
        column.addWidget(self.sound_note)
        column.addLayout(limits)
        column.addWidget(self.consequence)
        column.addLayout(review)
        column.addLayout(proposal)
        column.addWidget(exports)
        column.addWidget(self.saved)

    def _connect(self) -> None:
        self.back_button.clicked.connect(self.back_pressed)
        self.previous_button.clicked.connect(lambda: self.view.stepped.emit(-1))
        self.next_button.clicked.connect(lambda: self.view.stepped.emit(1))
        self.play_button.clicked.connect(self.view.play_pressed)
        self.right_button.clicked.connect(lambda: self.view.answered.emit(True))
        self.wrong_button.clicked.connect(lambda: self.view.answered.emit(False))
        self.in_button.clicked.connect(lambda: self.view.zoom(0.5))
        self.out_button.clicked.connect(lambda: self.view.zoom(2.0))
        self.class_box.activated.connect(self.class_chosen)
        self.threshold.valueChanged.connect(self._on_threshold)
        self.length.valueChanged.connect(self._on_length)
        self.review_button.toggled.connect(self.review_toggled)
        self.proposal_button.clicked.connect(self.proposal_taken)
        for form, button in self.exports.items():
            button.clicked.connect(lambda _checked=False, form=form: self.export_pressed.emit(form))

    def _on_threshold(self, value: int) -> None:
        self._show_values()
        self.threshold_moved.emit(value / 100)

    def _on_length(self, value: int) -> None:
        self._show_values()
        self.length_moved.emit(round(value / LENGTH_STEPS * self._longest, 3))

    def _show_values(self) -> None:
        self.threshold_value.setText(tr("{n} %", n=self.threshold.value()))
        seconds = self.length.value() / LENGTH_STEPS * self._longest
        self.length_value.setText(tr("{seconds:g} s", seconds=round(seconds, 2)))


def _wrapped(role: str, *, wrap: bool = True) -> QLabel:
    label = QLabel()
    label.setWordWrap(wrap)
    label.setProperty("role", role)
    return label


def _row(*widgets: QWidget, stretch: int) -> QHBoxLayout:
    """Return the widgets side by side; the one at `stretch` takes the room that is left."""
    row = QHBoxLayout()
    row.setSpacing(style.current().s)
    for place, widget in enumerate(widgets):
        row.addWidget(widget, 1 if place == stretch else 0)
    return row
