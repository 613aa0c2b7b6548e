"""What the samples of a project are: a `SampleKind` reads files, cuts them, feeds the network and draws for people.

A kind gives the network one of three inputs, see `InputName`; the front end, the augmentation and the test inputs
follow from that. Another module may register a kind of its own with `register_kind`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.phrases import MEASUREMENTS, PICTURES, SAMPLES, SOUNDS, Nouns, register_nouns
from ml.core.plugins import note_plugin
from ml.core.scan_report import PictureLook, Remark, SoundLook
from ml.core.types import FrameSampling, KindName, Levels, PictureReading, Reading, Windowing
from ml.media.audio import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    audio_facts,
    load_window,
    load_windows,
    quantise_int16,
    stream_windows,
)
from ml.media.frames import choose_frames, frame_spans, frames_asked
from ml.media.images import IMAGE_SUFFIXES, image_facts, load_squashed, squashed, thumbnail, thumbnail_of
from ml.media.levels import shared_range
from ml.media.logs.log import LOG_SUFFIXES, LogFacts, load_log_windows, log_facts, log_windows
from ml.media.logs.traces import trace_picture
from ml.media.mel import mel_grey, mel_picture, mel_rgb, settings_for
from ml.media.video import frames_at, is_video, video_facts
from ml.media.windowing import choose_time_expansion, choose_windowing, window_spans

InputName = Literal["pixels", "waveform", "readings"]
"""The input of the exported graph, which fixes its shape: uint8 (batch, size, size, 3) RGB, float32 (batch, frames)
mono, or float32 (batch, channels, frames) in the units they were measured in."""

_WIDE = 600
"""Pixels from which the lines of traces are drawn thicker."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """What decoding one file in full showed. A kind fills in what it knows; `duration` is in seconds, `rate` in Hz."""

    width: int = 0
    height: int = 0
    duration: float = 0.0
    rate: float = 0
    channels: int = 0
    log: LogFacts | None = None
    levels: Levels | None = None
    """The usual least and greatest value of a picture with more than 8 bits."""
    bands: int = 0
    """How many bands a picture has, where these are more than three."""
    band_levels: tuple[Levels | None, ...] = ()
    """`levels` of each of these bands."""
    windowed: bool = False
    """A picture is shown through the window that its file names."""
    remarks: tuple[Remark, ...] = ()
    look: PictureLook | SoundLook | None = None
    share_above: float | None = None
    """The share of a recording's sound above what networks hear; None where that is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """The frames of a video that are samples: the moment of each, and until when it stands for what is shown."""

    spans: tuple[tuple[float, float], ...] = ()
    cut: bool = False
    """The video is damaged or ends before its time; what is before that is used."""


class SampleKind(ABC):
    """One kind of sample. `windowing` is how files become samples, of pictures a `PictureReading` or None.

    `start` is where a window begins in its file, or the moment of a frame in its video, in seconds; 0 elsewhere."""

    name: KindName
    suffixes: frozenset[str]
    """File name endings, lower case."""
    nouns: Nouns = SAMPLES
    input_name: InputName
    windowed: bool = False
    """Whether files are cut into windows, so that labels may hold for a part of a file."""
    guest_suffixes: frozenset[str] = frozenset()
    """Of `suffixes`, those that are read but say nothing about what a folder holds: another kind reads them, too."""
    loose_suffixes: bool = False
    """Whether other things have these suffixes, too: a table may be anything."""
    shares_columns: bool = False
    """Whether all files have to have the same columns and one rate, which the user may have to give."""
    audible: bool = False
    """Whether `original` is a waveform that can be played."""

    @abstractmethod
    def probe(self, path: Path) -> FileFacts:
        """Decode a file in full. Raises UnreadableError. Runs in a child process, see `ml.media.probing`."""

    def probe_as(self, path: Path, reading: PictureReading | None) -> FileFacts:  # noqa: ARG002 - pictures need it
        """Do the same with the page and the bands of `reading`, where files have several."""
        return self.probe(path)

    def choose_windowing(self, facts: Sequence[FileFacts]) -> Windowing | None:  # noqa: ARG002 - others need them
        """Return how files are cut; None where they are not, or where their columns decide (`shares_columns`)."""
        return None

    def choose_reading(self, facts: Sequence[FileFacts]) -> PictureReading | None:  # noqa: ARG002 - pictures need them
        """Return how pictures with more than 8 bits are read; None where each can be read by itself."""
        return None

    def choose_frames(self, facts: Sequence[FileFacts]) -> FrameSampling | None:  # noqa: ARG002 - pictures need them
        """Return which frames of videos are samples; None where there are no videos."""
        return None

    def frames(self, path: Path, every: float | None = None) -> Frames:  # noqa: ARG002 - pictures need them
        """Return the frames of a video that a model answers, one `every` so many seconds, or as its length asks for.

        None for any other file. Raises UnreadableError.
        """
        return Frames()

    def windows(self, path: Path, windowing: Windowing) -> tuple[tuple[float, float], ...]:
        """Cut a file and return (start, end) of each window, in seconds by its own clock. Raises UnreadableError."""
        return window_spans(self.probe(path).duration, windowing)

    @abstractmethod
    def load(self, path: Path, starts: Sequence[float], *, windowing: Reading | None, size: int) -> NDArray[np.generic]:
        """Return the samples of one file as they are cached, (n, *row_shape). Raises UnreadableError."""

    @abstractmethod
    def row_shape(self, windowing: Reading | None, size: int) -> tuple[tuple[int, ...], type[np.generic]]:
        """Return the shape and type of one cached sample."""

    def as_input(self, rows: NDArray[np.generic]) -> NDArray[np.generic]:
        """Turn cached rows into what the network takes, see `InputName`."""
        return rows

    def load_input(
        self, path: Path, starts: Sequence[float], *, windowing: Reading | None, size: int
    ) -> NDArray[np.generic]:
        """Return the samples of one file as the network takes them."""
        return self.as_input(self.load(path, starts, windowing=windowing, size=size))

    def stream_input(
        self, path: Path, *, windowing: Windowing, size: int, batch: int
    ) -> Iterator[tuple[Sequence[tuple[float, float]], NDArray[np.generic]]]:
        """Yield the windows of one file, up to `batch` at a time: their spans, and what the network takes of them.

        Raises UnreadableError.
        """
        spans = self.windows(path, windowing)
        for first in range(0, len(spans), batch):
            part = spans[first : first + batch]
            yield part, self.load_input(path, [start for start, _ in part], windowing=windowing, size=size)

    def input_shape(self, windowing: Reading | None, size: int) -> tuple[int, ...]:
        """Return the shape of one sample as the network takes it."""
        return self.row_shape(windowing, size)[0]

    @abstractmethod
    def original(self, path: Path, *, windowing: Reading | None, start: float, edge: int) -> NDArray[np.generic]:
        """Return what a person looks at or listens to; a picture at most `edge` pixels wide and high."""

    @abstractmethod
    def draw(
        self, original: NDArray[np.generic], *, windowing: Reading | None, size: tuple[int, int], dark: bool
    ) -> NDArray[np.uint8]:
        """Return an original as RGB (height, width, 3), about `size` (width, height); `dark` for the screen."""

    def turned(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return class maps (classes, h, w) the same way up as `draw` shows the sample."""
        return maps


class Images(SampleKind):
    """Picture files, and videos, of which frames are pictures."""

    name = "images"
    suffixes = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    guest_suffixes = VIDEO_SUFFIXES
    nouns = PICTURES
    input_name = "pixels"

    def probe(self, path: Path) -> FileFacts:
        return self.probe_as(path, None)

    def probe_as(self, path: Path, reading: PictureReading | None) -> FileFacts:
        if is_video(path):
            video = video_facts(path)
            return FileFacts(
                width=video.width,
                height=video.height,
                duration=video.seconds,
                rate=video.rate,
                remarks=("cut",) if video.cut else (),
                look=video.look,
            )
        facts = image_facts(path, reading)
        return FileFacts(
            width=facts.width,
            height=facts.height,
            levels=facts.levels,
            bands=facts.bands,
            band_levels=facts.band_levels,
            windowed=facts.windowed,
            remarks=facts.remarks,
            look=facts.look,
        )

    def choose_reading(self, facts: Sequence[FileFacts]) -> PictureReading | None:
        return shared_range([each.levels for each in facts if each.levels is not None])

    def choose_frames(self, facts: Sequence[FileFacts]) -> FrameSampling | None:
        seconds = [each.duration for each in facts if each.duration > 0]
        return choose_frames(seconds) if seconds else None

    def frames(self, path: Path, every: float | None = None) -> Frames:
        if not is_video(path):
            return Frames()
        facts = video_facts(path, look=False)
        sampling = choose_frames([facts.seconds]) if every is None else frames_asked(every)
        return Frames(spans=frame_spans(facts.seconds, sampling), cut=facts.cut)

    def load(self, path: Path, starts: Sequence[float], *, windowing: Reading | None, size: int) -> NDArray[np.generic]:
        if is_video(path):
            return np.stack(frames_at(path, starts, lambda image: squashed(np.asarray(image), size)))
        return load_squashed(path, size, _pictures(windowing))[None]

    def row_shape(
        self,
        windowing: Reading | None,  # noqa: ARG002 - others need it
        size: int,
    ) -> tuple[tuple[int, ...], type[np.generic]]:
        return (size, size, 3), np.uint8

    def original(
        self,
        path: Path,
        *,
        windowing: Reading | None,
        start: float,
        edge: int,
    ) -> NDArray[np.generic]:
        if is_video(path):
            return frames_at(path, [start], lambda image: thumbnail_of(image, edge))[0]
        return thumbnail(path, size=edge, reading=_pictures(windowing))

    def draw(
        self,
        original: NDArray[np.generic],
        *,
        windowing: Reading | None,  # noqa: ARG002 - others need them
        size: tuple[int, int],  # noqa: ARG002
        dark: bool,  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        return np.asarray(original, dtype=np.uint8)


class Recordings(SampleKind):
    """Sound files, mono at the project's rate; shown as log-mel spectrograms, low notes below."""

    name = "recordings"
    suffixes = AUDIO_SUFFIXES
    nouns = SOUNDS
    input_name = "waveform"
    windowed = True
    audible = True

    def probe(self, path: Path) -> FileFacts:
        facts = audio_facts(path)
        remarks: dict[Remark, bool] = {"cut": facts.cut, "cancels": facts.cancels}
        return FileFacts(
            duration=facts.duration,
            rate=facts.rate,
            channels=facts.channels,
            remarks=tuple(remark for remark, holds in remarks.items() if holds),
            look=facts.look,
            share_above=facts.share_above,
        )

    def choose_windowing(self, facts: Sequence[FileFacts]) -> Windowing | None:
        durations, rates = [each.duration for each in facts], [each.rate for each in facts]
        times = choose_time_expansion(rates, [each.share_above for each in facts])
        return choose_windowing(durations, rates, time_expansion=times)

    def load(
        self,
        path: Path,
        starts: Sequence[float],
        *,
        windowing: Reading | None,
        size: int,  # noqa: ARG002 - others need it
    ) -> NDArray[np.generic]:
        return quantise_int16(load_windows(path, _needed(windowing), starts))[0]

    def row_shape(
        self,
        windowing: Reading | None,
        size: int,  # noqa: ARG002 - others need it
    ) -> tuple[tuple[int, ...], type[np.generic]]:
        return (_needed(windowing).frames,), np.int16

    def as_input(self, rows: NDArray[np.generic]) -> NDArray[np.generic]:
        return rows.astype(np.float32) / np.float32(32767.0)

    def load_input(
        self,
        path: Path,
        starts: Sequence[float],
        *,
        windowing: Reading | None,
        size: int,  # noqa: ARG002 - others need it
    ) -> NDArray[np.generic]:
        rows, peaks = quantise_int16(load_windows(path, _needed(windowing), starts))
        scaled: NDArray[np.float32] = rows.astype(np.float32) * (peaks / 32767.0)
        return scaled

    def stream_input(
        self,
        path: Path,
        *,
        windowing: Windowing,
        size: int,  # noqa: ARG002 - others need it
        batch: int,
    ) -> Iterator[tuple[Sequence[tuple[float, float]], NDArray[np.generic]]]:
        # Without rounding to 16 bits: that is 96 dB below the loudest point, 16 dB below what the network can hear.
        yield from stream_windows(path, windowing, batch=batch)

    def original(
        self,
        path: Path,
        *,
        windowing: Reading | None,
        start: float,
        edge: int,  # noqa: ARG002 - others need it
    ) -> NDArray[np.generic]:
        return load_window(path, _needed(windowing), start=start)

    def draw(
        self,
        original: NDArray[np.generic],
        *,
        windowing: Reading | None,
        size: tuple[int, int],  # noqa: ARG002 - others need it
        dark: bool,
    ) -> NDArray[np.uint8]:
        mel = mel_picture(np.asarray(original, dtype=np.float32), settings_for(_needed(windowing)))
        return mel_grey(mel) if dark else mel_rgb(mel)

    def turned(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        return maps[:, ::-1]


class Sensors(SampleKind):
    """Logs of sensors: tables with a column for each; shown as traces below each other."""

    name = "sensors"
    suffixes = LOG_SUFFIXES
    nouns = MEASUREMENTS
    input_name = "readings"
    windowed = True
    loose_suffixes = True
    shares_columns = True

    def probe(self, path: Path) -> FileFacts:
        facts = log_facts(path)
        return FileFacts(channels=len(facts.columns), log=facts)

    def windows(self, path: Path, windowing: Windowing) -> tuple[tuple[float, float], ...]:
        return log_windows(path, windowing)

    def load(
        self,
        path: Path,
        starts: Sequence[float],
        *,
        windowing: Reading | None,
        size: int,  # noqa: ARG002 - others need it
    ) -> NDArray[np.generic]:
        return load_log_windows(path, _needed(windowing), starts)

    def row_shape(
        self,
        windowing: Reading | None,
        size: int,  # noqa: ARG002 - others need it
    ) -> tuple[tuple[int, ...], type[np.generic]]:
        windowing = _needed(windowing)
        return (len(windowing.columns), windowing.frames), np.float32

    def original(
        self,
        path: Path,
        *,
        windowing: Reading | None,
        start: float,
        edge: int,  # noqa: ARG002 - others need it
    ) -> NDArray[np.generic]:
        values: NDArray[np.float32] = load_log_windows(path, _needed(windowing), [start])[0]
        return values

    def draw(
        self, original: NDArray[np.generic], *, windowing: Reading | None, size: tuple[int, int], dark: bool
    ) -> NDArray[np.uint8]:
        values = np.asarray(original, dtype=np.float32)
        thick = 2.5 if size[0] >= _WIDE else 1.0
        return trace_picture(values, _needed(windowing).ranges, size=size, dark=dark, thick=thick)

    def turned(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        # A log has no height: what counts is when.
        strip: NDArray[np.float32] = np.asarray(maps, dtype=np.float32).mean(axis=1, keepdims=True)
        return strip


def _pictures(reading: Reading | None) -> PictureReading | None:
    return reading if isinstance(reading, PictureReading) else None


def _needed(windowing: Reading | None) -> Windowing:
    if not isinstance(windowing, Windowing):
        raise HandlensError(msg("This project does not say how its files are cut. Create the project again."))
    return windowing


_kinds: dict[KindName, SampleKind] = {kind.name: kind for kind in (Images(), Recordings(), Sensors())}


def register_kind(kind: SampleKind) -> None:
    """Make a kind known in this process, and through jobs in those it starts."""
    _kinds[kind.name] = kind
    register_nouns(kind.name, kind.nouns)
    note_plugin(type(kind).__module__)


def kinds() -> tuple[SampleKind, ...]:
    """Return every known kind."""
    return tuple(_kinds.values())


def kind_named(name: KindName) -> SampleKind:
    """Return the kind of this name. Raises HandlensError where no such kind is known."""
    kind = _kinds.get(name)
    if kind is None:
        raise HandlensError(
            msg(
                "This version of Handlens does not know samples of the kind “{name}”. Install what made them.",
                name=name,
            )
        )
    return kind
