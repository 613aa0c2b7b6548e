"""Ask before a training is discarded."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import Message, text, tr


class CancelTraining(QMessageBox):
    """Says what is lost and offers two verbs. The training continues: `set_alternative` keeps the text true."""

    discard_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Discard this training?"))
        self._discard = self.addButton(tr("Discard this training"), QMessageBox.ButtonRole.DestructiveRole)
        self._keep = self.addButton("", QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(self._keep)
        self.setEscapeButton(self._keep)
        self.finished.connect(self._on_finished)

    @classmethod
    def ask(cls, parent: QWidget | None, *, alternative: Message | str, keep: str) -> CancelTraining:
        """Show the question. Does not block; the caller closes it when the run has ended."""
        question = cls(parent)
        question.set_alternative(alternative, keep=keep)
        question.open()
        return question

    def set_alternative(self, alternative: Message | str, *, keep: str) -> None:
        """Say how the run would end otherwise; `keep` is the verb for that."""
        self.setText(tr("Everything that this training has learned so far will be lost."))
        self.setInformativeText(text(alternative))
        self._keep.setText(keep)

    @Slot()
    def _on_finished(self) -> None:
        if self.clickedButton() is self._discard:
            self.discard_chosen.emit()
