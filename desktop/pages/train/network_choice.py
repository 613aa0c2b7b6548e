"""Which ready-made network a training starts from: a few that are offered, or any other by its name or from a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.pages.train.messages import checked_words, network_title, network_words
from desktop.plain_text import button_text
from desktop.widgets.text_field import TextField
from desktop.workers.job_thread import JobThread
from ml.api import OFFERED, BackboneChecked, BackboneJob, Event, Runner, Worker

CHECK_AFTER_MS = 600
WIDTH = 460


class NetworkChoice(QWidget):
    """A list of networks and a sentence about the chosen one.

    Another network needs its name, and can take its weights from a file. `runner` looks up the name; the default is a
    child process.
    """

    changed = Signal()
    """Another network was chosen."""

    def __init__(self, parent: QWidget | None = None, *, runner: Runner | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._file: Path | None = None
        self._threads: list[JobThread] = []
        self._wait = QTimer(self, interval=CHECK_AFTER_MS, singleShot=True)
        self._wait.timeout.connect(self._check)
        self.box = QComboBox()
        for offered in OFFERED:
            self.box.addItem(network_title(offered), offered.name)
        self.box.addItem(tr("Another network …"), "")
        self.box.setCurrentIndex([item.title for item in OFFERED].index("default"))
        self.field = TextField()
        self.field.setPlaceholderText(tr("name in the timm library, such as resnet18"))
        self.file_button = QPushButton(tr("Weights from a file …"))
        self.words = QLabel()
        self.words.setProperty("role", "caption")
        self.words.setWordWrap(True)
        self.words.setMinimumWidth(WIDTH)
        self._other = QWidget()
        row = QHBoxLayout(self._other)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.field, 1)
        row.addWidget(self.file_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.current().xs)
        for widget in (self.box, self._other, self.words):
            column.addWidget(widget)
        self.box.currentIndexChanged.connect(self._on_chosen)
        self.field.textEdited.connect(self._on_typed)
        self.field.editingFinished.connect(self.changed)
        self.file_button.clicked.connect(self._choose_file)
        self._on_chosen()

    def name(self) -> str:
        """Return the name of the network; empty while the name of another network is missing."""
        return str(self.box.currentData()) or self.field.text().strip()

    def weights(self) -> Path | None:
        """Return the file with its weights, if one was chosen."""
        return None if self.box.currentData() else self._file

    def set_file(self, path: Path | None) -> None:
        """Use the weights in `path` for another network."""
        self._file = path
        self.file_button.setText(tr("Weights from a file …") if path is None else button_text(path.name))
        self._check()

    def ask_for_name(self) -> None:
        """Ask for the missing name."""
        self.words.setText(tr("Enter the name of a network, or choose one from the list."))
        self.field.setFocus()

    def close_checks(self) -> None:
        """Cancel running lookups."""
        self._wait.stop()
        for thread in self._threads:
            thread.shutdown()
        self._threads = []

    @Slot()
    def _on_chosen(self) -> None:
        other = not self.box.currentData()
        self._other.setVisible(other)
        if other:
            self._check()
        else:
            self.words.setText(network_words(OFFERED[self.box.currentIndex()]))
        self.changed.emit()

    @Slot()
    def _on_typed(self) -> None:
        self.words.setText(tr("Looking it up …"))
        self._wait.start()

    @Slot()
    def _choose_file(self) -> None:
        title = tr("Weights of the network")
        chosen, _ = QFileDialog.getOpenFileName(self, title, "", f"{title} (*.safetensors *.pth *.pt *.bin)")
        if chosen:
            self.set_file(Path(chosen))

    @Slot()
    def _check(self) -> None:
        name = self.name()
        if not name:
            self.words.setText(tr("More than a thousand networks are listed at huggingface.co/timm."))
            return
        self.words.setText(tr("Looking it up …"))
        thread = JobThread(BackboneJob(name=name), self._runner or Worker().run, self)
        thread.ended.connect(self._on_checked)
        thread.finished.connect(self._on_thread_ended)
        self._threads.append(thread)
        thread.start()

    @Slot(object)
    def _on_checked(self, event: Event) -> None:
        # The name may have changed since the lookup began.
        if isinstance(event, BackboneChecked) and not self.box.currentData() and event.name == self.name():
            self.words.setText(checked_words(event, file=self._file is not None))

    @Slot()
    def _on_thread_ended(self) -> None:
        for thread in [thread for thread in self._threads if thread.isFinished()]:
            self._threads.remove(thread)
            thread.deleteLater()
