"""The wizard in tests: a runner that scans and looks without a child process, and what a person does with its pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget, QWizard
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop.pages.wizard.wizard import NewProjectWizard
from ml.api import Event, Job, Looked, LookJob, Stop, Stopped

Maker = Callable[..., NewProjectWizard]
NEXT, BACK, FINISH = QWizard.WizardButton.NextButton, QWizard.WizardButton.BackButton, QWizard.WizardButton.FinishButton


class Look:
    """A runner for scans and looks. A look says `ending`, and only when it is free to."""

    WORDS = ("daisy", "sea urchin", "pot", "soft-coated wheaten terrier", "", "banana")

    def __init__(self, ending: Event | None = None, *, hold: bool = False) -> None:
        self._ending = ending or Looked(words=self.WORDS, probabilities=(0.84, 0.4, 0.1, 0.7, 0.0, 0.6))
        self._scan = Scan()
        self.free = threading.Event()
        self.looked_at: list[tuple[Path, ...]] = []
        self.ended_by: list[str] = []
        if not hold:
            self.free.set()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        if not isinstance(job, LookJob):
            yield from self._scan(job, stop)
            return
        self.looked_at.append(job.pictures)
        while not self.free.wait(0.01):
            if stop.requested():
                self.ended_by.append(stop.requested())
                yield Stopped()
                return
        yield self._ending


def click(qtbot: QtBot, wizard: NewProjectWizard, which: QWizard.WizardButton) -> None:
    button = wizard.button(which)
    assert button.isEnabled() and button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def texts(page: QWidget) -> str:
    return " ".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def drop(target: QWidget, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    target.dropEvent(event)  # the system only sends it after a drag over the screen, which a test cannot make
    assert event.isAccepted()


def to_the_last_page(qtbot: QtBot, wizard: NewProjectWizard) -> None:
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    click(qtbot, wizard, NEXT)
    click(qtbot, wizard, NEXT)
    assert wizard.currentPage() is wizard.target_page
