"""Labels that are probably wrong: asks a child process for them, and keeps what it answered while it holds."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import text, tr
from desktop.models.undo import same_labels
from desktop.session import Session
from desktop.workers.job_thread import JobThread
from ml.api import Event, Failed, Progress, Runner, Sample, Stopped, Suspected, SuspectJob, Worker, task_named

State = Literal["none", "looking", "found", "cancelled", "failed"]


class LabelIssuesModel(QObject):
    """One answer for the run that is looked at. `changed` whenever there is something else to show.

    `runner` replaces the child process, as tests need it.
    """

    changed = Signal()
    progressed = Signal()

    def __init__(self, parent: QObject | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session: Session | None = None
        self._run: int | None = None
        self._thread: JobThread | None = None
        self._found: Suspected | None = None
        self._place: dict[int, int] = {}
        self.state: State = "none"
        self.problem = ""
        """Why there is no answer, in a sentence."""
        self.fraction = 0.0

    def set_source(self, session: Session | None, run: int | None) -> None:
        """Another project or run: what was found for the one before does not hold."""
        if (session, run) == (self._session, self._run):
            return
        self._end()
        self._session, self._run = session, run
        self._found, self._place = None, {}
        self.state, self.problem = "none", ""

    @Slot()
    def look(self) -> None:
        """Begin anew, with the labels as they are now."""
        session, run = self._session, self._run
        if session is None or run is None or self._thread is not None:
            return
        self.state, self.fraction = "looking", 0.0
        job = SuspectJob(project=session.project.path, run=run)
        self._thread = JobThread(job, self._runner or Worker().run, self)
        self._thread.happened.connect(self._on_event)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self.changed.emit()

    @Slot()
    def cancel(self) -> None:
        if self._thread is not None:
            self._thread.cancel()

    def close(self) -> None:
        """End what runs in the background; nothing reports back afterwards."""
        self._end()
        self._session = self._run = None

    # -- what was found ------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many labels were judged."""
        return len(self._place) + (self._found.confirmed if self._found else 0)

    @property
    def flagged(self) -> int:
        """How many of them are taken for wrong."""
        return self._found.flagged if self._found else 0

    def ids(self, *, everything: bool) -> NDArray[np.int64]:
        """The samples to look at, the most suspicious first, but those that somebody has judged since.

        `everything`: also those whose label is not taken for wrong.
        """
        found, session = self._found, self._session
        if found is None or session is None:
            return np.zeros(0, dtype=np.int64)
        listed = found.sample_ids if everything else found.sample_ids[: found.flagged]
        kept = [sample_id for sample_id in listed if not self._judged_since(session.sample(sample_id))]
        return np.array(kept, dtype=np.int64)

    def left(self) -> int:
        """How many of those taken for wrong were neither called right nor labelled anew since."""
        return len(self.ids(everything=False))

    def _judged_since(self, sample: Sample) -> bool:
        """Whether somebody called its label right, or labelled it anew.

        Where several classes may be present, it is about one of them: what is said of others leaves the question open.
        """
        if sample.set_by == "confirmed":
            return True
        labels, about = self.judged(sample.id)
        if self._session is not None and not task_named(self._session.project.task).exclusive and sample.labels:
            return (about in sample.labels) != (about in labels)
        return not same_labels(sample.labels, labels)

    def knows(self, sample_id: int) -> bool:
        """Whether its label was judged."""
        return sample_id in self._place

    def judged(self, sample_id: int) -> tuple[tuple[int, ...], int]:
        """What a sample was labelled when it was judged, and the class that this is about, see `ml.api.Suspected`;
        KeyError for others."""
        assert self._found is not None
        place = self._place[sample_id]
        return self._found.labels[place], self._found.suggested[place]

    # -- the job -------------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.fraction = event.done / max(1, event.total)
            self.progressed.emit()

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        self._end()
        match event:
            case Suspected():
                self._found = event
                self._place = {sample_id: place for place, sample_id in enumerate(event.sample_ids)}
                self._settle("found", "")
            case Stopped():
                self._settle("cancelled", tr("The search was stopped before all labels were checked."))
            case Failed():
                self._settle("failed", text(event.message))
            case _:
                self._settle("failed", tr("The search ended without a result. Try again."))

    def _settle(self, state: State, problem: str) -> None:
        self.state, self.problem = state, problem
        self.changed.emit()

    def _end(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()
            thread.deleteLater()
