"""The right of the Explore page: one sample large with its heatmap, its prediction, and keys to correct its label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QGridLayout,
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
from desktop.pages.explore.detail.suggestion_buttons import Suggestion, SuggestionButtons
from desktop.pages.explore.model import MapOf
from desktop.widgets.class_keys import ClassKeys
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.overlay_view import OverlayLegend, OverlayView
from desktop.widgets.probability_bars import Bar, ProbabilityBars
from desktop.widgets.scrolling import ShrinkingArea
from desktop.widgets.spectrogram_view import SpectrogramView
from desktop.widgets.trace_view import TraceView
from ml.api import KindName, kind_named

NARROWEST, WIDEST = 372, 600
TALLEST_VIEW = 0.8
LEAST_TOOLS = 84


@dataclass(frozen=True, kw_only=True, slots=True)
class Details:
    """What the panel says about a sample, in words."""

    name: str
    labelled: str
    predicted: str
    wrong: bool | None
    note: str = ""
    bars: tuple[Bar, ...] = field(default=())
    label_indices: tuple[int, ...] = ()
    """The present labels; `class_keys.NONE` for "none of them"."""


class DetailPanel(QWidget):
    """Shows plain values. Emits what the user chooses and presses."""

    label_chosen = Signal(int)
    label_confirmed = Signal()
    map_chosen = Signal(object)
    input_toggled = Signal(bool)
    """Whether to show what the network gets in place of the sample."""
    play_pressed = Signal()
    attended_pressed = Signal()
    loop_toggled = Signal(bool)
    position_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(NARROWEST)
        self.setMaximumWidth(WIDEST)
        self.picture = OverlayView()
        self.sound = SpectrogramView()
        self.sound.position_chosen.connect(self.position_chosen)
        self.traces = TraceView()
        self.views = QStackedWidget()
        for view in (self.picture, self.sound, self.traces):
            self.views.addWidget(view)
        self.map_box = QComboBox()
        self.map_box.setAccessibleName(tr("Map of"))
        self.map_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.map_box.setMinimumContentsLength(12)
        self.map_box.activated.connect(self._on_map)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(70)
        self.opacity.setAccessibleName(tr("Opacity of the map"))
        self.opacity.setToolTip(self.opacity.accessibleName())
        self.opacity.valueChanged.connect(self._on_opacity)
        self.legend = OverlayLegend()
        self.no_map = QLabel()
        self.no_map.setWordWrap(True)
        self.no_map.setProperty("role", "caption")
        self.no_map.hide()
        self._ways = self._make_ways()
        self.player_row, self.sound_note = self._make_player()
        # Elided in the middle, because the probability stands at the end.
        self.labelled, self.predicted = (ElidedLabel(mode=Qt.TextElideMode.ElideMiddle) for _ in range(2))
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("role", "caption")
        self.selected = QLabel()
        self.selected.setWordWrap(True)
        self.selected.hide()
        self.bars = ProbabilityBars()
        self.file_name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "caption")
        self.history = QLabel()
        self.history.setTextFormat(Qt.TextFormat.PlainText)
        self.history.setProperty("role", "caption")
        self.history.setAccessibleName(tr("History of the label"))
        self.history.hide()
        self.suggestion = SuggestionButtons()
        self.suggestion.keep_pressed.connect(self.label_confirmed)
        self.suggestion.change_pressed.connect(self.label_chosen)
        self._words: list[QLabel] = []
        self.keys = ClassKeys()
        self.keys.class_chosen.connect(self.label_chosen)
        self._lay_out()
        self.set_classes(())

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_classes(self, names: tuple[str, ...], *, several: bool = False) -> None:
        self.keys.set_classes(names, several=several)
        with QSignalBlocker(self.map_box):
            self.map_box.clear()
            self.map_box.addItem(tr("the predicted class"), "predicted")
            self.map_box.addItem(tr("the labelled class"), "labelled")
            self.map_box.addItem(tr("nothing"), "off")
            self.map_box.addItem(tr("what speaks for the prediction against the label"), "predicted_against")
            self.map_box.addItem(tr("what speaks for the label against the prediction"), "labelled_against")
            if names:
                self.map_box.insertSeparator(5)
            for index, name in enumerate(names):
                self.map_box.addItem(name, index)

    def set_kind(self, kind: KindName) -> None:
        """Show the view and the buttons for this kind of sample."""
        views: dict[str, OverlayView] = {"pixels": self.picture, "waveform": self.sound, "readings": self.traces}
        self.views.setCurrentWidget(views[kind_named(kind).input_name])
        self.input_button.setVisible(kind_named(kind).input_name != "readings")
        sounds = kind_named(kind).audible
        self.player_row.setVisible(sounds)
        self.sound_note.setVisible(sounds and bool(self.sound_note.text()))

    def view(self) -> OverlayView:
        """The view in use: the picture, the spectrogram or the traces."""
        view = self.views.currentWidget()
        assert isinstance(view, OverlayView)
        return view

    def show_details(self, details: Details | None) -> None:
        """Describe a sample; None: no sample is chosen."""
        for widget in (*self._words, self.note, self.bars, self.file_name):
            widget.setVisible(details is not None)
        for widget in (self._map_row, self.keys):
            widget.setEnabled(details is not None)
        if details is None:
            self.say_selected("")
            self.note.clear()
            self.view().set_message(tr("Choose a tile in the grid to see it large."))
            self.keys.set_current(())
            return
        self.labelled.setText(details.labelled)
        self.predicted.setText(details.predicted)
        style.set_role(self.predicted, "error" if details.wrong else "")
        self.note.setText(details.note)
        self.note.setVisible(bool(details.note))
        self.bars.set_bars(details.bars)
        self.file_name.setText(details.name)
        self.keys.set_current(details.label_indices)

    def show_history(self, lines: Sequence[str]) -> None:
        """Show the newest of several changes of the label, and all of them as the tool tip."""
        self.history.setText(lines[0] if lines else "")
        self.history.setToolTip("\n".join(lines))
        self.history.setAccessibleDescription("\n".join(lines))
        self.history.setVisible(len(lines) > 1)

    def show_suggestion(self, suggestion: Suggestion | None) -> None:
        self.suggestion.show_suggestion(suggestion)

    def say_selected(self, sentence: str) -> None:
        """Say that more samples are selected than the one shown; empty if not."""
        self.selected.setText(sentence)
        self.selected.setVisible(bool(sentence))

    def set_overlay(self, overlay: QImage | None, *, nothing: str = "") -> None:
        """Lay a heatmap over the sample. `nothing` replaces the legend and says why no heatmap is visible."""
        self.view().set_overlay(overlay)
        self.no_map.setText(nothing)
        self.no_map.setVisible(bool(nothing))
        self.legend.setVisible(not nothing)

    def show_input_note(self, sentence: str) -> None:
        """Say what the network gets, or why that is not shown; empty where the sample itself is shown."""
        self.input_note.setText(sentence)
        self.input_note.setVisible(bool(sentence))

    def set_map_of(self, chosen: MapOf) -> None:
        place = self.map_box.findData(chosen)
        if place >= 0:
            self.map_box.setCurrentIndex(place)
        for widget in (self.opacity, self.legend):
            widget.setEnabled(chosen != "off")

    def set_opacity(self, opacity: float) -> None:
        """Of the heatmap, 0…1."""
        self.opacity.setValue(round(100 * opacity))

    def chosen_opacity(self) -> float:
        return self.opacity.value() / 100

    def set_cursor(self, seconds: float | None) -> None:
        """Where the player is."""
        self.sound.set_cursor(seconds)

    def set_playing(self, playing: bool) -> None:
        self.play_button.setText(tr("Stop") if playing else tr("Play"))
        icons.set_icon(self.play_button, "ph.stop" if playing else "ph.play")

    def set_sound_problem(self, sentence: str) -> None:
        """Why nothing can be played; empty if it can."""
        for button, usual in (
            (self.play_button, ""),
            (self.loop_button, ""),
            (self.attended_button, tr("Play only the parts where the map is bright (P)")),
        ):
            button.setEnabled(not sentence)
            button.setToolTip(sentence or usual)
        self.note_sound(sentence)

    def note_sound(self, sentence: str) -> None:
        """Say something about what is played, or why nothing is."""
        self.sound_note.setText(sentence)
        self.sound_note.setVisible(bool(sentence) and self.player_row.isVisibleTo(self))

    # -- parts ---------------------------------------------------------------------------------------------------

    def _make_ways(self) -> FlowBox:
        """Make the buttons for other ways to look at the sample, and the note below them."""
        self.beside_button = self._toggle(tr("Side by side"), tr("The plain picture beside the map (S)"))
        icons.set_icon(self.beside_button, "ph.columns")
        self.beside_button.toggled.connect(self._on_beside)
        self.input_button = self._toggle(tr("As the network sees it"), tr("Exactly what the network gets (I)"))
        icons.set_icon(self.input_button, "ph.eye")
        self.input_button.toggled.connect(self.input_toggled)
        self.input_note = QLabel()
        self.input_note.setWordWrap(True)
        self.input_note.setProperty("role", "caption")
        self.input_note.hide()
        ways = FlowBox(gap=8)
        ways.set_items((self.beside_button, self.input_button))
        return ways

    def _toggle(self, words: str, tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setCheckable(True)
        button.setToolTip(tip)
        return button

    def _make_player(self) -> tuple[QWidget, QLabel]:
        """Make the buttons of the player, and the note below them."""
        self.play_button, self.loop_button = QPushButton(tr("Play")), QPushButton(tr("Loop"))
        self.attended_button = QPushButton(tr("Only what it attended to"))
        icons.set_icon(self.play_button, "ph.play")
        icons.set_icon(self.loop_button, "ph.repeat")
        icons.set_icon(self.attended_button, "ph.ear")
        self.loop_button.setCheckable(True)
        self.play_button.clicked.connect(self.play_pressed)
        self.loop_button.toggled.connect(self.loop_toggled)
        self.attended_button.clicked.connect(self.attended_pressed)
        note = QLabel()
        note.setWordWrap(True)
        note.setProperty("role", "caption")
        row = FlowBox(gap=8)
        row.set_items((self.play_button, self.loop_button, self.attended_button))
        return row, note

    def _tools(self) -> QWidget:
        """Return what is used to look and to listen, which scrolls in a small window."""
        tools = QWidget()
        column = QVBoxLayout(tools)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (self.player_row, self.sound_note, self._map_row):
            column.addWidget(part)
        return ShrinkingArea(tools, least=LEAST_TOOLS)

    def _lay_out(self) -> None:
        self._map_row = QWidget()
        controls = QVBoxLayout(self._map_row)
        controls.setContentsMargins(0, 0, 0, 0)
        controls.setSpacing(8)
        maps = QHBoxLayout()
        maps.setSpacing(8)
        maps.addWidget(QLabel(tr("Map of")))
        maps.addWidget(self.map_box, 1)
        strength = QHBoxLayout()
        strength.setSpacing(16)
        strength.addWidget(self.opacity, 1)
        strength.addWidget(self.legend, 1)
        strength.addWidget(self.no_map, 1)
        controls.addLayout(maps)
        controls.addLayout(strength)
        controls.addWidget(self._ways)
        controls.addWidget(self.input_note)
        words = QGridLayout()
        words.setHorizontalSpacing(12)
        words.setVerticalSpacing(2)
        for row, (text, value) in enumerate(((tr("Labelled"), self.labelled), (tr("Predicted"), self.predicted))):
            caption = QLabel(text)
            caption.setProperty("role", "muted")
            words.addWidget(caption, row, 0)
            words.addWidget(value, row, 1)
            self._words += [caption, value]
        words.setColumnStretch(1, 1)
        line = QFrame()
        line.setProperty("role", "line")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.views, 100)
        column.addWidget(self.file_name)
        column.addWidget(self.history)
        column.addWidget(self._tools())
        column.addWidget(line)
        column.addLayout(words)
        column.addWidget(self.bars)
        column.addWidget(self.note)
        column.addWidget(self.suggestion)
        column.addWidget(self.selected)
        column.addWidget(self.keys)
        column.addStretch(1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A higher view would push the words out of the window and make a spectrogram hard to read.
        self.views.setMaximumHeight(round(event.size().width() * TALLEST_VIEW))

    def _on_map(self) -> None:
        self.map_chosen.emit(self.map_box.currentData())

    def _on_beside(self, beside: bool) -> None:
        for view in (self.picture, self.sound, self.traces):
            view.set_beside(beside)

    def _on_opacity(self, value: int) -> None:
        for view in (self.picture, self.sound, self.traces):
            view.set_opacity(value / 100)
