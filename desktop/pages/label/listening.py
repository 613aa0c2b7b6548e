"""Listening to the sample on the Label page: all of it, or only a band of frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Slot

from desktop.workers.player import Player
from desktop.workers.tasks import Tasks
from ml.api import band_pass

Band = tuple[float, float]
"""A low and a high edge in Hz."""


class Listening(QObject):
    """Gives the player the sound, filtered in a thread if a band was chosen."""

    def __init__(self, player: Player, parent: QObject) -> None:
        super().__init__(parent)
        self._player = player
        self._tasks = Tasks(self, threads=1)
        self._tasks.done.connect(self._on_filtered)
        self._tasks.failed.connect(self._on_failed)
        self._wave: NDArray[np.float32] | None = None
        self._rate, self._times_slower = 16_000, 1
        self._band: Band | None = None
        self._request = 0
        self._part: tuple[float, float | None] = (0.0, None)
        """What was played last."""
        self._waiting = False
        """Whether it is to be played as soon as it is filtered."""

    def set_sound(self, waveform: NDArray[np.float32] | None, rate: int, *, time_expansion: int = 1) -> None:
        """Set what is played next, (n,) at `rate` Hz and `time_expansion` times slower; None for nothing."""
        self._wave, self._rate, self._waiting = waveform, rate, False
        self._times_slower = time_expansion
        self._player.set_sound(None, rate)
        self._prepare()

    @Slot(object)
    def set_band(self, band: Band | None) -> None:
        """Play only these frequencies; None for all. What is playing begins again with them."""
        self._band = band
        self._waiting = self._waiting or self._player.playing()
        self._prepare()

    def play(self, start: float = 0.0, end: float | None = None) -> None:
        """Play from `start` to `end` seconds of the sample, else to its end."""
        self._part = start, end
        if self._request:
            self._waiting = True
        else:
            self._player.play(start, end)

    def stop(self) -> None:
        self._waiting = False
        self._player.stop()

    def close(self) -> None:
        """End all background work."""
        self.stop()
        self._tasks.close()

    def _prepare(self) -> None:
        self._tasks.forget_all()
        self._request = 0
        if self._wave is None:
            return
        if self._band is None:
            self._use(self._wave)
        else:
            self._request = self._tasks.submit(band_pass, self._wave, self._rate, *self._band)

    def _use(self, wave: NDArray[np.float32]) -> None:
        self._player.set_sound(wave, self._rate, time_expansion=self._times_slower)
        if self._waiting:
            self._waiting = False
            self._player.play(*self._part)

    @Slot(int, object)
    def _on_filtered(self, _number: int, wave: object) -> None:
        self._request = 0
        assert isinstance(wave, np.ndarray)
        self._use(wave)

    @Slot(int, object)
    def _on_failed(self, _number: int, error: Exception) -> None:
        """A fault, not a mistake of the person: the window says so."""
        self._request, self._waiting = 0, False
        raise error
