"""Load recordings: files to mono waveforms at the requested rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.core.scan_report import SoundLook
from ml.core.types import Windowing
from ml.media.look import SoundMeter
from ml.media.mel import SILENCE
from ml.media.sound_source import SoundSource, opened
from ml.media.windowing import choose_windowing, window_spans

__all__ = [
    "AUDIO_SUFFIXES",
    "VIDEO_SUFFIXES",
    "AudioFacts",
    "audio_facts",
    "choose_windowing",
    "claimed_seconds",
    "cut_audio",
    "load_waveform",
    "load_window",
    "load_windows",
    "quantise_int16",
    "stream_waveform",
    "stream_windows",
    "window_spans",
    "write_wave",
]

_VIDEOS = ".mp4 .m4v .mov .mkv .webm .avi .3gp .3g2 .wmv .asf .mpg .mpeg .mts .m2ts .flv .ogv"
VIDEO_SUFFIXES: frozenset[str] = frozenset(_VIDEOS.split())
"""Suffixes of moving pictures, which may have a sound."""
_SOUNDS = (
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .caf .au .snd .voc .oggflac .m4a .m4b"
    " .m4r .aac .wma .ape .wv .tta .mpc .dsf .dff .spx .amr .awb .alac .mka .ra .ac3 .eac3 .dts .tak .weba"
)
AUDIO_SUFFIXES: frozenset[str] = frozenset(_SOUNDS.split()) | VIDEO_SUFFIXES
"""Suffixes of recordings, and of videos, of which the sound is used."""

_MARGIN = 0.02
"""Seconds read on either side of a piece, so that resampling it equals resampling the whole file."""
_STRETCH = 60.0
"""Seconds decoded at once when many windows are cut from one recording."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFacts:
    """Measured properties of a recording: `duration` in seconds, `rate` in Hz."""

    duration: float
    rate: int
    channels: int
    cut: bool = False
    """It is damaged or ends before its time; what is before that is used."""
    cancels: bool = False
    """The mix of its channels is far quieter than one of them, which is used alone."""
    look: SoundLook | None = None
    share_above: float | None = None
    """The share of the sound above what networks hear; None where that is not known."""


def audio_facts(path: Path) -> AudioFacts:
    """Decode the recording to its end, block by block, and return what it holds; headers can be wrong.

    Raises UnreadableError with the reason in one sentence.
    """
    with opened(path) as source:
        meter = SoundMeter(source.samplerate)
        frames = meter.measured(source.blocks(None), source.mono)
        if frames == 0:
            raise UnreadableError(msg("The recording is empty: it holds no sound."))
        return AudioFacts(
            duration=frames / source.samplerate,
            rate=source.samplerate,
            channels=source.channels,
            cut=source.cut,
            cancels=source.only_channel is not None,
            look=meter.look(),
            share_above=meter.share_above(),
        )


def claimed_seconds(path: Path) -> float:
    """Return how long a recording says it is, without decoding it; 0 where it cannot be read or does not say."""
    try:
        with opened(path) as source:
            return source.claimed_seconds
    except UnreadableError:
        return 0.0


def load_waveform(path: Path, *, rate: int, start: float = 0.0, seconds: float | None = None) -> NDArray[np.float32]:
    """`seconds` of the recording from `start` (to its end if None), mono (see `SoundSource.mono`), at `rate` Hz.

    Shape (n,); shorter than asked where the recording ends. Only the needed part is decoded. A piece holds the
    same values as the same span of the whole recording. Raises UnreadableError.
    """
    first = round(start * rate)
    count = None if seconds is None else round(seconds * rate)
    with opened(path) as source:
        return _piece(source, rate=rate, first=max(0, first), count=count)


def load_window(path: Path, windowing: Windowing, *, start: float) -> NDArray[np.float32]:
    """The window from `start` seconds, exactly (windowing.frames,), zero behind the end. Raises UnreadableError."""
    window: NDArray[np.float32] = load_windows(path, windowing, [start])[0]
    return window


def cut_audio(path: Path, target: Path, *, start: float, end: float) -> None:
    """Write `start`…`end` s of a recording to the new WAV file `target`, at its own rate and with all its channels.

    Raises UnreadableError, and OSError where `target` exists or cannot be written.
    """
    with opened(path) as source:
        rate, channels = source.samplerate, source.channels
        source.seek(max(0, round(start * rate)))
        blocks = list(source.blocks(max(1, round((end - start) * rate))))
    with target.open("xb") as stream, soundfile.SoundFile(stream, "w", rate, channels, "PCM_16", format="WAV") as sink:
        for block in blocks:
            sink.write(np.clip(np.nan_to_num(block), -1.0, 1.0))


def write_wave(target: Path, wave: NDArray[np.float32], *, rate: int) -> None:
    """Write mono sound (n,) to the new WAV file `target`. Raises OSError where it exists or cannot be written."""
    with target.open("xb") as stream, soundfile.SoundFile(stream, "w", rate, 1, "PCM_16", format="WAV") as sink:
        sink.write(np.clip(np.nan_to_num(wave), -1.0, 1.0))


def quantise_int16(waves: NDArray[np.float32]) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Windows (n, frames) with the loudest point of each at ± 32767, and how loud that was (n, 1).

    The network hears loudness relative to that point, so quiet windows can use all of the bits. Whatever is kept
    and whatever is predicted comes through here, so that a recording sounds the same to it both times.
    """
    peaks = np.maximum(np.abs(waves).max(axis=1, keepdims=True), np.float32(SILENCE))
    return np.asarray(np.round(waves / peaks * 32767.0), dtype=np.int16), peaks


def load_windows(path: Path, windowing: Windowing, starts: Sequence[float]) -> NDArray[np.float32]:
    """One window per start (seconds), shape (len(starts), windowing.frames), decoding the file once.

    Long recordings are decoded a minute at a time. Raises UnreadableError.
    """
    frames, rate = windowing.frames, round(windowing.rate)
    result = np.zeros((len(starts), frames), dtype=np.float32)
    firsts = [max(0, round(start * rate)) for start in starts]
    order = sorted(range(len(starts)), key=firsts.__getitem__)
    with opened(path) as source:
        while order:
            begin = firsts[order[0]]
            together = [row for row in order if firsts[row] + frames <= begin + max(frames, round(_STRETCH * rate))]
            order = order[len(together) :]
            stretch = _piece(source, rate=rate, first=begin, count=firsts[together[-1]] + frames - begin)
            for row in together:
                window = stretch[firsts[row] - begin :][:frames]
                result[row, : len(window)] = window
    return result


def stream_waveform(path: Path, *, rate: int) -> Iterator[NDArray[np.float32]]:
    """Yield the recording block by block, mono at `rate` Hz, in memory that does not grow with its length.

    Together the blocks are what `load_waveform` returns: one resampler runs through all of them. Raises
    UnreadableError, after the blocks before the damage.
    """
    with opened(path) as source:
        if source.samplerate == rate:
            for block in source.blocks(None):
                yield source.mono(block)
            return
        resampler = soxr.ResampleStream(source.samplerate, rate, 1, dtype="float32")
        for block in source.blocks(None):
            yield resampler.resample_chunk(source.mono(block))
        yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def stream_windows(
    path: Path, windowing: Windowing, *, batch: int
) -> Iterator[tuple[list[tuple[float, float]], NDArray[np.float32]]]:
    """Yield the windows of a recording of any length, up to `batch` at a time: their spans in seconds and their values.

    As with `window_spans`, the last window ends where the recording does, and a shorter recording is padded with zeros.
    Raises UnreadableError.
    """
    frames, rate = windowing.frames, round(windowing.rate)
    step = max(1, round(windowing.step * windowing.rate))
    held, first, begin, covered = np.zeros(0, dtype=np.float32), 0, 0, 0  # `held` begins at value `first`
    for block in stream_waveform(path, rate=rate):
        held = np.concatenate([held, block])
        while begin + frames <= first + len(held):
            count = min(batch, (first + len(held) - begin - frames) // step + 1)
            starts = range(begin, begin + count * step, step)
            yield _spans(starts, frames, rate), np.stack([held[at - first :][:frames] for at in starts])
            begin, covered = begin + count * step, starts[-1] + frames
        # One window is kept: the last one ends where the recording ends, wherever that is.
        keep = max(0, min(begin, first + len(held) - frames) - first)
        held, first = held[keep:], first + keep
    end = first + len(held)
    if end == 0:
        raise UnreadableError(msg("The recording is empty: it holds no sound."))
    if covered < end:
        last = held[-frames:]
        padded = np.zeros((1, frames), dtype=np.float32)
        padded[0, : len(last)] = last
        yield [((end - len(last)) / rate, end / rate)], padded


def _spans(starts: Sequence[int], frames: int, rate: int) -> list[tuple[float, float]]:
    return [(round(at / rate, 6), round((at + frames) / rate, 6)) for at in starts]


def _piece(source: SoundSource, *, rate: int, first: int, count: int | None) -> NDArray[np.float32]:
    """Values `first` to `first + count` of the recording resampled to `rate` Hz."""
    common = math.gcd(source.samplerate, rate)
    there, here = source.samplerate // common, rate // common  # `there` values on disk last as long as `here` of ours
    margin = math.ceil(_MARGIN * rate) if here != there else 0
    settling = math.ceil(source.settling * here / there)
    cycle = max(0, first - margin - settling) // here
    source.seek(cycle * there)
    wanted = None
    if count is not None:
        wanted = math.ceil((first + count + margin) / here) * there - cycle * there
    parts = [source.mono(block) for block in source.blocks(wanted)]
    values = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
    if here != there and len(values):
        values = soxr.resample(values, source.samplerate, rate).astype(np.float32, copy=False)
    skip = first - cycle * here
    return values[skip:] if count is None else values[skip : skip + count]
