"""Part of the settings: which FFmpeg is used. It is started at once to see whether it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import settings, style
from desktop.dialogs.folder import FileChooser
from desktop.i18n import text, tr
from desktop.widgets.text_field import TextField
from desktop.workers.tasks import Tasks

if TYPE_CHECKING:
    from ml.api import FFmpegCheck

_WIDTH = 360
_LINES = 3
"""Of a sentence with the path of a program."""


class FFmpegChoice(QWidget):
    """A field for the program, and what its version says below. Only a program that works is kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asked = ""
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._show)
        self.edit = TextField()
        self.edit.setText(settings.value(settings.FFMPEG))
        self.edit.setPlaceholderText(tr("found by itself"))
        self.edit.setAccessibleName(tr("The program FFmpeg"))
        self.edit.setToolTip(tr("FFmpeg reads M4A, videos and other files that Handlens cannot read alone"))
        self.edit.setMinimumWidth(_WIDTH)
        self.edit.editingFinished.connect(self._check)
        self.choose_button = QPushButton(tr("Choose…"))
        self.choose_button.setAutoDefault(False)
        self.choose_button.clicked.connect(self._choose)
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.sentence.setMinimumHeight(_LINES * self.sentence.fontMetrics().lineSpacing())  # the dialog does not grow
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout()
        row.setSpacing(style.current().s)
        row.addWidget(self.edit, 1)
        row.addWidget(self.choose_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().xs)
        column.addLayout(row)
        column.addWidget(self.sentence)
        self._ask()

    def take(self, program: str) -> None:
        """Put a program into the field and check it."""
        self.edit.setText(program)
        self._check()

    def shutdown(self) -> None:
        """End what runs in the background."""
        self._tasks.close()

    @Slot()
    def _choose(self) -> None:
        program = FileChooser.ask(self, tr("The program FFmpeg"), "")
        if program is not None:
            self.take(str(program))

    @Slot()
    def _check(self) -> None:
        if self.edit.text().strip() != self._asked:
            self._ask()

    def _ask(self) -> None:
        self._asked = self.edit.text().strip()
        self._tasks.forget_all()
        self.sentence.setText(tr("Checking…"))
        style.set_role(self.sentence, "muted")
        self._tasks.submit_stoppable(_checked, self._asked)

    @Slot(int, object)
    def _show(self, _number: int, check: FFmpegCheck) -> None:
        self.sentence.setText(text(check.sentence))
        style.set_role(self.sentence, "muted" if check.works else "error")
        if check.works or not self._asked:
            settings.set_value(settings.FFMPEG, check.program)


def _checked(program: str, *, stopped: Callable[[], bool]) -> FFmpegCheck:
    from ml.api import check_ffmpeg  # loads the core, which the settings do not wait for

    return check_ffmpeg(program, stopped=stopped)
