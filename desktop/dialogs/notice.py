"""Message boxes: a notice and a question."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import Message, text


class Notice(QMessageBox):
    """A sentence to read. Does not block the window."""

    @classmethod
    def tell(cls, parent: QWidget | None, message: Message | str, *, details: str = "") -> Notice:
        """Show `message`, and `details` on request."""
        notice = cls(parent)
        notice.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        notice.setWindowTitle(QCoreApplication.applicationName())
        notice.setTextFormat(Qt.TextFormat.PlainText)
        notice.setText(text(message))
        if details:
            notice.setDetailedText(details)
        notice.open()
        return notice


class Question(QMessageBox):
    """A question with two verbs as answers."""

    @classmethod
    def ask(cls, parent: QWidget | None, question: Message | str, *, yes: str, no: str, details: str = "") -> bool:
        """Return whether the person chose `yes`. Escape and closing mean `no`. Blocks. `details` on request."""
        box = cls(parent)
        box.setWindowTitle(QCoreApplication.applicationName())
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(text(question))
        if details:
            box.setDetailedText(details)
        go = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec()
        return box.clickedButton() is go
