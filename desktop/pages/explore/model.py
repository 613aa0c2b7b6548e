"""What the Explore page shows: the session, the predictions of its run, and the class whose heatmap is laid over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage, QUndoStack

from desktop.i18n import text
from desktop.models.prediction_table import PredictionTable, table_of
from desktop.models.undo import Relabel, confirm_command, relabel_command
from desktop.pages.changes import RunChanges, marked
from desktop.pages.explore import messages
from desktop.session import Session
from desktop.widgets.tiles import Tile
from desktop.workers.sample_renderer import overlay_image
from ml.api import HandlensError, LabelChange, RunInfo, Sample, attended_times

MapOf = str | int
"""The class whose heatmap is shown: "predicted", "labelled", "off" or a class index.

"predicted_against" and "labelled_against" leave out what speaks for the other of both as well.
"""
CYCLE: tuple[str, ...] = ("predicted", "labelled", "off")


class ExploreModel(QObject):
    """The one thing that the controllers of this page share. Widgets never see it."""

    session_changed = Signal()
    """Another project. `run_changed` follows."""
    run_changed = Signal()
    """Another run, or none: `table` is new."""
    labels_changed = Signal(object)
    """A tuple of `LabelChange`; `table` has the new labels already."""
    originals_found = Signal()
    """The source folder is back: load the missing pictures again."""
    map_changed = Signal()
    problem_changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_stack = QUndoStack(self)
        self.changes = RunChanges()
        self._session: Session | None = None
        self._table: PredictionTable | None = None
        self._names: tuple[str, ...] = ()
        self._map_of: MapOf = "predicted"
        self._problem = ""
        self._load_error = ""

    # -- the run -------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        return self._session

    @property
    def table(self) -> PredictionTable | None:
        """The predictions of the run; None without a run."""
        return self._table

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by index."""
        return self._names

    @property
    def run_number(self) -> int | None:
        run = None if self._session is None else self._session.run
        return None if run is None else run.number

    @property
    def load_error(self) -> str:
        """Why the predictions of the run could not be read; empty if they were, or if there is no run."""
        return self._load_error

    def set_session(self, session: Session | None) -> None:
        if self._session is not None:
            self._session.finish_writing()  # what waits needs this session, and its commands
        old, self._session = self._session, session
        if old is not None:
            old.labels_changed.disconnect(self._on_labels_changed)
            old.run_changed.disconnect(self._on_run_changed)
            old.classes_changed.disconnect(self._on_classes_changed)
            old.originals_found.disconnect(self._on_originals_found)
        self.undo_stack.clear()
        self.changes.forget()
        self._table, self._names = None, ()
        self.session_changed.emit()
        if session is None:
            self.run_changed.emit()
            return
        session.labels_changed.connect(self._on_labels_changed)
        session.run_changed.connect(self._on_run_changed)
        session.classes_changed.connect(self._on_classes_changed)
        session.originals_found.connect(self._on_originals_found)
        self._on_run_changed(session.run)

    @Slot(object)
    def _on_run_changed(self, run: RunInfo | None) -> None:
        session = self._session
        if session is None:
            return
        self.set_problem("")
        self._table, self._load_error = None, ""
        self._names = session.class_names
        try:
            predictions = session.predictions()
        except HandlensError as error:
            self._load_error = text(error.message)
        else:
            if run is not None and predictions is not None and len(predictions):
                self._table = table_of(predictions, session.samples)
        self.changes.follow(self.run_number, self._table)
        self.run_changed.emit()

    @Slot()
    def _on_classes_changed(self) -> None:
        """Show the run again: a class was added or has another name."""
        if self._session is not None:
            self._on_run_changed(self._session.run)

    @Slot(object)
    def _on_labels_changed(self, changes: tuple[LabelChange, ...]) -> None:
        if self._table is None or self._session is None:
            return
        samples = self._session.samples_of([change.sample_id for change in changes])
        self._table.update(samples)
        self.changes.update(samples)
        self.labels_changed.emit(changes)

    @Slot()
    def _on_originals_found(self) -> None:
        self.set_problem("")
        self.originals_found.emit()

    # -- samples -------------------------------------------------------------------------------------------------

    def row(self, sample_id: int) -> int | None:
        """The row of a sample in `table`; None if the run has no prediction for it."""
        return None if self._table is None else self._table.row(sample_id)

    def tile(self, sample_id: int) -> Tile:
        """What the grid shows of a sample: its label and its prediction."""
        row = self.row(sample_id)
        if self._table is None or self._session is None or row is None:
            return Tile(caption="")
        tile = messages.tile(self._table, row, self._session.sample(sample_id), self._names)
        return marked(tile, self.changes.flip(sample_id))

    # -- labels --------------------------------------------------------------------------------------------------

    def relabel(self, sample_ids: Iterable[int], class_index: int) -> None:
        """Give the samples this class. A few are on disk on return; many are written in the background.

        In multi-label projects: add the class, or remove it if every sample has it. While labels are being written,
        this waits for them, because it depends on them.
        """
        if self._session is None or class_index >= len(self._names):
            return
        if class_index < 0 or not self._session.classes[class_index].retired:
            self._session.after_writing(partial(self._relabel, tuple(sample_ids), class_index))

    def _relabel(self, sample_ids: Sequence[int], class_index: int) -> None:
        session = self._session
        if session is not None:
            samples = session.samples_of(sample_ids)
            self._push(relabel_command(session, samples, class_index, self._names, on_problem=self.set_problem))

    def confirm(self, sample_ids: Iterable[int]) -> None:
        """Record that the labels of the samples are right, so that they do not count as suspicious again."""
        if self._session is not None:
            self._session.after_writing(partial(self._confirm, tuple(sample_ids)))

    @Slot()
    def undo(self) -> None:
        """Take back the last change of labels, when it is on disk."""
        if self._session is not None:
            self._session.after_writing(self.undo_stack.undo)

    @Slot()
    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._session is not None:
            self._session.after_writing(self.undo_stack.redo)

    def _confirm(self, sample_ids: Sequence[int]) -> None:
        session = self._session
        if session is not None:
            samples = session.samples_of(sample_ids)
            self._push(confirm_command(session, samples, on_problem=self.set_problem))

    def _push(self, command: Relabel | None) -> None:
        if command is not None:
            self.set_problem("")
            command.stack = self.undo_stack
            self.undo_stack.push(command)

    # -- the heatmap ---------------------------------------------------------------------------------------------

    @property
    def map_of(self) -> MapOf:
        return self._map_of

    @Slot(object)
    def set_map_of(self, map_of: MapOf) -> None:
        self._map_of = map_of
        self.map_changed.emit()

    def cycle_map(self) -> None:
        """The predicted class, the labelled class, nothing, and again from the first."""
        place = CYCLE.index(self._map_of) if self._map_of in CYCLE else -1
        self.set_map_of(CYCLE[(place + 1) % len(CYCLE)])

    def map_class(self, sample: Sample) -> int | None:
        """The class whose heatmap is shown for a sample; None for no heatmap."""
        row = self.row(sample.id)
        if self._table is None or row is None or self._map_of == "off":
            return None
        if self._map_of in ("labelled", "labelled_against"):
            return sample.label
        if self._map_of in ("predicted", "predicted_against"):
            return int(self._table.predicted[row])
        return int(self._map_of)

    def map_against(self, sample: Sample, index: int) -> int | None:
        """The class that the heatmap of class `index` is held against: the label or the prediction.

        Where both are the same, it is the next likely class. None for no comparison.
        """
        row = self.row(sample.id)
        if self._table is None or row is None or self._map_of not in ("predicted_against", "labelled_against"):
            return None
        other = sample.label if self._map_of == "predicted_against" else int(self._table.predicted[row])
        if other is not None and other != index:
            return other if other < self._table.classes else None
        order = np.argsort(-np.asarray(self._table.predictions.probabilities[row]), kind="stable")
        return next((int(each) for each in order if each != index), None)

    def overlay(self, sample_id: int) -> QImage | None:
        """The heatmap of a sample as a picture; None if there is none. Also called in background threads."""
        session = self._session
        index = None if session is None else self.map_class(session.sample(sample_id))
        if session is None or index is None:
            return None
        maps = self._maps(sample_id, index)
        return None if maps is None else overlay_image(maps, index, kind=session.project.kind)

    def attended(self, sample_id: int) -> tuple[tuple[float, float], ...]:
        """The parts of a recording's window where its map is bright, in seconds of the window.

        While no map is shown, it is that of the predicted class.
        """
        session, row = self._session, self.row(sample_id)
        if session is None or self._table is None or row is None or session.project.windowing is None:
            return ()
        index = self.map_class(session.sample(sample_id)) if self._map_of != "off" else int(self._table.predicted[row])
        maps = None if index is None else self._maps(sample_id, index)
        if maps is None or index is None or index >= len(maps):
            return ()
        seconds = session.project.windowing.seconds
        return tuple((start * seconds, end * seconds) for start, end in attended_times(maps, index))

    def _maps(self, sample_id: int, index: int) -> NDArray[np.floating] | None:
        """The maps of a sample (classes, h, w), that of class `index` without what it is held against."""
        session, table = self._session, self._table
        row = None if table is None else table.row(sample_id)
        if session is None or table is None or row is None:
            return None
        maps: NDArray[np.floating] = np.asarray(table.predictions.maps[row])
        other = self.map_against(session.sample(sample_id), index)
        if other is not None and index < len(maps):
            maps = maps.astype(np.float32)
            maps[index] = maps[index] - np.maximum(maps[other], 0.0)
        return maps

    # -- problems ------------------------------------------------------------------------------------------------

    @property
    def problem(self) -> str:
        """What went wrong last, in a sentence; empty if nothing did."""
        return self._problem

    @Slot(str)
    def set_problem(self, sentence: str) -> None:
        self._problem = sentence
        self.problem_changed.emit(sentence)
