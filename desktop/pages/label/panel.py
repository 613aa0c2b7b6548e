"""The right of the Label page: one sample large, its label or the guess, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.actions import with_key
from desktop.dialogs.items import ItemsDialog
from desktop.i18n import printable, tr
from desktop.pages.label import messages
from desktop.pages.label.ghost_bar import GhostBar
from desktop.pages.label.listening import Listening
from desktop.pages.label.model import LabelModel
from desktop.pages.label.sound_tools import SoundTools
from desktop.pages.label.span_controller import SpanController
from desktop.plain_text import button_text
from desktop.shortcuts import NEWS, set_key_tip
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.history_list import HistoryList, history_line
from desktop.widgets.overlay_view import OverlayView
from desktop.widgets.probability_bars import percent
from desktop.widgets.scrolling import ShrinkingArea
from desktop.widgets.span_view import SpanTraceView, SpanView
from desktop.widgets.text_field import TextField
from desktop.workers.player import Player
from desktop.workers.sample_renderer import Large, load_large
from desktop.workers.tasks import Tasks
from ml.api import LONGEST_NOTE, KindName, Remark, Sample, kind_named, lanes, settings_for

NARROWEST, WIDEST = 340, 640
HISTORY_MS = 80
LEAST_DETAILS = 72


class NoteField(TextField):
    """A note on one sample. Emits `left` on Enter, and on Escape, which takes back what was typed."""

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._show_key()
        NEWS.changed.connect(self._show_key)
        self.setAccessibleName(tr("Note on this sample"))
        self.setMaxLength(LONGEST_NOTE)

    @Slot()
    def _show_key(self) -> None:
        self.setPlaceholderText(with_key(tr("Your note"), "label_note"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() == Qt.Key.Key_Escape:
            self.undo()
            self.setModified(False)
        if event.key() in (Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left.emit()


class LabelPanel(QWidget):
    """Shows plain values. Emits what the user presses."""

    accept_pressed = Signal()
    ignore_pressed = Signal()
    play_pressed = Signal()
    flag_pressed = Signal()
    note_written = Signal(str)
    note_left = Signal()
    history_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setMinimumWidth(NARROWEST)
        self.picture, self.sound, self.traces = OverlayView(), SpanView(), SpanTraceView()
        self.tools, self.trace_tools = SoundTools(self.sound), SoundTools(self.traces, audible=False)
        self.ghost_bar = GhostBar()
        self.views = QStackedWidget()
        for view in (self.picture, self.sound, self.traces):
            self.views.addWidget(view)
        self.label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.label.setProperty("role", "emphasis")
        self.file_name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "caption")
        self.accept_button = QPushButton()
        self.accept_button.clicked.connect(self.accept_pressed)
        self.ignore_button = QPushButton()
        self.ignore_button.clicked.connect(self.ignore_pressed)
        self.play_button = QPushButton(tr("Play"))
        icons.set_icon(self.play_button, "ph.play")
        self.play_button.clicked.connect(self.play_pressed)
        self.flag_button = QPushButton(tr("Flag"))
        self.flag_button.setCheckable(True)
        set_key_tip(self.flag_button, tr("Flag the selected samples, or remove the flags"), "label_flag")
        icons.set_icon(self.flag_button, "ph.flag")
        self.flag_button.clicked.connect(self.flag_pressed)
        self.note_field = NoteField()
        self.note_field.editingFinished.connect(self._on_note)
        self.note_field.left.connect(self.note_left)
        self.history = HistoryList()
        self.history.all_wanted.connect(self.history_wanted)
        row = QHBoxLayout()
        row.setSpacing(look.s)
        for button in (self.accept_button, self.ignore_button, self.flag_button, self.play_button):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.m, 0, 0, 0)
        column.setSpacing(look.s)
        column.addWidget(self.views, 1)
        column.addWidget(self._details())
        column.addLayout(row)

    def _details(self) -> QScrollArea:
        """Return what is below the picture, which scrolls in a small window."""
        details = QWidget()
        column = QVBoxLayout(details)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().s)
        for part in (
            self.tools,
            self.trace_tools,
            self.ghost_bar,
            self.label,
            self.file_name,
            self.history,
            self.note_field,
        ):
            column.addWidget(part)
        return ShrinkingArea(details, least=LEAST_DETAILS)

    def set_kind(self, kind: KindName) -> None:
        """Show the view and the buttons for this kind of sample."""
        views: dict[str, OverlayView] = {"pixels": self.picture, "waveform": self.sound, "readings": self.traces}
        self.views.setCurrentWidget(views[kind_named(kind).input_name])
        self.play_button.setVisible(kind_named(kind).audible)
        self.tools.setVisible(self.views.currentWidget() is self.sound)
        self.trace_tools.setVisible(self.views.currentWidget() is self.traces)

    def view(self) -> OverlayView:
        view = self.views.currentWidget()
        assert isinstance(view, OverlayView)
        return view

    def selection(self) -> tuple[float, float] | None:
        """Return the selected time of the recording; None where nothing is selected."""
        view = self.span_view()
        return None if view is None else view.selection()

    def span_view(self) -> SpanView | None:
        """Return the view on which spans are drawn; None for pictures."""
        view = self.views.currentWidget()
        return view if isinstance(view, SpanView) else None

    def toggle_band(self) -> None:
        """Hear only a band of frequencies, or all again."""
        if self.tools.isVisible():
            self.tools.band_button.toggle()

    def set_playing(self, playing: bool) -> None:
        self.play_button.setText(tr("Stop") if playing else tr("Play"))
        icons.set_icon(self.play_button, "ph.stop" if playing else "ph.play")

    def show_nothing(self, sentence: str) -> None:
        self.view().set_message(sentence)
        for label in (self.label, self.file_name):
            label.setText("")
        for part in (self.accept_button, self.ignore_button, self.flag_button, self.note_field, self.history):
            part.setVisible(False)

    def show_remark(self, remark: Remark) -> None:
        """Show the flag and the note of the sample. What is being typed stays."""
        self.flag_button.setVisible(True)
        self.flag_button.setChecked(remark.flagged)
        self.note_field.setVisible(True)
        if not self.note_field.hasFocus() or not self.note_field.isModified():
            self.note_field.setText(remark.note)

    @Slot()
    def _on_note(self) -> None:
        if self.note_field.isModified():
            self.note_field.setModified(False)
            self.note_written.emit(self.note_field.text())


class PanelController(QObject):
    """Drives a `LabelPanel` and the player."""

    def __init__(self, panel: LabelPanel, model: LabelModel, *, player: Player, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._model, self._player = panel, model, player
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)
        self._request = 0
        self._sample_id: int | None = None
        self.spans = SpanController(panel, model, self)
        self._listening = Listening(player, self)
        self._history_timer = QTimer(self, interval=HISTORY_MS, singleShot=True)
        self._history_timer.timeout.connect(self._show_history)
        panel.play_pressed.connect(self.toggle_playing)
        panel.note_written.connect(self._on_note)
        panel.history_wanted.connect(self._show_all_changes)
        model.remarks_changed.connect(self.refresh)
        player.position_changed.connect(panel.sound.set_cursor)
        panel.tools.speed_changed.connect(player.set_speed)
        panel.tools.gain_changed.connect(player.set_gain)
        panel.tools.loop_changed.connect(player.set_looping)
        panel.tools.band_changed.connect(self._listening.set_band)
        player.playing_changed.connect(panel.set_playing)
        player.problem_found.connect(model.set_problem)

    def close(self) -> None:
        self._history_timer.stop()
        self._listening.close()
        self._tasks.close()

    @Slot(int)
    def show(self, sample_id: int) -> None:
        """Load a sample. One that is still loading is dropped."""
        session = self._model.session
        if session is None:
            return
        if sample_id != self._sample_id:
            self._tasks.forget(self._request)
            self._panel.note_field.setModified(False)
            self._listening.set_sound(None, 16_000)
            self._sample_id = sample_id
            self.spans.forget()
            self._request = self._tasks.submit(load_large, session.project, session.sample(sample_id))
        self.refresh()

    def clear(self, sentence: str) -> None:
        """Choose nothing."""
        self._tasks.forget_all()
        self._sample_id = None
        self._listening.set_sound(None, 16_000)
        self.spans.forget()
        self._panel.show_nothing(sentence)

    def load_again(self) -> None:
        """The originals are back."""
        sample_id, self._sample_id = self._sample_id, None
        if sample_id is not None:
            self.show(sample_id)

    def refresh(self) -> None:
        """Describe the sample again: its label or its guess has changed."""
        session, panel = self._model.session, self._panel
        if session is None or self._sample_id is None:
            return
        sample, names = session.sample(self._sample_id), session.class_names
        guess = None if sample.labelled or sample.ignored else self._model.guess(sample.id)
        panel.label.setText(_state(sample, names, guess))
        panel.file_name.setText(messages.sample_name(session, sample))
        panel.accept_button.setVisible(guess is not None)
        if guess is not None:
            panel.accept_button.setText(
                button_text(tr("Accept {labels}", labels=messages.class_names(guess[0], names)))
            )
        panel.show_remark(self._model.remark(sample.id))
        self._history_timer.start()
        panel.ignore_button.setVisible(True)
        panel.ignore_button.setText(tr("Use again") if sample.ignored else tr("Do not use"))

    @Slot()
    def _show_history(self) -> None:
        """Show who labelled the sample: later than the rest, so that keys are not held up."""
        session = self._model.session
        if session is not None and self._sample_id is not None:
            self._panel.history.set_changes(self._model.history(self._sample_id), session.class_names)
            self.spans.show(self._sample_id)

    @Slot()
    def _show_all_changes(self) -> None:
        session = self._model.session
        if session is None or self._sample_id is None:
            return
        lines = [history_line(change, session.class_names) for change in reversed(self._model.history(self._sample_id))]
        ItemsDialog.show_items(
            self._panel,
            title=tr("History"),
            sentence=messages.sample_name(session, session.sample(self._sample_id)),
            heads=(tr("Changes, the newest first"),),
            rows=[(line,) for line in lines],
        )

    @Slot(str)
    def _on_note(self, note: str) -> None:
        if self._sample_id is not None:
            self._model.write_note(self._sample_id, note)

    @Slot()
    def toggle_playing(self) -> None:
        if self._player.playing():
            self._listening.stop()
            return
        span, session = self._panel.selection(), self._model.session
        if span is not None and session is not None and self._sample_id is not None:
            begin = session.sample(self._sample_id).start or 0.0
            self._listening.play(span[0] - begin, span[1] - begin)
        else:
            self._listening.play()

    @Slot(int, object)
    def _on_loaded(self, _number: int, result: object) -> None:
        session = self._model.session
        if session is None or self._sample_id is None or not isinstance(result, Large):
            return
        panel, windowing = self._panel, session.project.windowing
        panel.view().set_picture(result.image)
        start = session.sample(self._sample_id).start or 0.0
        if windowing is not None and windowing.columns:
            names = [printable(windowing.columns[place]) for place in lanes(windowing.columns)]
            timed = windowing.clock != "none"
            panel.traces.set_lanes(names, start=start, length=windowing.seconds, timed=timed)
            panel.trace_tools.set_range(start, start + windowing.seconds, timed=timed)
            self.spans.show(self._sample_id)
        if windowing is not None and result.waveform is not None:
            chosen = settings_for(windowing)
            panel.sound.set_axes(
                start=start,
                seconds=windowing.seconds,
                f_min=chosen.f_min,
                f_max=chosen.f_max,
                time_expansion=windowing.time_expansion,
            )
            panel.tools.set_range(start, start + windowing.seconds)
            panel.tools.set_highest(round(windowing.rate) // 2)
            self.spans.show(self._sample_id)
            self._listening.set_sound(result.waveform, round(windowing.rate), time_expansion=windowing.time_expansion)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        if self._model.session is not None:
            self._panel.view().set_message(messages.cannot_show(self._model.session, error))


def _state(sample: Sample, names: tuple[str, ...], guess: tuple[tuple[int, ...], float] | None) -> str:
    if sample.ignored:
        return tr("Not used")
    if sample.labelled:
        return messages.class_names(sample.labels, names)
    if guess is None:
        return tr("No label yet")
    return tr("Perhaps {labels}, {sure}", labels=messages.class_names(guess[0], names), sure=percent(guess[1]))
