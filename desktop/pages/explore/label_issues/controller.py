"""The search for suspicious labels: joins the row above the grid with the model, and reports progress."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import tr
from desktop.pages.explore import messages
from desktop.pages.explore.label_issues.bar import LabelIssuesBar
from desktop.pages.explore.label_issues.model import LabelIssuesModel
from desktop.session import Session
from desktop.widgets.tiles import Tile


class LabelIssuesController(QObject):
    """Drives a `LabelIssuesBar`. `list_changed`: `ids` are others, or `explanation` is."""

    list_changed = Signal()
    search_changed = Signal()
    """A search began or ended: buttons of the bar came or went."""
    progress = Signal(str, float)
    """What is going on, and how far it is, 0…1; below 0: it has ended."""

    def __init__(self, bar: LabelIssuesBar, model: LabelIssuesModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bar, self._model = bar, model
        self._session: Session | None = None
        bar.again_pressed.connect(model.start)
        bar.cancel_pressed.connect(model.cancel)
        bar.everything_toggled.connect(self.list_changed)
        model.changed.connect(self.list_changed)
        model.changed.connect(self._report_progress)
        model.progressed.connect(self._report_progress)
        model.changed.connect(self.search_changed)

    def set_source(self, session: Session | None, run: int | None) -> None:
        self._session = session
        self._model.set_source(session, run)
        if self._model.state != "searching":
            self.progress.emit("", -1.0)  # a search for another run has ended without a word

    def start_if_new(self) -> bool:
        """Start the search if there was none for this run; whether it did. `list_changed` follows then."""
        if self._session is None or self._model.state != "none":
            return False
        self._model.start()
        return True

    def show_state(self) -> None:
        planted = 0 if self._session is None else self._session.planted or 0
        self._bar.show_state(self._model, planted=planted)

    def ids(self) -> NDArray[np.int64]:
        """The samples to show, the most suspicious first."""
        return self._model.ids(everything=self._bar.everything())

    def explanation(self) -> str:
        """Why there is nothing to show; empty if there is."""
        match self._model.state:
            case "searching":
                return messages.searching()
            case "found":
                return "" if len(self.ids()) else messages.nothing_suspicious(flagged=self._model.flagged)
            case _:
                return self._model.problem

    def tile(self, sample_id: int) -> Tile:
        """What the grid shows of a sample: its label and the suggested one."""
        session = self._session
        if session is None or not self._model.contains(sample_id):
            return Tile(caption="")
        names = session.class_names
        suggested = self._model.suggestion(sample_id)
        return messages.suspect_tile(session.sample(sample_id), suggested, names, task=session.project.task)

    def close(self) -> None:
        self._model.close()

    @Slot()
    def _report_progress(self) -> None:
        self.show_state()
        match self._model.state:
            case "searching":
                self.progress.emit(tr("Looking for suspicious labels"), self._model.fraction)
            case "found":
                self.progress.emit(tr("All labels have been checked"), -1.0)
            case _:
                self.progress.emit(self._model.problem, -1.0)
