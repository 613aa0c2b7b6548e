"""Multi-label projects: what a scan found, read as "more than one may be present"."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from ml.project.folder import READY_SPLITS
from ml.project.samples import FoundFile, ScanReport, Split

NEGATIVE_FOLDERS = frozenset({"none", "nothing", "negative", "negatives"})
"""Class folders, in lower case, whose files show none of the classes."""

_LEAST_LEARNED: dict[Split, int] = {"train": 0, "valid": 1, "test": 2}


def as_multi_label(report: ScanReport) -> ScanReport:
    """Every file once, however many copies there are: copies in several class folders are one file of these classes.

    It keeps the name of its first copy, and of ready-made splits the one that learning is farthest from. A file in a
    folder of `NEGATIVE_FOLDERS` shows none of the classes, unless a copy of it says otherwise.
    """
    copies: dict[str, list[FoundFile]] = defaultdict(list)
    for file in report.files:
        copies[file.digest].append(file)
    merged = [_merged(same) for same in copies.values()]
    return dataclasses.replace(report, files=tuple(sorted(merged, key=lambda file: file.path)), task="multi")


def _merged(same: Sequence[FoundFile]) -> FoundFile:
    ordered = sorted((_without_negative(file) for file in same), key=lambda file: (not file.class_names, file.path))
    names = tuple(dict.fromkeys(name for file in ordered for name in file.class_names))
    # The same bytes on both sides of a ready-made split must not be learned from.
    ready = [file.ready_split for file in ordered if file.ready_split is not None]
    farthest = max(ready, key=lambda name: _LEAST_LEARNED[READY_SPLITS[name]], default=None)
    return dataclasses.replace(
        ordered[0],
        class_name=names[0] if names else None,
        also=names[1:],
        negative=not names and any(file.negative for file in ordered),
        ready_split=farthest,
    )


def _without_negative(file: FoundFile) -> FoundFile:
    if file.class_name is not None and file.class_name.lower() in NEGATIVE_FOLDERS:
        return dataclasses.replace(file, class_name=None, negative=True)
    return file
