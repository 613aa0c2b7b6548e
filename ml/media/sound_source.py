"""One recording, opened by libsndfile or, where that fails, by FFmpeg; read forwards in blocks of all channels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.core.regular_files import check_regular
from ml.media.ffmpeg import (
    ENOUGH,
    NEEDS_FFMPEG,
    WORTH_SEEKING,
    FFmpegSound,
    find_ffmpeg,
    has_index,
    holds_media,
    is_foreign,
)
from ml.media.mp3_length import mp3_values
from ml.media.wav_header import RepairedWave, repaired_wave

LOUDEST = 32_768.0
"""Samples lie in -1…1; float files written without scaling go up to this and keep their shape. More is damage."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000
"""Hz. Telephones record at 8 kHz, seismic and whale recorders at 1 or 2, bat detectors at up to 500 kHz."""
BLOCK_VALUES = 1 << 20

_MP3_SETTLING = 12_000
"""Values that an MP3 decoder needs after a seek: frames depend on earlier ones, so the first few are wrong."""
_MP3_TOLERANCE = 8_000
"""Values that a decoder leaves out at both ends of an MP3."""
_LONGEST_CLAIM = 366 * 86_400.0
"""Seconds. Where the length is unknown, a decoder names an enormous one."""
_CANCELLED = 0.05
"""The power of the mix relative to the loudest channel below which the channels are not mixed."""
_ALMOST = 0.95
_AUDIBLE = 1e-6
"""The energy of a channel, its squares summed up, below which nothing can be said about it."""
_HEAD_VALUES, _SPOTS, _SPOT_VALUES = 1 << 22, 16, 1 << 15
"""Whether the channels cancel each other is heard in so many values at the beginning, then at so many places."""
_CHANNELS: dict[tuple[str, int, int], int | None] = {}
"""The only channel by path, size and time of change of a recording, so that each of its windows uses the same one."""
_MOST_REMEMBERED = 10_000
_SHORTENED = re.compile(r"^\s*data\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_STREAMED = 0x7FFF_0000
"""A WAV file that claims more bytes was written before its length was known."""


class SoundSource:
    """The open recording. `read` returns blocks (n, channels); `mono` makes one channel of them."""

    def __init__(self, path: Path, *, start: bytes) -> None:
        """Open the recording that begins with the bytes `start`, see `ENOUGH`.

        Raises UnreadableError, or whatever libsndfile raises.
        """
        self._path, self._start = path, start
        self._file: soundfile.SoundFile | None = None
        self._repaired: RepairedWave | None = None
        self._stream: FFmpegSound | None = None
        self._at = 0
        self._decoder_at = 0
        self._shortened = False
        self._chosen = False
        self.only_channel: int | None = None
        """The one channel that is used, because the mix of all cancels; None where they are mixed. Known once something
        was read."""
        self._head = np.zeros((0, 1), dtype=np.float32)
        """What was read to choose a channel; it is not decoded again."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and end its decoder."""
        for part in (self._file, self._repaired, self._stream):
            if part is not None:
                part.close()

    @property
    def settling(self) -> int:
        """Values to read before those that are wanted."""
        return _MP3_SETTLING if self._file is not None and self._file.format == "MP3" else 0

    @property
    def claimed_seconds(self) -> float:
        """How long it says it is; 0 where it does not."""
        if self._file is not None:
            seconds = float(self._file.frames) / self.samplerate
        else:
            assert self._stream is not None
            seconds = self._stream.claimed_seconds
        return seconds if 0 < seconds < _LONGEST_CLAIM else 0.0

    @property
    def cut(self) -> bool:
        """Whether it ends before its time or is damaged. Known once everything is read."""
        return self._shortened or (self._stream is not None and self._stream.cut)

    def seek(self, frame: int) -> None:
        """Go to this value, or to the end if it lies behind."""
        self._at = frame

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next values (n, channels), fewer than asked at the end. Raises UnreadableError."""
        if not self._chosen:
            self._chosen = True
            self.only_channel = self._chosen_channel() if self.channels > 1 else None
        block = self._head[self._at : self._at + frames]
        if len(block) < frames:
            rest = self._decode(self._at + len(block), frames - len(block))
            block = np.concatenate([block, rest]) if len(block) else rest
        self._at += len(block)
        return block

    def blocks(self, frames: int | None) -> Iterator[NDArray[np.float32]]:
        """Yield blocks (n, channels) from the present place to the end, or `frames` of them."""
        size = max(1, BLOCK_VALUES // self.channels)
        left = frames
        while left is None or left > 0:
            asked = size if left is None else min(size, left)
            block = self.read(asked)
            yield block
            if len(block) < asked:
                return
            if left is not None:
                left -= asked

    def mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a block (n, channels) as one channel (n,): their mean, or the only one that is used."""
        finite = _finite(block)
        if self.only_channel is not None and self.only_channel < finite.shape[1]:
            return np.ascontiguousarray(finite[:, self.only_channel])
        if finite.shape[1] == 1:
            return finite[:, 0]
        return np.asarray(finite.mean(axis=1, dtype=np.float32))

    def _open(self) -> None:
        try:
            self._file = self._opened_file()
        except Exception as error:
            self._switch(error)
        source = self._file or self._stream
        assert source is not None
        self.samplerate, self.channels = int(source.samplerate), int(source.channels)
        if self.samplerate <= 0 or self.channels <= 0:
            raise UnreadableError(msg("The recording is damaged: its beginning makes no sense."))
        if not LOWEST_RATE <= self.samplerate <= HIGHEST_RATE:
            raise UnreadableError(_absurd_rate(self.samplerate))
        if self._file is not None and self._file.format == "MP3" and self._underestimated():
            self._switch(None)
        self._head = np.zeros((0, self.channels), dtype=np.float32)

    def _opened_file(self) -> soundfile.SoundFile:
        """Open it with libsndfile; where a WAV file's header is wrong, behind a better one."""
        if is_foreign(self._start):
            raise UnreadableError(NEEDS_FFMPEG)
        try:
            file = soundfile.SoundFile(self._path)
        except soundfile.LibsndfileError:
            file = None
        if file is not None and (file.frames > 0 or file.format not in ("WAV", "WAVEX")):
            shortened = _SHORTENED.search(file.extra_info) if file.format in ("WAV", "WAVEX") else None
            self._shortened = shortened is not None and int(shortened[2]) < int(shortened[1]) < _STREAMED
            return file
        self._repaired = repaired_wave(self._path)
        if self._repaired is None:
            return file or soundfile.SoundFile(self._path)
        if file is not None:
            file.close()
        return soundfile.SoundFile(self._repaired)

    def _underestimated(self) -> bool:
        """Whether an MP3 holds more than libsndfile believes, which knows only its first frame."""
        assert self._file is not None
        believed = int(self._file.frames) + _MP3_TOLERANCE
        return _counted_mp3(self._path, *_stamp(self._path)) > believed

    def _switch(self, error: Exception | None) -> None:
        """Go on with FFmpeg; raise `error` where that is no use."""
        if error is not None and not holds_media(self._start):
            raise error
        if find_ffmpeg() is None:
            raise UnreadableError(NEEDS_FFMPEG) from error
        if self._file is not None:
            self._file.close()
            self._file = None
        self._stream = FFmpegSound(self._path)

    def _decode(self, first: int, frames: int) -> NDArray[np.float32]:
        if self._file is not None:
            try:
                if first != self._decoder_at:
                    self._decoder_at = self._file.seek(min(first, self._file.frames))
                block: NDArray[np.float32] = self._file.read(frames, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                self._switch(error)
            else:
                self._decoder_at += len(block)
                return block
        return self._decode_stream(first, frames)

    def _decode_stream(self, first: int, frames: int) -> NDArray[np.float32]:
        assert self._stream is not None
        ahead = first - self._stream.at
        if ahead < 0 or (ahead > WORTH_SEEKING * self.samplerate and has_index(self._path)):
            self._stream.close()
            self._stream = FFmpegSound(self._path, near=first / self.samplerate)
        size = max(1, BLOCK_VALUES // self._stream.channels)
        while self._stream.at < first:
            if not len(self._stream.read(min(size, first - self._stream.at))):
                break
        return self._stream.read(frames)

    def _chosen_channel(self) -> int | None:
        """Return the loudest channel where the mix of all is far quieter. Decided once, for the whole recording."""
        key = (str(self._path), *_stamp(self._path))
        if key not in _CHANNELS:
            if len(_CHANNELS) >= _MOST_REMEMBERED:
                _CHANNELS.clear()
            _CHANNELS[key] = self._loudest_if_cancelled()
        return _CHANNELS[key]

    def _loudest_if_cancelled(self) -> int | None:
        frames = _HEAD_VALUES // self.channels
        self._head = self._decode(0, frames)
        powers = _powers(self._head)
        if len(self._head) == frames and self._file is not None:
            spot = max(1, _SPOT_VALUES // self.channels)
            for number in range(_SPOTS):
                first = frames + (self._file.frames - frames) * number // _SPOTS if self._file is not None else 0
                powers = powers + _powers(self._decode(max(frames, first), spot))
        mix, channels = powers[-1], powers[:-1]
        loudest = int(np.argmax(channels > _ALMOST * channels.max()))  # the first of those that are as loud
        if channels[loudest] <= _AUDIBLE or mix >= _CANCELLED * channels[loudest]:
            return None
        return loudest


@contextmanager
def opened(path: Path) -> Iterator[SoundSource]:
    """Open a recording. Whatever a decoder raises becomes an UnreadableError."""
    try:
        if check_regular(path).st_size == 0:
            raise UnreadableError(EMPTY)
        with path.open("rb") as probe:
            start = probe.read(ENOUGH)  # raises the reason, which libsndfile hides
        with SoundSource(path, start=start) as source:
            yield source
    except UnreadableError:
        raise
    except Exception as error:  # a decoder of untrusted bytes can raise anything
        raise UnreadableError(_reason(error), details=type(error).__name__) from error


def _stamp(path: Path) -> tuple[int, int]:
    info = path.stat()
    return info.st_size, info.st_mtime_ns


@lru_cache(maxsize=256)
def _counted_mp3(path: Path, size: int, mtime_ns: int) -> int:  # noqa: ARG001 - they tell whether it is the same file
    return mp3_values(path)


def _powers(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """The energy of each channel, and that of their mean."""
    finite = _finite(block)
    mix = finite.mean(axis=1, dtype=np.float32)
    energies = [*np.einsum("nc,nc->c", finite, finite, dtype=np.float64), np.dot(mix, mix)]
    return np.asarray(energies, dtype=np.float64)


def _finite(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if not block.size or (block.min() >= -LOUDEST and block.max() <= LOUDEST):  # false where one is no number
        return block
    finite = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(finite, -LOUDEST, LOUDEST, out=finite)


def _reason(error: Exception) -> Message:
    from_disk = disk_reason(error)
    if from_disk is not None:
        return from_disk
    if isinstance(error, MemoryError):
        return msg("The recording needs more memory than one recording may use. Cut it into shorter ones.")
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
