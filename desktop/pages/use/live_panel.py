"""What a camera sees or a microphone hears, with the model's answer beside it: plain values in, presses out."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.overlay_view import OverlayView
from desktop.widgets.probability_bars import Bar, ProbabilityBars
from desktop.widgets.spectrogram_view import SpectrogramView

MOST_HEARD = 200
"""Detections in the list."""
_SIDE = 340
_OPACITY = 0.5
"""Of the map over a spectrogram, which is fine as hair."""


class LivePanel(QWidget):
    """Emits what the person presses."""

    back_pressed = Signal()
    freeze_toggled = Signal(bool)
    file_pressed = Signal()
    device_pressed = Signal()
    record_toggled = Signal(bool)
    hidden = Signal()
    """Another page is shown: nobody sees this one any more."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.picture, self.sound = OverlayView(), SpectrogramView()
        self.sound.set_opacity(_OPACITY)
        self.views = QStackedWidget()
        for view in (self.picture, self.sound):
            self.views.addWidget(view)
        self.back_button = QPushButton(tr("Back to the answers"))
        icons.set_icon(self.back_button, "ph.arrow-left")
        self.source_line = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.source_line.setProperty("role", "emphasis")
        self.problem = _label("error")
        self.headline = ElidedLabel()
        self.headline.setProperty("role", "title")
        self.headline.setAccessibleName(tr("Answer"))
        self.verdict = _label("muted")
        self.bars = ProbabilityBars()
        self.freeze_button, self.record_button = QPushButton(tr("Freeze")), QPushButton()
        self.file_button, self.device_button = QPushButton(tr("Play a file as if it were live…")), QPushButton()
        self.heard_title, self.heard = _label("muted"), QListWidget()
        self.heard_title.setText(tr("What was heard, newest first"))
        self.heard.setAccessibleName(tr("What was heard"))
        self.saved = _label("good")
        self._prepare()
        self._lay_out()

    def begin(self, *, audible: bool, source: str) -> None:
        """Show the parts for sound or for pictures, before anything has come."""
        self.views.setCurrentWidget(self.sound if audible else self.picture)
        for part in (self.record_button, self.heard_title, self.heard):
            part.setVisible(audible)
        self.device_button.setText(tr("Use the microphone") if audible else tr("Use the camera"))
        icons.set_icon(self.device_button, "ph.microphone" if audible else "ph.camera")
        self.heard.clear()
        self.set_recording("")
        self.show_source(source)

    def show_source(self, source: str) -> None:
        """Say what is seen or heard, before its first answer."""
        self.source_line.setText(source)
        self.show_problem("")
        self.view().set_message(tr("Waiting for the first answer…"))
        self.show_answer("", "", good=True, bars=())

    def view(self) -> OverlayView:
        """The view in use: the picture or the spectrogram."""
        view = self.views.currentWidget()
        assert isinstance(view, OverlayView)
        return view

    def show_answer(self, headline: str, verdict: str, *, good: bool, bars: tuple[Bar, ...]) -> None:
        self.headline.setText(headline)
        self.verdict.setText(verdict)
        style.set_role(self.verdict, "good" if good else "warn")
        self.bars.set_bars(bars)
        self.bars.setVisible(bool(bars))

    def add_heard(self, words: str) -> None:
        """Put a detection at the top of the list."""
        self.heard.insertItem(0, words)
        while self.heard.count() > MOST_HEARD:
            self.heard.takeItem(self.heard.count() - 1)

    def set_recording(self, folder: str) -> None:
        """Say where detections are saved; nothing if they are not."""
        self.record_button.setText(tr("Stop saving") if folder else tr("Save what is detected…"))
        self.saved.setText(tr("What is detected is saved in {folder}.", folder=folder) if folder else "")
        self.saved.setVisible(bool(folder))

    def show_saved(self, sentence: str) -> None:
        self.saved.setText(sentence)
        self.saved.show()

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        if sentence and not self.view().has_picture():
            self.view().set_message("")

    def set_frozen(self, frozen: bool) -> None:
        self.freeze_button.setChecked(frozen)
        self.freeze_button.setText(tr("Continue") if frozen else tr("Freeze"))

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():
            self.hidden.emit()

    def _prepare(self) -> None:
        icons.set_icon(self.freeze_button, "ph.snowflake")
        icons.set_icon(self.file_button, "ph.file")
        icons.set_icon(self.record_button, "ph.record")
        self.freeze_button.setCheckable(True)
        self.problem.hide()
        self.saved.hide()
        self.back_button.clicked.connect(self.back_pressed)
        self.freeze_button.toggled.connect(self.freeze_toggled)
        self.file_button.clicked.connect(self.file_pressed)
        self.device_button.clicked.connect(self.device_pressed)
        self.record_button.clicked.connect(lambda: self.record_toggled.emit(not self.saved.isVisibleTo(self)))

    def _lay_out(self) -> None:
        look = style.current()
        head = QHBoxLayout()
        head.setSpacing(look.s)
        head.addWidget(self.back_button)
        head.addWidget(self.source_line, 1)
        side = QWidget()
        side.setFixedWidth(_SIDE)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        for part in (self.headline, self.verdict, self.bars, self.heard_title):
            column.addWidget(part)
        column.addWidget(self.heard, 1)
        column.addStretch(0)
        sides = QHBoxLayout()
        sides.setSpacing(look.l)
        sides.addWidget(self.views, 1)
        sides.addWidget(side)
        buttons = FlowBox(gap=look.s)
        buttons.set_items((self.freeze_button, self.record_button, self.device_button, self.file_button))
        whole = QVBoxLayout(self)
        whole.setContentsMargins(look.xl, 0, look.xl, look.l)
        whole.setSpacing(look.s)
        whole.addLayout(head)
        whole.addWidget(self.problem)
        whole.addLayout(sides, 1)
        whole.addWidget(buttons)
        whole.addWidget(self.saved)


def _label(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
