"""Page 1 of the wizard: the kind of the samples and their folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
    QWizardPage,
)

from desktop import style
from desktop.dialogs.folder import FolderChooser
from desktop.i18n import tr
from desktop.pages.wizard.draft import Draft, guess_kind
from desktop.pages.wizard.label_files import PAUSE_MS, LabelSource
from desktop.widgets.choice_button import ChoiceButton
from desktop.widgets.drop_target import DropTarget
from desktop.widgets.text_field import TextField
from ml.api import KindName


class SourcePage(QWizardPage):
    """Three large choices and a folder: typed, chosen or dropped."""

    went_on = Signal()
    """Enter was pressed in the folder's field, or a folder was dropped, and all is known."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        look = style.current()
        self._draft = draft
        head = QLabel(tr("What will it learn from?"))
        head.setProperty("role", "title")
        choices = self._build_choices()
        self.rate_box, self._rate_row = self._build_rate()
        self.folder_edit = TextField()
        self.folder_edit.setPlaceholderText(tr("The folder with your files"))
        self.folder_edit.setAccessibleName(tr("Folder"))
        self.folder_edit.textChanged.connect(self._note)
        # Half a path is not an error: a missing folder is reported once the typing pauses.
        self._typing = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._typing.timeout.connect(self._show_missing)
        self.folder_edit.editingFinished.connect(self._show_missing)
        self.browse_button = QPushButton(tr("Browse…"))
        self.browse_button.clicked.connect(self._browse)
        field = QHBoxLayout()
        field.setSpacing(look.s)
        field.addWidget(self.folder_edit, 1)
        field.addWidget(self.browse_button)
        self.labels = LabelSource(draft)
        self.labels.changed.connect(self.completeChanged)
        self.drop = DropTarget(tr("Or drop the folder here"))
        self.drop.folder_dropped.connect(self.take_folder)
        self._hint = QLabel()
        self._hint.setProperty("role", "caption")
        self._hint.setWordWrap(True)
        self._show_hint()
        self.labels.changed.connect(self._show_hint)
        self._error = QLabel()
        self._error.setProperty("role", "error")
        self._error.setWordWrap(True)
        # The line stays reserved while hidden, so that nothing below jumps.
        kept = self._error.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self._error.setSizePolicy(kept)
        self._lay_out(head, choices, field)
        self._show_missing()

    def _lay_out(self, head: QLabel, choices: QHBoxLayout, field: QHBoxLayout) -> None:
        look = style.current()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.l)
        column.addWidget(head)
        column.addLayout(choices)
        place = QVBoxLayout()
        place.setSpacing(look.xs)
        place.addLayout(field)
        place.addWidget(self._error)
        column.addLayout(place)
        column.addWidget(self._rate_row)
        column.addWidget(self.labels)
        column.addWidget(self.drop, 1)
        column.addStretch(0)  # takes the room of the target while that is hidden
        column.addWidget(self._hint)

    def _build_choices(self) -> QHBoxLayout:
        self.pictures_button = ChoiceButton(
            title=tr("Pictures"), words=tr("JPEG, PNG, TIFF and others, and frames of videos."), icon="ph.image"
        )
        self.sounds_button = ChoiceButton(
            title=tr("Sounds"), words=tr("WAV, FLAC, OGG or MP3, of any length."), icon="ph.speaker-high"
        )
        self.logs_button = ChoiceButton(
            title=tr("Measurements"), words=tr("Logs of sensors: CSV, TSV or text."), icon="ph.activity"
        )
        self._buttons: dict[KindName, ChoiceButton] = {
            "images": self.pictures_button,
            "recordings": self.sounds_button,
            "sensors": self.logs_button,
        }
        self._group = QButtonGroup(self)
        choices = QHBoxLayout()
        choices.setSpacing(style.current().m)
        for button in self._buttons.values():
            button.setCheckable(True)
            self._group.addButton(button)
            choices.addWidget(button, 1)
        self._group.buttonClicked.connect(self._note)
        return choices

    def _build_rate(self) -> tuple[QDoubleSpinBox, QWidget]:
        """Build the field for the sampling rate, shown only for sensor logs."""
        box = QDoubleSpinBox()
        box.setRange(0.0, 1_000_000.0)
        box.setDecimals(3)
        box.setSpecialValueText(tr("from the logs"))
        box.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach inside
        box.setMinimumWidth(160)
        box.valueChanged.connect(self._note)
        name = QLabel(tr("&Rows in a second"))
        name.setBuddy(box)
        hint = QLabel(tr("Only needed if no column of your logs holds the time."))
        hint.setProperty("role", "caption")
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.current().s)
        line.addWidget(name)
        line.addWidget(box)
        line.addWidget(hint, 1)
        row.hide()
        return box, row

    def fill(self) -> None:
        """Show the kind and the folder that are known already."""
        if self._draft.kind in self._buttons:
            self._buttons[self._draft.kind].setChecked(True)
            self._rate_row.setVisible(self._draft.needs_rate)
        if self._draft.folder is not None:
            self.take_folder(self._draft.folder)

    def take_focus(self) -> None:
        """Move the focus to the next missing value, so that no key press changes a choice."""
        (self.pictures_button if self._draft.kind is None else self.folder_edit).setFocus()

    @Slot(object)
    def take_folder(self, folder: Path) -> None:
        """Use a chosen or dropped folder; guess its kind if none is chosen yet."""
        self.folder_edit.setText(str(folder))
        self._guess_kind(folder)
        self.labels.folder_changed(suggest=True)

    def _guess_kind(self, folder: Path) -> None:
        if self._group.checkedButton() is None:
            kind = guess_kind(folder)
            if kind is not None:
                self._buttons[kind].setChecked(True)
                self._note()

    def isComplete(self) -> bool:
        if self._draft.kind is None or self._draft.folder is None or not self._draft.folder.is_dir():
            return False
        return self.labels.is_complete()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ignore Enter while something is missing: Qt would press the first button of the page."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or self.isComplete():
            super().keyPressEvent(event)

    def shutdown(self) -> None:
        """End what runs in the background."""
        self.labels.shutdown()

    @Slot()
    def _show_hint(self) -> None:
        if self.labels.table_button.isChecked():
            hint = tr(
                "A table has one line for each file, with its name and its class. For sounds it can also hold the "
                "start and the end in seconds. A column named “fold” tells which files belong together."
            )
        else:
            hint = tr(
                "Use one folder for each class. The name of the folder is the name of the class. "
                "Folders named train, valid or test are used as they are."
            )
        self._hint.setText(hint)
        asking = self.labels.question.isVisibleTo(self.labels)
        self.drop.setVisible(not asking)
        self._hint.setVisible(not asking)

    @Slot()
    def _browse(self) -> None:
        folder = FolderChooser.ask(self, tr("The folder with your files"), start=self._draft.folder)
        if folder is not None:
            self.take_folder(folder)

    @Slot()
    def _note(self) -> None:
        before = self._draft.folder, self._draft.kind
        typed = self.folder_edit.text().strip()
        checked = self._group.checkedButton()
        if checked is not None:
            self._draft.kind = next(kind for kind, button in self._buttons.items() if button is checked)
        self._rate_row.setVisible(self._draft.needs_rate)
        self._draft.set_rate(self.rate_box.value() if self._draft.needs_rate else 0.0)
        self._draft.folder = Path(typed).expanduser().absolute() if typed else None
        if before != (self._draft.folder, self._draft.kind):
            self._say_missing(False)
            self._typing.start()
            self.labels.folder_changed(suggest=False)
        self.completeChanged.emit()

    @Slot()
    def _show_missing(self) -> None:
        self._typing.stop()
        folder = self._draft.folder
        self._error.setText(
            tr("This is a file. Choose the folder that holds it.")
            if folder is not None and folder.is_file()
            else tr("There is no folder with that name. Check the name, or connect the drive it is on.")
        )
        self._say_missing(folder is not None and not folder.is_dir())

    def _say_missing(self, missing: bool) -> None:
        self._error.setVisible(missing)
        style.set_property(self.folder_edit, "invalid", missing)
