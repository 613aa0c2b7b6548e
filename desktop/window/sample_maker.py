"""Makes a sample project in the background."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from desktop import settings

if TYPE_CHECKING:  # these load the core, which the first window does not wait for
    from desktop.workers.sample_thread import SampleThread
    from ml.api import Runner


class SampleMaker(QObject):
    """Makes one sample at a time. `made` or `failed` ends it, unless `cancel` came first."""

    progressed = Signal(str, float)
    made = Signal(object)
    """The path of the project."""
    failed = Signal(str)

    def __init__(self, *, runner: Runner | None, parent: QObject) -> None:
        super().__init__(parent)
        self._runner = runner
        self._thread: SampleThread | None = None

    def busy(self) -> bool:
        return self._thread is not None

    def make(self, kind: str, count: int | None = None) -> None:
        """Make the sample pictures or the sample recordings, `count` of them."""
        # The thread loads the core; that is why it is not loaded with the window.
        from desktop.workers.sample_thread import SampleThread
        from ml.api import Worker

        self._thread = SampleThread(
            "images" if kind == "images" else "recordings",
            place=settings.projects_folder(),
            runner=self._runner or Worker().run,
            count=count,
            parent=self,
        )
        self._thread.progressed.connect(self._on_progressed)
        self._thread.made.connect(self._on_made)
        self._thread.gave_up.connect(self._on_failed)
        self._thread.start()

    def cancel(self) -> None:
        """End the thread and wait for it; no signal follows."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.progressed.disconnect(self._on_progressed)
            thread.made.disconnect(self._on_made)
            thread.gave_up.disconnect(self._on_failed)
            thread.cancel()
            thread.wait()
            thread.deleteLater()

    @Slot(str, float)
    def _on_progressed(self, words: str, fraction: float) -> None:
        if self._thread is not None:  # else this was on its way when `cancel` came
            self.progressed.emit(words, fraction)

    @Slot(object)
    def _on_made(self, path: Path) -> None:
        self.cancel()
        self.made.emit(path)

    @Slot(str)
    def _on_failed(self, sentence: str) -> None:
        self.cancel()
        self.failed.emit(sentence)
