"""What happens beside the grid: loads the chosen sample, lays its map over it, plays it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from desktop import style
from desktop.i18n import tr
from desktop.models.prediction_table import PredictionTable
from desktop.models.undo import same_labels
from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.detail.panel import CYCLE, DetailPanel, Details, MapOf
from desktop.session import Session
from desktop.widgets.class_keys import NONE
from desktop.widgets.probability_bars import Bar, percent
from desktop.workers.player import Player
from desktop.workers.sample_renderer import Large, is_faint, load_large, overlay_image
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, Sample, kind_named, lanes, settings_for, task_named

MOST_BARS = 4


class DetailController(QObject):
    """Joins the side's widgets with the session, the run's table and the player."""

    map_changed = Signal()
    """Another map is to be laid over everything."""

    def __init__(self, side: DetailPanel, player: Player, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._side, self._player = side, player
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)
        self._session: Session | None = None
        self._table: PredictionTable | None = None
        self._names: tuple[str, ...] = ()
        self._sample_id: int | None = None
        self._request = 0
        self.map_of: MapOf = "predicted"
        self.invitation = ""
        """What stands in the large view while nothing is chosen; empty: that one can be chosen in the grid."""
        self.remark: Callable[[Sample], str] = _nothing
        """One more sentence about a sample, for what the grid shows now."""
        side.map_chosen.connect(self.set_map_of)
        side.play_pressed.connect(self.toggle_playing)
        side.loop_toggled.connect(player.set_looping)
        side.position_chosen.connect(player.play)
        player.position_changed.connect(side.sound.set_cursor)
        player.playing_changed.connect(side.set_playing)
        player.problem_found.connect(side.set_sound_problem)

    def set_source(self, session: Session | None, table: PredictionTable | None) -> None:
        """Another project or run. Nothing is chosen afterwards."""
        self._session, self._table = session, table
        self._sample_id = None
        self._tasks.forget_all()
        self._player.set_sound(None, 16_000)
        if session is None:
            return
        self._names = tuple(item.name for item in session.classes)
        kind = session.project.kind
        self._side.set_kind(kind)
        self._side.set_classes(self._names, several=not task_named(session.project.task).exclusive)
        self._side.set_map_of(self.map_of)
        if kind_named(kind).audible:
            self._side.set_sound_problem(self._player.problem())
        self._show_nothing()

    def close(self) -> None:
        self._player.stop()
        self._tasks.close()
        self._session = self._table = None

    def sample_id(self) -> int | None:
        return self._sample_id

    # -- one sample ----------------------------------------------------------------------------------------------

    def show(self, sample_id: int) -> None:
        """Load it; what was asked for before is not wanted any more."""
        if self._session is None:
            return
        self._tasks.forget(self._request)
        if sample_id != self._sample_id:
            self._player.set_sound(None, 16_000)
        self._sample_id = sample_id
        sample = self._session.sample(sample_id)
        self._request = self._tasks.submit(load_large, self._session.project, sample)
        self.refresh()

    def forget(self) -> None:
        """Nothing is chosen any more."""
        self._tasks.forget_all()
        self._sample_id = None
        self._player.set_sound(None, 16_000)
        self._show_nothing()

    def refresh(self) -> None:
        """Say anew what is known of the sample, e.g. after it was labelled."""
        if self._session is None or self._sample_id is None:
            self._show_nothing()
            return
        self._side.show_details(self._details(self._session.sample(self._sample_id)))
        self._lay_over()

    def _show_nothing(self) -> None:
        self._side.show_details(None)
        if self.invitation:
            self._side.view().set_message(self.invitation)

    @Slot(int, object)
    def _on_loaded(self, _number: int, result: object) -> None:
        session = self._session
        if session is None or self._sample_id is None or not isinstance(result, Large):
            return
        view = self._side.view()
        view.set_picture(result.image)
        windowing = session.project.windowing
        start = session.sample(self._sample_id).start or 0.0
        if windowing is not None and windowing.columns:
            names = [windowing.columns[place] for place in lanes(windowing.columns)]
            self._side.traces.set_lanes(names, start=start, length=windowing.seconds, timed=windowing.clock != "none")
        if windowing is not None and result.waveform is not None:
            settings = settings_for(windowing)
            self._side.sound.set_axes(
                start=start, seconds=windowing.seconds, f_min=settings.f_min, f_max=settings.f_max
            )
            self._player.set_sound(result.waveform, round(windowing.rate))
        self._lay_over()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: object) -> None:
        said = tr("This sample could not be shown.")
        if isinstance(error, HandlensError) and self._session is not None:
            said = explore_words.cannot_show(self._session, error)
        self._side.view().set_message(said)

    # -- the map -------------------------------------------------------------------------------------------------

    @Slot()
    def cycle_map(self) -> None:
        """What it predicted, what it is labelled, nothing, and again from the first."""
        place = CYCLE.index(self.map_of) if self.map_of in CYCLE else -1
        self.set_map_of(CYCLE[(place + 1) % len(CYCLE)])

    @Slot(object)
    def set_map_of(self, chosen: MapOf) -> None:
        self.map_of = chosen
        self._side.set_map_of(chosen)
        self._lay_over()
        self.map_changed.emit()

    def overlay_of(self, sample_id: int) -> QImage | None:
        """The overlay of a sample by the present choice; None where there is none. Fit for a background thread."""
        session, table = self._session, self._table
        row = table.row(sample_id) if table is not None else None
        if session is None or table is None or row is None:
            return None
        index = self._map_class(session.sample(sample_id), table, row)
        if index is None:
            return None
        maps = np.asarray(table.predictions.maps[row])
        return overlay_image(maps, index, kind=session.project.kind)

    def _map_class(self, sample: Sample, table: PredictionTable, row: int) -> int | None:
        if self.map_of == "off":
            return None
        if self.map_of == "labelled":
            return sample.label
        if self.map_of == "predicted":
            return int(table.predicted[row])
        return int(self.map_of)

    def _lay_over(self) -> None:
        overlay = None if self._sample_id is None else self.overlay_of(self._sample_id)
        self._side.set_overlay(overlay, nothing=self._nothing_seen(overlay))

    def _nothing_seen(self, overlay: QImage | None) -> str:
        """Why there is nothing to be seen of a map that was asked for, in a sentence; else empty."""
        session, table, chosen = self._session, self._table, self._sample_id
        row = None if table is None or chosen is None else table.row(chosen)
        if session is None or table is None or chosen is None or row is None or self.map_of == "off":
            return ""
        index = self._map_class(session.sample(chosen), table, row)
        if index is None:
            return tr("There is no class to show a map of.")
        if overlay is None:
            return tr("This run was trained without {name}.", name=self._names[index])
        return tr("No part of it points to {name}.", name=self._names[index]) if is_faint(overlay) else ""

    # -- words ---------------------------------------------------------------------------------------------------

    def _details(self, sample: Sample) -> Details:
        table = self._table
        row = table.row(sample.id) if table is not None else None
        remark = self.remark(sample)
        held = sample.labels if sample.labelled else None
        labelled = explore_words.named(held, self._names) if held is not None else tr("not yet")
        name = self._name_of(sample)
        if table is None or row is None:
            return Details(
                name=name,
                labelled=labelled,
                predicted=tr("nothing: added after this run"),
                wrong=None,
                note=remark,
                label_indices=_pressed(held),
            )
        before = table.labelled_before(row)
        note = ""
        if not same_labels(before, held):
            was = None if before is None else explore_words.named_within(before, self._names)
            note = explore_words.relabelled(was, sample.split)
        said = table.said(row)
        chances = [
            f"{self._names[index]}  {percent(float(table.predictions.probabilities[row, index]))}" for index in said
        ]
        return Details(
            name=name,
            labelled=labelled,
            predicted=", ".join(chances) or explore_words.named((), self._names),
            wrong=None if held is None else bool(table.wrong_at(row)),
            note=" ".join(part for part in (remark, note) if part),
            bars=self._bars(table, row, sample.labels),
            label_indices=_pressed(held),
        )

    def _name_of(self, sample: Sample) -> str:
        """The file, and which part of it."""
        windowing = None if self._session is None else self._session.project.windowing
        if windowing is None or sample.start is None:
            return sample.path
        if windowing.clock == "none":
            return tr("{path} · rows {start:g}–{end:g}", path=sample.path, start=sample.start, end=sample.end)
        return tr("{path} · {start:g}–{end:g} s", path=sample.path, start=sample.start, end=sample.end)

    def _bars(self, table: PredictionTable, row: int, labels: tuple[int, ...]) -> tuple[Bar, ...]:
        """The most probable classes; those it is labelled with and those that are said are always among them."""
        probabilities = np.asarray(table.predictions.probabilities[row])
        order = [int(index) for index in np.argsort(-probabilities, kind="stable")]
        needed = {index for index in (*labels, *table.said(row)) if index < len(probabilities)}
        room = max(MOST_BARS, len(needed))
        others = [index for index in order if index not in needed][: room - len(needed)]
        thresholds = table.predictions.thresholds
        return tuple(
            Bar(
                name=self._names[index],
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


def _nothing(_sample: Sample) -> str:
    return ""


def _pressed(labels: tuple[int, ...] | None) -> tuple[int, ...]:
    """The keys that are pressed in: those of the classes, or the one for none of them."""
    return () if labels is None else labels or (NONE,)
