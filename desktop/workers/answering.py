"""A thread that asks a released model about files, and what is needed to show one of its answers large."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QThread, Signal
from PySide6.QtGui import QImage

from desktop.i18n import error_text, tr
from desktop.widgets.pixels import rgb_image
from desktop.workers.sample_renderer import LARGE, LARGE_EDGE
from ml.api import (
    FilePrediction,
    HandlensError,
    ReleasedModel,
    UnreadableInput,
    by_frame,
    close_up,
    find_inputs,
    kind_named,
    originals,
    predict_files,
)

Answered = FilePrediction | UnreadableInput
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerProgress:
    """`done` of `total` files are answered; `seconds` are left, None where nobody can tell."""

    done: int
    total: int
    seconds: float | None


class AnswerThread(QThread):
    """Answers files; what was added last comes first, so that one picture need not wait for a folder.

    `arrived` says that `take` has answers. The other signals come in the thread that made this object, too.
    """

    opened = Signal(object)
    """The `ReleasedModel`, once it is loaded."""
    failed = Signal(str)
    """Why the model cannot be used; the thread has ended."""
    problem_found = Signal(str)
    """Why something that was added was not answered."""
    arrived = Signal()
    ran_dry = Signal()
    """Everything that was added is answered."""

    def __init__(self, load: Callable[[], ReleasedModel], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._load = load
        self._changed = threading.Condition()
        self._stack: list[tuple[int, Generator[Answered]]] = []
        self._dropped: list[Generator[Answered]] = []
        self._found: deque[tuple[int, Answered]] = deque()
        self._paused = self._closing = False
        self._groups = self._done = self._total = self._uncounted = 0
        self._worked = 0.0

    # -- called from the window's thread -------------------------------------------------------------------------

    def add(self, inputs: Sequence[Path]) -> int:
        """Answer these files, and those in these folders, next. Return a number that its answers carry."""
        with self._changed:
            self._groups += 1
            self._uncounted += 1
            self._stack.append((self._groups, self._answers(tuple(inputs))))
            self._changed.notify()
            return self._groups

    def take(self) -> list[tuple[int, Answered]]:
        """Return the answers since the last call, each with the number of its `add`."""
        with self._changed:
            found = list(self._found)
            self._found.clear()
        return found

    def progress(self) -> AnswerProgress:
        with self._changed:
            seconds = None
            if self._done and not self._uncounted:
                seconds = self._worked / self._done * (self._total - self._done)
            return AnswerProgress(done=self._done, total=self._total, seconds=seconds)

    def busy(self) -> bool:
        with self._changed:
            return bool(self._stack)

    def set_paused(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify()

    def drop_rest(self) -> None:
        """Answer nothing more of what was added so far."""
        with self._changed:
            self._dropped += [answers for _group, answers in self._stack]
            self._stack, self._paused = [], False
            self._changed.notify()

    def shutdown(self) -> None:
        """End, and wait for it. Nothing is emitted any more."""
        self.blockSignals(True)
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.wait()

    # -- called from its own thread ------------------------------------------------------------------------------

    def run(self) -> None:
        try:
            self._model = self._load()
        except Exception as error:  # a thread has no caller to raise to: the window shows it
            _log.warning("the model could not be loaded", exc_info=error)
            self.failed.emit(_sentence(error))
            return
        self.opened.emit(self._model)
        while (answers := self._next_group()) is not None:
            self._step(*answers)

    def _next_group(self) -> tuple[int, Generator[Answered]] | None:
        """Wait for something to answer; None at the end."""
        while True:
            with self._changed:
                while not (self._closing or self._dropped or (self._stack and not self._paused)):
                    self._changed.wait()
                closing, dropped, self._dropped = self._closing, self._dropped, []
                if closing:
                    dropped += [answers for _group, answers in self._stack]
                    self._stack = []
                top = self._stack[-1] if self._stack and not self._paused else None
                dry = self._is_dry()
            # In this thread, because closing one waits for the files that are being decoded.
            for answers in dropped:
                answers.close()
            if closing:
                return None
            if dry:
                self.ran_dry.emit()
            if top is not None:
                return top

    def _is_dry(self) -> bool:
        """Return whether nothing is left, and count from 0 again then. Called with the lock."""
        if self._stack:
            return False
        self._done = self._total = self._uncounted = 0
        self._worked = 0.0
        return True

    def _step(self, group: int, answers: Generator[Answered]) -> None:
        """Take one answer of the group; forget the group after its last one."""
        began = time.monotonic()
        try:
            answered = next(answers, None)
        except Exception as error:  # as above
            _log.warning("files could not be answered", exc_info=error)
            self.problem_found.emit(_sentence(error))
            answered = None
        with self._changed:
            self._worked += time.monotonic() - began
            first = answered is not None and not self._found
            wanted = any(each is answers for _number, each in self._stack)
            if answered is not None and wanted:
                self._found.append((group, answered))
                self._done += 1
            if answered is None:
                self._stack = [entry for entry in self._stack if entry[1] is not answers]
            dry = wanted and self._is_dry()
        if first and wanted:
            self.arrived.emit()
        if dry:
            self.ran_dry.emit()

    def _answers(self, inputs: tuple[Path, ...]) -> Generator[Answered]:
        counted = False
        try:
            paths = list(originals(find_inputs(inputs, self._model.info), inputs))
            with self._changed:
                self._total += len(paths)
                self._uncounted = max(0, self._uncounted - 1)
            counted = True
            for answer in predict_files(self._model, paths):
                frames = list(by_frame([answer], self._model.info))
                with self._changed:
                    self._total += len(frames) - 1
                yield from frames
        finally:
            if not counted:
                with self._changed:
                    self._uncounted = max(0, self._uncounted - 1)


def _sentence(error: Exception) -> str:
    if isinstance(error, HandlensError):
        return error_text(error)
    return tr("A fault in Handlens ended this ({fault}). Try again.", fault=type(error).__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LargeAnswer:
    """An answered file for the large view; `maps` (classes, h, w), `start` of the shown window in seconds."""

    image: QImage
    maps: NDArray[np.float32]
    start: float
    waveform: NDArray[np.float32] | None = None


def load_answer(model: ReleasedModel, answer: FilePrediction) -> LargeAnswer:
    """Read the file once more, as large as a screen can use it, with its maps. Raises HandlensError."""
    seen, info, kind = close_up(model, answer), model.info, kind_named(model.info.kind)
    original = kind.original(answer.path, windowing=info.reading, start=seen.start, edge=LARGE_EDGE)
    picture = kind.draw(original, windowing=info.windowing, size=LARGE, dark=True)
    return LargeAnswer(
        image=rgb_image(picture),
        maps=seen.maps,
        start=seen.start,
        waveform=np.asarray(original, dtype=np.float32) if kind.audible else None,
    )
