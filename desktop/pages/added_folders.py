"""On the Data page: the folders that were added, and where they are now if they have moved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import style
from desktop.dialogs.folder import FolderChooser
from desktop.i18n import error_text, printable, tr, trn
from desktop.session import Session
from desktop.widgets.elided_label import ElidedLabel
from desktop.workers.tasks import Tasks
from ml.api import Found, Project

MOST_SHOWN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedFolder:
    """An added folder, by the name that begins the paths of its files."""

    name: str
    folder: Path
    missing: bool


class AddedFolders(QWidget):
    """A line for each added folder with a button that asks for its new place. Hidden if there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self.buttons: dict[str, QPushButton] = {}
        self.result_label = QLabel()
        self.result_label.setWordWrap(True)
        self.result_label.hide()
        self._rows = QWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().xs)
        column.addWidget(self._rows)
        column.addWidget(self.result_label)
        self.hide()

    def set_session(self, session: Session) -> None:
        self._session = session
        session.samples_changed.connect(self.look)
        self.look()

    def close_folders(self) -> None:
        """End what runs in the background."""
        self._tasks.close()
        self._session = None

    @Slot()
    def look(self) -> None:
        """Look in the background where the folders are: a drive may be slow."""
        if self._session is not None:
            self._tasks.submit(added_places, self._session.project)

    def relink(self, name: str, folder: Path) -> None:
        """The added folder of this name is at `folder` now."""
        if self._session is not None:
            self._tasks.submit(self._session.project.relink, folder, name)

    def tell(self, found: Found) -> None:
        """Say how many files were found in the new place."""
        self._say(found_sentence(found), "muted" if not found.missing and not found.changed else "warn")
        self.show()

    @Slot(int, object)
    def _on_done(self, _number: int, result: object) -> None:
        session = self._session
        if session is None:
            return
        if isinstance(result, Found):
            self.tell(result)
            session.originals_found.emit()
            self.look()
        elif isinstance(result, tuple):
            self._show(result, can_move=not session.project.read_only)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._say(error_text(error), "error")

    def _say(self, sentence: str, role: str) -> None:
        style.set_role(self.result_label, role)
        self.result_label.setText(sentence)
        self.result_label.show()

    def _show(self, places: tuple[AddedFolder, ...], *, can_move: bool) -> None:
        """Make a line for each folder, the missing ones first."""
        self.buttons = {}
        rows = QWidget()
        grid = QGridLayout(rows)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(style.current().s)
        grid.setColumnStretch(0, 1)
        shown = sorted(places, key=lambda place: (not place.missing, place.name))[:MOST_SHOWN]
        for row, place in enumerate(shown):
            name, folder = printable(place.name), printable(str(place.folder))
            line = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
            line.setProperty("role", "error" if place.missing else "muted")
            words = tr("{folder} is missing", folder=folder) if place.missing else folder
            line.setText(tr("{name}: {place}", name=name, place=words))
            button = QPushButton(tr("Find it…") if place.missing else tr("Moved…"))
            button.setProperty("role", "" if place.missing else "link")
            button.setAccessibleName(tr("Say where the added folder {name} is now", name=name))
            button.setToolTip(button.accessibleName())
            button.setVisible(can_move)
            button.clicked.connect(partial(self._ask, place))
            self.buttons[place.name] = button
            grid.addWidget(line, row, 0)
            grid.addWidget(button, row, 1)
        if len(places) > len(shown):
            more = len(places) - len(shown)
            rest = QLabel(trn("and {count} more folder", "and {count} more folders", more))
            rest.setProperty("role", "muted")
            grid.addWidget(rest, len(shown), 0)
        layout = self.layout()
        assert layout is not None
        layout.replaceWidget(self._rows, rows)
        self._rows.deleteLater()
        self._rows = rows
        self.setVisible(bool(places) or not self.result_label.isHidden())

    def _ask(self, place: AddedFolder) -> None:
        title = tr("The folder that holds the files of {name} now", name=printable(place.name))
        start = next((each for each in place.folder.parents if each.is_dir()), None)
        folder = FolderChooser.ask(self, title, start=start)
        if folder is not None:
            self.relink(place.name, folder)


def added_places(project: Project) -> tuple[AddedFolder, ...]:
    """Return where the added folders are. Copies lie in the project itself."""
    places = [(root.name, root.folder(project.path)) for root in project.roots() if root.kind != "copies"]
    return tuple(AddedFolder(name=name, folder=folder, missing=not folder.is_dir()) for name, folder in places)


def found_sentence(found: Found) -> str:
    """Say how many files were found, and how many of them differ."""
    there = found.known - found.missing
    said = trn(
        "{count} of {total} files was found there.",
        "{count} of {total} files were found there.",
        there,
        total=str(found.known),
    )
    if not found.changed:
        return said
    differ = trn(
        "At least {count} differs from the original. Put the original back.",
        "At least {count} differ from the originals. Put the originals back.",
        found.changed,
    )
    return tr("{first} {second}", first=said, second=differ)
