"""What is asked of `handlens new`, understood: kinds, rates and splits."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path, PurePosixPath

from ml.commands.usage import WrongUsageError
from ml.core.messages import msg
from ml.core.stored_windowing import MOST_TIMES_SLOWER
from ml.core.types import KindName
from ml.media.kinds import kind_named, kinds
from ml.media.signatures import is_strange, kind_inside
from ml.project.scan.folder import files_below

_NAMES_LOOKED_AT = 2000
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
            if suffix in kind.suffixes:
                (loose if kind.loose_suffixes else seen)[kind.name] += 1
                break
        else:
            inside = kind_inside(folder / name) if is_strange(suffix) else None
            seen.update([inside] if inside is not None else [])
        if number >= (_NAMES_LOOKED_AT if seen else _MOST_NAMES):
            break
    likeliest = seen or loose
    return likeliest.most_common(1)[0][0] if likeliest else kinds()[0].name
