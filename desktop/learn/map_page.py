"""What a heat map is, on a picture of the selected run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QWidget

from desktop.i18n import printable, tr
from desktop.learn.lesson import Lesson
from desktop.session import Session
from desktop.widgets.overlay_view import OverlayLegend, OverlayView
from desktop.widgets.pixels import rgba_image
from desktop.workers.sample_renderer import OVERLAY_EDGE, Large, load_large
from desktop.workers.tasks import Tasks
from ml.api import HandlensError, Predictions, kind_named, overlay_rgba


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """A sample of the run, and the class whose map is shown."""

    row: int
    class_index: int
    name: str


class MapPage(Lesson):
    def __init__(self, session: Session | None, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("Where did it look?"),
            tr(
                "The network divides a sample into fields and computes for each field how much it speaks for a class. "
                "The heat map shows these fields: bright ones speak for the class, the dark ones do not."
            ),
            parent,
        )
        self._session = session
        self._chosen, self._predictions = _choose(session)
        self.view = OverlayView()
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(70)
        self.opacity.setAccessibleName(tr("Opacity of the heat map"))
        self.opacity.valueChanged.connect(lambda value: self.view.set_opacity(value / 100))
        self.fields = QCheckBox(tr("Show the fields as the network sees them"))
        self.fields.toggled.connect(self._show_map)
        self.column.addWidget(self.view, 1)
        row = QHBoxLayout()
        row.addWidget(QLabel(tr("Opacity of the heat map")))
        row.addWidget(self.opacity, 1)
        row.addWidget(OverlayLegend())
        self.column.addLayout(row)
        self.column.addWidget(self.fields)
        self.column.addWidget(self.verdict)
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_loaded)
        self._tasks.failed.connect(self._on_failed)
        self._load()

    def close_tasks(self) -> None:
        self._tasks.close()

    def _load(self) -> None:
        if self._session is None or self._chosen is None or self._predictions is None:
            self.view.set_message(tr("There is no run to show yet."))
            self.verdict.setText(tr("Train, and this page shows where the network looked."))
            for part in (self.opacity, self.fields):
                part.setEnabled(False)
            return
        height, width = self._predictions.maps.shape[2:]
        self.verdict.setText(
            tr(
                "Here it saw {name}. It asked {count} fields, {columns} across and {rows} down; the picture between "
                "them is smoothed.",
                name=self._chosen.name,
                count=str(height * width),
                columns=str(width),
                rows=str(height),
            )
        )
        sample = self._session.sample(int(self._predictions.sample_ids[self._chosen.row]))
        self._tasks.submit(load_large, self._session.project, sample)

    @Slot(int, object)
    def _on_loaded(self, _number: int, large: Large) -> None:
        self.view.set_picture(large.image)
        self.view.set_opacity(self.opacity.value() / 100)
        self._show_map()

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        if isinstance(error, HandlensError):
            self.view.set_message(error.message)

    @Slot()
    def _show_map(self) -> None:
        if self.view.has_picture():
            self.view.set_overlay(self._map())

    def _map(self) -> QImage | None:
        session, chosen, predictions = self._session, self._chosen, self._predictions
        if session is None or chosen is None or predictions is None:
            return None
        maps = kind_named(session.project.kind).turned(np.asarray(predictions.maps[chosen.row]))
        height, width = maps.shape[1:]
        size = (height, width) if self.fields.isChecked() else (OVERLAY_EDGE, OVERLAY_EDGE)
        image = rgba_image(overlay_rgba(maps, chosen.class_index, size=size))
        if not self.fields.isChecked():
            return image
        plain = Qt.TransformationMode.FastTransformation  # no smoothing: one square for each field
        return image.scaled(width * 48, height * 48, Qt.AspectRatioMode.IgnoreAspectRatio, plain)


def _choose(session: Session | None) -> tuple[Chosen | None, Predictions | None]:
    """Choose the sample of which the run was rightly most sure; of the test set if it has one."""
    if session is None or session.run is None:
        return None, None
    try:
        predictions = session.predictions()
    except HandlensError:
        return None, None
    if predictions is None or not len(predictions):
        return None, None
    probabilities = np.asarray(predictions.probabilities)
    answers = probabilities.argmax(axis=1)
    right = answers == np.asarray(predictions.labels)
    for wanted in (right & predictions.labelled("test"), right, np.ones(len(answers), dtype=bool)):
        rows = np.flatnonzero(wanted)
        if len(rows):
            row = int(rows[probabilities[rows].max(axis=1).argmax()])
            names = session.run.class_names
            return Chosen(row=row, class_index=int(answers[row]), name=printable(names[int(answers[row])])), predictions
    return None, None
