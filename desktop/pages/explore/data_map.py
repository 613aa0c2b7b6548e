"""The tab "Map" of the Explore page: samples lie near each other where the network sees them alike."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import error_text, msg, printable, text, things, tr
from desktop.models.prediction_table import Filter, PredictionTable
from desktop.pages.explore.duplicates import split_names
from desktop.pages.explore.model import ExploreModel
from desktop.widgets.scatter_view import Colours, Points, ScatterView
from desktop.workers.job_thread import JobThread
from desktop.workers.tasks import Tasks
from ml.api import (
    DataMapJob,
    Event,
    Failed,
    HandlensError,
    KindName,
    MapReady,
    Progress,
    Runner,
    Worker,
    principal_components,
)

ColourBy = Literal["label", "predicted", "verdict", "split", "folder"]
_LEGEND = 12
"""More classes than these are not named below the map: the pointer names them."""


class DataMapPage(QWidget):
    """The plane, what colours mean, and the button that arranges the samples by likeness."""

    colour_chosen = Signal()
    likeness_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scatter = ScatterView()
        self.setFocusProxy(self.scatter)
        self.colour_box = QComboBox()
        self.colour_box.setAccessibleName(tr("Colour by"))
        for words, by in (
            (tr("Label"), "label"),
            (tr("Prediction"), "predicted"),
            (tr("Right or wrong"), "verdict"),
            (tr("Split"), "split"),
            (tr("Folder"), "folder"),
        ):
            self.colour_box.addItem(words, by)
        self.colour_box.activated.connect(self.colour_chosen)
        self.likeness_button = QPushButton(tr("Arrange by likeness"))
        self.likeness_button.clicked.connect(self.likeness_pressed)
        self.all_button = QPushButton(tr("Show all"))
        self.all_button.clicked.connect(self.scatter.show_all)
        self.sentence = QLabel()
        self.sentence.setProperty("role", "muted")
        self.sentence.setWordWrap(True)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setProperty("role", "caption")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(QLabel(tr("Colour by")))
        row.addWidget(self.colour_box)
        row.addWidget(self.likeness_button)
        row.addWidget(self.all_button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.sentence)
        column.addWidget(self.scatter, 1)
        column.addWidget(self.legend)

    def colour_by(self) -> ColourBy:
        return self.colour_box.currentData()  # type: ignore[no-any-return]


class DataMapController(QObject):
    """Computes the map: principal components in a thread at once, t-SNE in a child process on request."""

    pointed = Signal(int)
    """The id of the sample under the pointer."""
    samples_chosen = Signal(object, str)
    progress = Signal(str, float)

    def __init__(
        self, page: DataMapPage, model: ExploreModel, parent: QObject | None = None, *, runner: Runner | None = None
    ) -> None:
        super().__init__(parent)
        self._page, self._model, self._runner = page, model, runner
        self._points: Points | None = None
        self._alike = False
        self._rows: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._request = 0
        self._problem = ""
        self._fraction = -1.0
        self._thread: JobThread | None = None
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_points)
        self._tasks.failed.connect(self._on_failed)
        self._filter = Filter()
        self._known_folders: tuple[list[str], NDArray[np.int64]] | None = None
        model.run_changed.connect(self._forget)
        page.colour_chosen.connect(self.refresh)
        page.likeness_pressed.connect(self.arrange_by_likeness)
        page.scatter.pointed.connect(self._on_pointed)
        page.scatter.clicked.connect(self._on_clicked)
        page.scatter.lassoed.connect(self._on_lassoed)

    def close(self) -> None:
        """End what runs in the background."""
        self._end_thread()
        self._tasks.close()

    def show(self, chosen: Filter) -> None:
        """Show the samples that pass the filter. The first time, their places are computed."""
        table = self._model.table
        if table is None:
            return
        self._filter = chosen
        if self._points is None:
            if not self._request and not self._problem:
                self._request = self._tasks.submit(_components, table)
            self._say()
            return
        rows = table.select(chosen)
        same = np.array_equal(rows, self._rows)
        self._rows = rows
        if not same or self._page.scatter.count() != len(rows):
            self._page.scatter.set_points(self._points[rows], self._colours(table)[rows], keep_view=True)
        else:
            self._page.scatter.set_colours(self._colours(table)[rows])
        self._show_legend(table)
        self._say()

    @Slot()
    def refresh(self) -> None:
        """Show other colours, or labels that have changed."""
        self.show(self._filter)

    @Slot()
    def arrange_by_likeness(self) -> None:
        """Compute the map whose neighbours are alike, in a child process."""
        session, run = self._model.session, self._model.run_number
        if session is None or run is None or self._thread is not None or self._alike:
            return
        self._fraction, self._problem = 0.0, ""
        self._thread = JobThread(DataMapJob(project=session.project.path, run=run), self._runner or Worker().run, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self._say()

    # -- inside --------------------------------------------------------------------------------------------------

    def _colours(self, table: PredictionTable) -> Colours:
        look, by = style.current(), self._page.colour_by()
        muted = _argb(look.muted)
        if by == "verdict":
            colours = np.where(table.wrong(), _argb(look.bad), _argb(look.good))
            return np.where(table.labels < 0, muted, colours).astype(np.uint32)
        if by == "split":
            palette = np.array([_argb(style.class_colour(place)) for place in range(4)], dtype=np.uint32)
            return np.asarray(palette[table.splits])
        if by == "folder":
            names, places = self._folders(table)
            palette = np.array([_argb(style.class_colour(place)) for place in range(len(names))], dtype=np.uint32)
            return np.asarray(palette[places])
        indices = table.predicted if by == "predicted" else first_labels(table)
        palette = np.array(
            [*(_argb(style.class_colour(place)) for place in range(len(self._model.names))), muted], dtype=np.uint32
        )
        return np.asarray(palette[np.where(indices < 0, len(palette) - 1, indices)])

    def _folders(self, table: PredictionTable) -> tuple[list[str], NDArray[np.int64]]:
        """Return the folders of the files, and the place of each row in that list."""
        session = self._model.session
        if self._known_folders is None and session is not None:
            found = [sample.path.rpartition("/")[0] for sample in session.samples_of(table.ids.tolist())]
            names = sorted({*found})
            places = {name: place for place, name in enumerate(names)}
            self._known_folders = [printable(name) for name in names], np.array([places[name] for name in found])
        return self._known_folders or ([""], np.zeros(len(table.ids), dtype=np.int64))

    def _show_legend(self, table: PredictionTable) -> None:
        look, by = style.current(), self._page.colour_by()
        entries: list[tuple[QColor, str]]
        if by == "verdict":
            entries = [(look.good, tr("right")), (look.bad, tr("wrong")), (look.muted, tr("not labelled"))]
        elif by == "split":
            entries = [(style.class_colour(place), name) for place, name in enumerate(split_names())]
        elif by == "folder":
            folders, places = self._folders(table)
            present = np.unique(places[self._rows]).tolist()
            entries = [(style.class_colour(each), folders[each]) for each in present] if len(present) <= _LEGEND else []
        else:
            indices = table.predicted if by == "predicted" else first_labels(table)
            there = np.unique(indices[self._rows]).tolist()
            names = [(style.class_colour(each), self._model.names[each]) for each in there if each >= 0]
            entries = names if len(names) <= _LEGEND else []
            if -1 in there:
                entries.append((look.muted, tr("not labelled")))
        self._page.legend.setText("&nbsp;&nbsp; ".join(_entry(colour, name) for colour, name in entries))

    def _say(self) -> None:
        session = self._model.session
        if session is None:
            return
        computing = self._thread is not None
        self._page.likeness_button.setVisible(not self._alike)
        self._page.likeness_button.setEnabled(not computing and self._points is not None)
        shown = None if self._points is None else len(self._rows)
        words = self._problem or sentence(session.project.kind, shown, alike=self._alike, fraction=self._fraction)
        self._page.sentence.setText(words)

    @Slot()
    def _forget(self) -> None:
        self._end_thread()
        self._tasks.forget_all()
        self._points, self._alike, self._request, self._problem, self._fraction = None, False, 0, "", -1.0
        self._rows, self._known_folders = np.zeros(0, dtype=np.int64), None

    @Slot(int, object)
    def _on_points(self, _number: int, points: object) -> None:
        assert isinstance(points, np.ndarray)
        self._request = 0
        self._points = points
        table = self._model.table
        if table is not None:
            self._rows = table.select(self._filter)
            self._page.scatter.set_points(points[self._rows], self._colours(table)[self._rows])
            self._show_legend(table)
        self._say()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._request, self._problem = 0, error_text(error)
        self._say()

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._fraction = event.done / max(1, event.total)
            self.progress.emit(tr("Arranging the map"), self._fraction)
            self._say()

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end_thread()
        session, table = self._model.session, self._model.table
        if session is None or table is None:
            return
        if isinstance(event, MapReady) and event.run == self._model.run_number:
            self._alike = True
            self._request = self._tasks.submit(_read, session.project.path / "cache" / event.file, len(table.ids))
        elif isinstance(event, Failed):
            self._problem = text(event.message)
        self._say()

    def _end_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()
            self.progress.emit("", -1.0)
        self._fraction = -1.0

    @Slot(int)
    def _on_pointed(self, place: int) -> None:
        session, table = self._model.session, self._model.table
        if session is None or table is None or not 0 <= place < len(self._rows):
            return
        sample_id = int(table.ids[self._rows[place]])
        self._page.scatter.setToolTip(self._model.tile(sample_id).spoken or printable(session.sample(sample_id).path))
        self.pointed.emit(sample_id)

    @Slot(int)
    def _on_clicked(self, place: int) -> None:
        self._page.scatter.set_selected(np.array([place], dtype=np.int64))
        self._on_pointed(place)

    @Slot(object)
    def _on_lassoed(self, places: NDArray[np.int64]) -> None:
        table, session = self._model.table, self._model.session
        self._page.scatter.set_selected(places)
        if table is not None and session is not None and len(places):
            ids = table.ids[self._rows[places]]
            words = tr("{things} from the map", things=things(session.project.kind, len(ids)))
            self.samples_chosen.emit(tuple(ids.tolist()), words)


def first_labels(table: PredictionTable) -> NDArray[np.int64]:
    """Return the class of each row, the first of several; -1 for none."""
    if table.exclusive:
        return table.labels
    return np.where(table.truth.any(axis=1), table.truth.argmax(axis=1), -1)


def sentence(kind: KindName, shown: int | None, *, alike: bool, fraction: float) -> str:
    """Say what the map shows, or how far it is; `shown`: how many samples, None while they have no places."""
    if shown is None:
        return tr("Placing the samples…")
    if fraction >= 0:
        return tr("Arranging by likeness: {n} %. You can look at the map meanwhile.", n=int(100 * fraction))
    how = tr("Draw a line around some to see them in the grid. The right button moves, the wheel zooms.")
    counted = things(kind, shown)
    if alike:
        return tr("{things}: neighbours are alike to the model. {how}", things=counted, how=how)
    return tr("{things} by what differs most (principal components). {how}", things=counted, how=how)


def _entry(colour: QColor, name: str) -> str:
    return f'<span style="color:{colour.name()}">●</span> {html.escape(name)}'


def _argb(colour: QColor) -> int:
    return int(colour.rgba()) & 0xFFFFFFFF


def _components(table: PredictionTable) -> Points:
    """Runs in a background thread."""
    points = principal_components(table.predictions.embeddings, 2)
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    return points


def _read(file: Path, count: int) -> Points:
    """Runs in a background thread. Raises HandlensError where the map does not fit the run."""
    points = np.load(file, allow_pickle=False)
    if points.shape != (count, 2):
        raise HandlensError(msg("The map does not fit this run. Arrange it again."))
    return np.asarray(np.nan_to_num(points), dtype=np.float32)
