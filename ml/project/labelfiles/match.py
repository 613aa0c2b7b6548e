"""Match the rows of label files with the files of a folder: “clips/12.wav”, “12.wav” or “12”."""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote

from ml.core.messages import Message, msg, nmsg
from ml.core.scan_report import IssueKind
from ml.project.labelfiles.cells import shortened
from ml.project.labelfiles.types import LabelRow, LabelTable, Match, MatchedTable, Problem, Problems

_TAIL = re.compile(r"(?:[ _\-.]+(?:audacity|labels?|selections?|annotations?|table(?:[ _\-.]?\d+)?|track))+$")
"""What follows the name of the recording in the name of its label file."""
_PREFIX_END = re.compile(r"[-_ ]+")
_SHORTEST_REST = 3
_FEW_EXACT = 0.2
"""If more of the files are named exactly, names with something before them belong to other files."""
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_SKIPPED_ROWS = 1000
"""Rows without a file that are remembered, to count neighbours that say the same once."""


class FileIndex:
    """Index of the files of a folder (relative paths with '/') by path, name and stem.

    `folder`: where they lie. Its own folders count where a table names longer paths.
    """

    def __init__(self, paths: Iterable[str], folder: Path | None = None) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._without_zeros: dict[str, list[str]] | None = None
        self._root = () if folder is None else PurePosixPath(_same(folder.absolute().as_posix())).parts[1:]
        for path in paths:
            name = _same(path).rpartition("/")[2]
            self._by_name[name].append(path)
            self._by_stem[_stem(name)].append(path)

    def find(self, name_or_path: str) -> tuple[str, ...]:
        """The files that `name_or_path` (a path, a name, or a name without suffix) can mean: none, one, or several.

        Of several files of one name it returns those in the folders of `name_or_path`.
        """
        for wanted in _spellings(name_or_path):
            if found := self._find(wanted):
                return found
        return ()

    def find_loosely(self, name_or_path: str) -> tuple[str, ...]:
        """The one file that is left where `find` has none: without what a program put before the name, or with the
        zeros that a spreadsheet took away. Several names can lead to one file, see `match_rows`."""
        for wanted in _spellings(name_or_path):
            for shorter in _without_prefix(wanted):
                if len(found := self._find(shorter)) == 1:
                    return found
            name = wanted.rpartition("/")[2]
            found = tuple(self._named_with_zeros().get(_drop_zeros(_stem(name)), ()))
            if len(found) == 1:
                return found
        return ()

    def has_lost_zeros(self, path: str, name_or_path: str) -> bool:
        """Whether the names differ in leading zeros alone."""
        one, other = (_drop_zeros(_stem(_same(each).rpartition("/")[2])) for each in (path, name_or_path))
        return one == other

    def agreement(self, path: str, name_or_path: str) -> tuple[int, int]:
        """How well the folders of a found file agree with those that a table names: the last ones, and how many of
        the others contradict (negative)."""
        wanted = PurePosixPath(_same(name_or_path)).parts[:-1]
        own = (*self._root, *PurePosixPath(_same(path)).parts[:-1])
        agreeing = _agreeing(own, wanted)
        return agreeing, agreeing - len(wanted)

    def _find(self, wanted: str) -> tuple[str, ...]:
        name = wanted.rpartition("/")[2]
        if not name:
            return ()
        for found in (self._by_name.get(name), self._by_stem.get(name), self._by_stem.get(_stem(name))):
            if found:
                return _nearest(found, wanted)
        return ()

    def _named_with_zeros(self) -> dict[str, list[str]]:
        if self._without_zeros is None:
            self._without_zeros = defaultdict(list)
            for stem, paths in self._by_stem.items():
                self._without_zeros[_drop_zeros(stem)] += paths
        return self._without_zeros

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
    counts once, and how often it came is kept.

    Rows without such a file are only counted, in `problems` of this table, so memory does not grow with them.
    """
    matches: list[Match] = []
    seen: Counter[LabelRow] = Counter()
    skipped: set[LabelRow] = set()
    for row in rows:
        key = dataclasses.replace(row, line=0)
        if key in seen:
            seen[key] += 1
            continue
        if key in skipped:
            continue
        path = table.about or file_of(row.file or "", row.line, table.sheet.path.name, index, problems)
        if path is None:
            if len(skipped) >= _SKIPPED_ROWS:
                skipped.clear()
            skipped.add(key)
            continue
        seen[key] += 1
        matches.append(Match(path=path, row=row))
        if not row.classes:
            problems.add(_without_class(row, path, table.sheet.path.name))
    count = len(matches) + problems.count("no_file") + problems.count("ambiguous")
    if table.about is None:
        matches = _uncontested(matches, index, table.sheet.path.name, problems)
    again = {match.row: seen[key] for match in matches if seen[key := dataclasses.replace(match.row, line=0)] > 1}
    return MatchedTable(table=table, rows=count, matches=tuple(matches), again=again)


def _uncontested(matches: list[Match], index: FileIndex, table: str, problems: Problems) -> list[Match]:
    """Leave out the rows that name another file than the one they were matched with.

    Where different names lead to one file, those count whose folders agree best with its own. Names that agree equally
    well are all left out: a missing label is better than a wrong one.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for match in matches:
        names[match.path].add(_stem(_same(match.row.file or "")))
    # A prefix is believed where a program put one before all names.
    loose = {path for path, own in names.items() if not any(path in index.find(name) for name in own)}
    stray = loose if len(names) - len(loose) > _FEW_EXACT * len(names) else set[str]()
    stray = {path for path in stray if not any(index.has_lost_zeros(path, name) for name in names[path])}
    rivals = {path: own for path, own in names.items() if len(own) > 1}
    if not rivals and not stray:
        return matches
    winners = {path: _best_names(path, own, index) for path, own in rivals.items() if path not in stray}
    winners |= {path: set() for path in stray}
    left = []
    for match in matches:
        if match.path in winners and _stem(_same(match.row.file or "")) not in winners[match.path]:
            name = shortened(match.row.file or "")
            example = msg("“{name}” in “{table}”, line {line}", name=name, table=table, line=match.row.line)
            problems.add(Problem(kind="contested", example=example, path=match.path))
        else:
            left.append(match)
    return left


def _best_names(path: str, names: set[str], index: FileIndex) -> set[str]:
    scores = {name: (path in index.find(name), *index.agreement(path, name)) for name in names}
    best = max(scores.values())
    winners = {name for name in names if scores[name] == best}
    return winners if len({name.rpartition("/")[0] for name in winners}) == len({*winners}) == 1 else set()


def _without_class(row: LabelRow, path: str, table: str) -> Problem:
    if row.start is None:
        example = msg("line {line} of “{table}”", line=row.line, table=table)
        return Problem(kind="no_class", example=example, path=path, word=row.nothing)
    why = msg("it names no class")
    example = msg("line {line} of “{table}” ({why})", line=row.line, table=table, why=why)
    return Problem(kind="unparsable", example=example)


def file_of(name: str, line: int, table: str, index: FileIndex, problems: Problems) -> str | None:
    """The one file that a row of `table` names; None if that is another problem."""
    found = index.find(name) or index.find_loosely(name)
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


def _spellings(name_or_path: str) -> Iterator[str]:
    """The path as it stands there, and as an address of the web holds it."""
    yield _same(name_or_path)
    if "?" in name_or_path or "%" in name_or_path:
        address, _mark, query = name_or_path.partition("?")
        local = next((value for key, value in parse_qsl(query) if key == "d"), None)
        yield _same(local if local is not None else unquote(address))
        yield _same(unquote(name_or_path))


def _without_prefix(wanted: str) -> Iterator[str]:
    """The path without one part after the other of the beginning of its name."""
    folder, _slash, name = wanted.rpartition("/")
    for mark in _PREFIX_END.finditer(name):
        if len(rest := name[mark.end() :]) >= _SHORTEST_REST:
            yield f"{folder}/{rest}" if folder else rest


def _drop_zeros(stem: str) -> str:
    return _LEADING_ZEROS.sub("", stem)


def _nearest(found: Sequence[str], wanted: str) -> tuple[str, ...]:
    """The files whose last folders agree best with those of `wanted`; a file at exactly that path wins."""
    if len(found) == 1:
        return (found[0],)
    exact = [path for path in found if _same(path).rpartition("/")[0] == wanted.rpartition("/")[0]]
    if len(exact) == 1:
        return (exact[0],)
    folders = PurePosixPath(wanted).parts[:-1]
    scores = {path: _likeness(PurePosixPath(_same(path)).parts[:-1], folders) for path in found}
    best = max(scores.values())
    return tuple(path for path in found if scores[path] == best)


def _likeness(ones: Sequence[str], others: Sequence[str]) -> tuple[int, int]:
    """How many of the last folders are the same, then how many folders at all."""
    return _agreeing(ones, others), (Counter(ones) & Counter(others)).total()


def _agreeing(ones: Sequence[str], others: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(ones), reversed(others), strict=False):
        if one != other:
            break
        count += 1
    return count
