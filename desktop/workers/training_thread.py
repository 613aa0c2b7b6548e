"""The thread behind the Train page: one training, its events, and how it may be ended."""

from __future__ import annotations

from PySide6.QtCore import QObject

from desktop.workers.job_thread import JobThread
from ml.api import Runner, TrainJob, Worker


class TrainingThread(JobThread):
    """Trains in a child process. `runner` is another way to do it, as tests and the tour need it."""

    def __init__(self, job: TrainJob, runner: Runner | None = None, parent: QObject | None = None) -> None:
        super().__init__(job, runner or Worker().run, parent)
