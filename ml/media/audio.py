"""Load recordings: files to mono waveforms at the requested rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.core.regular_files import check_regular
from ml.core.types import Windowing
from ml.media.mel import SILENCE
from ml.media.windowing import choose_windowing, window_spans

__all__ = [
    "AUDIO_SUFFIXES",
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

_PLAYABLE = ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp3 .mp2 .aif .aiff .aifc .caf .au .snd .voc .oggflac"
_OTHERS = ".m4a .m4b .aac .wma .ape .wv .tta .mpc .dsf .dff .spx .amr .alac .mka .ra"
_REFUSED = {
    suffix: msg("{format} files cannot be read. Convert the recording to WAV or FLAC.", format=suffix[1:].upper())
    for suffix in _OTHERS.split()
}
AUDIO_SUFFIXES: frozenset[str] = frozenset(_PLAYABLE.split()) | _REFUSED.keys()
"""Suffixes of recordings, including unsupported formats, which are reported to the user."""

LOUDEST = 32_768.0
"""Samples lie in -1…1; float files written without scaling go up to this and keep their shape. More is damage."""

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
"""Hz. Telephones record at 8 kHz, seismic and whale recorders at 1 or 2, bat detectors at up to 500 kHz."""

_BLOCK_VALUES = 1 << 20
_MARGIN = 0.02
"""Seconds read on either side of a piece, so that resampling it equals resampling the whole file."""
_MP3_SETTLING = 12_000
"""Values that an MP3 decoder needs after a seek: frames depend on earlier ones, so the first few are wrong."""
_LONGEST_CLAIM = 366 * 86_400.0
"""Seconds. Where the length is unknown, a decoder names an enormous one."""
_STRETCH = 60.0
"""Seconds decoded at once when many windows are cut from one recording."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioFacts:
    """Measured properties of a recording: `duration` in seconds, `rate` in Hz."""

    duration: float
    rate: int
    channels: int


def audio_facts(path: Path) -> AudioFacts:
    """Decode the recording to its end, block by block, and return what it holds; headers can be wrong.

    Raises UnreadableError with the reason in one sentence.
    """
    with _opened(path) as source:
        rate, channels = source.samplerate, source.channels
        frames = sum(len(block) for block in _blocks(source, None))
    if frames == 0:
        raise UnreadableError(msg("The recording is empty: it holds no sound."))
    return AudioFacts(duration=frames / rate, rate=rate, channels=channels)


def claimed_seconds(path: Path) -> float:
    """Return how long a recording says it is, without decoding it; 0 where it cannot be read or does not say."""
    try:
        with _opened(path) as source:
            seconds = source.frames / source.samplerate
    except UnreadableError:
        return 0.0
    return seconds if 0 < seconds < _LONGEST_CLAIM else 0.0


def load_waveform(path: Path, *, rate: int, start: float = 0.0, seconds: float | None = None) -> NDArray[np.float32]:
    """`seconds` of the recording from `start` (to its end if None), mono (mean of the channels), at `rate` Hz.

    Shape (n,); shorter than asked where the recording ends. Only the needed part is decoded. A piece holds the
    same values as the same span of the whole recording. Raises UnreadableError.
    """
    first = round(start * rate)
    count = None if seconds is None else round(seconds * rate)
    with _opened(path) as source:
        return _piece(source, rate=rate, first=max(0, first), count=count)


def load_window(path: Path, windowing: Windowing, *, start: float) -> NDArray[np.float32]:
    """The window from `start` seconds, exactly (windowing.frames,), zero behind the end. Raises UnreadableError."""
    window: NDArray[np.float32] = load_windows(path, windowing, [start])[0]
    return window


def cut_audio(path: Path, target: Path, *, start: float, end: float) -> None:
    """Write `start`…`end` s of a recording to the new WAV file `target`, at its own rate and with all its channels.

    Raises UnreadableError, and OSError where `target` exists or cannot be written.
    """
    with _opened(path) as source:
        rate, channels = source.samplerate, source.channels
        source.seek(min(max(0, round(start * rate)), source.frames))
        blocks = list(_blocks(source, max(1, round((end - start) * rate))))
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
    with _opened(path) as source:
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
    with _opened(path) as source:
        if source.samplerate == rate:
            for block in _blocks(source, None):
                yield _as_mono(block)
            return
        resampler = soxr.ResampleStream(source.samplerate, rate, 1, dtype="float32")
        for block in _blocks(source, None):
            yield resampler.resample_chunk(_as_mono(block))
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


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The open recording. Whatever the decoder raises becomes an UnreadableError."""
    try:
        if check_regular(path).st_size == 0:
            raise UnreadableError(EMPTY)
        with path.open("rb") as probe:
            probe.read(1)  # raises the reason, which libsndfile hides
        with soundfile.SoundFile(path) as source:
            if source.samplerate <= 0 or source.channels <= 0:
                raise UnreadableError(msg("The recording is damaged: its beginning makes no sense."))
            if not LOWEST_RATE <= source.samplerate <= HIGHEST_RATE:
                raise UnreadableError(_absurd_rate(source.samplerate))
            yield source
    except UnreadableError:
        raise
    except Exception as error:  # a decoder of untrusted bytes can raise anything
        raise UnreadableError(_reason(path, error), details=type(error).__name__) from error


def _reason(path: Path, error: Exception) -> Message:
    from_disk = disk_reason(error)
    if from_disk is not None:
        return from_disk
    if isinstance(error, MemoryError):
        return msg("The recording needs more memory than one recording may use. Cut it into shorter ones.")
    refused = _REFUSED.get(path.suffix.lower())
    if refused:
        return refused
    text = str(error).lower()
    if "not recognised" in text or "not a regular file" in text:
        return msg("This is not a recording, or its beginning is damaged.")
    if "unimplemented" in text or "unsupported" in text:
        return msg("The recording is stored in a way that cannot be read. Convert it to 16-bit WAV or FLAC.")
    return msg("The recording is damaged and cannot be decoded.")


def _absurd_rate(rate: int) -> Message:
    return msg(
        "The recording claims a sample rate of {rate:,} Hz, which no recorder uses. Convert it to WAV with the rate it "
        "was recorded at.",
        rate=rate,
    )


def _blocks(source: soundfile.SoundFile, frames: int | None) -> Iterator[NDArray[np.float32]]:
    """Blocks (n, channels) from the present place to the end, or `frames` of them."""
    size = max(1, _BLOCK_VALUES // source.channels)
    left = frames
    while left is None or left > 0:
        asked = size if left is None else min(size, left)
        block: NDArray[np.float32] = source.read(asked, dtype="float32", always_2d=True)
        yield block
        if len(block) < asked:
            return
        if left is not None:
            left -= asked


def _mono(source: soundfile.SoundFile, frames: int | None) -> NDArray[np.float32]:
    parts = [_as_mono(block) for block in _blocks(source, frames)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _as_mono(block: NDArray[np.float32]) -> NDArray[np.float32]:
    finite = np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(finite, -LOUDEST, LOUDEST).mean(axis=1, dtype=np.float32))


def _piece(source: soundfile.SoundFile, *, rate: int, first: int, count: int | None) -> NDArray[np.float32]:
    """Values `first` to `first + count` of the recording resampled to `rate` Hz."""
    common = math.gcd(source.samplerate, rate)
    there, here = source.samplerate // common, rate // common  # `there` values on disk last as long as `here` of ours
    margin = math.ceil(_MARGIN * rate) if here != there else 0
    settling = math.ceil(_MP3_SETTLING * here / there) if source.format == "MP3" else 0
    cycle = max(0, first - margin - settling) // here
    source.seek(min(cycle * there, source.frames))
    wanted = None
    if count is not None:
        wanted = math.ceil((first + count + margin) / here) * there - cycle * there
    values = _mono(source, wanted)
    if here != there and len(values):
        values = soxr.resample(values, source.samplerate, rate).astype(np.float32, copy=False)
    skip = first - cycle * here
    return values[skip:] if count is None else values[skip : skip + count]
