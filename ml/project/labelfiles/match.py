"""Match the rows of label files with the files of a folder: “clips/12.wav”, “12.wav” or “12”."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ml.core.messages import Message, msg, nmsg
from ml.core.scan_report import IssueKind
from ml.project.labelfiles.cells import shortened
from ml.project.labelfiles.types import LabelRow, LabelTable, Match, MatchedTable, Problem, Problems

_TAIL = re.compile(r"(?:[ _\-.]+(?:audacity|labels?|selections?|annotations?|table(?:[ _\-.]?\d+)?|track))+$")
"""What follows the name of the recording in the name of its label file."""
_SKIPPED_ROWS = 1000
"""Rows without a file that are remembered, to count neighbours that say the same once."""


class FileIndex:
    """Index of the files of a folder (relative paths with '/') by path, name and stem."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            name = _same(path).rpartition("/")[2]
            self._by_name[name].append(path)
            self._by_stem[_stem(name)].append(path)

    def find(self, name_or_path: str) -> tuple[str, ...]:
        """The files that `name_or_path` (a path, a name, or a name without suffix) can mean: none, one, or several.

        Of several files of one name it returns those in the folders of `name_or_path`.
        """
        wanted = _same(name_or_path)
        name = wanted.rpartition("/")[2]
        if not name:
            return ()
        for found in (self._by_name.get(name), self._by_stem.get(name), self._by_stem.get(_stem(name))):
            if found:
                return _nearest(found, wanted)
        return ()

    def about(self, sheet: str) -> tuple[str, ...]:
        """The recordings that a label file without a column of files can be about, by its own name.

        `sheet` is its path relative to the folder of the recordings, or only its name. “rec1.txt” is about rec1.wav,
        “rec1.Table.1.selections.txt” and “rec1_labels.txt” too; the longest beginning that fits counts.
        """
        path = PurePosixPath(_same(sheet))
        stem = path.stem
        tried = [path.name, stem]
        while True:
            shorter = _TAIL.sub("", stem)
            shorter = shorter if shorter and shorter != stem else stem.rpartition(".")[0]
            if not shorter:
                break
            stem = shorter
            tried.append(stem)
        for name in tried:
            found = self._by_name.get(name) or self._by_stem.get(name)
            if found:
                return _nearest(found, (path.parent / name).as_posix())
        return ()


def recording_of(path: Path, folder: Path, index: FileIndex) -> str | Problem:
    """The recording in `folder` that a label file without a column of files is about."""
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
    found = index.about(name)
    if len(found) == 1:
        return found[0]
    if found:
        example = msg("“{file}” ({found})", file=path.name, found=_one_of(found))
        return Problem(kind="many_recordings", example=example)
    return Problem(kind="no_recording", example=msg("“{name}”", name=path.name))


def match_rows(table: LabelTable, rows: Iterable[LabelRow], index: FileIndex, problems: Problems) -> MatchedTable:
    """Find the file of every row and return the rows that have one. Raven writes a selection once per view: each row
    counts once.

    Rows without such a file are only counted, in `problems` of this table, so memory does not grow with them.
    """
    matches: list[Match] = []
    seen: set[LabelRow] = set()
    skipped: set[LabelRow] = set()
    for row in rows:
        key = dataclasses.replace(row, line=0)
        if key in seen or key in skipped:
            continue
        path = table.about or file_of(row.file or "", row.line, table.sheet.path.name, index, problems)
        if path is None:
            if len(skipped) >= _SKIPPED_ROWS:
                skipped.clear()
            skipped.add(key)
            continue
        seen.add(key)
        matches.append(Match(path=path, row=row))
        if not row.classes:
            problems.add(_without_class(row, path, table.sheet.path.name))
    count = len(matches) + problems.count("no_file") + problems.count("ambiguous")
    return MatchedTable(table=table, rows=count, matches=tuple(matches))


def _without_class(row: LabelRow, path: str, table: str) -> Problem:
    if row.start is None:
        example = msg("line {line} of “{table}”", line=row.line, table=table)
        return Problem(kind="no_class", example=example, path=path, word=row.nothing)
    why = msg("it names no class")
    example = msg("line {line} of “{table}” ({why})", line=row.line, table=table, why=why)
    return Problem(kind="unparsable", example=example)


def file_of(name: str, line: int, table: str, index: FileIndex, problems: Problems) -> str | None:
    """The one file that a row of `table` names; None if that is another problem."""
    found = index.find(name)
    if len(found) == 1:
        return found[0]
    kind: IssueKind = "ambiguous" if found else "no_file"
    if problems.again(kind):
        return None
    name = shortened(name)
    if found:
        example = msg(
            "“{name}” in “{table}”, line {line} ({found})", name=name, table=table, line=line, found=_one_of(found)
        )
    else:
        example = msg("“{name}” in “{table}”, line {line}", name=name, table=table, line=line)
    problems.add(Problem(kind=kind, example=example))
    return None


def _one_of(found: Sequence[str]) -> Message:
    """“a or b”, “a, b or 4 more”."""
    if len(found) == 2:
        return msg("{one} or {other}", one=found[0], other=found[1])
    return nmsg(
        "{one}, {other} or {count} more", "{one}, {other} or {count} more", len(found) - 2, one=found[0], other=found[1]
    )


def _stem(name: str) -> str:
    """The name without its suffix; a dot at the beginning begins no suffix."""
    place = name.rfind(".")
    return name[:place] if place > 0 else name


def _same(path: str) -> str:
    """Normalise a path for comparison: backslashes, upper case and composed letters make no difference."""
    text = unicodedata.normalize("NFC", path.strip()).replace("\\", "/")
    return text.casefold()


def _nearest(found: Sequence[str], wanted: str) -> tuple[str, ...]:
    """The files whose last folders agree best with those of `wanted`; a file at exactly that path wins."""
    if len(found) == 1:
        return (found[0],)
    exact = [path for path in found if _same(path).rpartition("/")[0] == wanted.rpartition("/")[0]]
    if len(exact) == 1:
        return (exact[0],)
    folders = PurePosixPath(wanted).parts[:-1]
    scores = {path: _agreeing(PurePosixPath(_same(path)).parts[:-1], folders) for path in found}
    best = max(scores.values())
    return tuple(path for path in found if scores[path] == best)


def _agreeing(ones: Sequence[str], others: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(ones), reversed(others), strict=False):
        if one != other:
            break
        count += 1
    return count
