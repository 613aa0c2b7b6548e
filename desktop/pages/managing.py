"""What the start page can do with a whole project: rename, duplicate, archive, delete."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QMenu, QVBoxLayout, QWidget

from desktop import icons, settings, style
from desktop.dialogs.folder import FileSaver
from desktop.dialogs.notice import Notice, Question
from desktop.i18n import error_text, tr
from desktop.widgets.text_field import TextField
from desktop.workers.project_files import archive, duplicate, move_to_bin, rename
from desktop.workers.tasks import Tasks


@dataclass(frozen=True, slots=True)
class _Request:
    verb: str
    path: Path
    name: str


class ProjectManager(QObject):
    """Asks, then works in the background.

    `progressed(path, sentence)` says what is being done with a project; `finished` follows, with a sentence or "".
    """

    progressed = Signal(str, str)
    finished = Signal(str)
    _archived = Signal(int, float)

    def __init__(self, page: QWidget) -> None:
        super().__init__(page)
        self._page = page
        self._requests: dict[int, _Request] = {}
        self._shown: dict[int, int] = {}
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self._archived.connect(self._on_archived)

    def menu(self, path: Path, name: str, parent: QWidget) -> QMenu:
        """Return the menu of a project that can be opened."""
        menu = QMenu(parent)
        for words, icon, act in (
            (tr("Rename…"), "ph.pencil-simple", self.rename),
            (tr("Duplicate"), "ph.copy", self.duplicate),
            (tr("Archive…"), "ph.archive", self.archive),
            (tr("Archive with the source files…"), "ph.archive", self.archive_with_sources),
            (tr("Move to the bin…"), "ph.trash", self.delete),
        ):
            action = QAction(words, menu)
            icons.set_icon(action, icon)
            action.triggered.connect(lambda _checked=False, act=act: act(path, name))
            menu.addAction(action)
        return menu

    def busy(self) -> bool:
        return bool(self._requests)

    def close(self) -> None:
        """End what runs; an archive that is being written is not left half done."""
        self._requests.clear()
        self._tasks.close()

    def rename(self, path: Path, name: str) -> None:
        """Ask for a new name of the project and its folder."""
        wanted = NameDialog.ask(self._page, title=tr("Rename the project"), name=name, verb=tr("Rename"))
        if wanted is not None and wanted != name:
            self._begin(_Request("rename", path, wanted), self._tasks.submit(rename, path, wanted), tr("Renaming…"))

    def duplicate(self, path: Path, name: str) -> None:
        """Copy the project into a folder beside it."""
        request = self._tasks.submit(duplicate, path, name)
        self._begin(_Request("duplicate", path, name), request, tr("Duplicating…"))

    def archive(self, path: Path, name: str, *, with_sources: bool = False) -> None:
        """Ask for a file, and write the project to it."""
        title = tr("Archive the project")
        to = FileSaver.ask(self._page, title, f"{path.stem}.zip", tr("ZIP archive (*.zip)"), suffix=".zip")
        if to is None:
            return
        number: list[int] = []

        def progress(fraction: float) -> None:
            """Runs in a background thread."""
            if number:
                self._archived.emit(number[0], fraction)

        number.append(self._tasks.submit_stoppable(archive, path, to, with_sources, progress))
        self._begin(_Request("archive", path, name), number[0], tr("Archiving…"))

    def archive_with_sources(self, path: Path, name: str) -> None:
        """Ask for a file, and write the project and copies of its source files to it."""
        self.archive(path, name, with_sources=True)

    def delete(self, path: Path, name: str) -> None:
        """Ask, then move the project to the bin of the system."""
        question = tr(
            "Move the project “{name}” to the bin? Its labels and its models go with it. Your own files stay where "
            "they are.",
            name=name,
        )
        if Question.ask(self._page, question, yes=tr("Move to the bin"), no=tr("Keep it")):
            request = self._tasks.submit(move_to_bin, path)
            self._begin(_Request("delete", path, name), request, tr("Moving to the bin…"))

    def _begin(self, request: _Request, number: int, sentence: str) -> None:
        self._requests[number] = request
        self.progressed.emit(str(request.path), sentence)

    @Slot(int, float)
    def _on_archived(self, number: int, fraction: float) -> None:
        request, percent = self._requests.get(number), int(100 * fraction)
        if request is not None and self._shown.get(number) != percent:
            self._shown[number] = percent
            self.progressed.emit(str(request.path), tr("Archiving… {n} %", n=percent))

    @Slot(int, object)
    def _on_done(self, number: int, result: object) -> None:
        request = self._requests.pop(number, None)
        if request is None:
            return
        assert isinstance(result, tuple)
        path, sentence = result
        if request.verb in ("rename", "delete"):
            settings.forget_project(request.path)
        if request.verb in ("rename", "duplicate"):
            settings.remember_project(path, path.stem)
        self.finished.emit(sentence)

    @Slot(int, object)
    def _on_failed(self, number: int, error: Exception) -> None:
        if self._requests.pop(number, None) is not None:
            Notice.tell(self._page, error_text(error), details=str(getattr(error, "details", "")))
            self.finished.emit("")


_LONGEST = 100


class NameDialog(QDialog):
    """A field for a name, and a button whose verb says what happens."""

    def __init__(self, *, title: str, name: str, verb: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(title)
        self.setMinimumWidth(420)
        self.name_edit = TextField()
        self.name_edit.setMaxLength(_LONGEST)
        self.name_edit.setText(name)
        self.name_edit.selectAll()
        form = QFormLayout()
        form.addRow(tr("&Name"), self.name_edit)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.accept_button = buttons.addButton(verb, QDialogButtonBox.ButtonRole.AcceptRole)
        self.accept_button.setProperty("role", "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.l)
        column.addLayout(form)
        column.addWidget(buttons)

    @classmethod
    def ask(cls, parent: QWidget | None, *, title: str, name: str, verb: str) -> str | None:
        """Return the name without spaces around it, or None if the person cancels. Blocks."""
        dialog = cls(title=title, name=name, verb=verb, parent=parent)
        try:
            accepted = dialog.exec() == QDialog.DialogCode.Accepted
            return dialog.name_edit.text().strip() or None if accepted else None
        finally:
            dialog.deleteLater()
