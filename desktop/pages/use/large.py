"""The large view of an answer: reads the file again for its map, describes it and plays it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from desktop import style
from desktop.i18n import error_text, printable, text, tr
from desktop.pages.use import messages
from desktop.pages.use.panel import NOTHING, PREDICTED, AnswerPanel
from desktop.widgets.probability_bars import Bar
from desktop.workers.answering import Answered, LargeAnswer, load_answer
from desktop.workers.player import Player
from desktop.workers.sample_renderer import overlay_image
from desktop.workers.tasks import Tasks
from ml.api import (
    FilePrediction,
    HandlensError,
    ModelInfo,
    ReleasedModel,
    UnreadableInput,
    frame_of,
    kind_named,
    lanes,
    moment,
    settings_for,
)

MAX_BARS = 5


def answer_name(answered: Answered, info: ModelInfo) -> str:
    """Return the path of the file, and for a frame of a video its time."""
    time = moment(answered, info)
    return str(answered.path) if time is None else text(frame_of(str(answered.path), time))


class LargeController(QObject):
    """Drives an `AnswerPanel` and the player."""

    def __init__(self, panel: AnswerPanel, player: Player, parent: QObject) -> None:
        super().__init__(parent)
        self._panel, self._player = panel, player
        self._model: ReleasedModel | None = None
        self._answered: Answered | None = None
        self._loaded: LargeAnswer | None = None
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)
        panel.map_chosen.connect(self._show_overlay)
        panel.play_pressed.connect(self.toggle_playing)
        panel.position_chosen.connect(player.play)
        player.position_changed.connect(panel.sound.set_cursor)
        player.playing_changed.connect(panel.set_playing)
        player.problem_found.connect(panel.set_sound_problem)

    def set_model(self, model: ReleasedModel) -> None:
        self._model = model
        kind = model.info.kind
        self._panel.set_model(kind, tuple(map(printable, model.info.classes)))
        self._panel.set_sound_problem(self._player.problem() if kind_named(kind).audible else "")
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._tasks.forget_all()
        self._answered = self._loaded = None
        self._player.set_sound(None, 16_000)
        self._panel.show_answer(headline="", verdict="", good=True, bars=(), name="")
        self._panel.view().set_message("")

    def shown(self) -> Path | None:
        """Return the file that is shown, None if there is none."""
        return None if self._answered is None else self._answered.path

    def show(self, answered: Answered) -> None:
        """Show an answer. One that is still being loaded is dropped."""
        model = self._model
        if model is None or answered is self._answered:
            return
        self._tasks.forget_all()
        self._answered, self._loaded = answered, None
        self._player.set_sound(None, 16_000)
        info = model.info
        self._panel.show_answer(
            headline=messages.headline(answered, info),
            verdict=messages.verdict(answered, info),
            good=isinstance(answered, FilePrediction) and answered.decision == "accept",
            bars=() if isinstance(answered, UnreadableInput) else self._bars(answered),
            name=answer_name(answered, info),
        )
        if isinstance(answered, UnreadableInput):
            self._panel.view().set_message(tr("This file could not be read."))
            return
        self._tasks.submit(load_answer, model, answered)

    @Slot()
    def toggle_playing(self) -> None:
        if self._player.playing():
            self._player.stop()
        else:
            self._player.play()

    def close(self) -> None:
        self._player.stop()
        self._tasks.close()

    @Slot(int, object)
    def _on_loaded(self, _number: int, loaded: object) -> None:
        model, answered = self._model, self._answered
        if model is None or not isinstance(loaded, LargeAnswer) or not isinstance(answered, FilePrediction):
            return
        self._loaded = loaded
        windowing = model.info.windowing
        self._panel.set_picture(loaded.image, part=messages.shown_part(answered, model.info))
        if windowing is not None and windowing.columns:
            names = [printable(windowing.columns[place]) for place in lanes(windowing.columns)]
            self._panel.traces.set_lanes(
                names, start=loaded.start, length=windowing.seconds, timed=windowing.clock != "none"
            )
        elif windowing is not None and loaded.waveform is not None:
            settings = settings_for(windowing)
            self._panel.sound.set_axes(
                start=loaded.start,
                seconds=windowing.seconds,
                f_min=settings.f_min,
                f_max=settings.f_max,
                time_expansion=windowing.time_expansion,
            )
            self._player.set_sound(loaded.waveform, round(windowing.rate), time_expansion=windowing.time_expansion)
        self._show_overlay()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: object) -> None:
        known = isinstance(error, HandlensError)
        self._panel.view().set_message(
            error_text(error) if known and isinstance(error, HandlensError) else tr("This file could not be shown.")
        )

    @Slot()
    def _show_overlay(self) -> None:
        model, answered, loaded, choice = self._model, self._answered, self._loaded, self._panel.map_choice()
        if model is None or loaded is None or not isinstance(answered, FilePrediction) or choice == NOTHING:
            self._panel.set_overlay(None)
            return
        index = answered.best if choice == PREDICTED else int(choice)
        self._panel.set_overlay(overlay_image(loaded.maps, index, kind=model.info.kind))

    def _bars(self, answered: FilePrediction) -> tuple[Bar, ...]:
        assert self._model is not None
        info, order = self._model.info, answered.probabilities.argsort()[::-1]
        present = info.predicted(answered.probabilities)
        return tuple(
            Bar(
                name=printable(info.classes[index]),
                fraction=float(answered.probabilities[index]),
                colour=style.class_colour(int(index)),
                labelled=int(index) in present,
                threshold=float(info.present_above[index]) if info.present_above else None,
            )
            for index in order[:MAX_BARS]
        )
