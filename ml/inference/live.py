"""Answers about what a camera sees and a microphone hears now. Memory does not grow with time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.outputs import unwritable
from ml.inference.detection_tables import free_path, plain_name
from ml.inference.detections import HOP, Detection, DetectionOptions, Detector
from ml.media.audio import write_wave
from ml.media.images import squashed
from ml.media.mel import mel_grey, mel_picture, settings_for
from ml.runtime.decision import Decision, decide
from ml.runtime.model import ReleasedModel

SHOWN_WINDOWS = 5
"""Windows of sound that are seen at once."""
KEPT_SECONDS = 60.0
"""Sound that is remembered, so that a detection can be saved once it is over."""
MARGIN = 0.5
"""Seconds that a saved detection has before and after it."""
_COLUMNS = 700


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveAnswer:
    """What the model says of a picture, or of the newest window of sound. `maps` (classes, h, w)."""

    probabilities: NDArray[np.float32]
    maps: NDArray[np.float32]
    unlike: float
    decision: Decision

    @property
    def best(self) -> int:
        """Index of the most probable class."""
        return int(self.probabilities.argmax())


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardSound:
    """What was heard in the last seconds.

    `picture`: their spectrogram as grey RGB (bands, columns, 3). `maps` (classes, h, w) lie over all of it. It begins
    `start` s after the microphone was opened and is `seconds` long. `found`: detections that ended since the last one.
    `saved`: the files that were written of them.
    """

    answer: LiveAnswer
    picture: NDArray[np.uint8]
    maps: NDArray[np.float32]
    start: float
    seconds: float
    found: tuple[Detection, ...]
    saved: tuple[Path, ...]


def answer_picture(model: ReleasedModel, pixels: NDArray[np.uint8]) -> LiveAnswer:
    """Answer an RGB picture (h, w, 3) as if it were a file. Raises HandlensError."""
    return _answers(model, squashed(pixels, model.info.size)[None])


class LiveListener:
    """Hears sound as it comes. Set `folder` to save what is detected."""

    def __init__(self, model: ReleasedModel, *, source: str, opened: datetime) -> None:
        """`source`: a name for what is heard. Raises HandlensError for a model of pictures."""
        windowing = model.info.windowing
        limits = DetectionOptions().limits(model.info)
        assert windowing is not None
        self._model, self._windowing, self._opened = model, windowing, opened
        self._detector = Detector(model.info, limits, Path(source))
        self.folder: Path | None = None
        self._rate = round(windowing.rate)
        self._step = max(1, round(HOP * windowing.frames))
        self._sound = np.zeros(0, dtype=np.float32)
        self._first = 0
        """Number of the first value of `_sound` since the microphone was opened."""
        self._next = 0
        """Where the next window begins."""
        self._windows: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=SHOWN_WINDOWS * 4)
        self._settings = settings_for(windowing)

    @property
    def frequencies(self) -> tuple[float, float]:
        """The lowest and the highest frequency of the picture in Hz, as networks hear it."""
        return self._settings.f_min, self._settings.f_max

    @property
    def seconds(self) -> float:
        """How much is seen at once."""
        return SHOWN_WINDOWS * self._windowing.seconds

    def hear(self, block: NDArray[np.float32]) -> HeardSound | None:
        """Take in the next sound, mono at the model's rate; None before a window is complete.

        Where more windows are complete than are seen, the older ones are left out. Raises HandlensError.
        """
        self._remember(block)
        frames, end = self._windowing.frames, self._first + len(self._sound)
        count = (end - self._next - frames) // self._step + 1 if end - self._next >= frames else 0
        if count <= 0:
            return None
        if count > 2 * SHOWN_WINDOWS:
            self._next += (count - 2 * SHOWN_WINDOWS) * self._step
            count = 2 * SHOWN_WINDOWS
        self._next = max(self._next, self._first)
        starts = [self._next + number * self._step for number in range(count)]
        outputs = self._model.predict(np.stack([self._cut(at, at + frames) for at in starts]))
        self._next = starts[-1] + self._step
        self._windows.extend(zip(starts, outputs.maps, strict=True))
        spans = [(at / self._rate, (at + frames) / self._rate) for at in starts]
        found = tuple(self._detector.add(spans, outputs))
        probabilities, unlike = outputs.probabilities[-1], float(outputs.unlike[-1])
        answer = LiveAnswer(
            probabilities=probabilities,
            maps=outputs.maps[-1],
            unlike=unlike,
            decision=decide(probabilities, unlike, self._model.info),
        )
        return self._seen(answer, found)

    def _seen(self, answer: LiveAnswer, found: tuple[Detection, ...]) -> HeardSound:
        length = SHOWN_WINDOWS * self._windowing.frames
        end = self._first + len(self._sound)
        begin = end - length
        wave = self._cut(begin, end)
        settings = replace(self._settings, hop=max(self._settings.hop, length // _COLUMNS))
        return HeardSound(
            answer=answer,
            picture=mel_grey(mel_picture(wave, settings)),
            maps=self._maps(begin, length),
            start=begin / self._rate,
            seconds=length / self._rate,
            found=found,
            saved=self._save(found),
        )

    def _maps(self, begin: int, length: int) -> NDArray[np.float32]:
        """Return the maps of the last windows side by side; nothing speaks for a class where there was none."""
        height, width = self._windows[-1][1].shape[1:]
        whole = np.zeros((len(self._model.info.classes), height, SHOWN_WINDOWS * width), dtype=np.float32)
        for start, maps in self._windows:
            place = round((start - begin) / length * whole.shape[2])
            left, right = max(0, place), min(whole.shape[2], place + width)
            if right > left:
                whole[:, :, left:right] = maps[:, :, left - place : right - place]
        return whole

    def _remember(self, block: NDArray[np.float32]) -> None:
        self._sound = np.concatenate([self._sound, block])
        kept = round(max(KEPT_SECONDS, 2 * self.seconds) * self._rate)
        extra = len(self._sound) - kept
        if extra > 0:
            self._sound, self._first = self._sound[extra:], self._first + extra

    def _cut(self, begin: int, end: int) -> NDArray[np.float32]:
        """Return the values from `begin` to `end`, zero where nothing was heard yet."""
        before = max(0, self._first - begin)
        piece = self._sound[max(0, begin - self._first) : max(0, end - self._first)]
        whole = np.zeros(end - begin, dtype=np.float32)
        whole[before : before + len(piece)] = piece
        return whole

    def _save(self, found: Sequence[Detection]) -> tuple[Path, ...]:
        """Write what was detected into a folder for each class."""
        folder = self.folder
        if folder is None:
            return ()
        saved = []
        for each in found:
            begin = max(self._first, round((each.start - MARGIN) * self._rate))
            wave = self._sound[begin - self._first : max(0, round((each.end + MARGIN) * self._rate) - self._first)]
            if not len(wave):
                continue
            stamp = datetime.fromtimestamp(self._opened.timestamp() + each.start).strftime("%Y%m%d_%H%M%S")
            try:
                into = folder / plain_name(each.label)
                into.mkdir(parents=True, exist_ok=True)
                target = free_path(into, stamp, ".wav")
                write_wave(target, wave, rate=self._rate)
            except OSError as error:
                raise unwritable(folder, error) from error
            saved.append(target)
        return tuple(saved)


def _answers(model: ReleasedModel, batch: NDArray[np.generic]) -> LiveAnswer:
    outputs = model.predict(batch)
    probabilities, unlike = outputs.probabilities[0], float(outputs.unlike[0])
    return LiveAnswer(
        probabilities=probabilities,
        maps=outputs.maps[0],
        unlike=unlike,
        decision=decide(probabilities, unlike, model.info),
    )
