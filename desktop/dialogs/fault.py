"""The message box for an error of Handlens itself."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import tr


class FaultNotice(QMessageBox):
    """One sentence, with the details to copy. Does not block the window."""

    def __init__(self, details: str, parent: QWidget | None = None, *, sentence: str = "") -> None:
        super().__init__(parent)
        self._details = details
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(QCoreApplication.applicationName())
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(
            sentence
            or tr(
                "A fault in Handlens stopped this. Your labels and runs are safe on disk. "
                "Try again, or close the window and open the project again."
            )
        )
        self.copy_button = self.addButton(tr("Copy details"), QMessageBox.ButtonRole.ActionRole)
        self.continue_button = self.addButton(tr("Continue"), QMessageBox.ButtonRole.AcceptRole)
        self.setDefaultButton(self.continue_button)
        self.setEscapeButton(self.continue_button)
        self.copy_button.clicked.disconnect()  # every button of a QMessageBox closes it
        self.copy_button.clicked.connect(self._copy)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)
