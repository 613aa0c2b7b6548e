"""Release a run, and export its model: what is done with a finished run on several pages."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from desktop import style
from desktop.dialogs.folder import FileSaver
from desktop.i18n import error_text, text, tr
from desktop.session import Session
from desktop.widgets.text_field import TextField
from desktop.workers.job_thread import JobThread
from ml.api import Event, Exported, ExportJob, Failed, HandlensError, Runner, Worker, of_hundred

_LONGEST = 200


class ReleaseDialog(QDialog):
    """Asks for the name and the reason of a release. Both may stay empty."""

    def __init__(self, run: int, *, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(tr("Release run {n}", n=str(run)))
        self.setMinimumWidth(460)
        words = QLabel(
            tr("The Use page, “handlens predict” and “handlens export” then use this run until another is released.")
        )
        words.setWordWrap(True)
        self.name_edit, self.reason_edit = TextField(), TextField()
        self.name_edit.setText(name)
        for edit in (self.name_edit, self.reason_edit):
            edit.setMaxLength(_LONGEST)
        self.name_edit.setPlaceholderText(tr("For example: Harvest 2026"))
        self.reason_edit.setPlaceholderText(tr("For example: checked on 200 new pictures"))
        form = QFormLayout()
        form.setSpacing(look.s)
        form.addRow(tr("&Name"), self.name_edit)
        form.addRow(tr("&Reason"), self.reason_edit)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.release_button = buttons.addButton(tr("Release"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.release_button.setProperty("role", "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.l)
        column.addWidget(words)
        column.addLayout(form)
        column.addWidget(buttons)

    @classmethod
    def ask(cls, parent: QWidget | None, run: int) -> tuple[str, str] | None:
        """Return the name and the reason, or None if the person cancels. Blocks."""
        dialog = cls(run, parent=parent)
        try:
            if dialog.exec() != QDialog.DialogCode.Accepted:
                return None
            return dialog.name_edit.text(), dialog.reason_edit.text()
        finally:
            dialog.deleteLater()


class RunHandOver(QObject):
    """Releases and exports runs. `told` carries a sentence and whether it went well."""

    told = Signal(str, bool)

    def __init__(self, page: QWidget, *, runner: Runner | None = None) -> None:
        super().__init__(page)
        self._page, self._runner = page, runner
        self._thread: JobThread | None = None

    def release(self, session: Session, run: int) -> None:
        """Ask for a name and a reason, and release the run."""
        answer = ReleaseDialog.ask(self._page, run)
        if answer is None:
            return
        try:
            session.release(run, name=answer[0], reason=answer[1])
        except HandlensError as error:
            self.told.emit(error_text(error), False)
        else:
            self.told.emit(tr("Run {n} is released. It is used from now on.", n=str(run)), True)

    def export(self, session: Session, run: int) -> None:
        """Ask for a file, and write the model of the run to it in the background."""
        if self._thread is not None:
            return
        name = f"{session.project.name} {run}.onnx"
        kinds = (tr("Model for Handlens and ONNX Runtime (*.onnx)"), tr("Package for Handlens (*.handlensmodel)"))
        target = FileSaver.ask(self._page, tr("Export the model"), name, ";;".join(kinds), suffix=".onnx")
        if target is None:
            return
        session.finish_writing()  # the thresholds follow the labels
        job = ExportJob(project=session.project.path, to=target, run=run)
        self._thread = JobThread(job, self._runner or Worker().run, self)
        self._thread.ended.connect(self._on_ended)
        self._thread.start()
        self.told.emit(tr("Exporting {file}…", file=target.name), True)

    def exporting(self) -> bool:
        return self._thread is not None

    def close(self) -> None:
        """End an export; no file is left half written."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    @Slot(object)
    def _on_ended(self, event: Event) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.wait()
            thread.deleteLater()
        match event:
            case Exported():
                self.told.emit(_exported(event), True)
            case Failed():
                self.told.emit(text(event.message), False)
            case _:
                self.told.emit(tr("The model was not exported."), False)


def _exported(event: Exported) -> str:
    path = str(Path(event.path))
    if event.promised:
        return tr(
            "Run {n} is in {path}. At most {rate} accepted answers are wrong, with 95 % confidence.",
            n=str(event.run),
            path=path,
            rate=of_hundred(event.wrong_at_most),
        )
    return tr("Run {n} is in {path}. Anybody with Handlens can open it.", n=str(event.run), path=path)
