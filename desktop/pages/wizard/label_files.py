"""Part of page 1 of the wizard: labels from the sub-folders or from label files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.dialogs.folder import FileChooser, FolderChooser
from desktop.i18n import counted_classes, counted_files, error_text, msg, text, tr
from desktop.pages.wizard.column_question import ColumnQuestion
from desktop.pages.wizard.draft import Draft
from desktop.plain_text import button_text
from desktop.widgets.text_field import TextField
from desktop.workers.tasks import Tasks
from ml.api import LabelColumns, LabelPreview, TableHead, preview_labels, suggest_labels, table_head

SEVERAL = msg("Some files have more than one label, so the project will allow several classes at once.")

_MOST_WARNINGS = 2
PAUSE_MS = 700
"""A pause in typing means that the path is complete."""


class LabelSource(QWidget):
    """Two choices; the second has a field for the table and shows a preview of its labels."""

    changed = Signal()

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self._draft = draft
        self._request = 0
        self._head_request = 0
        self._usable = True
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_answer)
        self._tasks.failed.connect(self._on_failure)
        self.folders_button = QRadioButton(tr("Labels from the sub-folders"))
        self.table_button = QRadioButton(tr("Labels from a table"))
        self.table_button.setToolTip(tr("A CSV file, Audacity label tracks or Raven selection tables."))
        self._group = QButtonGroup(self)
        choices = QHBoxLayout()
        choices.setSpacing(look.l)
        for button in (self.folders_button, self.table_button):
            self._group.addButton(button)
            choices.addWidget(button)
        self.folders_button.setChecked(True)
        self.suggestion_button = QPushButton()
        self.suggestion_button.setProperty("role", "link")
        self.suggestion_button.hide()
        self.suggestion_button.clicked.connect(self._take_suggestion)
        self._suggested: Path | None = None
        choices.addWidget(self.suggestion_button)
        choices.addStretch(1)
        self._details = self._build_details()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        column.addLayout(choices)
        column.addWidget(self._details)
        self._details.hide()
        self._group.buttonToggled.connect(self._note)

    def _build_details(self) -> QWidget:
        look = style.current()
        part = QWidget()
        self.edit = TextField()
        self.edit.setPlaceholderText(tr("A CSV file, an Audacity track, a Raven table, or a folder of these"))
        self.edit.setAccessibleName(tr("Label file or folder"))
        self.edit.textEdited.connect(self._on_typed)
        self.edit.editingFinished.connect(self._note)
        # Half a path is not a table: it is read once the typing pauses.
        self._typing = QTimer(self, interval=PAUSE_MS, singleShot=True)
        self._typing.timeout.connect(self._note)
        self.file_button = QPushButton(tr("File…"))
        self.folder_button = QPushButton(tr("Folder…"))
        self.file_button.clicked.connect(self._browse_file)
        self.folder_button.clicked.connect(self._browse_folder)
        field = QHBoxLayout()
        field.setSpacing(look.s)
        field.addWidget(self.edit, 1)
        field.addWidget(self.file_button)
        field.addWidget(self.folder_button)
        self.message_label = QLabel()
        self.message_label.setWordWrap(True)
        self._warnings = QLabel()
        self._warnings.setProperty("role", "warn")
        self._warnings.setWordWrap(True)
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.xs)
        column.addLayout(field)
        column.addWidget(self.message_label)
        column.addWidget(self._warnings)
        self.message_label.hide()
        self._warnings.hide()
        self.question = ColumnQuestion()
        self.question.hide()
        self.question.chosen.connect(self._choose_columns)
        column.addWidget(self.question)
        return part

    # -- the page's side -----------------------------------------------------------------------------------------

    def is_complete(self) -> bool:
        """Return whether the choice is complete; a table must have been read."""
        return not self._draft.labels if self.folders_button.isChecked() else self._usable and bool(self._draft.labels)

    def take(self, source: Path) -> None:
        """Use a label file, or a folder of label files."""
        self.edit.setText(str(source))
        self.table_button.setChecked(True)
        self._note()

    def folder_changed(self, *, suggest: bool) -> None:
        """React to another folder or kind. `suggest`: search the folder for a table."""
        self.suggestion_button.hide()
        self._tasks.forget_all()
        self._read()
        folder, kind = self._draft.folder, self._draft.kind
        if suggest and folder is not None and kind is not None and self.folders_button.isChecked():
            self._tasks.submit_stoppable(suggest_labels, folder, kind)

    def shutdown(self) -> None:
        self._tasks.close()

    # -- looking -------------------------------------------------------------------------------------------------

    @Slot()
    def _on_typed(self) -> None:
        """Clear the preview: it is about another path."""
        self._forget()
        self.question.hide()
        self._draft.labels, self._draft.columns = (), None
        self._typing.start()
        self.changed.emit()

    @Slot()
    def _note(self) -> None:
        self._typing.stop()
        from_table = self.table_button.isChecked()
        self._details.setVisible(from_table)
        if from_table:
            self.suggestion_button.hide()
        typed = self.edit.text().strip()
        labels = (Path(typed).expanduser().absolute(),) if from_table and typed else ()
        if labels != self._draft.labels or not labels:
            self._draft.labels, self._draft.columns = labels, None
            self.question.hide()
            self._read()

    @Slot(object)
    def _choose_columns(self, columns: LabelColumns) -> None:
        self._draft.columns = columns
        self._read()

    def _read(self) -> None:
        """Match the table with the file names; `_on_answer` or `_on_failure` follows."""
        self._forget()
        folder, kind, labels = self._draft.folder, self._draft.kind, self._draft.labels
        if labels and folder is not None and folder.is_dir() and kind is not None:
            self._say(tr("Reading the table…"), "muted")
            columns = self._draft.columns
            self._request = self._tasks.submit_stoppable(preview_labels, folder, kind, labels, columns)
        self.changed.emit()

    def _forget(self) -> None:
        """Drop the preview of the table."""
        self._tasks.forget(self._request)
        self.message_label.hide()
        self._warnings.hide()
        self._usable = False

    @Slot(int, object)
    def _on_answer(self, number: int, answer: object) -> None:
        if isinstance(answer, TableHead):
            if number == self._head_request:
                self.question.ask(answer, self._draft.columns)
                self.question.show()
                self.changed.emit()
            return
        if number != self._request:
            self._suggest(answer)
            return
        assert isinstance(answer, LabelPreview)
        self._usable = True
        kind = self._draft.kind
        assert kind is not None
        matched = tr(
            "{labelled} of {things} get a label, in {classes}.",
            labelled=answer.labelled,
            things=counted_files(answer.files, kind),
            classes=counted_classes(len(answer.classes)),
        )
        lines = [*map(text, answer.recognised[:2]), matched]
        if answer.several:
            lines.append(text(SEVERAL))
        self._say("\n".join(lines), "muted")
        troubles = [text(trouble) for trouble in answer.problems[:_MOST_WARNINGS]]
        if len(answer.problems) > _MOST_WARNINGS:
            troubles.append(tr("The rest is listed on the next page."))
        self._warnings.setText("\n".join(troubles))
        self._warnings.setVisible(bool(troubles))
        self.changed.emit()

    @Slot(int, object)
    def _on_failure(self, number: int, error: Exception) -> None:
        if number == self._request:
            self._say(error_text(error), "error")
            if len(self._draft.labels) == 1 and self.question.isHidden():
                folder, kind = self._draft.folder, self._draft.kind
                self._head_request = self._tasks.submit(table_head, self._draft.labels[0], folder, kind)
            self.changed.emit()

    def _suggest(self, found: object) -> None:
        if isinstance(found, Path) and self.folders_button.isChecked():
            self._suggested = found
            self.suggestion_button.setText(button_text(use_table_text(found)))
            self.suggestion_button.show()

    @Slot()
    def _take_suggestion(self) -> None:
        if self._suggested is not None:
            self.take(self._suggested)

    def _say(self, sentence: str, role: str) -> None:
        self.message_label.setText(sentence)
        self.message_label.show()
        style.set_role(self.message_label, role)

    @Slot()
    def _browse_file(self) -> None:
        tables, every = tr("Tables and label tracks"), tr("All files")
        names = f"{tables} (*.csv *.tsv *.txt *.tab);;{every} (*)"
        chosen = FileChooser.ask(self, tr("The file with the labels"), names, start=self._draft.folder)
        if chosen is not None:
            self.take(chosen)

    @Slot()
    def _browse_folder(self) -> None:
        chosen = FolderChooser.ask(self, tr("The folder with the label files"), start=self._draft.folder)
        if chosen is not None:
            self.take(chosen)


def use_table_text(found: Path) -> str:
    """Return the text of the button that uses the labels that were found: a table, or a folder of tracks."""
    return tr("Use the label tracks beside the sounds") if found.is_dir() else tr("Use “{name}”", name=found.name)
