"""Decode recordings and videos with FFmpeg, a separate program, where no library can. It never touches the network."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.core.preferences import preference

if sys.platform != "win32":
    import resource

NEEDS_FFMPEG = msg(
    "This file can only be read with FFmpeg, which was not found on this computer. Install FFmpeg, or add it with "
    "“pip install handlens[media]”."
)
NO_SOUND = msg("The file holds no sound that can be played.")
_DAMAGED = msg("The recording is damaged and cannot be decoded.")

ENVIRONMENT = "HANDLENS_FFMPEG"
"""Names the program where it is not on the PATH. It goes before the settings of the window."""
PREFERENCE = "ffmpeg"
"""The key of the program in the settings of the window, which all processes read."""

_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,loas,matroska,mlp,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,mpegvideo,ogg,rm,sox,tak,truehd,tta,voc,w64,wav,webm,wsaud,wv"
)
"""What FFmpeg may open. Not playlists (hls, concat, dash), which lead to other files, nor devices."""
_SECURE = ("-protocol_whitelist", "file,pipe", "-format_whitelist", _DEMUXERS)
_MEMORY = 1_500_000_000
_CPU_SECONDS, _BYTES_PER_CPU_SECOND = 60, 500_000
_MOST_WORDS = 1 << 20
"""Bytes that FFmpeg may say about one file."""
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_SHORT = 0.02
"""Seconds that may be missing from the length a file claims."""

WORTH_SEEKING, _RUN_UP = 20, 2
"""Seconds from which FFmpeg looks for a place instead of decoding up to it, and those that it decodes before it."""
_BY_THE_CLOCK = ("-af", "aresample=async=1:first_pts=0")
"""Lay the sound where its time stamps say, whether decoding began in front or at a place that was looked for."""
_AS_WAVE = ("-map_metadata", "-1", "-c:a", "pcm_f32le", "-f", "wav")

_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_FOR_FFMPEG_ONLY = (
    b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"#!AMR", b"MAC ", b"wvpk", b"\x0b\x77", b"ADIF", b"TTA1",
    b"TTA2", b"MPCK", b"MP+", b"DSD ", b"FRM8", b".RMF", b"\x7f\xfe\x80\x01", b"FLV\x01", b"\0\0\x01\xba", b"tBaK",
)  # fmt: skip
_FOR_BOTH = (b"caff", b"OggS", b"fLaC", b"RIFF", b"RF64", b".snd", b"FORM", b"ID3")
_TRANSPORT_PACKET = 188
ENOUGH = 2 * _TRANSPORT_PACKET
"""Bytes at the beginning of a file that show what it is."""


def holds_media(start: bytes) -> bool:
    """Whether a file that begins so is a recording or a video as FFmpeg reads them."""
    if is_foreign(start) or start.startswith(_FOR_BOTH):
        return True
    return len(start) > 2 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and start[1] != 0xFF  # MPEG audio


def is_foreign(start: bytes) -> bool:
    """Whether a file that begins so is one that libsndfile does not know, though it may take it for MP3."""
    if start.startswith(_FOR_FFMPEG_ONLY) or start[4:8] in _ISO_BOXES or start[8:12] == b"AVI ":
        return True
    if len(start) > 1 and start[0] == 0xFF and start[1] & 0xF6 == 0xF0:
        return True  # ADTS: AAC without a container
    return len(start) > _TRANSPORT_PACKET and start[0] == 0x47 and start[_TRANSPORT_PACKET] == 0x47


def has_index(path: Path) -> bool:
    """Whether the file is MP4, MOV or Matroska, in which FFmpeg finds any moment exactly. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(8)
    return start[4:8] in _ISO_BOXES or start.startswith(b"\x1a\x45\xdf\xa3")


def find_ffmpeg() -> Path | None:
    """Return the program: named in the environment or in the settings, or else what `find_by_itself` finds."""
    chosen = preference(PREFERENCE)
    for name in (os.environ.get(ENVIRONMENT), chosen):
        found = shutil.which(name) if isinstance(name, str) and name else None
        if found is not None:
            return Path(found)
    return find_by_itself()


@cache
def find_by_itself() -> Path | None:
    """Return the program beside a packaged Handlens, on the PATH, or of imageio-ffmpeg."""
    packaged = str(Path(getattr(sys, "_MEIPASS", "")) / "ffmpeg" / "ffmpeg") if hasattr(sys, "_MEIPASS") else None
    for name in (packaged, "ffmpeg"):
        found = shutil.which(name) if name else None
        if found is not None:
            return Path(found)
    try:
        return Path(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except Exception:  # not installed, or without a program for this system
        return None


def needed_ffmpeg() -> Path:
    """Return the program. Raises UnreadableError where there is none."""
    program = find_ffmpeg()
    if program is None:
        raise UnreadableError(NEEDS_FFMPEG)
    return program


class FFmpegRun:
    """FFmpeg at work on one file, within limits of memory and time; `out` is what it writes."""

    def __init__(
        self, path: Path, *, before: tuple[str, ...] = (), after: tuple[str, ...] = (), strict: bool = True
    ) -> None:
        """Start it. `before`: options of the file, `after`: what to write. Raises UnreadableError.

        `strict`: it ends at the first damage; otherwise it goes on behind it as well as it can.
        """
        program = needed_ffmpeg()
        command = [str(program), "-hide_banner", "-nostats", "-loglevel", "level+info", "-nostdin"]
        command += [
            *(("-xerror",) if strict else ()),
            *_SECURE,
            "-fflags",
            "+discardcorrupt",
            "-threads",
            "1",
            *before,
            "-i",
            f"file:{path}",
            *after,
            "pipe:1",
        ]
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the run
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}  # or each of its threads claims address space
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._words, env=environment
            )
        except OSError as error:
            self._words.close()
            raise UnreadableError(
                msg("FFmpeg could not be started. Install FFmpeg again."), details=repr(error)
            ) from error
        self._limit(path)
        assert self._process.stdout is not None
        self.out: IO[bytes] = self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def finish(self) -> int:
        """Wait for the end and return the exit status."""
        return self._process.wait()

    def words(self) -> str:
        """Return what it said so far."""
        self._words.seek(0)
        return self._words.read(_MOST_WORDS).decode("utf-8", "replace")

    @property
    def claimed_seconds(self) -> float:
        """How long the file says it is; 0 where it does not."""
        found = _DURATION.search(self.words())
        return 0.0 if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])

    def close(self) -> None:
        """End it, whether it is done or not."""
        self._process.kill()
        self.out.close()
        self._process.wait()
        self._words.close()

    def _limit(self, path: Path) -> None:
        if sys.platform == "linux":
            seconds = _CPU_SECONDS + path.stat().st_size // _BYTES_PER_CPU_SECOND
            limits = {resource.RLIMIT_AS: _MEMORY, resource.RLIMIT_CPU: seconds, resource.RLIMIT_FSIZE: _MOST_WORDS}
            for what, most in limits.items():
                try:
                    resource.prlimit(self._process.pid, what, (most, most))
                except (OSError, ValueError):  # it is over already, or a stricter limit holds
                    return


class FFmpegSound:
    """The first sound of a file, decoded forwards. Closing it ends FFmpeg."""

    def __init__(self, path: Path, *, near: float = 0.0) -> None:
        """Start decoding at the beginning, or where that is quicker a little before `near` seconds, see `at`.

        Raises UnreadableError.
        """
        indexed = has_index(path)
        start = int(near) - _RUN_UP if near > WORTH_SEEKING and indexed else 0
        self._run = FFmpegRun(
            path,
            before=("-ss", str(start)) if start else (),
            after=("-map", "0:a:0", "-vn", "-sn", "-dn", *(_BY_THE_CLOCK if indexed else ()), *_AS_WAVE),
        )
        try:
            self.samplerate, self.channels = self._header()
        except BaseException:
            self._run.close()
            raise
        self.at = start * self.samplerate
        """The value that the next `read` begins with."""
        self.claimed_seconds = self._run.claimed_seconds
        self.cut = False
        """The file was damaged or ended before its time. Known once everything is read."""

    def read(self, frames: int) -> NDArray[np.float32]:
        """Return the next values (n, channels), fewer than asked at the end."""
        size = 4 * self.channels
        data = self._run.out.read(frames * size)
        values = np.frombuffer(data[: len(data) // size * size], dtype="<f4").reshape(-1, self.channels)
        self.at += len(values)
        if len(values) < frames:
            self._judge()
        return values

    def close(self) -> None:
        """End FFmpeg."""
        self._run.close()

    def _header(self) -> tuple[int, int]:
        """Read the WAV header that FFmpeg writes and return rate and channels."""
        out, rate, channels = self._run.out, 0, 0
        out.read(12)
        while len(head := out.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return rate, channels
            body = out.read(size)
            if head[:4] == b"fmt ":
                channels, rate = int.from_bytes(body[2:4], "little"), int.from_bytes(body[4:8], "little")
        self._run.finish()
        raise UnreadableError(_why_nothing(self._run.words()), details=errors_in(self._run.words()))

    def _judge(self) -> None:
        status, words = self._run.finish(), self._run.words()
        missing = self.claimed_seconds - self.at / self.samplerate > _SHORT
        self.cut = status != 0 or (missing and bool(errors_in(words)))


def _why_nothing(words: str) -> Message:
    if "matches no streams" in words:
        return NO_SOUND
    return _DAMAGED


def errors_in(words: str) -> str:
    """Return the lines of what FFmpeg said that tell of damage."""
    return "\n".join(line for line in words.splitlines() if "[error]" in line or "[fatal]" in line)[:2000]
