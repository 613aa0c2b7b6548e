"""The Train page: choose how long it may learn, watch it learn, see what changed."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from desktop.session import Session


class TrainPage(QWidget):
    """Before, during and after a training."""

    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    explore_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = self.tr("Train")
        self._session: Session | None = None

    def set_session(self, session: Session) -> None:
        self._session = session

    def shutdown(self) -> None:
        """End what runs in the background; nothing reports back afterwards."""
        self._session = None
