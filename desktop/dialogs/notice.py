"""Message boxes: a notice, a question and a choice."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from desktop.i18n import Message, text, tr


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
    """A question with verbs as answers."""

    @classmethod
    def ask(cls, parent: QWidget | None, question: Message | str, *, yes: str, no: str, details: str = "") -> bool:
        """Return whether the person chose `yes`. Escape and closing mean `no`. Blocks. `details` on request."""
        return cls.choose(parent, question, (yes,), no=no, details=details) == yes

    @classmethod
    def choose(
        cls, parent: QWidget | None, question: Message | str, verbs: Sequence[str], *, no: str, details: str = ""
    ) -> str | None:
        """Return the verb that the person chose; None for `no`. Otherwise as `ask`."""
        box = cls(parent)
        box.setWindowTitle(QCoreApplication.applicationName())
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(text(question))
        if details:
            box.setDetailedText(details)
        for verb in verbs:
            box.addButton(verb, QMessageBox.ButtonRole.AcceptRole)
        stay = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        box.exec()
        clicked = box.clickedButton()
        return None if clicked is None or clicked is stay else clicked.text()


class Choice(QMessageBox):
    """A question with several verbs as answers, and Cancel."""

    @classmethod
    def ask(cls, parent: QWidget | None, question: Message | str, verbs: Sequence[str]) -> int | None:
        """Return the place of the chosen verb; None for Cancel, Escape and closing. Blocks."""
        box = cls(parent)
        box.setWindowTitle(QCoreApplication.applicationName())
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(text(question))
        buttons = [box.addButton(verb, QMessageBox.ButtonRole.AcceptRole) for verb in verbs]
        cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(buttons[0])
        box.setEscapeButton(cancel)
        box.exec()
        chosen = box.clickedButton()
        return next((place for place, button in enumerate(buttons) if button is chosen), None)
