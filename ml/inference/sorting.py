"""Copies of answered files, sorted into a folder per class. The originals are only read."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

from ml.core.disk import check_free_space, replacing
from ml.core.errors import HandlensError
from ml.core.messages import msg, text
from ml.core.outputs import make_folder, unwritable
from ml.core.printable import printable
from ml.inference.answers import NONE_OF_THEM, UNREADABLE, Row

SET_ASIDE = msg("set aside")
"""The folder of answers that were not sure enough."""
LONGEST_NAME = 100
"""Bytes of a class that its folder keeps; the names of most classes are shorter."""
_LONGEST_FILE = 200
_NO_NAME = re.compile(r'[<>:"/\\|?*]')
"""Characters that Windows allows in no name."""
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"]
)
"""Names that mean no file on Windows, whatever ending follows them."""


def folder_names(names: Iterable[str]) -> dict[str, str]:
    """Return for each name one that any file system takes for a folder, all different, also in lower case."""
    taken: set[str] = set()
    chosen: dict[str, str] = {}
    for name in names:
        plain = _plain(name)
        for number in count(1):
            folder = plain if number == 1 else f"{plain} ({number})"
            if folder.casefold() not in taken:
                break
        taken.add(folder.casefold())
        chosen[name] = folder
    return chosen


class ClassFolders:
    """A folder with one folder per class, into which answered files are copied.

    Files that were set aside have a folder of their own. Where several classes may be present, a file is copied to each
    class that is. A copy never takes the place of another file: it gets a number, and one that is there already is
    left alone.
    """

    def __init__(self, folder: Path, classes: Sequence[str], inputs: Sequence[Path]) -> None:
        """Raises HandlensError where the folder cannot be written, or lies inside an input or around one."""
        self._folder = folder.expanduser().absolute()
        self._check(inputs)
        # The folder for what was set aside comes last: a class may have its name.
        special = [f"\0{text(SET_ASIDE)}", f"\0{text(NONE_OF_THEM)}"]
        names = folder_names([*classes, *special])
        self._set_aside, self._none = (names.pop(name) for name in special)
        self._names = names

    def copy(self, row: Row) -> tuple[Path, ...]:
        """Copy the file of one answer and return where the copies are; () for an unreadable file.

        Raises HandlensError where a copy cannot be written.
        """
        source = Path(row["path"])
        return tuple(self._copied(source, self._folder / name) for name in self._folders_of(row))

    def _folders_of(self, row: Row) -> tuple[str, ...]:
        if row["decision"] == UNREADABLE or not Path(row["path"]).is_file():
            return ()
        if row["decision"] == "reject":
            return (self._set_aside,)
        if "labels" in row:
            return tuple(self._names[name] for name in row["labels"]) or (self._none,)
        return (self._names[row["label"]],)

    def _check(self, inputs: Sequence[Path]) -> None:
        if self._folder.is_file():
            raise HandlensError(
                msg("{path} is a file. Give a folder for the copies; it may be a new one.", path=str(self._folder))
            )
        here = Path(os.path.realpath(self._folder))
        for given in inputs:
            there = Path(os.path.realpath(given))
            if there.is_dir() and (here.is_relative_to(there) or there.is_relative_to(here)):
                raise HandlensError(
                    msg(
                        "The copies cannot be sorted into {folder}, because that is inside {input} or around it. "
                        "Choose another folder.",
                        folder=str(self._folder),
                        input=str(given),
                    )
                )
        try:
            make_folder(self._folder)
            check_free_space(self._folder)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def _copied(self, source: Path, folder: Path) -> Path:
        target = folder
        try:
            folder.mkdir(exist_ok=True)
            for target in _targets(folder, source.name):
                if not os.path.lexists(target):
                    with replacing(target, durable=False) as draft:
                        shutil.copy2(source, draft)
                    return target
                if target.is_file() and filecmp.cmp(source, target, shallow=False):
                    return target
        except OSError as error:
            raise unwritable(target, error) from error
        raise AssertionError("there is no end to numbers")


def _targets(folder: Path, name: str) -> Iterator[Path]:
    """The names that a copy may have, one after another."""
    ending = Path(name).suffix
    stem = os.fsencode(Path(name).stem)[: max(1, _LONGEST_FILE - len(os.fsencode(ending)))].decode(errors="ignore")
    yield folder / name
    for number in count(2):
        yield folder / f"{stem}-{number}{ending}"


def _plain(name: str) -> str:
    """A name without characters that a file system refuses or a terminal obeys."""
    plain = _NO_NAME.sub("_", printable(name.replace("\0", ""))).strip().rstrip(". ")
    plain = plain.encode()[:LONGEST_NAME].decode(errors="ignore").rstrip(". ")
    if not plain.strip("._") or plain.startswith(".") or plain.split(".")[0].rstrip().casefold() in _DEVICES:
        plain = f"_{plain}"
    return plain
