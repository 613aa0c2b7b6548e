"""The line at the bottom of the window: the job in the background with its progress, or how it ended."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QWidget

from desktop import style
from desktop.i18n import Message, text, tr
from desktop.widgets.elided_label import ElidedLabel

_STEPS = 1000


class JobsStrip(QFrame):
    """Hidden without a job. Emits `chosen` to show the job and `cancelled` to end it."""

    chosen = Signal()
    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.setProperty("role", "strip")
        self._words = ElidedLabel()
        self._words.setProperty("role", "muted")
        self._bar = QProgressBar()
        self._bar.setRange(0, _STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(240)
        self._show = QPushButton(tr("Show"))
        self._show.setProperty("role", "link")
        self._show.clicked.connect(self.chosen)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.setProperty("role", "link")
        self._cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(look.l, look.xs, look.l, look.xs)
        row.setSpacing(look.m)
        row.addWidget(self._words, 1)
        row.addWidget(self._show)
        row.addWidget(self._cancel)
        row.addWidget(self._bar)
        self.hide()

    def show_job(
        self, words: Message | str, fraction: float, *, can_cancel: bool = False, can_show: bool = False
    ) -> None:
        """Show progress: `fraction` is 0…1, below 0 there is no job any more."""
        if fraction < 0:
            self.hide()
            return
        sentence = text(words)
        self._words.setText(sentence)
        self._bar.show()
        self._bar.setValue(round(min(fraction, 1.0) * _STEPS))
        self._bar.setAccessibleName(sentence)
        self._show.setVisible(can_show)
        self._cancel.setVisible(can_cancel)
        self.show()

    def show_ended(self, words: Message | str) -> None:
        """Say how a job ended while another page was shown."""
        self.show_job(words, 1.0, can_show=True)
        self._bar.hide()

    @property
    def cancel_button(self) -> QPushButton:
        return self._cancel

    def words(self) -> str:
        return self._words.text()
