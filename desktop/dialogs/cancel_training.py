"""Asks before a training is thrown away."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import Message, text, tr


class CancelTraining(QMessageBox):
    """What is lost, and two verbs. The training goes on behind it: `say` keeps the words true."""

    discard_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Cancel this run?"))
        self._discard = self.addButton(tr("Discard the run"), QMessageBox.ButtonRole.DestructiveRole)
        self._stay = self.addButton("", QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(self._stay)
        self.setEscapeButton(self._stay)
        self.finished.connect(self._on_finished)

    @classmethod
    def ask(cls, parent: QWidget | None, *, otherwise: Message | str, stay: str) -> CancelTraining:
        """Show it. Does not block; whoever asks closes it when the run has ended."""
        question = cls(parent)
        question.say(otherwise=otherwise, stay=stay)
        question.open()
        return question

    def say(self, *, otherwise: Message | str, stay: str) -> None:
        """How the run would end otherwise, in a sentence, and the verb for that."""
        self.setText(tr("Everything this run has learned so far will be discarded."))
        self.setInformativeText(text(otherwise))
        self._stay.setText(stay)

    @Slot()
    def _on_finished(self) -> None:
        if self.clickedButton() is self._discard:
            self.discard_chosen.emit()
