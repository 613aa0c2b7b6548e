"""The Explore page: look at every prediction, at where the network looked, and correct the labels it trips over."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from desktop.session import Session


class ExplorePage(QWidget):
    """A grid of predictions, one of them large beside it."""

    sentence_changed = Signal(str)
    train_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = self.tr("Explore")
        self._session: Session | None = None

    def set_session(self, session: Session) -> None:
        self._session = session

    def shutdown(self) -> None:
        """End what runs in the background; nothing reports back afterwards."""
        self._session = None
