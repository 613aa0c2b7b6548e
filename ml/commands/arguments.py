"""What is asked of `handlens new`, understood: kinds, rates and splits."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path, PurePosixPath

from ml.commands.usage import WrongUsageError
from ml.core.messages import msg
from ml.core.types import KINDS, Kind
from ml.media.audio import AUDIO_SUFFIXES
from ml.media.images import IMAGE_SUFFIXES
from ml.media.logs.log import LOG_SUFFIXES
from ml.project.scan.folder import files_below

_NAMES_LOOKED_AT = 2000


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


def check_split_by(split_by: str) -> None:
    """A usage error for a way to split that there is not."""
    if split_by not in ("auto", "folder", "recording") and not split_by.startswith("pattern:"):
        raise WrongUsageError(
            msg("Choose one of: {choices}.", choices="folder, recording, pattern:REGEX"), option="--split-by"
        )


def kind_of(given: str, folder: Path, *, rate: float | None) -> Kind:
    """What the user said, else what the names say. Only logs can be given a `rate`."""
    kind = _kind_named(given) if given else _kind_seen(folder)
    if rate is not None and kind != "sensors":
        raise WrongUsageError(msg("Only sensor logs have a rate."), option="--rate")
    return kind


def _kind_named(given: str) -> Kind:
    for kind in KINDS:
        if kind == given:
            return kind
    raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(KINDS)), option="--kind")


def _kind_seen(folder: Path) -> Kind:
    """What most of the first files are by their names; tables are often beside others."""
    seen: Counter[Kind] = Counter()
    logs = False
    for number, name in enumerate(files_below(folder)):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            seen["images"] += 1
        elif suffix in AUDIO_SUFFIXES:
            seen["recordings"] += 1
        logs = logs or suffix in LOG_SUFFIXES
        if number >= _NAMES_LOOKED_AT and seen:
            break
    if logs and not seen:
        return "sensors"
    return seen.most_common(1)[0][0] if seen else "images"
