"""Which files of a folder belong to a project, and what the folders around them mean."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.core.messages import msg
from ml.core.types import Split

READY_SPLITS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""Names, in lower case, of folders that bring a ready-made split."""

CLOSED_FOLDER = msg("This folder cannot be opened. Allow reading it and look again.")
"""Of a folder inside the one that is searched."""

_LITTER = frozenset(
    [
        "__macosx",
        "thumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "#recycle",
        "@eadir",
        "system volume information",
        "icon\r",
    ]
)
_PROJECT_SUFFIX = ".handlens"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a file lies (`path` relative to the folder, with '/') and what that says about it."""

    path: str
    class_name: str | None
    ready_split: str | None


def files_below(root: Path) -> Iterator[str]:
    """Every file below `root`, relative and with '/'; litter and hidden ones are left out.

    A folder that may not be opened is given too, with a '/' at its end. Each real folder is visited once, however
    many links lead to it, so links in a circle do no harm; linked folders come last, so that a file keeps the name
    of the place it really lies in. Pipes and devices are left out: reading them would wait for ever.
    Raises OSError if `root` itself cannot be opened.
    """
    seen: set[tuple[int, int]] = set()
    folders, links = [""], list[str]()
    while folders or links:
        links.sort()
        folder = folders.pop() if folders else links.pop(0)
        try:
            if not _first_visit(root / folder, seen):
                continue
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            if not folder:
                raise
            yield f"{folder}/"
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            kind = _kind(entry)
            if kind == "file":
                yield path
            elif kind == "folder":
                (links if entry.is_symlink() else folders).append(path)


def places(paths: Sequence[str]) -> tuple[Place, ...]:
    """What the folders of these files mean; `paths` are all usable files of one kind below one folder.

    A folder that holds nothing but one folder of folders is looked through. Then, where everything lies in train,
    valid or test folders (of whatever case), those are ready-made splits and the folders in them are classes;
    otherwise the first folder of each file is its class. Deeper folders say nothing here. A file beside the class
    folders has no class.
    """
    split = [path.split("/") for path in paths]
    depth = _wrapping(split)
    ready = _brings_splits(split, depth)
    return tuple(_place(path, parts[depth:-1], ready=ready) for path, parts in zip(paths, split, strict=True))


def class_depth(places_and_classes: Sequence[tuple[str, str | None, bool]]) -> int:
    """How many folders stand before the class folder (or before the ready-made split folder).

    Takes (path, class name, whether it lies in a ready-made split) of each file; the inverse of `places`.
    """
    labelled = [(_names(path), name, ready) for path, name, ready in places_and_classes if name is not None]
    deepest = min((len(parts) for parts, _name, _ready in labelled), default=0)
    for depth in range(deepest):
        if all(parts[depth + ready : depth + ready + 1] == [name] for parts, name, ready in labelled):
            return depth
    return 0


def _names(path: str) -> list[str]:
    return [unicodedata.normalize("NFC", part) for part in path.split("/")]


def _kind(entry: os.DirEntry[str]) -> str:
    name = entry.name.lower()
    if name.startswith(".") or name in _LITTER:
        return "litter"
    try:
        mode = entry.stat().st_mode
    except OSError:
        return "file"  # a link to nothing: whoever opens it will say so
    if stat.S_ISDIR(mode):
        return "litter" if name.endswith(_PROJECT_SUFFIX) else "folder"
    return "file" if stat.S_ISREG(mode) else "device"


def _first_visit(folder: Path, seen: set[tuple[int, int]]) -> bool:
    info = folder.stat()
    identity = (info.st_dev, info.st_ino)
    new = identity not in seen
    seen.add(identity)
    return new


def _wrapping(split: Sequence[Sequence[str]]) -> int:
    """How many folders hold nothing but one folder of folders."""
    depth = 0
    while split and all(len(parts) > depth + 2 for parts in split) and len({parts[depth] for parts in split}) == 1:
        depth += 1
    return depth


def _brings_splits(split: Sequence[Sequence[str]], depth: int) -> bool:
    """Whether everything lies in at least two ready-made split folders, one for training, with classes inside.

    A class that happens to be called "train" (a locomotive) stands among classes with other names.
    """
    if any(len(parts) <= depth + 1 for parts in split):
        return False
    roles = {READY_SPLITS.get(parts[depth].lower()) for parts in split}
    has_classes = any(len(parts) > depth + 2 for parts in split if READY_SPLITS.get(parts[depth].lower()) == "train")
    return len(roles) > 1 and "train" in roles and None not in roles and has_classes


def _place(path: str, folders: Sequence[str], *, ready: bool) -> Place:
    ready_split = folders[0].lower() if ready else None
    inner = folders[1:] if ready else folders
    class_name = unicodedata.normalize("NFC", inner[0]) if inner else None
    return Place(path=path, class_name=class_name, ready_split=ready_split)
