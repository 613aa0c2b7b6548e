"""Choose a folder or a file with the system's own dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from desktop import settings


class FolderChooser:
    """Opens in the parent of the last chosen folder."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, *, start: Path | None = None) -> Path | None:
        """Return the folder, or None if the person cancels. Blocks."""
        begin = (
            start if start is not None and start.is_dir() else Path(settings.value(settings.LAST_FOLDER) or Path.home())
        )
        chosen = QFileDialog.getExistingDirectory(parent, title, str(begin))
        if not chosen:
            return None
        settings.set_value(settings.LAST_FOLDER, str(Path(chosen).parent))
        return Path(chosen)


class FileChooser:
    """Opens in `start`, else in the parent of the last chosen folder."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, names: str, *, start: Path | None = None) -> Path | None:
        """Return the file, or None if the person cancels. `names` are Qt's filters. Blocks."""
        begin = (
            start if start is not None and start.is_dir() else Path(settings.value(settings.LAST_FOLDER) or Path.home())
        )
        chosen, _filter = QFileDialog.getOpenFileName(parent, title, str(begin), names)
        return Path(chosen) if chosen else None
