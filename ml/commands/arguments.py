"""What is asked of `handlens new`, understood: kinds, rates and splits."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path, PurePosixPath

from ml.commands.usage import WrongUsageError
from ml.core.messages import msg
from ml.core.stored_windowing import MOST_TIMES_SLOWER
from ml.core.types import FIRST_BANDS, KindName, PictureReading
from ml.media.frames import LONGEST, SHORTEST, frames_asked
from ml.media.kinds import kind_named, kinds
from ml.media.signatures import is_strange, kind_inside
from ml.project.scan.folder import files_below

_NAMES_LOOKED_AT = 2000
_DIGITS = 6
"""A band of more digits is none: a TIFF counts them with 16 bits."""
_MOST_NAMES = 100_000
"""Where none of the first names says what the files are: the search itself shows how far it is, this does not."""


def rows_a_second(given: str | float) -> float:
    """A rate written as “100”, “100Hz” or “0.5 Hz”; a usage error for anything else."""
    try:
        rate = float(str(given).strip().lower().removesuffix("hz"))
    except ValueError:
        rate = math.nan
    if not math.isfinite(rate):
        raise WrongUsageError(
            msg("“{given}” is not a number. Write the number of rows per second, such as 100.", given=str(given))
        )
    return rate


def frame_seconds(given: str | float) -> float:
    """Seconds between two frames, written as “2” or “0.5s”; a usage error for anything else."""
    try:
        return frames_asked(float(str(given).strip().lower().removesuffix("s"))).every
    except ValueError as error:
        raise WrongUsageError(
            msg(
                "“{given}” is no number of seconds from {least:g} to {most:g}.",
                given=str(given),
                least=SHORTEST,
                most=LONGEST,
            )
        ) from error


def times_slower(given: str | int) -> int:
    """How many times slower recordings are heard; a usage error for anything but a whole number from 1 to 100."""
    text = str(given).strip()
    if not text.isdecimal() or not 1 <= int(text) <= MOST_TIMES_SLOWER:
        raise WrongUsageError(
            msg("“{given}” is no whole number from 1 to {most}.", given=str(given), most=MOST_TIMES_SLOWER),
            option="--time-expansion",
        )
    return int(text)


def check_split_by(split_by: str) -> None:
    """A usage error for a way to split that there is not."""
    if split_by not in ("auto", "folder", "recording") and not split_by.startswith("pattern:"):
        raise WrongUsageError(
            msg("Choose one of: {choices}.", choices="folder, recording, pattern:REGEX"), option="--split-by"
        )


def kind_of(given: str, folder: Path, *, rate: float | None) -> KindName:
    """What the user said, else what the names say. Only logs can be given a `rate`."""
    kind = _kind_named(given) if given else _kind_seen(folder)
    if rate is not None and not kind_named(kind).shares_columns:
        raise WrongUsageError(msg("Only sensor logs have a rate."), option="--rate")
    return kind


def bands_of(given: str) -> tuple[int, ...]:
    """Three bands written as “4,3,2”; none for nothing. A usage error for anything else."""
    words = [word.strip() for word in given.split(",")] if given else []
    bands = tuple(int(word) for word in words if word.isascii() and word.isdigit() and len(word) < _DIGITS)
    if words and (len(bands) != len(words) or len(bands) != len(FIRST_BANDS) or not all(bands)):
        raise WrongUsageError(
            msg("Give three bands, counted from 1, as in “{example}”.", example="4,3,2"), option="--bands"
        )
    return bands


def check_range(asked: PictureReading) -> None:
    """A usage error where the values for black and white are no range."""
    if not (asked.ranged and math.isfinite(asked.low) and math.isfinite(asked.high)):
        raise WrongUsageError(
            msg("Give two numbers, the smaller first: the values for black and for white."), option="--range"
        )


def check_pictures(kind: KindName, asked: PictureReading) -> None:
    """A usage error where files that are no pictures are to be read as pictures."""
    if kind_named(kind).input_name == "pixels" or asked == PictureReading():
        return
    option = "--range" if asked.ranged else "--bands" if asked.bands else "--pages"
    raise WrongUsageError(msg("Only pictures have this choice."), option=option)


def _kind_named(given: str) -> KindName:
    names = [kind.name for kind in kinds()]
    if given not in names:
        raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(names)), option="--kind")
    return given


def _kind_seen(folder: Path) -> KindName:
    """What most of the first files are by their names; tables are often beside others."""
    seen: Counter[KindName] = Counter()
    loose: Counter[KindName] = Counter()
    for number, name in enumerate(files_below(folder)):
        suffix = PurePosixPath(name).suffix.lower()
        for kind in kinds():
            if suffix in kind.suffixes - kind.guest_suffixes:
                (loose if kind.loose_suffixes else seen)[kind.name] += 1
                break
        else:
            inside = kind_inside(folder / name) if is_strange(suffix) else None
            seen.update([inside] if inside is not None else [])
        if number >= (_NAMES_LOOKED_AT if seen else _MOST_NAMES):
            break
    likeliest = seen or loose
    return likeliest.most_common(1)[0][0] if likeliest else kinds()[0].name
