"""A longer text to read and copy."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import printable


class TextDialog(QDialog):
    """Shows the text as it is, never as markup: it may come from a stranger."""

    def __init__(self, *, title: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(title)
        self.resize(760, 560)
        self.text = QPlainTextEdit(printable(text, keep="\n"))
        self.text.setReadOnly(True)
        self.text.setAcceptDrops(False)
        self.text.setAccessibleName(title)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.m)
        column.addWidget(self.text, 1)
        column.addWidget(buttons)

    @classmethod
    def show_text(cls, parent: QWidget | None, *, title: str, text: str) -> TextDialog:
        """Open the dialog without blocking the window."""
        dialog = cls(title=title, text=text, parent=parent)
        dialog.open()
        dialog.finished.connect(dialog.deleteLater)
        return dialog
