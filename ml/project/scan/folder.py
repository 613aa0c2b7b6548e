"""Which files of a folder belong to a project."""

from __future__ import annotations

import heapq
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.core.messages import Message, msg
from ml.core.regular_files import NOT_A_FILE
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
LEAVES_FOLDER = msg(
    "This link leads out of the folder and was not followed. Copy the files into the folder to use them."
)
"""Of a link to a folder or a file."""
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)

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
NAMES_AT_ONCE = 50_000
"""Names of one folder that are in memory at once; of a larger folder they are listed several times."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name below a folder, relative and with '/'. `obstacle`: why it is not read, if it is not.

    `folder`: it is a folder, so one with an obstacle. `linked`: it is a link to a file inside the same folder.
    """

    path: str
    obstacle: Message | None = None
    folder: bool = False
    linked: bool = False


def files_below(root: Path) -> Iterator[str]:
    """Every file below `root` that can be read, relative and with '/'. See `entries_below`."""
    return (entry.path for entry in entries_below(root) if entry.obstacle is None)


def entries_below(root: Path) -> Iterator[Entry]:
    """Every file below `root`, and every folder or file that is not read, with the reason; litter is left out.

    They come sorted by path, and memory does not grow with their number. Each real folder is visited once, however many
    links lead to it, so links in a circle do no harm; linked folders come last, so that a file keeps the name of the
    place it really lies in. Links out of `root` are not followed: one to “/” would take in the whole machine. Raises
    OSError if `root` itself cannot be opened.
    """
    inside = os.path.realpath(root)
    seen: set[tuple[int, int]] = set()
    links = [""]
    while links:
        links.sort()
        yield from _below(root, links.pop(0), inside, seen, links)


def _below(root: Path, first: str, inside: str, seen: set[tuple[int, int]], links: list[str]) -> Iterator[Entry]:
    """The entries of the folder `first` and of those in it. Links to folders are only added to `links`."""
    open_folders = [(first, _sorted_listing(root / first, seen))]
    while open_folders:
        folder, listing = open_folders[-1]
        try:
            entry = next(listing, None)
        except OSError:
            if not folder:
                raise
            yield Entry(folder, CLOSED_FOLDER, folder=True)
            entry = None
        if entry is None:
            open_folders.pop()
            continue
        path = f"{folder}/{entry.name}" if folder else entry.name
        kind = _kind(entry)
        if kind == "litter":
            continue
        linked = _is_link(entry)
        if linked and not _leads_inside(entry.path, inside):
            yield Entry(path, LEAVES_FOLDER, folder=kind == "folder")
        elif kind == "folder" and linked:
            links.append(path)
        elif kind == "folder":
            open_folders.append((path, _sorted_listing(root / path, seen)))
        else:
            yield Entry(path, NOT_A_FILE if kind == "device" else None, linked=linked)


def _sorted_listing(folder: Path, seen: set[tuple[int, int]]) -> Iterator[os.DirEntry[str]]:
    """What is in `folder`, sorted, if it was not visited before; a million names are not in memory at once."""
    if not _first_visit(folder, seen):
        return
    after = ""
    while True:
        with os.scandir(folder) as listing:
            rest = (entry for entry in listing if _sorting_name(entry) > after)
            page = heapq.nsmallest(NAMES_AT_ONCE, rest, key=_sorting_name)
        yield from page
        if len(page) < NAMES_AT_ONCE:
            return
        after = _sorting_name(page[-1])


def _sorting_name(entry: os.DirEntry[str]) -> str:
    """So that the paths below a folder come in the order in which they would be sorted as text."""
    try:
        return f"{entry.name}/" if entry.is_dir() else entry.name
    except OSError:  # a link that leads back to itself
        return entry.name


def is_link(path: Path) -> bool:
    """Whether the path is a symbolic link or, on Windows, a junction."""
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) == _JUNCTION


def is_litter(name: str) -> bool:
    """Whether a file or folder of that name is hidden, belongs to the system, or is a project of Handlens."""
    name = name.lower()
    return name.startswith(".") or name in _LITTER or name.endswith(_PROJECT_SUFFIX)


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


def _is_link(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    # `DirEntry.is_junction` needs Python 3.12.
    return sys.platform == "win32" and is_link(Path(entry.path))


def _leads_inside(link: str, root: str) -> bool:
    """Whether the link ends at or below `root`, a real path. A link to nothing says so when it is opened."""
    try:
        target = os.path.realpath(link, strict=True)
    except OSError:
        return True
    try:
        return os.path.commonpath([os.path.normcase(target), os.path.normcase(root)]) == os.path.normcase(root)
    except ValueError:  # another drive
        return False


def _first_visit(folder: Path, seen: set[tuple[int, int]]) -> bool:
    info = folder.stat()
    identity = (info.st_dev, info.st_ino)
    new = identity not in seen
    seen.add(identity)
    return new
