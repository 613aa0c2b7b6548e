"""Page 4 of the wizard: the name and the folder of the project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWizardPage

from desktop import settings, style
from desktop.dialogs.folder import FolderChooser
from desktop.i18n import counted_classes, error_text, tr
from desktop.pages.wizard.draft import Draft, counted_report
from desktop.pages.wizard.preview import NetworkPreview
from desktop.widgets.picture_row import PictureRow
from desktop.widgets.text_field import TextField
from desktop.workers.tasks import Tasks
from ml.api import SUFFIX, Project, Runner, ScanReport, SplitPlan, kind_named

_FORBIDDEN = '<>:"/\\|?*'


class TargetPage(QWizardPage):
    """Creates the project in the background and emits `created(path)`."""

    created = Signal(object)

    def __init__(self, draft: Draft, *, runner: Runner) -> None:
        super().__init__()
        look = style.current()
        self._draft = draft
        self._making = 0
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_made)
        self._tasks.failed.connect(self._on_failed)
        head = QLabel(tr("What is it called?"))
        head.setProperty("role", "title")
        self.name_edit = TextField()
        self.name_edit.setMaxLength(100)
        self.place_edit = TextField()
        self.browse_button = QPushButton(tr("Browse…"))
        self.browse_button.clicked.connect(self._browse)
        for edit in (self.name_edit, self.place_edit):
            edit.textChanged.connect(self._note)
        name, place = QLabel(tr("&Name")), QLabel(tr("&Place"))
        name.setBuddy(self.name_edit)
        place.setBuddy(self.place_edit)
        field = QHBoxLayout()
        field.setSpacing(look.s)
        field.addWidget(self.place_edit, 1)
        field.addWidget(self.browse_button)
        grid = QGridLayout()
        grid.setHorizontalSpacing(look.l)
        grid.setVerticalSpacing(look.m)
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.name_edit, 0, 1)
        grid.addWidget(place, 1, 0)
        grid.addLayout(field, 1, 1)
        self._says = QLabel()
        self._says.setProperty("role", "muted")
        self._says.setWordWrap(True)
        self._summary = QLabel()
        self._summary.setWordWrap(True)
        self._pictures = PictureRow(count=8, height=88, show_empty=False)
        self.preview = NetworkPreview(runner=runner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.l)
        column.addWidget(head)
        column.addLayout(grid)
        column.addWidget(self._says)
        column.addSpacing(look.l)
        column.addWidget(self._summary)
        column.addWidget(self._pictures)
        column.addWidget(self.preview)
        column.addStretch(1)

    def initializePage(self) -> None:
        if not self.name_edit.text() and self._draft.folder is not None:
            self.name_edit.setText(self._draft.folder.name)
        if not self.place_edit.text():
            self.place_edit.setText(str(settings.projects_folder()))
        report = self._draft.report
        if report is not None:
            classes, things = len(report.class_counts), counted_report(report)
            self._summary.setText(
                tr("{things} in {classes} to begin with.", things=things, classes=counted_classes(classes))
                if classes
                else tr("{things} to begin with. You label them in the window.", things=things)
            )
        self._note()

    def show_pictures(self, images: Sequence[QImage]) -> None:
        """Show one example of each class. A project of pictures shows the `NetworkPreview` instead."""
        report = self._draft.report
        has_preview = report is not None and kind_named(report.kind).input_name == "pixels"
        self._pictures.set_images(images)
        self._pictures.setVisible(bool(images) and not has_preview)
        self.preview.setVisible(has_preview)

    def begin_preview(self) -> None:
        """Start the preview. The network takes seconds to load, so the page before is a good time."""
        report = self._draft.report
        if report is not None and kind_named(report.kind).input_name == "pixels":
            self.preview.begin(report)

    def isComplete(self) -> bool:
        return not self._making and not self._obstacle()

    @property
    def path(self) -> Path:
        return Path(self.place_edit.text().strip()).expanduser() / (self.name_edit.text().strip() + SUFFIX)

    def make(self) -> None:
        """Create the project; `created` or a sentence on the page follows."""
        assert self._draft.report is not None and self._draft.plan is not None
        self.preview.cancel()
        name = self.name_edit.text().strip()
        self._making = self._tasks.submit(_create, self.path.absolute(), name, self._draft.report, self._draft.plan)
        self._say(tr("Creating the project…"), "muted")
        self.completeChanged.emit()

    def making(self) -> bool:
        """Return whether the project is being written, which cannot be cancelled."""
        return bool(self._making)

    def shutdown(self) -> None:
        self.preview.shutdown()
        self._tasks.close()

    @Slot()
    def _browse(self) -> None:
        folder = FolderChooser.ask(self, tr("Where the project is kept"), start=Path(self.place_edit.text()))
        if folder is not None:
            self.place_edit.setText(str(folder))

    def _obstacle(self) -> str:
        """Return why the project cannot be created like this, or ""."""
        name = self.name_edit.text().strip()
        if not name:
            return tr("Give the project a name.")
        if any(letter in _FORBIDDEN for letter in name) or name.startswith("."):
            return tr("A name cannot begin with a dot or contain any of {letters}", letters=_FORBIDDEN)
        if not self.place_edit.text().strip():
            return tr("Choose where the project is kept.")
        if self.path.exists():
            return tr("There is already a project with that name in this place. Choose another name.")
        folder = self._draft.folder
        if folder is not None and folder.resolve() in self.path.resolve().parents:
            return tr("The project cannot lie inside the folder with your files. Choose another place.")
        return ""

    @Slot()
    def _note(self) -> None:
        obstacle = self._obstacle()
        if obstacle:
            self._say(obstacle, "error")
        else:
            sentence = tr(
                "“{name}” will hold your labels and your trained models. Your own files stay where they are.",
                name=self.path.name,
            )
            self._say(sentence, "muted")
        self.completeChanged.emit()

    def _say(self, sentence: str, role: str) -> None:
        self._says.setText(sentence)
        style.set_role(self._says, role)

    @Slot(int, object)
    def _on_made(self, _number: int, path: object) -> None:
        self._making = 0
        self.created.emit(path)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self._making = 0
        self._say(error_text(error), "error")
        self.begin_preview()
        self.completeChanged.emit()


def _create(path: Path, name: str, report: ScanReport, plan: SplitPlan) -> Path:
    Project.create(path, name=name, report=report, plan=plan).close()
    return path
