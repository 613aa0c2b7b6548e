"""Release a run, and export its model: what is done with a finished run on several pages."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from desktop import style
from desktop.dialogs.export import ExportDialog
from desktop.i18n import error_text, tr
from desktop.session import Session
from desktop.widgets.text_field import TextField
from ml.api import HandlensError, Runner

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

    notice = Signal(str, bool)

    def __init__(self, page: QWidget, *, runner: Runner | None = None) -> None:
        super().__init__(page)
        self._page, self._runner = page, runner
        self.dialog: ExportDialog | None = None

    def release(self, session: Session, run: int) -> None:
        """Ask for a name and a reason, and release the run."""
        answer = ReleaseDialog.ask(self._page, run)
        if answer is None:
            return
        try:
            session.release(run, name=answer[0], reason=answer[1])
        except HandlensError as error:
            self.notice.emit(error_text(error), False)
        else:
            self.notice.emit(tr("Run {n} is released. It is used from now on.", n=str(run)), True)

    def export(self, session: Session, run: int) -> None:
        """Show the dialog that exports a run."""
        if self.dialog is not None:
            self.dialog.raise_()
            return
        self.dialog = ExportDialog(session, run, runner=self._runner, parent=self._page)
        self.dialog.notice.connect(self._on_notice)
        self.dialog.finished.connect(self._on_finished)
        self.dialog.open()

    def exporting(self) -> bool:
        return self.dialog is not None and self.dialog.busy()

    def close(self) -> None:
        """End an export; no file is left half written."""
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.shut()
            dialog.deleteLater()

    @Slot()
    def _on_finished(self) -> None:
        self.close()

    @Slot(str, bool)
    def _on_notice(self, sentence: str, good: bool) -> None:
        # The dialog itself shows what went wrong.
        if good:
            self.notice.emit(sentence.splitlines()[-1], True)
