"""The line below the spectrogram that says which span the model suggests, to accept or reject."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel


class GhostBar(QWidget):
    """Shows a sentence. Emits what the user presses."""

    accept_pressed = Signal()
    reject_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ElidedLabel()
        self.accept_button, self.reject_button = QPushButton(tr("Accept")), QPushButton(tr("Reject"))
        icons.set_icon(self.accept_button, "ph.check")
        icons.set_icon(self.reject_button, "ph.x")
        self.accept_button.setToolTip(tr("Accept the suggested span (Shift+A)"))
        self.reject_button.setToolTip(tr("Reject the suggested span (Shift+X)"))
        self.accept_button.clicked.connect(self.accept_pressed)
        self.reject_button.clicked.connect(self.reject_pressed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(style.current().s)
        row.addWidget(self.words, 1)
        row.addWidget(self.accept_button)
        row.addWidget(self.reject_button)
        self.hide()

    def show_ghost(self, words: str, *, there: bool) -> None:
        """Say what is suggested; not `there`: say why nothing is."""
        self.words.setText(words)
        style.set_role(self.words, "" if there else "caption")
        for button in (self.accept_button, self.reject_button):
            button.setEnabled(there)
