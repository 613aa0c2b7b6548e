"""Parts of sentences that many sentences share: counted things, shares, times. Each is a message of its own.

Languages with cases need a noun in several forms. A translation asks for one by name, `{things:dative}`; the catalogue
then has the noun once more in that context. `tools/i18n.py` lists every noun of this file in the contexts of `FORMS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ml.core.messages import Message, msg, nmsg
from ml.core.types import KindName, Sample

FORMS = ("accusative", "dative", "genitive")
"""Grammatical forms a translation may ask for; the form without a name is the nominative."""


@dataclass(frozen=True, slots=True)
class Nouns:
    """What the samples of a kind are called (counted, in the plural, in the singular), and the files they come from."""

    counted: Callable[[int], Message]
    counted_files: Callable[[int], Message]
    things: Message
    thing: Message
    files: Message


SAMPLES = Nouns(
    counted=lambda number: nmsg("{count} sample", "{count} samples", number),
    counted_files=lambda number: nmsg("{count} file", "{count} files", number),
    things=msg("samples"),
    thing=msg("sample"),
    files=msg("files"),
)
"""For kinds without nouns of their own."""
PICTURES = Nouns(
    counted=lambda number: nmsg("{count} picture", "{count} pictures", number),
    counted_files=lambda number: nmsg("{count} picture", "{count} pictures", number),
    things=msg("pictures"),
    thing=msg("picture"),
    files=msg("pictures"),
)
SOUNDS = Nouns(
    counted=lambda number: nmsg("{count} sound", "{count} sounds", number),
    counted_files=lambda number: nmsg("{count} recording", "{count} recordings", number),
    things=msg("sounds"),
    thing=msg("sound"),
    files=msg("recordings"),
)
MEASUREMENTS = Nouns(
    counted=lambda number: nmsg("{count} measurement", "{count} measurements", number),
    counted_files=lambda number: nmsg("{count} log", "{count} logs", number),
    things=msg("measurements"),
    thing=msg("measurement"),
    files=msg("logs"),
)
_nouns: dict[KindName, Nouns] = {"images": PICTURES, "recordings": SOUNDS, "sensors": MEASUREMENTS}


def register_nouns(kind: KindName, nouns: Nouns) -> None:
    """Set what the samples of `kind` are called; `ml.media.kinds.register_kind` does this."""
    _nouns[kind] = nouns


def nouns_of(kind: KindName) -> Nouns:
    """Return what the samples of `kind` are called."""
    return _nouns.get(kind, SAMPLES)


def counted(number: int, kind: KindName) -> Message:
    """Samples: “1 picture”, “3,670 pictures”, “40 sounds”."""
    return nouns_of(kind).counted(number)


def counted_files(number: int, kind: KindName) -> Message:
    """The files they come from: “1 recording”, “20 logs”."""
    return nouns_of(kind).counted_files(number)


def counted_cut(files: int, samples: int, kind: KindName) -> Message:
    """Samples, and the files they were cut from if there are fewer: “80 recordings, cut into 240 sounds”."""
    if files == samples:
        return counted(samples, kind)
    return msg("{files}, cut into {samples}", files=counted_files(files, kind), samples=counted(samples, kind))


def counted_videos(number: int) -> Message:
    """“1 video”, “12 videos”."""
    return nmsg("{count} video", "{count} videos", number)


def counted_with_videos(pictures: int, videos: int, frames: int) -> Message:
    """“240 pictures from 3 videos”, “90 pictures and 240 pictures from 3 videos”."""
    from_videos = msg("{pictures} from {videos}", pictures=counted(frames, "images"), videos=counted_videos(videos))
    if not videos:
        return counted(pictures, "images")
    if not pictures:
        return from_videos
    return msg("{pictures} and {others}", pictures=counted(pictures, "images"), others=from_videos)


def counted_samples(samples: Sequence[Sample], kind: KindName) -> Message:
    """Samples of a project, and what they come from: as `counted_cut`, or with the number of videos."""
    files = len({sample.source_id for sample in samples})
    frames = [sample.source_id for sample in samples if sample.start is not None]
    if kind != "images" or not frames:
        return counted_cut(files, len(samples), kind)
    return counted_with_videos(len(samples) - len(frames), len({*frames}), len(frames))


def video_time(seconds: float) -> str:
    """Return a moment of a video as players show it: “01:23”, “1:01:23”, “00:01.5” where it is no whole second."""
    hundredths = round(seconds * 100)
    whole, rest = divmod(hundredths, 100)
    minutes, second = divmod(whole, 60)
    shown = f"{minutes // 60}:{minutes % 60:02d}:{second:02d}" if minutes >= 60 else f"{minutes:02d}:{second:02d}"
    return f"{shown}.{rest:02d}".rstrip("0") if rest else shown


def frame_of(path: str, seconds: float) -> Message:
    """A frame of a video: “01:23 in gate.mp4”."""
    return msg("{time} in {video}", time=video_time(seconds), video=path)


def things(kind: KindName) -> Message:
    """Samples without a number: “pictures”."""
    return nouns_of(kind).things


def thing(kind: KindName) -> Message:
    """One sample: “picture”."""
    return nouns_of(kind).thing


def files(kind: KindName) -> Message:
    """Files without a number: “pictures”, “recordings”, “logs”."""
    return nouns_of(kind).files


def counted_classes(number: int) -> Message:
    """“1 class”, “5 classes”."""
    return nmsg("{count} class", "{count} classes", number)


def of_hundred(fraction: float) -> Message:
    """A share as a person says it: “97 of 100”; never “100 of 100” for what is not quite so."""
    shown = round(fraction * 100)
    if shown == 0 and fraction > 0:
        return msg("less than 1 of 100")
    return msg("{n} of 100", n=min(shown, 99) if fraction < 1 else shown)


def between(interval: tuple[float, float]) -> Message:
    """“between 88 and 97 of 100”: a 95 % confidence interval of a share."""
    return msg("between {low} and {high} of 100", low=round(interval[0] * 100), high=round(interval[1] * 100))


def percent(fraction: float) -> Message:
    """“97 %”; never “100 %” for what is not quite so."""
    shown = round(fraction * 100)
    return msg("{n} %", n=min(shown, 99) if fraction < 1 else shown)


def duration(seconds: float) -> Message:
    """A measured time: “20 s”, “6 min”, “1 h 20 min”."""
    if not math.isfinite(seconds):
        return msg("an unknown time")
    if seconds < 90:
        return msg("{n} s", n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    return msg("{n} min", n=minutes) if minutes < 90 else msg("{h} h {m} min", h=minutes // 60, m=minutes % 60)


def clock_time(seconds: float, *, fine: bool = False) -> str:
    """Return seconds as “0:12:03”, or “0:12:03.4” where events are short."""
    tenths = round(seconds * 10) if fine else round(seconds) * 10
    whole, tenth = divmod(tenths, 10)
    minutes, second = divmod(whole, 60)
    shown = f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"
    return f"{shown}.{tenth}" if fine else shown


def listed(names: Sequence[str | Message], *, most: int = 5) -> Message:
    """“a”, “a and b”, “a, b, c and 4 more”."""
    shown: list[str | Message] = list(names[:most])
    if len(names) > most:
        shown.append(nmsg("{count} more", "{count} more", len(names) - most))
    return Message("{text}", {"text": tuple(shown)})
