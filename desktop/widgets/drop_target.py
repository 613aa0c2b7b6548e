"""An area where a folder can be dropped."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from desktop import style


def folder_in(data: QMimeData) -> Path | None:
    """Return the dragged folder, or the folder of the first dragged file."""
    for url in data.urls():
        if url.isLocalFile():
            path = Path(url.toLocalFile())
            return path if path.is_dir() else path.parent
    return None


def accept_as_copy(event: QDropEvent) -> bool:
    """Accept the drag as a copy if its source offers that, and return whether it does.

    A file manager deletes what a drop accepts as a move, and a move is what it proposes within one drive.
    """
    if not event.possibleActions() & Qt.DropAction.CopyAction:
        event.ignore()
        return False
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
    return True


class DropTarget(QFrame):
    """Says what may be dropped, and emits the dropped folder."""

    folder_dropped = Signal(object)

    def __init__(self, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setProperty("role", "drop")
        self.setAcceptDrops(True)
        self._words = QLabel(words)
        self._words.setProperty("role", "muted")
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.l, look.l, look.l, look.l)
        column.addWidget(self._words)

    def set_words(self, words: str) -> None:
        self._words.setText(words)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if folder_in(event.mimeData()) is not None and accept_as_copy(event):
            style.set_property(self, "over", True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        # The proposed action is back with every move.
        accept_as_copy(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        style.set_property(self, "over", False)

    def dropEvent(self, event: QDropEvent) -> None:
        style.set_property(self, "over", False)
        folder = folder_in(event.mimeData())
        if folder is not None and accept_as_copy(event):
            self.folder_dropped.emit(folder)
