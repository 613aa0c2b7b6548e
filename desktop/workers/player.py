"""Plays the sound of a sample. If this machine cannot, it says why and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QTimer, Signal, Slot

from desktop.i18n import tr
from desktop.workers.multimedia import load_multimedia

TICK_MS = 30
BUFFER_SECONDS = 0.08
FADE_SECONDS = 0.015
"""At both ends of a part, where several are played one after the other: a cut would click."""
Parts = tuple[tuple[float, float], ...]


def pcm_of(
    wave: NDArray[np.float32], rate: int, span: tuple[float, float], speed: float, gain: float, *, fade: float = 0.0
) -> bytes:
    """Return a part of a sound, in seconds, as 16-bit samples at the same rate, played `speed` times as fast.

    `fade`: how many seconds it takes to begin and to end.
    """
    part = wave[round(span[0] * rate) : round(span[1] * rate)] * gain
    steps = min(round(fade * rate), len(part) // 2)
    if steps:
        ramp = (np.arange(steps) + 0.5) / steps
        part[:steps] *= ramp
        part[-steps:] *= ramp[::-1]
    if speed != 1.0 and len(part):
        places = np.arange(0, len(part) - 1, speed)
        part = np.interp(places, np.arange(len(part)), part)
    samples: NDArray[np.int16] = (np.clip(part, -1.0, 1.0) * 32767).astype("<i2")
    return samples.tobytes()


def place_in(parts: Parts, seconds: float) -> float:
    """Return where in the sound a player is that has played the parts for so many seconds."""
    for start, end in parts:
        if seconds <= end - start:
            return start + seconds
        seconds -= end - start
    return parts[-1][1] if parts else 0.0


class Player(QObject):
    """Plays mono sound from memory, so that a window of a long recording starts and ends exactly."""

    position_changed = Signal(float)
    """The playing position in seconds."""
    playing_changed = Signal(bool)
    problem_found = Signal(str)
    """Why `play` failed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._multimedia: Any = None
        self._asked = False
        self._problem = ""
        self._wave = np.zeros(0, dtype=np.float32)
        self._pcm = QByteArray()
        self._rate, self._times_slower = 16_000, 1
        self._speed, self._gain = 1.0, 1.0
        self._parts: Parts = ()
        self._fade = 0.0
        self._looping = False
        self._sink: Any = None
        self._buffer: QBuffer | None = None
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)

    def problem(self) -> str:
        """Say why no sound can be played here; empty if none is known.

        Loads Qt's sound library once; whether there is a loudspeaker is asked only by `play`.
        """
        if not self._asked:
            self._asked = True
            self._multimedia, self._problem = self._load()
        return self._problem

    def set_sound(self, waveform: NDArray[np.float32] | None, rate: int, *, time_expansion: int = 1) -> None:
        """Set the sound to play next, (n,) in -1…1 at `rate` Hz, and stop playing.

        It is played `time_expansion` times slower; positions stay those of the recording.
        """
        self.stop()
        self._rate, self._times_slower = rate, time_expansion
        if waveform is None:
            self._wave = np.zeros(0, dtype=np.float32)
            return
        # Make quiet field recordings audible without clipping.
        loudest = max(float(np.abs(waveform).max(initial=0.0)), 0.05)
        self._wave = np.asarray(waveform * (0.9 / loudest), dtype=np.float32)

    def set_speed(self, speed: float) -> None:
        """Play slower or faster from the next `play` on, lower or higher with it, as a tape does."""
        self._speed = speed

    def set_gain(self, decibel: float) -> None:
        """Play louder or softer from the next `play` on; what becomes too loud is cut off."""
        self._gain = 10 ** (decibel / 20)

    def set_looping(self, looping: bool) -> None:
        self._looping = looping

    def playing(self) -> bool:
        return self._sink is not None

    def seconds(self) -> float:
        """The length of the sound in seconds."""
        return len(self._wave) / self._rate

    @Slot()
    def play(self, start: float = 0.0, end: float | None = None) -> None:
        """Play from `start` to `end` seconds, else to the end, or emit `problem_found`."""
        begin = min(max(0.0, start), self.seconds())
        self._play(((begin, self.seconds() if end is None else min(max(begin, end), self.seconds())),))

    def play_parts(self, parts: Parts) -> None:
        """Play only these parts, in seconds, one after the other with short fades, or emit `problem_found`."""
        inside = ((max(0.0, start), min(end, self.seconds())) for start, end in parts)
        self._play(tuple(part for part in inside if part[0] < part[1]), fade=FADE_SECONDS)

    def _play(self, parts: Parts, *, fade: float = 0.0) -> None:
        if not len(self._wave) or not parts:
            return
        self.stop()
        if not self.problem() and self._multimedia.QMediaDevices.defaultAudioOutput().isNull():
            self._problem = tr("Sounds cannot be played: no loudspeaker was found. Connect one and start again.")
        if self._problem:
            self.problem_found.emit(self._problem)
            return
        sound = self._multimedia
        form = sound.QAudioFormat()
        played = self._rate // self._times_slower
        form.setSampleRate(played)
        form.setChannelCount(1)
        form.setSampleFormat(sound.QAudioFormat.SampleFormat.Int16)
        self._parts, self._fade = parts, fade
        heard = (pcm_of(self._wave, self._rate, part, self._speed, self._gain, fade=fade) for part in parts)
        self._pcm = QByteArray(b"".join(heard))
        self._buffer = QBuffer(self)
        self._buffer.setData(self._pcm)
        self._buffer.open(QIODevice.OpenModeFlag.ReadOnly)
        self._sink = sound.QAudioSink(sound.QMediaDevices.defaultAudioOutput(), form, self)
        self._sink.setBufferSize(2 * round(played * BUFFER_SECONDS))
        self._sink.start(self._buffer)
        self._timer.start()
        self.playing_changed.emit(True)
        self.position_changed.emit(parts[0][0])

    @Slot()
    def stop(self) -> None:
        if self._sink is None:
            return
        self._timer.stop()
        self._sink.stop()
        self._sink.deleteLater()
        self._sink = None
        if self._buffer is not None:
            self._buffer.deleteLater()
            self._buffer = None
        self.playing_changed.emit(False)

    @Slot()
    def _tick(self) -> None:
        if self._sink is None:
            return
        heard = self._sink.processedUSecs() / 1e6 * self._speed / self._times_slower
        self.position_changed.emit(place_in(self._parts, heard))
        state = self._multimedia.QAudio.State
        if self._sink.state() in (state.IdleState, state.StoppedState):
            self.stop()
            if self._looping:
                self._play(self._parts, fade=self._fade)

    def _load(self) -> tuple[Any, str]:
        module, missing = load_multimedia()
        if module is not None:
            return module, ""
        problem = tr(
            "Sounds cannot be played here: a system library is missing ({what}). "
            "“handlens doctor” prints the command that installs it.",
            what=missing,
        )
        return None, problem
