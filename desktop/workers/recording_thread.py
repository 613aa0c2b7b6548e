"""A thread that reads one long recording or log: first what it looks like, then what a model finds in it."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QThread, Signal
from PySide6.QtGui import QImage

from desktop import style
from desktop.i18n import error_text, text, tr
from desktop.widgets.pixels import rgb_image
from ml.api import (
    Detection,
    DetectionReview,
    HandlensError,
    ReleasedModel,
    UnreadableInput,
    Windowing,
    close_picture,
    detect_files,
    kind_named,
    load_waveform,
    log_picture,
    log_seconds,
    stream_overview,
)

PLAYED_SECONDS = 60.0
"""How much of a recording is decoded to be heard."""
_PICTURE_EVERY = 0.4
_TELL_EVERY = 0.2

_log = logging.getLogger(__name__)


class RecordingThread(QThread):
    """Reads `path`. The signals come in the thread that made this object."""

    pictured = Signal(object, float)
    """The spectrogram of what was read so far, or the traces, as QImage, and how many seconds that is."""
    arrived = Signal()
    """`take` has detections."""
    progressed = Signal(float)
    """How many seconds the model has heard."""
    ended = Signal(object, str)
    """The `FileEnd`, None where the recording broke off; and why, in a sentence."""

    def __init__(
        self, model: ReleasedModel, review: DetectionReview, path: Path, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._model, self._path = model, path
        self._options = review.options()
        self._dark = style.current().theme == "dark"
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._found: list[Detection] = []
        self._last_progress = 0.0

    def take(self) -> list[Detection]:
        """Return the detections since the last call, in the order of their beginnings."""
        with self._lock:
            found, self._found = self._found, []
        return found

    def shutdown(self) -> None:
        """End, and wait for it. Nothing is emitted any more."""
        self.blockSignals(True)
        self._closing.set()
        self.wait()

    def run(self) -> None:
        try:
            self._look()
            self._hear()
        except HandlensError as error:
            self.ended.emit(None, error_text(error))
        except Exception as error:  # a thread has no caller to raise to: the window shows it
            _log.warning("a recording could not be searched", exc_info=error)
            fault = type(error).__name__
            self.ended.emit(None, tr("A fault in Handlens ended this ({fault}). Try again.", fault=fault))

    def _look(self) -> None:
        windowing = self._model.info.windowing
        assert windowing is not None
        if not kind_named(self._model.info.kind).audible:
            picture = log_picture(self._path, windowing, dark=self._dark)
            self.pictured.emit(rgb_image(picture), log_seconds(self._path, windowing))
            return
        shown = time.monotonic()
        overview = None
        for overview in stream_overview(self._path, windowing):
            if self._closing.is_set():
                return
            if time.monotonic() - shown > _PICTURE_EVERY:
                self.pictured.emit(rgb_image(overview.picture()), overview.seconds)
                shown = time.monotonic()
        if overview is not None:
            self.pictured.emit(rgb_image(overview.picture()), overview.seconds)

    def _hear(self) -> None:
        for item in detect_files(self._model, [self._path], self._options, go_on=self._go_on):
            if isinstance(item, Detection):
                with self._lock:
                    first = not self._found
                    self._found.append(item)
                if first:
                    self.arrived.emit()
            elif isinstance(item, UnreadableInput):
                self.ended.emit(None, text(item.reason))
            else:
                self.ended.emit(item, "")

    def _go_on(self, _path: Path, seconds: float) -> bool:
        if time.monotonic() - self._last_progress > _TELL_EVERY:
            self.progressed.emit(seconds)
            self._last_progress = time.monotonic()
        return not self._closing.is_set()


def load_close(path: Path, windowing: Windowing, start: float, seconds: float, dark: bool | None = None) -> QImage:
    """Return the spectrogram of a part; its traces in a dark or light theme where `dark` is not None.

    Raises HandlensError.
    """
    if dark is not None:
        return rgb_image(log_picture(path, windowing, start=start, seconds=seconds, dark=dark))
    return rgb_image(close_picture(path, windowing, start=start, seconds=seconds))


def load_sound(path: Path, windowing: Windowing, start: float) -> NDArray[np.float32]:
    """Return what is heard from `start` on. Raises HandlensError."""
    return load_waveform(path, rate=round(windowing.rate), start=start, seconds=PLAYED_SECONDS)
