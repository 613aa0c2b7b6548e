"""Areas where a folder, or files and pictures, can be dropped."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from desktop import style


def folder_in(data: QMimeData) -> Path | None:
    """Return the dragged folder, or the folder of the first dragged file."""
    for url in data.urls():
        if url.isLocalFile():
            path = Path(url.toLocalFile())
            return path if path.is_dir() else path.parent
    return None


def paths_in(data: QMimeData) -> tuple[Path, ...]:
    """Return all dragged or copied files and folders."""
    return tuple(Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())


def image_in(data: QMimeData) -> QImage | None:
    """Return a picture that comes without a file, as from a browser or a screenshot."""
    image = data.imageData() if data.hasImage() else None
    return image if isinstance(image, QImage) and not image.isNull() else None


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


class FilesDrop(QFrame):
    """Takes files, folders and pictures without a file: dropped, or given to `take` by whoever handles the keys."""

    paths_dropped = Signal(object)
    """A tuple of paths."""
    image_dropped = Signal(object)
    """A QImage."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "drop")
        self.setAcceptDrops(True)
        self.takes_images = True

    def take(self, data: QMimeData) -> bool:
        """Emit what is in there; return whether there is something."""
        paths, image = paths_in(data), image_in(data)
        if paths:
            self.paths_dropped.emit(paths)
        elif image is not None and self.takes_images:
            self.image_dropped.emit(image)
        else:
            return False
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        data = event.mimeData()
        if (paths_in(data) or (self.takes_images and data.hasImage())) and accept_as_copy(event):
            style.set_property(self, "over", True)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        # The proposed action is back with every move.
        accept_as_copy(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        style.set_property(self, "over", False)

    def dropEvent(self, event: QDropEvent) -> None:
        style.set_property(self, "over", False)
        if accept_as_copy(event):
            self.take(event.mimeData())
