"""A QThread that reads the events of one job from its child process, see `ml.pipeline.worker`."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Generator
from typing import cast

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot

from desktop.i18n import msg
from ml.api import TERMINAL, Event, Failed, Job, Runner, StopRequest, TrainJob, Worker

_log = logging.getLogger(__name__)


class JobThread(QThread):
    """Runs `job` with `runner` (`Worker().run`, or a script in tests).

    Both signals arrive in the thread that made this object. `happened` carries every event but the last, `ended`
    exactly one of `ml.api.TERMINAL`. After `cancel` only `ended` follows, after `shutdown` nothing. (A signal called
    `event` would hide QObject.event, hence the name.)
    """

    happened = Signal(object)
    ended = Signal(object)
    _arrived = Signal(object)

    def __init__(self, job: Job, runner: Runner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self._runner = runner
        self._request: StopRequest = ""
        self._listening = True
        self._muted = False
        self._arrived.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    # -- called from the window's thread -------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask the job to end and keep the best result so far."""
        if not self._request:
            self._request = "stop"

    def keep_first(self) -> None:
        """Ask a training to end with its first model, even if there may be a better one."""
        if self._request in ("", "stop"):
            self._request = "first"

    def cancel(self) -> None:
        """Ask the job to end and discard the result. Later events are dropped."""
        self._listening = False
        self._request = "cancel"

    def shutdown(self) -> None:
        """Cancel, emit nothing any more, and wait for the end (the child ends or is killed within 2 s)."""
        self._muted = True
        self.cancel()
        self.wait()

    def detach(self) -> None:
        """Like `shutdown`, but the run can be resumed; the child is killed at once."""
        self._muted = True
        if self._request != "cancel":  # a cancelled run is not resumed
            self._request = "leave"
        self.wait()

    # -- called from the job's thread ----------------------------------------------------------------------------

    def requested(self) -> StopRequest:
        """Return the request; this object is the `Stop` of its job."""
        return self._request

    def run(self) -> None:
        last: Event | None = None
        try:
            events = cast("Generator[Event]", self._runner(self.job, self))
            with contextlib.closing(events):
                for event in events:
                    last = event
                    self._arrived.emit(event)
                    if isinstance(event, TERMINAL) or self._request == "leave":
                        break
        except Exception as error:  # a thread has no caller to raise to: the window shows it
            _log.exception("the job failed")
            message = msg("The job ended unexpectedly. Your labels and finished runs are safe. Try again.")
            last = Failed(message=message, details="".join(traceback.format_exception(error)))
            self._arrived.emit(last)
        if not isinstance(last, TERMINAL):
            self._arrived.emit(Failed(message=msg("The job ended without a result. Try again.")))

    @Slot(object)
    def _deliver(self, event: Event) -> None:
        # Checked in the receiver's thread, so that queued events are dropped as well.
        if self._muted:
            return
        if isinstance(event, TERMINAL):
            self.ended.emit(event)
        elif self._listening:
            self.happened.emit(event)


class TrainingThread(JobThread):
    """Trains in a child process. `runner` replaces it in tests and in the tour."""

    def __init__(self, job: TrainJob, runner: Runner | None = None, parent: QObject | None = None) -> None:
        super().__init__(job, runner or Worker().run, parent)
