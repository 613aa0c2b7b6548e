"""Where live pictures and sounds come from: a camera, a microphone, or a file that is played as if it were one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QImageReader, QMovie

from desktop.i18n import error_text, msg, tr
from desktop.workers.multimedia import load_multimedia
from ml.api import HandlensError, kind_named, stream_waveform

PICTURE_MS = 200
"""How long a picture of a folder is shown."""
SOUND_MS = 50
_USUAL_RATE = 48_000
"""Hz. Where a model needs more, it is about sounds that common microphones do not hear."""
_LATE_SECONDS = 2.0
"""A file that is played does not catch up on more than this."""


class LiveSource(QObject):
    """Gives pictures as QImage, or mono sound as float32 (n,) at the rate it was asked for."""

    arrived = Signal(object)
    problem_found = Signal(str)
    """Why there is nothing to see or hear, and what to do."""

    def start(self) -> None:
        """Begin, or emit `problem_found`."""
        raise NotImplementedError

    def stop(self) -> None:
        """End. Nothing arrives any more."""
        raise NotImplementedError


class SystemCamera(LiveSource):
    """The system's camera."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._parts: tuple[Any, ...] = ()

    def start(self) -> None:
        sound, missing = load_multimedia()
        if sound is None:
            self.problem_found.emit(
                tr(
                    "The camera cannot be used here: a system library is missing ({what}). "
                    "“handlens doctor” prints the command that installs it.",
                    what=missing,
                )
            )
            return
        device = sound.QMediaDevices.defaultVideoInput()
        if device.isNull():
            self.problem_found.emit(tr("No camera was found. Connect one, or play a file as if it were live."))
            return
        camera, session, sink = sound.QCamera(device, self), sound.QMediaCaptureSession(self), sound.QVideoSink(self)
        session.setCamera(camera)
        session.setVideoSink(sink)
        sink.videoFrameChanged.connect(self._on_frame)
        camera.errorOccurred.connect(self._on_error)
        self._parts = (camera, session, sink)
        camera.start()

    def stop(self) -> None:
        parts, self._parts = self._parts, ()
        if parts:
            parts[2].videoFrameChanged.disconnect(self._on_frame)
            parts[0].stop()
            for part in parts:
                part.deleteLater()

    def _on_frame(self, frame: Any) -> None:
        image = frame.toImage()
        if not image.isNull():
            self.arrived.emit(image)

    def _on_error(self, _error: object, reason: str) -> None:
        self.problem_found.emit(
            tr("The camera cannot be used: {reason} Close other programs that use it and try again.", reason=reason)
        )


class PicturesOfFolder(LiveSource):
    """The pictures of a folder, one after another, again and again."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._paths: list[Path] = []
        self._place = 0
        self._timer = QTimer(self, interval=PICTURE_MS)
        self._timer.timeout.connect(self._show_next)

    def start(self) -> None:
        suffixes = kind_named("images").suffixes - kind_named("images").guest_suffixes
        found = self._folder.rglob("*") if self._folder.is_dir() else iter((self._folder,))
        self._paths = sorted(path for path in found if path.suffix.lower() in suffixes)
        if not self._paths:
            self.problem_found.emit(tr("There are no pictures in {folder}.", folder=str(self._folder)))
            return
        self._show_next()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    @Slot()
    def _show_next(self) -> None:
        for _each in range(len(self._paths)):
            reader = QImageReader(str(self._paths[self._place]))
            reader.setAutoTransform(True)
            self._place = (self._place + 1) % len(self._paths)
            image = reader.read()
            if not image.isNull():
                self.arrived.emit(image)
                return
        self.stop()
        self.problem_found.emit(tr("None of these pictures can be shown. Choose others."))


class MovingPicture(LiveSource):
    """An animated picture, such as a GIF, again and again."""

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._movie = QMovie(str(path), parent=self)
        self._movie.frameChanged.connect(self._on_frame)
        self._movie.finished.connect(self._movie.start)

    def start(self) -> None:
        if self._movie.isValid():
            self._movie.start()
        else:
            self.problem_found.emit(tr("{name} cannot be played. Choose another file.", name=self._path.name))

    def stop(self) -> None:
        self._movie.finished.disconnect(self._movie.start)
        self._movie.stop()

    @Slot(int)
    def _on_frame(self, _number: int) -> None:
        image = self._movie.currentImage()
        if not image.isNull():
            self.arrived.emit(image)


class Video(LiveSource):
    """The pictures of a video file, again and again."""

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._parts: tuple[Any, ...] = ()

    def start(self) -> None:
        sound, missing = load_multimedia()
        if sound is None:
            self.problem_found.emit(
                tr(
                    "Videos cannot be played here: a system library is missing ({what}). "
                    "“handlens doctor” prints the command that installs it.",
                    what=missing,
                )
            )
            return
        player, sink = sound.QMediaPlayer(self), sound.QVideoSink(self)
        player.setVideoSink(sink)
        player.setLoops(sound.QMediaPlayer.Loops.Infinite)
        sink.videoFrameChanged.connect(self._on_frame)
        player.errorOccurred.connect(self._on_error)
        self._parts = (player, sink)
        player.setSource(QUrl.fromLocalFile(str(self._path)))
        player.play()

    def stop(self) -> None:
        parts, self._parts = self._parts, ()
        if parts:
            parts[1].videoFrameChanged.disconnect(self._on_frame)
            parts[0].stop()
            for part in parts:
                part.deleteLater()

    def _on_frame(self, frame: Any) -> None:
        image = frame.toImage()
        if not image.isNull():
            self.arrived.emit(image)

    def _on_error(self, _error: object, _reason: str) -> None:
        self.problem_found.emit(tr("{name} cannot be played. Choose another file.", name=self._path.name))


class Microphone(LiveSource):
    """The system's microphone, at `rate` Hz."""

    def __init__(self, rate: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rate = rate
        self._source: Any = None
        self._stream: Any = None
        self._channels = 1
        self._resampler: soxr.ResampleStream | None = None

    def start(self) -> None:
        sound, missing = load_multimedia()
        if sound is None:
            self.problem_found.emit(
                tr(
                    "The microphone cannot be used here: a system library is missing ({what}). "
                    "“handlens doctor” prints the command that installs it.",
                    what=missing,
                )
            )
            return
        device = sound.QMediaDevices.defaultAudioInput()
        if device.isNull():
            self.problem_found.emit(tr("No microphone was found. Connect one, or play a file as if it were live."))
            return
        form = device.preferredFormat()
        form.setSampleFormat(sound.QAudioFormat.SampleFormat.Int16)
        if not device.isFormatSupported(form):
            self.problem_found.emit(tr("This microphone gives no 16-bit sound. Choose another in the system settings."))
            return
        self._channels = form.channelCount()
        if self._rate > _USUAL_RATE:
            form.setSampleRate(min(self._rate, device.maximumSampleRate()))
            if form.sampleRate() < self._rate or not device.isFormatSupported(form):
                self.problem_found.emit(
                    tr(
                        "This microphone does not hear as high sounds as the model needs, up to {needed:g} kHz. "
                        "Connect an ultrasonic microphone and choose it in the system settings, or play a file as if "
                        "it were live.",
                        needed=self._rate / 2000,
                    )
                )
                return
        if form.sampleRate() != self._rate:
            self._resampler = soxr.ResampleStream(form.sampleRate(), self._rate, 1, dtype="float32")
        self._source = sound.QAudioSource(device, form, self)
        self._stream = self._source.start()
        if self._stream is None:
            self.problem_found.emit(tr("The microphone cannot be opened. Close other programs that use it."))
            return
        self._stream.readyRead.connect(self._on_sound)

    def stop(self) -> None:
        if self._source is not None:
            self._source.stop()
            self._source.deleteLater()
        self._source = self._stream = None

    @Slot()
    def _on_sound(self) -> None:
        if self._stream is None:
            return
        values = np.frombuffer(bytes(self._stream.readAll().data()), dtype="<i2")
        whole = values[: len(values) // self._channels * self._channels]
        mono = whole.reshape(-1, self._channels).mean(axis=1, dtype=np.float32) / np.float32(32768)
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono)
        if len(mono):
            self.arrived.emit(mono)


class SoundFile(LiveSource):
    """A recording at the speed of time, at `rate` Hz, again and again."""

    def __init__(self, path: Path, rate: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path, self._rate = path, rate
        self._blocks: Iterator[NDArray[np.float32]] = iter(())
        self._waiting = np.zeros(0, dtype=np.float32)
        self._given, self._began = 0, 0.0
        self._timer = QTimer(self, interval=SOUND_MS)
        self._timer.timeout.connect(self._give)

    def start(self) -> None:
        self._blocks = stream_waveform(self._path, rate=self._rate)
        self._began = time.monotonic()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._blocks = iter(())

    @Slot()
    def _give(self) -> None:
        due = round((time.monotonic() - self._began) * self._rate) - self._given
        late = due - round(_LATE_SECONDS * self._rate)
        if late > 0:
            self._began += late / self._rate
            due -= late
        try:
            self._read(due)
        except HandlensError as error:
            self.stop()
            self.problem_found.emit(error_text(error))
            return
        part, self._waiting = self._waiting[:due], self._waiting[due:]
        self._given += len(part)
        if len(part):
            self.arrived.emit(part)

    def _read(self, due: int) -> None:
        """Read until so many values wait. Raises HandlensError, also where a recording has none."""
        began_again = False
        while len(self._waiting) < due:
            block = next(self._blocks, None)
            if block is not None and len(block):
                began_again = False
                self._waiting = np.concatenate([self._waiting, block])
            elif block is None and began_again:
                raise HandlensError(msg("The recording is empty: it holds no sound."))
            elif block is None:
                began_again = True
                self._blocks = stream_waveform(self._path, rate=self._rate)
