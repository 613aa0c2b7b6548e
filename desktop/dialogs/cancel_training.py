"""Asks before a training is thrown away."""

from __future__ import annotations

from PySide6.QtWidgets import QMessageBox, QWidget


class CancelTraining(QMessageBox):
    """What is lost, and two verbs."""

    def __init__(self, parent: QWidget | None = None, *, keeps: bool) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Cancel this run?"))
        self.setText(self.tr("Everything this run has learned so far will be discarded."))
        if keeps:
            self.setInformativeText(self.tr("“Stop and keep” ends it as well, and keeps the best model so far."))
        self._discard = self.addButton(self.tr("Discard the run"), QMessageBox.ButtonRole.DestructiveRole)
        going_on = self.addButton(self.tr("Go on training"), QMessageBox.ButtonRole.RejectRole)
        self.setDefaultButton(going_on)
        self.setEscapeButton(going_on)

    @classmethod
    def ask(cls, parent: QWidget | None = None, *, keeps: bool = True) -> bool:
        """True if the run shall be discarded. `keeps`: whether there is a model that a stop would keep instead."""
        dialog = cls(parent, keeps=keeps)
        dialog.exec()
        return dialog.clickedButton() is dialog._discard
