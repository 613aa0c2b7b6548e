"""The right of the Use page: one answer large, with its map, what was predicted, and how sure the model is."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.overlay_view import OverlayLegend, OverlayView
from desktop.widgets.probability_bars import Bar, ProbabilityBars
from desktop.widgets.spectrogram_view import SpectrogramView
from desktop.widgets.trace_view import TraceView
from ml.api import KindName, kind_named

NARROWEST, WIDEST = 340, 640
TALLEST_VIEW = 0.8
PREDICTED, NOTHING = "predicted", "off"
MapChoice = str | int
"""Whose map is laid over: that of the predicted class, of no class, or of a class by its index."""


class AnswerPanel(QWidget):
    """Shows plain values. Emits what the person chooses and presses."""

    map_chosen = Signal(object)
    play_pressed = Signal()
    position_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(NARROWEST)
        self.setMaximumWidth(WIDEST)
        self.picture, self.sound, self.traces = OverlayView(), SpectrogramView(), TraceView()
        self.sound.position_chosen.connect(self.position_chosen)
        self.views = QStackedWidget()
        for view in (self.picture, self.sound, self.traces):
            self.views.addWidget(view)
        self.headline = ElidedLabel()
        self.headline.setProperty("role", "title")
        self.headline.setAccessibleName(tr("Answer"))
        self.verdict = _wrapped("muted")
        self.bars = ProbabilityBars()
        self.part = _wrapped("caption")
        self.file_name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "caption")
        self.map_box = QComboBox()
        self.map_box.setAccessibleName(tr("Map of"))
        self.map_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.map_box.setMinimumContentsLength(12)
        self.map_box.activated.connect(self._on_map)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setAccessibleName(tr("Opacity of the map"))
        self.opacity.setToolTip(self.opacity.accessibleName())
        self.opacity.valueChanged.connect(self._on_opacity)
        self.opacity.setValue(70)
        self.legend = OverlayLegend()
        self.play_button = QPushButton(tr("Play"))
        icons.set_icon(self.play_button, "ph.play")
        self.play_button.clicked.connect(self.play_pressed)
        self.timeline_button = QPushButton(tr("Open the timeline"))
        icons.set_icon(self.timeline_button, "ph.chart-bar-horizontal")
        self.timeline_button.hide()
        self.scene_button = QPushButton(tr("Answer it tile by tile"))
        icons.set_icon(self.scene_button, "ph.grid-four")
        self.scene_button.hide()
        self.sound_note = _wrapped("caption")
        self._lay_out()

    def set_model(self, kind: KindName, names: tuple[str, ...]) -> None:
        """Show the view and the buttons for this kind of samples, and these classes."""
        views: dict[str, OverlayView] = {"pixels": self.picture, "waveform": self.sound, "readings": self.traces}
        self.views.setCurrentWidget(views[kind_named(kind).input_name])
        self.play_button.setVisible(kind_named(kind).audible)
        with QSignalBlocker(self.map_box):
            self.map_box.clear()
            self.map_box.addItem(tr("the predicted class"), PREDICTED)
            self.map_box.addItem(tr("nothing"), NOTHING)
            self.map_box.insertSeparator(2)
            for index, name in enumerate(names):
                self.map_box.addItem(name, index)

    def view(self) -> OverlayView:
        """The view in use: the picture, the spectrogram or the traces."""
        view = self.views.currentWidget()
        assert isinstance(view, OverlayView)
        return view

    def show_answer(self, *, headline: str, verdict: str, good: bool, bars: tuple[Bar, ...], name: str) -> None:
        """Describe an answer. Its picture follows with `set_picture`."""
        self.headline.setText(headline)
        self.verdict.setText(verdict)
        style.set_role(self.verdict, "good" if good else "warn")
        self.bars.set_bars(bars)
        self.bars.setVisible(bool(bars))
        self.file_name.setText(name)

    def set_picture(self, picture: QImage, *, part: str) -> None:
        """`part`: which part of a recording is shown, in a sentence; or empty."""
        self.view().set_picture(picture)
        self.part.setText(part)
        self.part.setVisible(bool(part))

    def set_overlay(self, overlay: QImage | None) -> None:
        self.view().set_overlay(overlay)

    def map_choice(self) -> MapChoice:
        choice: MapChoice = self.map_box.currentData()
        return choice

    def toggle_map(self) -> None:
        """Hide the map, or show that of the predicted class."""
        wanted = PREDICTED if self.map_choice() == NOTHING else NOTHING
        self.map_box.setCurrentIndex(self.map_box.findData(wanted))
        self._on_map()

    def set_playing(self, playing: bool) -> None:
        self.play_button.setText(tr("Stop") if playing else tr("Play"))
        icons.set_icon(self.play_button, "ph.stop" if playing else "ph.play")

    def set_sound_problem(self, sentence: str) -> None:
        """Why nothing can be played; empty if it can."""
        self.play_button.setEnabled(not sentence)
        self.sound_note.setText(sentence)
        self.sound_note.setVisible(bool(sentence))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A higher view would push the words out of the window.
        self.views.setMaximumHeight(round(event.size().width() * TALLEST_VIEW))

    def _lay_out(self) -> None:
        look = style.current()
        maps = QHBoxLayout()
        maps.setSpacing(look.s)
        maps.addWidget(QLabel(tr("Map of")))
        maps.addWidget(self.map_box, 1)
        strength = QHBoxLayout()
        strength.setSpacing(look.l)
        strength.addWidget(self.opacity, 1)
        strength.addWidget(self.legend, 1)
        play = QHBoxLayout()
        play.addWidget(self.play_button)
        play.addWidget(self.timeline_button)
        play.addWidget(self.scene_button)
        play.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.m, 0, 0, 0)
        column.setSpacing(look.s)
        column.addWidget(self.headline)
        column.addWidget(self.verdict)
        column.addWidget(self.views, 100)
        column.addWidget(self.file_name)
        column.addWidget(self.part)
        column.addLayout(play)
        column.addWidget(self.sound_note)
        column.addWidget(self.bars)
        column.addLayout(maps)
        column.addLayout(strength)
        column.addStretch(1)
        self.part.hide()
        self.sound_note.hide()

    def _on_map(self) -> None:
        for widget in (self.opacity, self.legend):
            widget.setEnabled(self.map_choice() != NOTHING)
        self.map_chosen.emit(self.map_choice())

    def _on_opacity(self, value: int) -> None:
        for view in (self.picture, self.sound, self.traces):
            view.set_opacity(value / 100)


def _wrapped(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
