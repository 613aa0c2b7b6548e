"""Labels that are probably wrong: searched for by a child process, kept until another run is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from desktop.i18n import text, tr
from desktop.models.undo import same_labels
from desktop.session import Session
from desktop.workers.job_thread import JobThread
from ml.api import (
    Event,
    Failed,
    LabelChange,
    Progress,
    Runner,
    Sample,
    Stopped,
    Suspected,
    SuspectJob,
    Worker,
    task_named,
)

State = Literal["none", "searching", "found", "cancelled", "failed"]


class SuggestedLabel(NamedTuple):
    """The labels of a sample when it was checked, and the class that is probably missing or wrong."""

    labels: tuple[int, ...]
    class_index: int


class LabelIssuesModel(QObject):
    """The suspicious labels of one run. Emits `changed` when there is something else to show.

    `runner` replaces the child process in tests.
    """

    changed = Signal()
    progressed = Signal()

    def __init__(self, parent: QObject | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session: Session | None = None
        self._run: int | None = None
        self._thread: JobThread | None = None
        self._result: Suspected | None = None
        self._places: dict[int, int] = {}
        """Where a sample stands in the result, by its id."""
        self._decided = np.zeros(0, dtype=np.bool_)
        """Which samples of the result the user has decided since."""
        self.state: State = "none"
        self.problem = ""
        """Why there is no result, in a sentence."""
        self.fraction = 0.0

    def set_source(self, session: Session | None, run: int | None) -> None:
        """Show another project or run: drop the result of the last one."""
        if (session, run) == (self._session, self._run):
            return
        self._end()
        self._session, self._run = session, run
        self._result, self._places = None, {}
        self.state, self.problem = "none", ""

    @Slot()
    def start(self) -> None:
        """Check all labels as they are now. The search reads them from the disk, so it begins when they are there."""
        if self._session is not None:
            self._session.after_writing(self._search)

    def _search(self) -> None:
        session, run = self._session, self._run
        if session is None or run is None or self._thread is not None:
            return
        self.state, self.fraction = "searching", 0.0
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
        """End the search without another signal."""
        self._end()
        self._session = self._run = None

    # -- the result ----------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many labels were checked."""
        return len(self._places) + (self._result.confirmed if self._result else 0)

    @property
    def flagged(self) -> int:
        """How many of them look wrong."""
        return self._result.flagged if self._result else 0

    def ids(self, *, everything: bool) -> NDArray[np.int64]:
        """The samples to check, the most suspicious first, without those that the user has decided since.

        `everything`: also those whose label does not look wrong.
        """
        result, session = self._result, self._session
        if result is None or session is None:
            return np.zeros(0, dtype=np.int64)
        listed = result.sample_ids if everything else result.sample_ids[: result.flagged]
        return np.array(listed, dtype=np.int64)[~self._decided[: len(listed)]]

    def update(self, changes: Iterable[LabelChange]) -> None:
        """Look again at samples whose labels have changed."""
        session = self._session
        if session is None or not self._places:
            return
        for change in changes:
            place = self._places.get(change.sample_id)
            if place is not None:
                self._decided[place] = self._is_decided(session.sample(change.sample_id))

    def remaining(self) -> int:
        """How many of the flagged labels the user has not decided yet."""
        return int((~self._decided[: self.flagged]).sum())

    def _all_decided(self, result: Suspected) -> NDArray[np.bool_]:
        session = self._session
        if session is None:
            return np.zeros(len(result.sample_ids), dtype=np.bool_)
        return np.array(
            [self._is_decided(session.sample(sample_id)) for sample_id in result.sample_ids], dtype=np.bool_
        )

    def _is_decided(self, sample: Sample) -> bool:
        """Whether the user has confirmed or changed the label since it was checked.

        A multi-label sample is suspicious because of one class; changes of other classes do not count.
        """
        assert self._result is not None
        if sample.set_by == "confirmed":
            return True
        if sample.labels == self._result.labels[self._places[sample.id]]:
            return False
        labels, class_index = self.suggestion(sample.id)
        if self._session is not None and not task_named(self._session.project.task).exclusive and sample.labels:
            return (class_index in sample.labels) != (class_index in labels)
        return not same_labels(sample.labels, labels)

    def contains(self, sample_id: int) -> bool:
        """Whether the label of the sample was checked."""
        return sample_id in self._places

    def suggestion(self, sample_id: int) -> SuggestedLabel:
        """See `ml.api.Suspected`. Raises KeyError for samples that were not checked."""
        assert self._result is not None
        place = self._places[sample_id]
        return SuggestedLabel(self._result.labels[place], self._result.suggested[place])

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
                self._result = event
                self._places = {sample_id: place for place, sample_id in enumerate(event.sample_ids)}
                self._decided = self._all_decided(event)
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
