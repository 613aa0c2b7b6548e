"""From label files to what they say of each file of a folder."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml.errors import HandlensError, UnreadableError
from ml.project.folder import READY_SPLITS, files_below
from ml.project.labelfiles.cells import shortened
from ml.project.labelfiles.layout import layout_of
from ml.project.labelfiles.matching import FileIndex
from ml.project.labelfiles.rows import rows_of
from ml.project.labelfiles.sheet import LABEL_SUFFIXES, read_sheet
from ml.project.labelfiles.values import Format, Given, Layout, Reading, Row, Sheet
from ml.project.samples import IssueKind, LabelIssue, LabelSpan

_FEWEST_GROUPS = 3
_BETWEEN = {" ": "spaces", ",": "commas"}
_FORMATS: dict[Format, tuple[str, str]] = {
    "audacity": ("Audacity label track", "Audacity label tracks"),
    "raven": ("Raven selection table", "Raven selection tables"),
    "table": ("table of times", "tables of times"),
}


def read_labels(sources: Sequence[Path], folder: Path, paths: Sequence[str], *, timed: bool) -> Reading:
    """What the label files `sources` (files, or folders of such) say of `paths`, the files of `folder`.

    `timed`: whether these are recordings, in which a label can be a part. Lines that cannot be used are counted,
    with the first example, and never end it. Raises HandlensError where a file that was named holds no labels, or none
    of all rows is about any of `paths`.
    """
    collected = _Collected(folder=folder, index=FileIndex(paths), timed=timed)
    for source in sources:
        if source.is_dir():
            for path in _inside(source, folder, paths):
                collected.take(path, named=False)
        else:
            collected.take(source, named=True)
    return collected.reading(sources)


def _inside(source: Path, folder: Path, paths: Sequence[str]) -> list[Path]:
    """What may be a label file below a folder; not the files that are to be labelled."""
    labelled = {folder / path for path in paths}
    try:
        below = sorted(source / name for name in files_below(source) if not name.endswith("/"))
    except OSError as error:
        message = f"The folder “{source.name}” cannot be opened; allow reading it or choose another."
        raise HandlensError(message, details=repr(error)) from error
    found = [path for path in below if path.suffix.lower() in LABEL_SUFFIXES and path not in labelled]
    if not found:
        raise HandlensError(
            f"There is no label file in “{source.name}”; choose one with .csv, .tsv or .txt files in it."
        )
    return found


@dataclass(kw_only=True, slots=True)
class _Collected:
    """What was read so far."""

    folder: Path
    index: FileIndex
    timed: bool
    given: dict[str, Given] = field(default_factory=dict)
    tables: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Names and rows of those that are alike, by what they are like."""
    tracks: dict[Format, list[int]] = field(default_factory=lambda: defaultdict(list))
    rows: int = 0
    used: int = 0
    several: set[str] = field(default_factory=set)
    counts: Counter[IssueKind] = field(default_factory=Counter)
    firsts: dict[IssueKind, str] = field(default_factory=dict)
    paths: dict[IssueKind, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    nothing: dict[str, None] = field(default_factory=dict)
    """What stands where rows name no class."""
    kept: dict[str, str] = field(default_factory=dict)
    """Words that are a class though they mostly say that there is none: by how they look in lower case, as the first
    table spells them."""
    table_splits: dict[str, str] = field(default_factory=dict)
    """The split that the name of the table promises, by file: train.csv, valid.csv."""

    def take(self, path: Path, *, named: bool) -> None:
        """Read one label file. Raises HandlensError if it was `named` and cannot be used."""
        try:
            sheet = read_sheet(path)
            layout = layout_of(sheet, self.index, timed=self.timed)
        except UnreadableError as error:
            if named:
                raise HandlensError(f"“{path.name}” cannot be used for labels: {_lower(error.message)}") from error
            self.note("not_a_table", f"“{path.name}”: {_lower(error.message)}")
            return
        except HandlensError as error:
            if named:
                raise
            self.note("not_a_table", error.message)
            return
        about = None
        if layout.file is None:
            about = self._recording(path)
            if about is None:
                return
        self._take_rows(sheet, layout, about)

    def note(self, kind: IssueKind, example: str, path: str = "") -> None:
        self.counts[kind] += 1
        self.firsts.setdefault(kind, example)
        if path:
            self.paths[kind][path] = None

    def _recording(self, path: Path) -> str | None:
        """The recording that a label file without a column of files is about."""
        name = path.name
        if path.is_relative_to(self.folder):
            name = path.relative_to(self.folder).as_posix()
        found = self.index.about(name)
        if len(found) == 1:
            return found[0]
        if found:
            self.note("many_recordings", f"“{path.name}” could be about {_listed(found)}")
        else:
            self.note("no_recording", f"“{path.name}”")
        return None

    def _take_rows(self, sheet: Sheet, layout: Layout, about: str | None) -> None:
        name = sheet.path.name
        spelt = frozenset(self.kept.setdefault(word.lower(), word) for word in layout.kept)
        layout = dataclasses.replace(layout, kept=spelt)
        understood = rows_of(sheet, layout)
        for line, why in understood.bad:
            self.note("unparsable", f"line {line:,} of “{name}”, which {why}")
        self.rows += len(understood.good)
        promised = _promised_split(sheet.path)
        for row in understood.good:
            path = about or self._file(row, name)
            if path is None:
                continue
            self.used += 1
            self._take_row(row, path, name, layout)
            if promised is not None and layout.split is None:
                self.table_splits[path] = promised
        if about is None:
            self.tables[_columns_told(layout)].append((name, len(understood.good)))
        else:
            self.tracks[layout.format].append(len(understood.good))
            self.given.setdefault(about, Given()).timed = True

    def _file(self, row: Row, table: str) -> str | None:
        assert row.file is not None
        found = self.index.find(row.file)
        where = f"“{shortened(row.file)}” in “{table}”, line {row.line:,}"
        if len(found) == 1:
            return found[0]
        if found:
            self.note("ambiguous", f"{where}: {_listed(found)}")
        else:
            self.note("no_file", where)
        return None

    def _take_row(self, row: Row, path: str, table: str, layout: Layout) -> None:
        given = self.given.setdefault(path, Given())
        if row.start is not None and row.end is not None:
            given.timed = True
            given.spans |= dict.fromkeys(LabelSpan(name, row.start, row.end) for name in row.classes)
        else:
            given.classes |= dict.fromkeys(row.classes)
        if not row.classes and row.start is None:
            self.note("no_class", f"line {row.line:,} of “{table}”", path)
            self.nothing |= dict.fromkeys([row.nothing] if row.nothing else [])
        elif not row.classes:
            self.note("unparsable", f"line {row.line:,} of “{table}”, which names no class")
        if len(row.classes) > 1:
            self.several.add(path)
        if row.group is not None and layout.group is not None:
            head = layout.header[layout.group] if layout.header else "group"
            given.group = given.group or f"{head} {row.group}"
        if row.split is not None:
            given.split = row.split.lower()

    def reading(self, sources: Sequence[Path]) -> Reading:
        """All of it. Raises HandlensError where nothing fits."""
        if not self.used and not any(given.timed for given in self.given.values()):
            raise HandlensError(self._nothing_fits(sources))
        self._nothing_beside_something()
        self._promise_splits()
        self._check_groups()
        tables = [_tables_told(alike, told) for told, alike in self.tables.items()]
        tables += [_tracks_told(form, labels) for form, labels in self.tracks.items()]
        issues = tuple(
            LabelIssue(
                kind=kind,
                count=count,
                first=self.firsts[kind],
                paths=tuple(self.paths[kind]),
                words=tuple(self.nothing) if kind == "no_class" else (),
            )
            for kind, count in self.counts.items()
        )
        return Reading(
            given=self.given,
            tables=tuple(tables),
            rows=self.rows,
            used=self.used,
            several_in_row=len(self.several),
            issues=issues,
        )

    def _nothing_beside_something(self) -> None:
        """Where other rows give a file a class, “none” in one row takes nothing back."""
        for given in self.given.values():
            something = [name for name in given.classes if name.lower() not in self.kept]
            if something:
                given.classes = dict.fromkeys(something)

    def _promise_splits(self) -> None:
        """train.csv and test.csv divide the files, if there are both."""
        if len({READY_SPLITS[name] for name in self.table_splits.values()}) > 1:
            for path, name in self.table_splits.items():
                self.given[path].split = name

    def _check_groups(self) -> None:
        """Where a table divides ready-made, or names too few groups to divide by, groups are left aside."""
        values = sorted({given.group for given in self.given.values() if given.group is not None})
        if not values:
            return
        divided = len({READY_SPLITS.get(given.split or "") for given in self.given.values()} - {None}) > 1
        if not divided and len(values) >= _FEWEST_GROUPS:
            return
        if not divided:
            self.counts["few_groups"], self.firsts["few_groups"] = len(values), f"“{values[0]}”"
        for given in self.given.values():
            given.group = None

    def _nothing_fits(self, sources: Sequence[Path]) -> str:
        what = f"“{sources[0].name}”" if len(sources) == 1 else "these label files"
        where = f"“{self.folder.name}”"
        for kind in ("no_file", "ambiguous"):
            if kind in self.counts:
                names = "names a file in" if kind == "no_file" else "names exactly one file in"
                first = self.firsts[kind]
                return f"No row of {what} {names} {where}, for example {first}; choose the folder it is about."
        if "many_recordings" in self.counts:
            return f"{self.firsts['many_recordings']}; put it beside the one that it is about."
        if "no_recording" in self.counts:
            return (
                f"No label file of {what} is called like a recording in {where}, for example "
                f"{self.firsts['no_recording']}; give it the name of its recording."
            )
        if "not_a_table" in self.counts:
            return f"No file in {what} holds labels, for example: {self.firsts['not_a_table']}"
        if "unparsable" in self.counts:
            return f"No line of {what} could be understood, for example {self.firsts['unparsable']}."
        return f"There is no row in {what} below the names of the columns; choose a table that holds labels."


def _promised_split(path: Path) -> str | None:
    words = re.split(r"[\W_]+", path.stem.lower())
    return next((word for word in words if word in READY_SPLITS), None)


def _columns_told(layout: Layout) -> str:
    def column(place: int | None) -> str:
        assert place is not None
        return f"“{shortened(layout.header[place])}”" if layout.header else f"column {place + 1:,}"

    parts = [f"files in {column(layout.file)}"]
    if layout.one_hot:
        parts.append(f"one column for each of {len(layout.labels):,} classes")
    else:
        between = _BETWEEN.get(layout.separator, f"“{layout.separator}”")
        several = f", several in a cell with {between} between" if layout.separator else ""
        among = "".join(f", “{word}” among them" for word in sorted(layout.kept))
        parts.append(f"classes in {column(layout.labels[0])}{several}{among}")
    if layout.start is not None:
        last = layout.end if layout.end is not None else layout.length
        parts.append(f"times in {column(layout.start)} and {column(last)}")
    if layout.group is not None:
        parts.append(f"groups in {column(layout.group)}")
    if layout.split is not None:
        parts.append(f"the division in {column(layout.split)}")
    return ", ".join(parts)


def _tables_told(alike: Sequence[tuple[str, int]], told: str) -> str:
    rows = _plural(sum(count for _name, count in alike), "row", "rows")
    named = f"“{alike[0][0]}”" if len(alike) == 1 else f"“{alike[0][0]}” and {len(alike) - 1:,} more like it"
    return f"{named}: {rows}; {told}."


def _tracks_told(form: Format, labels: Sequence[int]) -> str:
    one, many = _FORMATS[form]
    return f"{_plural(len(labels), one, many)} with {_plural(sum(labels), 'label', 'labels')}."


def _plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _listed(found: Sequence[str]) -> str:
    more = f" or {len(found) - 2:,} more" if len(found) > 2 else ""
    return f"{found[0]} or {found[1]}{more}" if not more else f"{found[0]}, {found[1]}{more}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
