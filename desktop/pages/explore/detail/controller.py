"""The large view beside the grid: loads the chosen sample, lays its heatmap over it, describes it and plays it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from desktop import style
from desktop.i18n import error_text, printable, text, tr
from desktop.models.prediction_table import PredictionTable
from desktop.models.undo import same_labels
from desktop.pages.explore import messages
from desktop.pages.explore.detail.panel import DetailPanel, Details
from desktop.pages.explore.detail.suggestion_buttons import suggestion_for, suggestion_for_many
from desktop.pages.explore.label_issues.model import LabelIssuesModel
from desktop.pages.explore.model import ExploreModel, MapOf
from desktop.session import Session
from desktop.widgets.class_keys import NONE
from desktop.widgets.history_list import history_line
from desktop.widgets.probability_bars import Bar, percent
from desktop.workers.player import Player
from desktop.workers.sample_renderer import Large, NetworkInput, is_faint, load_input, load_large
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, Sample, frame_of, kind_named, lanes, settings_for, task_named

MAX_BARS = 4


class DetailController(QObject):
    """Drives a `DetailPanel` and the player. Follows the run, the labels and the heatmap of the model by itself."""

    def __init__(
        self,
        panel: DetailPanel,
        model: ExploreModel,
        label_issues: LabelIssuesModel,
        *,
        player: Player,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._panel, self._model, self._label_issues, self._player = panel, model, label_issues, player
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)
        self._sample_id: int | None = None
        self._request = self._input_request = 0
        self._image: QImage | None = None
        """The sample itself, while what the network gets of it is shown."""
        self._prompt = ""
        self._suggesting = False
        self._last_overlay: tuple[tuple[PredictionTable | None, int, int | None, MapOf], QImage | None] | None = None
        model.run_changed.connect(self.reset)
        model.map_changed.connect(self._on_map_changed)
        panel.map_chosen.connect(model.set_map_of)
        panel.input_toggled.connect(self._show_picture)
        panel.play_pressed.connect(self.toggle_playing)
        panel.attended_pressed.connect(self.play_attended)
        panel.loop_toggled.connect(player.set_looping)
        panel.position_chosen.connect(player.play)
        player.position_changed.connect(panel.set_cursor)
        player.playing_changed.connect(panel.set_playing)
        player.problem_found.connect(panel.set_sound_problem)

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_context(self, *, prompt: str, suggesting: bool = False) -> None:
        """Another tab. `prompt` stands in the large view while no sample is chosen; empty for the usual one.

        `suggesting`: the grid lists suspicious labels, so say what is suggested instead.
        """
        self._prompt, self._suggesting = prompt, suggesting
        if not suggesting:
            self._panel.show_suggestion(None)

    @Slot()
    def reset(self) -> None:
        """Another project or run: choose nothing."""
        self._sample_id = self._last_overlay = self._image = None
        self._tasks.forget_all()
        self._player.set_sound(None, 16_000)
        session = self._model.session
        if session is None:
            return
        kind = session.project.kind
        self._panel.set_kind(kind)
        self._panel.set_classes(self._model.names, several=not task_named(session.project.task).exclusive)
        self._panel.set_map_of(self._model.map_of)
        if kind_named(kind).audible:
            self._panel.set_sound_problem(self._player.problem())
        self._show_nothing()

    def close(self) -> None:
        self._player.stop()
        self._tasks.close()

    def sample_id(self) -> int | None:
        return self._sample_id

    @Slot(int)
    def show(self, sample_id: int) -> None:
        """Load a sample. A sample that is still loading is dropped."""
        session = self._model.session
        if session is None:
            return
        for number in (self._request, self._input_request):
            self._tasks.forget(number)
        if sample_id != self._sample_id:
            self._image = None
            self._player.set_sound(None, 16_000)
            if kind_named(session.project.kind).audible:
                self._panel.note_sound(self._player.problem())
        self._sample_id = sample_id
        self._request = self._tasks.submit(load_large, session.project, session.sample(sample_id))
        self.refresh()

    def clear(self) -> None:
        """Choose nothing."""
        self._tasks.forget_all()
        self._sample_id = self._image = None
        self._player.set_sound(None, 16_000)
        self._show_nothing()

    def refresh(self) -> None:
        """Describe the sample again, e.g. after it got another label."""
        session = self._model.session
        if session is None or self._sample_id is None:
            self._show_nothing()
            return
        self._panel.show_details(self._details(session.sample(self._sample_id)))
        changes = session.project.history(self._sample_id)
        self._panel.show_history([history_line(change, session.class_names) for change in reversed(changes)])
        self._show_overlay()

    def suggest(self, selected: Sequence[int]) -> None:
        """Ask what to do about the selected suspicious labels."""
        session, issues = self._model.session, self._label_issues
        suggestion = None
        if session is not None and len(selected) == 1 and issues.contains(selected[0]):
            suggested = issues.suggestion(selected[0])
            suggestion = suggestion_for(suggested, self._model.names, task=session.project.task)
        elif len(selected) > 1:
            suggestion = suggestion_for_many(len(selected))
        self._panel.show_suggestion(suggestion)

    def _show_nothing(self) -> None:
        self._panel.show_details(None)
        self._panel.show_input_note("")
        self._panel.show_history(())
        if self._prompt:
            self._panel.view().set_message(self._prompt)

    @Slot(int, object)
    def _on_loaded(self, _number: int, result: object) -> None:
        session = self._model.session
        if session is None or self._sample_id is None:
            return
        if isinstance(result, NetworkInput):
            self._show_input(result)
        if not isinstance(result, Large):
            return
        self._image = result.image
        windowing = session.project.windowing
        start = session.sample(self._sample_id).start or 0.0
        if windowing is not None and windowing.columns:
            names = [printable(windowing.columns[place]) for place in lanes(windowing.columns)]
            self._panel.traces.set_lanes(names, start=start, length=windowing.seconds, timed=windowing.clock != "none")
        if windowing is not None and result.waveform is not None:
            settings = settings_for(windowing)
            self._panel.sound.set_axes(
                start=start,
                seconds=windowing.seconds,
                f_min=settings.f_min,
                f_max=settings.f_max,
                time_expansion=windowing.time_expansion,
            )
            self._player.set_sound(result.waveform, round(windowing.rate), time_expansion=windowing.time_expansion)
        self._show_picture()

    @Slot()
    def _show_picture(self) -> None:
        """Show the sample, or what the network gets of it."""
        session, run = self._model.session, self._model.run_number
        self._tasks.forget(self._input_request)
        if session is None or self._sample_id is None or self._image is None:
            return
        if self._panel.input_button.isChecked() and run is not None:
            sample = session.sample(self._sample_id)
            self._input_request = self._tasks.submit(load_input, session.project, sample, run)
            return
        self._show_itself(session, self._image)

    def _show_itself(self, session: Session, image: QImage) -> None:
        windowing = session.project.windowing
        if windowing is not None and kind_named(session.project.kind).audible:
            settings = settings_for(windowing)
            self._panel.sound.set_band_of(settings.f_min, settings.f_max, slaney=False)
        self._panel.show_input_note("")
        self._lay_over(image, pixelated=False)

    def _show_input(self, given: NetworkInput) -> None:
        image = given.image
        if given.band is not None:
            low, high, slaney = given.band
            self._panel.sound.set_band_of(low, high, slaney=slaney)
        note = tr(
            "The network gets {width} × {height} values of it, each is one square.",
            width=image.width(),
            height=image.height(),
        )
        self._panel.show_input_note(note)
        self._lay_over(image, pixelated=True)

    def _lay_over(self, image: QImage, *, pixelated: bool) -> None:
        view = self._panel.view()
        view.set_pixelated(pixelated)
        view.set_picture(image)
        self._show_overlay()

    @Slot(int, object)
    def _on_failed(self, number: int, error: Exception) -> None:
        session = self._model.session
        if number == self._input_request and self._image is not None and session is not None:
            self._show_itself(session, self._image)
            sentence = tr("What the network gets cannot be shown. {problem}", problem=error_text(error))
            self._panel.show_input_note(sentence)
            return
        sentence = tr("This sample could not be shown.")
        if isinstance(error, HandlensError) and self._model.session is not None:
            sentence = messages.cannot_show(self._model.session, error)
        self._panel.view().set_message(sentence)

    # -- the heatmap ---------------------------------------------------------------------------------------------

    @Slot()
    def _on_map_changed(self) -> None:
        self._panel.set_map_of(self._model.map_of)
        self._show_overlay()

    def _show_overlay(self) -> None:
        overlay = None if self._sample_id is None else self._overlay_of(self._sample_id)
        self._panel.set_overlay(overlay, nothing=self._no_overlay(overlay))

    def _overlay_of(self, sample_id: int) -> QImage | None:
        """Return the heatmap. The last one is kept, because most changes of a label leave it as it is."""
        session = self._model.session
        if session is None:
            return None
        key = (self._model.table, sample_id, self._model.map_class(session.sample(sample_id)), self._model.map_of)
        if self._last_overlay is None or self._last_overlay[0] != key:
            self._last_overlay = (key, self._model.overlay(sample_id))
        return self._last_overlay[1]

    def _no_overlay(self, overlay: QImage | None) -> str:
        """Why no heatmap is visible although one was chosen, in a sentence; else empty."""
        session, chosen = self._model.session, self._sample_id
        if session is None or chosen is None or self._model.row(chosen) is None or self._model.map_of == "off":
            return ""
        index = self._model.map_class(session.sample(chosen))
        if index is None:
            return tr("There is no class to show a map of.")
        name = self._model.names[index]
        if overlay is None:
            return tr("This run was trained without {name}.", name=name)
        return tr("No part of it points to {name}.", name=name) if is_faint(overlay) else ""

    # -- words ---------------------------------------------------------------------------------------------------

    def _details(self, sample: Sample) -> Details:
        table, names = self._model.table, self._model.names
        row = self._model.row(sample.id)
        suggestion = self._suggestion_note(sample)
        labels = sample.labels if sample.labelled else None
        labelled = messages.named(labels, names) if labels is not None else tr("not yet")
        name = self._sample_name(sample)
        if table is None or row is None:
            return Details(
                name=name,
                labelled=labelled,
                predicted=tr("nothing: added after this run"),
                wrong=None,
                note=suggestion,
                label_indices=_active_keys(labels),
            )
        before = table.labelled_before(row)
        note = ""
        if not same_labels(before, labels):
            was = None if before is None else messages.named_within(before, names)
            note = messages.relabelled(was, sample.split)
        predicted = [
            f"{names[index]}  {percent(float(table.predictions.probabilities[row, index]))}"
            for index in table.predicted_classes(row)
        ]
        return Details(
            name=name,
            labelled=labelled,
            predicted=", ".join(predicted) or messages.named((), names),
            wrong=None if labels is None else bool(table.wrong_at(row)),
            note=" ".join(part for part in (suggestion, note) if part),
            bars=self._bars(table, row, sample.labels),
            label_indices=_active_keys(labels),
        )

    def _suggestion_note(self, sample: Sample) -> str:
        """What the search for suspicious labels found; empty on the other tabs."""
        session = self._model.session
        if session is None or not self._suggesting or not self._label_issues.contains(sample.id):
            return ""
        suggested = self._label_issues.suggestion(sample.id)
        return messages.suspect_remark(suggested, self._model.names, task=session.project.task)

    def _sample_name(self, sample: Sample) -> str:
        """The file, and for a window its place in the file."""
        windowing = None if self._model.session is None else self._model.session.project.windowing
        if sample.start is None:
            return sample.path
        if windowing is None:
            return text(frame_of(sample.path, sample.start))
        if windowing.clock == "none":
            return tr("{path} · rows {start:g}–{end:g}", path=sample.path, start=sample.start, end=sample.end)
        return tr("{path} · {start:g}–{end:g} s", path=sample.path, start=sample.start, end=sample.end)

    def _bars(self, table: PredictionTable, row: int, labels: tuple[int, ...]) -> tuple[Bar, ...]:
        """The most probable classes, always with the labels and the predicted classes."""
        probabilities = np.asarray(table.predictions.probabilities[row])
        order = [int(index) for index in np.argsort(-probabilities, kind="stable")]
        needed = {index for index in (*labels, *table.predicted_classes(row)) if index < len(probabilities)}
        room = max(MAX_BARS, len(needed))
        others = [index for index in order if index not in needed][: room - len(needed)]
        thresholds = table.predictions.thresholds
        return tuple(
            Bar(
                name=self._model.names[index],
                fraction=float(probabilities[index]),
                colour=style.class_colour(index),
                labelled=index in labels,
                threshold=None if thresholds is None else float(thresholds[index]),
            )
            for index in order
            if index in needed or index in others
        )

    # -- sound ---------------------------------------------------------------------------------------------------

    @Slot()
    def toggle_playing(self) -> None:
        if self._player.playing():
            self._player.stop()
        else:
            self._player.play()

    @Slot()
    def play_attended(self) -> None:
        """Play only the parts where the map is bright, in the order of time; or stop."""
        session = self._model.session
        if session is None or self._sample_id is None or not kind_named(session.project.kind).audible:
            return
        if self._player.playing():
            self._player.stop()
            return
        if self._player.problem():
            return  # the panel says so
        parts = self._model.attended(self._sample_id)
        self._panel.note_sound("" if parts else tr("No part of it was attended to strongly enough to play."))
        if parts:
            self._player.play_parts(parts)


def _active_keys(labels: tuple[int, ...] | None) -> tuple[int, ...]:
    """The class keys that are pressed in: those of the labels, or the one for "none of them"."""
    return () if labels is None else labels or (NONE,)
