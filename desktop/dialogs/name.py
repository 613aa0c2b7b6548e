"""Ask for a name."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFormLayout, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.text_field import TextField

_LONGEST = 100


class NameDialog(QDialog):
    """A field for a name, and a button whose verb says what happens."""

    def __init__(self, *, title: str, name: str, verb: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setWindowTitle(title)
        self.setMinimumWidth(420)
        self.name_edit = TextField()
        self.name_edit.setMaxLength(_LONGEST)
        self.name_edit.setText(name)
        self.name_edit.selectAll()
        form = QFormLayout()
        form.addRow(tr("&Name"), self.name_edit)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.accept_button = buttons.addButton(verb, QDialogButtonBox.ButtonRole.AcceptRole)
        self.accept_button.setProperty("role", "primary")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.xl, look.xl, look.xl, look.l)
        column.setSpacing(look.l)
        column.addLayout(form)
        column.addWidget(buttons)

    @classmethod
    def ask(cls, parent: QWidget | None, *, title: str, name: str, verb: str) -> str | None:
        """Return the name without spaces around it, or None if the person cancels. Blocks."""
        dialog = cls(title=title, name=name, verb=verb, parent=parent)
        try:
            accepted = dialog.exec() == QDialog.DialogCode.Accepted
            return dialog.name_edit.text().strip() or None if accepted else None
        finally:
            dialog.deleteLater()
