"""Labels out of the project, and a colleague's labels into it. Both in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.dialogs.items import ItemsDialog
from desktop.i18n import current_language, error_text, printable, text, tr
from desktop.pages.label.model import LabelModel
from desktop.widgets.history_list import moment
from desktop.workers.tasks import Tasks
from ml.api import FORM_SUFFIXES, HandlensError, LabelExport, MergePlan, Project, export_labels, label_forms, plan_merge


class Exchange(QObject):
    """Fills the menu of `button` and does what is chosen there."""

    notice = Signal(str)
    progressed = Signal(str, float)

    def __init__(self, page: QWidget, model: LabelModel, button: QPushButton) -> None:
        super().__init__(page)
        self._page, self._model = page, model
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_done)
        self._tasks.failed.connect(self._on_failed)
        self.menu = QMenu(button)
        self.menu.setAccessibleName(button.text())
        button.setMenu(self.menu)
        self.dialog: ItemsDialog | None = None

    def set_kind(self, kind: str) -> None:
        """Offer the forms that labels of this kind can take."""
        self.menu.clear()
        words = {
            "csv": tr("Save as a table (CSV)…"),
            "audacity": tr("Save as Audacity labels…"),
            "raven": tr("Save as a Raven table…"),
            "label-studio": tr("Save as Label Studio tasks (JSON)…"),
            "folders": tr("Copy the files to a folder for each class…"),
        }
        for form in label_forms(kind):
            action = QAction(words[form], self.menu)
            action.triggered.connect(partial(self._ask_to_export, form))
            self.menu.addAction(action)
        self.menu.addSeparator()
        merge = QAction(tr("Merge a colleague's copy of this project…"), self.menu)
        merge.triggered.connect(self._ask_for_copy)
        self.menu.addAction(merge)

    def close(self) -> None:
        """End what runs in the background."""
        self._tasks.close()

    def _ask_to_export(self, form: str) -> None:
        session = self._model.session
        if session is None:
            return
        suffix = FORM_SUFFIXES[form]
        name = tr("labels") + suffix
        names = tr("Files (*{suffix})", suffix=suffix) if suffix else tr("New folder (*)")
        target = FileSaver.ask(self._page, tr("Save the labels"), name, names, suffix=suffix)
        if target is not None:
            self.export(form, target)

    def export(self, form: str, target: Path) -> None:
        """Write the labels to `target`."""
        session = self._model.session
        if session is not None:
            session.finish_writing()
            self.progressed.emit(tr("Saving the labels"), 0.0)
            self._tasks.submit_stoppable(_export, session.project, target, form)

    @Slot()
    def _ask_for_copy(self) -> None:
        folder = FolderChooser.ask(self._page, tr("A colleague's copy of this project"))
        if folder is not None:
            self.merge(folder)

    def merge(self, copy: Path) -> None:
        """Take over what only the copy has, and list what both have changed."""
        session = self._model.session
        if session is not None:
            session.finish_writing()
            self.progressed.emit(tr("Comparing the labels"), 0.0)
            self._tasks.submit(plan_merge, session.project, copy)

    @Slot(int, object)
    def _on_done(self, _number: int, result: object) -> None:
        self.progressed.emit("", -1.0)
        if isinstance(result, LabelExport):
            left_out = result.left_out_message()
            words = result.message()
            self.notice.emit(text(words) if left_out is None else tr("{first} {second}", first=words, second=left_out))
        elif isinstance(result, MergePlan):
            self._model.take_over(result)
            self.notice.emit(text(result.message()))
            if result.disagreements:
                self._show_disagreements(result)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        self.progressed.emit("", -1.0)
        known = isinstance(error, HandlensError)
        self._model.set_problem(error_text(error) if known else tr("The labels could not be read or written."))

    def _show_disagreements(self, plan: MergePlan) -> None:
        join = current_language().join
        rows = []
        for each in plan.disagreements:
            name = printable(each.path)
            own, other = (
                join([printable(name) for name in names]) if names else tr("no label")
                for names in (each.own, each.other)
            )
            rows.append(
                (
                    name if each.start is None else tr("{path} · from {start:g} s", path=name, start=each.start),
                    own,
                    tr("{who}, {when}", who=printable(each.own_by), when=moment(each.own_at)),
                    other,
                    tr("{who}, {when}", who=printable(each.other_by), when=moment(each.other_at)),
                )
            )
        self.dialog = ItemsDialog(
            title=tr("Different opinions"),
            sentence=tr("These samples have another label in the copy. They keep the label of this project."),
            heads=(tr("Sample"), tr("Label here"), tr("By"), tr("Label in the copy"), tr("By")),
            rows=rows,
            parent=self._page,
        )
        self.dialog.open()


def _export(project: Project, target: Path, form: str, *, stopped: object) -> LabelExport:
    assert callable(stopped)
    return export_labels(project, target, form, stop=stopped)
