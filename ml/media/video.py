"""Take pictures from videos, each at a moment of its own, with FFmpeg as a program of its own.

Lengths are counted, never believed. The frame of a moment is the first one that is not before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import msg
from ml.core.regular_files import check_regular
from ml.core.scan_report import PictureLook
from ml.media.audio import VIDEO_SUFFIXES
from ml.media.ffmpeg import FFmpegRun, errors_in, has_index
from ml.media.look import picture_look

T = TypeVar("T")

NO_PICTURE = msg("The video holds no moving picture.")
_DAMAGED = msg("The video is damaged and cannot be decoded.")
_TOO_LARGE = msg("The frames of this video have too many pixels. Save a smaller copy.")
MAX_PIXELS = 120_000_000

_ONLY_PICTURE = ("-map", "0:V:0", "-an", "-sn", "-dn")
"""The first moving picture; the cover of a recording is none."""
_COUNTED = ("-f", "framecrc")
"""Write a line for each frame, with its time."""
_CORNER = ("-vf", "crop=w='min(16,iw)':h='min(16,ih)':x=0:y=0")
"""All of a frame is decoded; counting it takes only a corner."""
_AS_PICTURES = ("-pix_fmt", "rgb24", "-c:v", "ppm", "-f", "image2pipe")
_KEYS_ONLY = ("-skip_frame", "nokey")
_SLACK = 1.0
"""Seconds by which a file may say that it is longer than its picture: its sound may be."""
_SHARE = 0.2
"""Of its length that a video may lack without an error: AVI files end anywhere."""
_FEW = 2
"""A video whose second frame already cannot be decoded cleanly is used to its end, as well as that goes."""
_AT_ONCE, _PER_BYTE, _MOST_CHECKED = 6e8, 75.0, 8e9
"""Pixels up to which every frame of a video is decoded when it is looked at: so many, so many more for each byte, and
never more than that. Of longer videos the key frames are."""
_TOGETHER = 4.0
"""Seconds between two frames up to which decoding what lies between them is quicker than looking for the second."""
_MARGIN = 0.001
_AGAIN = 2.0
"""Seconds before a moment at which the search begins once more, where no frame came after it."""
_TICK = 1000
"""Seconds between two pictures as they are written: longer than a frame lasts, or FFmpeg would write that one twice."""
_TIME_OF_FRAME = re.compile(r"Parsed_showinfo.* pts_time:\s*(-?[\d.]+)")
_SEEKABLE = frozenset([".avi"])
"""Besides the files that have an index, see `has_index`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFacts:
    """Measured properties of a video: `seconds` up to its end or the first damage, `rate` in frames per second."""

    width: int
    height: int
    seconds: float
    rate: float
    cut: bool
    """It is damaged or ends before its time; what is before that is used."""
    look: PictureLook | None = None


@dataclass(slots=True)
class _Counted:
    """The frames that one pass over a file found: their times, and how it ended."""

    times: list[float]
    size: tuple[int, int]
    clean: bool
    words: str
    claimed_seconds: float

    @property
    def seconds(self) -> float:
        """From the beginning to the end of the last frame."""
        gaps = np.diff(np.sort(np.asarray(self.times[-1000:])))
        usual = float(np.median(gaps)) if len(gaps) else 0.04
        return max(self.times) + usual if self.times else 0.0


def is_video(path: Path) -> bool:
    """Return whether a file is a video, by its name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def video_facts(path: Path, *, look: bool = True) -> VideoFacts:
    """Count the frames of a video and decode them. Raises UnreadableError with the reason in one sentence."""
    with _reasons(path):
        facts = _counted_facts(path)
        if not look:
            return facts
        (width, height), seen = frames_at(path, [facts.seconds / 2], lambda image: (image.size, picture_look(image)))[0]
        return replace(facts, width=width, height=height, look=seen)  # a phone says how its video is turned


def frames_at(path: Path, starts: Sequence[float], make: Callable[[Image.Image], T]) -> list[T]:
    """Return what `make` makes of the frame of each moment, in the order of `starts`. Raises UnreadableError.

    Only what lies around the moments is decoded, as far as the container has an index.
    """
    with _reasons(path):
        indexed = has_index(path) or path.suffix.lower() in _SEEKABLE
        order = sorted(range(len(starts)), key=starts.__getitem__)
        made: dict[int, T] = {}
        for group in _groups([starts[place] for place in order], seekable=indexed):
            places, order = order[: len(group)], order[len(group) :]
            found = _taken(path, group, make, seekable=indexed)
            for place, moment in zip(places, group, strict=True):
                later = (frame for time, frame in found if time >= moment - _MARGIN)
                made[place] = next(later, found[-1][1])
        return [made[place] for place in range(len(starts))]


# -- counting ----------------------------------------------------------------------------------------------------------


def _counted_facts(path: Path) -> VideoFacts:
    """Count what is stored, then decode it: all of it, or of a long video the key frames."""
    stored = _count(path, after=(*_ONLY_PICTURE, "-c", "copy"))
    if not stored.times:
        raise UnreadableError(
            NO_PICTURE if "matches no streams" in stored.words else _DAMAGED, details=errors_in(stored.words)
        )
    width, height = stored.size
    if width * height > MAX_PIXELS:
        raise UnreadableError(_TOO_LARGE)
    cost = float(len(stored.times)) * width * height
    every = cost <= min(_AT_ONCE + _PER_BYTE * path.stat().st_size, _MOST_CHECKED)
    decoded = _count(path, before=() if every else _KEYS_ONLY, after=(*_ONLY_PICTURE, *_CORNER))
    cut = not (stored.clean and decoded.clean)
    if every or not decoded.clean:
        seconds = decoded.seconds
        if len(decoded.times) < _FEW < len(stored.times):
            again = _count(path, before=() if every else _KEYS_ONLY, after=(*_ONLY_PICTURE, *_CORNER), strict=False)
            decoded, seconds = again, again.seconds if every else stored.seconds
    else:
        seconds = stored.seconds
    if not decoded.times:
        raise UnreadableError(_DAMAGED, details=errors_in(decoded.words))
    missing = stored.claimed_seconds - seconds
    return VideoFacts(
        width=width,
        height=height,
        seconds=round(seconds, 6),
        rate=round(len(stored.times) / stored.seconds, 3),
        cut=cut or missing > _SHARE * stored.claimed_seconds or (missing > _SLACK and bool(errors_in(stored.words))),
    )


def _count(path: Path, *, before: tuple[str, ...] = (), after: tuple[str, ...], strict: bool = True) -> _Counted:
    """Run FFmpeg over the whole file and read the line that it writes for each frame."""
    times: list[float] = []
    size, scale = (0, 0), 0.0
    with FFmpegRun(path, before=before, after=(*after, *_COUNTED), strict=strict) as run:
        for line in run.out:
            head, _colon, value = line.decode("ascii", "replace").partition(": ")
            if head == "#tb 0":
                ticks, _slash, second = value.partition("/")
                scale = int(ticks) / int(second)
            elif head == "#dimensions 0":
                wide, _x, high = value.partition("x")
                size = int(wide), int(high)
            elif not head.startswith("#"):
                _stream, decoded, shown = head.split(",")[:3]
                stamp = next((each for each in (shown, decoded) if each.strip().lstrip("-").isdigit()), None)
                if stamp is not None and abs(int(stamp)) < 1 << 62:
                    times.append(int(stamp) * scale)
        status = run.finish()
        return _Counted(times, size, status == 0, run.words(), run.claimed_seconds)


# -- taking frames -----------------------------------------------------------------------------------------------------


def _groups(moments: Sequence[float], *, seekable: bool) -> Iterator[list[float]]:
    """Yield sorted moments in groups that are decoded in one pass each."""
    group: list[float] = []
    for moment in moments:
        if group and seekable and moment - group[-1] > _TOGETHER:
            yield group
            group = []
        group.append(moment)
    if group:
        yield group


def _taken(
    path: Path, moments: Sequence[float], make: Callable[[Image.Image], T], *, seekable: bool
) -> list[tuple[float, T]]:
    """Return the frames of sorted moments with their times; at least one. Raises UnreadableError."""
    begin = max(0.0, moments[0] - _MARGIN)
    # Behind the last frame there is none: then that one is looked for, from a little earlier and from the start.
    tries = [(begin, False), (max(0.0, begin - _AGAIN), True), (0.0, True)] if seekable else [(0.0, False), (0.0, True)]
    words = ""
    for seek, last in dict.fromkeys(tries):
        found, words = _decoded(path, moments, make, seek=seek, last=last)
        if found:
            return found
    raise UnreadableError(_DAMAGED, details=errors_in(words))


def _decoded(
    path: Path, moments: Sequence[float], make: Callable[[Image.Image], T], *, seek: float, last: bool
) -> tuple[list[tuple[float, T]], str]:
    """One pass of FFmpeg from `seek` on: the frames of the moments, or the `last` that there is; and what it said."""
    select = "1" if last else "+".join(_first_from(max(0.0, moment - _MARGIN - seek)) for moment in moments)
    made: list[T] = []
    before = ("-ss", f"{seek:.6f}") if seek > 0 else ()
    filters = f"select='{select}',showinfo,settb={_TICK},setpts=N"
    most = () if last else ("-frames:v", str(len(moments)))
    after = (*_ONLY_PICTURE, "-vf", filters, "-r", f"1/{_TICK}", *most, *_AS_PICTURES)
    with FFmpegRun(path, before=before, after=after, strict=False) as run:
        while (image := _next_picture(run)) is not None:
            made = [make(image)] if last else [*made, make(image)]
        run.finish()
        words = run.words()
    times = [float(found) + seek for found in _TIME_OF_FRAME.findall(words)]
    return list(zip(times[-1:] if last else times, made, strict=False)), words


def _first_from(moment: float) -> str:
    """FFmpeg's expression for the first frame that is not before `moment`."""
    return f"gte(t,{moment:.6f})*(isnan(prev_t)+lt(prev_t,{moment:.6f}))"


def _next_picture(run: FFmpegRun) -> Image.Image | None:
    """Read one picture in the format PPM."""
    magic, size, depth = (run.out.readline(64) for _ in range(3))
    if magic != b"P6\n" or depth != b"255\n":
        return None
    width, height = (int(each) for each in size.split())
    if width * height > MAX_PIXELS:
        raise UnreadableError(_TOO_LARGE)
    data = run.out.read(width * height * 3)
    return Image.frombytes("RGB", (width, height), data) if len(data) == width * height * 3 else None


@contextmanager
def _reasons(path: Path) -> Iterator[None]:
    """Whatever goes wrong inside becomes an UnreadableError."""
    try:
        if check_regular(path).st_size == 0:
            raise UnreadableError(EMPTY)
        yield
    except UnreadableError:
        raise
    except Exception as error:  # an untrusted file can make a program say anything
        raise UnreadableError(disk_reason(error) or _DAMAGED, details=repr(error)) from error
