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


class FilesChooser:
    """Chooses several files."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, names: str) -> tuple[Path, ...]:
        """Return the files, none if the person cancels. `names` are Qt's filters. Blocks."""
        begin = Path(settings.value(settings.LAST_FOLDER) or Path.home())
        chosen, _filter = QFileDialog.getOpenFileNames(parent, title, str(begin), names)
        if chosen:
            settings.set_value(settings.LAST_FOLDER, str(Path(chosen[0]).parent))
        return tuple(Path(path) for path in chosen)


class FileSaver:
    """Chooses a file to write. The system's dialog asks before it replaces one."""

    @classmethod
    def ask(cls, parent: QWidget | None, title: str, name: str, names: str, *, suffix: str) -> Path | None:
        """Return the file, or None if the person cancels. A name without a suffix gets `suffix`. Blocks."""
        begin = Path(settings.value(settings.LAST_FOLDER) or Path.home())
        chosen, _filter = QFileDialog.getSaveFileName(parent, title, str(begin / name), names)
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix else path.with_name(path.name + suffix)
