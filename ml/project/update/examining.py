"""Decode files that are to join a project, in child processes, and say what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ml.core.errors import UnreadableError
from ml.core.jobs import ScanJob, Stop, StopRequestedError
from ml.core.types import KindName, Windowing
from ml.media.kinds import kind_named
from ml.media.probing import probe_files
from ml.media.signatures import belongs
from ml.project.scan.examine import Examined, examine
from ml.project.scan.folder import Entry
from ml.project.scan.scan import BETWEEN_PROGRESS, settle_logs

Show = Callable[[int, int], None]
"""Is called with how many files are done, and of how many."""


def show_nothing(_done: int, _total: int) -> None:
    """Do nothing, for callers that show no progress."""


def examine_all(
    places: Mapping[str, Path], kind: KindName, windowing: Windowing | None, stop: Stop, show: Show
) -> dict[str, Examined | UnreadableError]:
    """Decode each file once, and return what was learned by the keys of `places`. Logs have to fit `windowing`.

    Raises StopRequestedError.
    """
    keys: dict[Path, list[str]] = {}
    for key, path in places.items():
        keys.setdefault(path, []).append(key)
    outcomes: dict[str, Examined | UnreadableError] = {}
    results = probe_files(list(keys), partial(examine, kind_named(kind)), stopped=lambda: bool(stop.requested()))
    shown = time.monotonic()
    try:
        for path, outcome in results:
            outcomes.update(dict.fromkeys(keys[path], outcome))
            now = time.monotonic()
            if now - shown >= BETWEEN_PROGRESS:
                shown = now
                show(len(outcomes), len(places))
    finally:
        results.close()
    if len(outcomes) < len(places):
        raise StopRequestedError
    if kind_named(kind).shares_columns:
        settle_logs(outcomes, ScanJob(folder=Path(), kind=kind, windowing=windowing))
    return outcomes


def usable(folder: Path, entries: Sequence[Entry], kind: KindName) -> list[str]:
    """Return the paths of those files below `folder` that a project of this kind may read, and can write down."""
    wanted = kind_named(kind)
    return [
        entry.path
        for entry in entries
        if entry.obstacle is None and is_text(entry.path) and belongs(folder, entry.path, wanted)
    ]


def is_text(name: str) -> bool:
    """Return whether the name can be stored: whether its bytes are valid text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
