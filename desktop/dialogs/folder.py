"""Asking for a folder or a file with the system's own chooser."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from desktop import settings


class FolderChooser:
    """Opens where a folder was chosen last."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, *, start: Path | None = None) -> Path | None:
        """The folder, None if the person changed their mind. Blocks."""
        begin = (
            start if start is not None and start.is_dir() else Path(settings.value(settings.LAST_FOLDER) or Path.home())
        )
        chosen = QFileDialog.getExistingDirectory(parent, title, str(begin))
        if not chosen:
            return None
        settings.set_value(settings.LAST_FOLDER, str(Path(chosen).parent))
        return Path(chosen)


class FileChooser:
    """Opens in a folder that is given, else where a folder was chosen last."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, names: str, *, start: Path | None = None) -> Path | None:
        """The file, None if the person changed their mind. `names` are Qt's filters. Blocks."""
        begin = (
            start if start is not None and start.is_dir() else Path(settings.value(settings.LAST_FOLDER) or Path.home())
        )
        chosen, _filter = QFileDialog.getOpenFileName(parent, title, str(begin), names)
        return Path(chosen) if chosen else None
