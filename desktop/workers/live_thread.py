"""A thread that asks a model about live pictures or sound: the newest wins, and nothing queues up."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QThread, Signal
from PySide6.QtGui import QImage, QPainter

from desktop.i18n import error_text, tr
from ml.api import Detection, HandlensError, HeardSound, LiveAnswer, LiveListener, ReleasedModel, answer_picture

LARGEST = 960
"""Pixels on the longer side of a picture that is shown and answered."""
_WAITING_SECONDS = 20.0
"""Sound that waits for the model at most. Older sound is not answered any more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenPicture:
    """A live picture with its answer."""

    image: QImage
    answer: LiveAnswer


class LiveThread(QThread):
    """Answers what `offer` brings. `arrived` says that `take` has something new; it comes in the window's thread."""

    arrived = Signal()
    failed = Signal(str)
    """Why the model cannot answer; the thread has ended."""

    def __init__(self, model: ReleasedModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._changed = threading.Condition()
        self._closing = False

    def shutdown(self) -> None:
        """End, and wait for it. Nothing is emitted any more."""
        self.blockSignals(True)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.wait()

    def run(self) -> None:
        try:
            while self._step():
                pass
        except HandlensError as error:
            self.failed.emit(error_text(error))
        except Exception as error:  # a thread has no caller to raise to: the window shows it
            _log.warning("live answering failed", exc_info=error)
            self.failed.emit(tr("A fault in Handlens ended this ({fault}). Try again.", fault=type(error).__name__))

    @abstractmethod
    def _step(self) -> bool:
        """Wait for the newest, and answer it; return False at the end."""


class PictureThread(LiveThread):
    """Answers the newest picture."""

    def __init__(self, model: ReleasedModel, parent: QObject | None = None) -> None:
        super().__init__(model, parent)
        self._newest: QImage | None = None
        self._seen: SeenPicture | None = None
        self.passed_over = 0
        """Pictures that a newer one replaced before they were answered."""

    def offer(self, image: QImage) -> None:
        """Answer this picture next, instead of one that still waits."""
        with self._changed:
            self.passed_over += self._newest is not None
            self._newest = image
            self._changed.notify()

    def take(self) -> SeenPicture | None:
        """Return the newest answer, None if it was taken already."""
        with self._changed:
            seen, self._seen = self._seen, None
        return seen

    def _step(self) -> bool:
        with self._changed:
            while self._newest is None and not self._closing:
                self._changed.wait()
            image, self._newest = self._newest, None
            if self._closing or image is None:
                return False
        image = _shrunk(image)
        seen = SeenPicture(image=image, answer=answer_picture(self._model, _pixels(image)))
        with self._changed:
            first, self._seen = self._seen is None, seen
        if first:
            self.arrived.emit()
        return True


class SoundThread(LiveThread):
    """Answers the newest sound."""

    def __init__(self, model: ReleasedModel, source: str, parent: QObject | None = None) -> None:
        """`source`: a name for what is heard. Raises HandlensError for a model of pictures."""
        super().__init__(model, parent)
        self._listener = LiveListener(model, source=source, opened=datetime.now())
        windowing = model.info.windowing
        assert windowing is not None
        self._most = round(_WAITING_SECONDS * windowing.rate)
        self._blocks: list[NDArray[np.float32]] = []
        self._heard: HeardSound | None = None
        self._found: list[Detection] = []
        self._saved: list[Path] = []

    @property
    def frequencies(self) -> tuple[float, float]:
        """The lowest and the highest frequency that is shown, in Hz, as networks hear it."""
        return self._listener.frequencies

    def save_to(self, folder: Path | None) -> None:
        """Save what is detected from now on into this folder; None saves nothing."""
        self._listener.folder = folder

    def offer(self, block: NDArray[np.float32]) -> None:
        """Hear the next sound."""
        with self._changed:
            self._blocks.append(block)
            while sum(map(len, self._blocks)) > self._most and len(self._blocks) > 1:
                del self._blocks[0]
            self._changed.notify()

    def take(self) -> HeardSound | None:
        """Return what was heard last, None if it was taken already."""
        with self._changed:
            heard, self._heard = self._heard, None
        return heard

    def take_found(self) -> tuple[list[Detection], list[Path]]:
        """Return the detections since the last call, and the files that were written of them."""
        with self._changed:
            found, self._found = self._found, []
            saved, self._saved = self._saved, []
        return found, saved

    def _step(self) -> bool:
        with self._changed:
            while not self._blocks and not self._closing:
                self._changed.wait()
            blocks, self._blocks = self._blocks, []
            if self._closing:
                return False
        heard = self._listener.hear(np.concatenate(blocks))
        if heard is None:
            return True
        with self._changed:
            first, self._heard = self._heard is None, heard
            self._found += heard.found
            self._saved += heard.saved
        if first:
            self.arrived.emit()
        return True


def _shrunk(image: QImage) -> QImage:
    if max(image.width(), image.height()) <= LARGEST:
        return image
    smooth = Qt.TransformationMode.SmoothTransformation
    return image.scaled(LARGEST, LARGEST, Qt.AspectRatioMode.KeepAspectRatio, smooth)


def _pixels(image: QImage) -> NDArray[np.uint8]:
    """Return a picture as RGB (h, w, 3), transparent parts on white."""
    if image.hasAlphaChannel():
        plain = QImage(image.size(), QImage.Format.Format_RGB32)
        plain.fill(0xFFFFFFFF)
        painter = QPainter(plain)
        painter.drawImage(0, 0, image)
        painter.end()
        image = plain
    rgb = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(rgb.constBits(), dtype=np.uint8).reshape(rgb.height(), rgb.bytesPerLine())
    return rows[:, : 3 * rgb.width()].reshape(rgb.height(), rgb.width(), 3).copy()
