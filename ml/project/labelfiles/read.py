"""From label files to what they say of each file of a folder."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import Message, msg, nmsg
from ml.core.scan_report import IssueKind, LabelIssue
from ml.core.types import LabelSpan
from ml.project.labelfiles.cells import class_name, classes_in, quoted, shortened
from ml.project.labelfiles.match import FileIndex
from ml.project.labelfiles.recognise import layout_of
from ml.project.labelfiles.types import Format, Given, Layout, Reading, Row
from ml.project.scan.folder import READY_SPLITS, files_below
from ml.tables.cells import is_missing, parse_flag
from ml.tables.sheet import LABEL_SUFFIXES, Sheet, read_sheet
from ml.tables.timestamps import parse_position

_FEWEST_GROUPS = 3
_BETWEEN = {" ": msg("spaces"), ",": msg("commas")}
_NOTHING_FITS: dict[IssueKind, Message] = {
    "no_file": msg(
        "No row of {files} names a file in “{folder}”, for example {first}. Choose the folder these labels belong to."
    ),
    "ambiguous": msg(
        "No row of {files} names exactly one file in “{folder}”, for example {first}. Choose the folder these labels "
        "belong to."
    ),
    "many_recordings": msg(
        "The name of a label file matches several recordings: {first}. Move it next to the recording it describes."
    ),
    "no_recording": msg(
        "No label file in {files} has the name of a recording in “{folder}”, for example {first}. Give it the name of "
        "its recording."
    ),
    "not_a_table": msg("No file in {files} contains labels, for example: {first}"),
    "unparsable": msg("Handlens cannot read any line of {files}, for example {first}."),
}
"""Why nothing could be used: the first of these issues that there is."""


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
        message = msg(
            "The folder “{folder}” cannot be opened. Allow reading it, or choose another folder.", folder=source.name
        )
        raise HandlensError(message, details=repr(error)) from error
    found = [path for path in below if path.suffix.lower() in LABEL_SUFFIXES and path not in labelled]
    if not found:
        raise HandlensError(
            msg(
                "There is no label file in “{folder}”. Choose a folder with .csv, .tsv or .txt files.",
                folder=source.name,
            )
        )
    return found


@dataclass(kw_only=True, slots=True)
class _Collected:
    """What was read so far."""

    folder: Path
    index: FileIndex
    timed: bool
    given: dict[str, Given] = field(default_factory=dict)
    tables: dict[Message, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Names and rows of those that are alike, by what they are like."""
    tracks: dict[Format, list[int]] = field(default_factory=lambda: defaultdict(list))
    rows: int = 0
    used: int = 0
    several: set[str] = field(default_factory=set)
    counts: Counter[IssueKind] = field(default_factory=Counter)
    firsts: dict[IssueKind, Message] = field(default_factory=dict)
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
                message = msg("“{file}” cannot be used for labels. {why}", file=path.name, why=error.message)
                raise HandlensError(message) from error
            self.note("not_a_table", msg("“{file}”: {why}", file=path.name, why=error.message))
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

    def note(self, kind: IssueKind, example: Message, path: str = "") -> None:
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
            self.note("many_recordings", msg("“{file}” ({found})", file=path.name, found=_one_of(found)))
        else:
            self.note("no_recording", msg("“{name}”", name=path.name))
        return None

    def _take_rows(self, sheet: Sheet, layout: Layout, about: str | None) -> None:
        name = sheet.path.name
        spelt = frozenset(self.kept.setdefault(word.lower(), word) for word in layout.kept)
        layout = dataclasses.replace(layout, kept=spelt)
        understood = rows_of(sheet, layout)
        for line, why in understood.bad:
            self.note("unparsable", msg("line {line} of “{table}” ({why})", line=line, table=name, why=why))
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
        name = shortened(row.file)
        if len(found) == 1:
            return found[0]
        if found:
            example = msg(
                "“{name}” in “{table}”, line {line} ({found})",
                name=name,
                table=table,
                line=row.line,
                found=_one_of(found),
            )
            self.note("ambiguous", example)
        else:
            self.note("no_file", msg("“{name}” in “{table}”, line {line}", name=name, table=table, line=row.line))
        return None

    def _take_row(self, row: Row, path: str, table: str, layout: Layout) -> None:
        given = self.given.setdefault(path, Given())
        if row.start is not None and row.end is not None:
            given.timed = True
            given.spans |= dict.fromkeys(LabelSpan(name, row.start, row.end) for name in row.classes)
        else:
            given.classes |= dict.fromkeys(row.classes)
        if not row.classes and row.start is None:
            self.note("no_class", msg("line {line} of “{table}”", line=row.line, table=table), path)
            self.nothing |= dict.fromkeys([row.nothing] if row.nothing else [])
        elif not row.classes:
            why = msg("it names no class")
            self.note("unparsable", msg("line {line} of “{table}” ({why})", line=row.line, table=table, why=why))
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
            self.counts["few_groups"], self.firsts["few_groups"] = len(values), msg("“{name}”", name=values[0])
        for given in self.given.values():
            given.group = None

    def _nothing_fits(self, sources: Sequence[Path]) -> Message:
        files = msg("“{name}”", name=sources[0].name) if len(sources) == 1 else msg("these label files")
        said = {"files": files, "folder": self.folder.name}
        for kind, template in _NOTHING_FITS.items():
            if kind in self.counts:
                return dataclasses.replace(template, values={**said, "first": self.firsts[kind]})
        return msg("There is no row in {files} below the names of the columns. Choose a table with labels.", **said)


def _promised_split(path: Path) -> str | None:
    words = re.split(r"[\W_]+", path.stem.lower())
    return next((word for word in words if word in READY_SPLITS), None)


def _columns_told(layout: Layout) -> Message:
    """“files in “image”, classes in “label” and groups in “site””."""

    def column(place: int | None) -> Message:
        assert place is not None
        return quoted(layout.header[place]) if layout.header else msg("column {n}", n=place + 1)

    parts = [msg("files in {column}", column=column(layout.file)), _classes_told(layout, column)]
    if layout.start is not None:
        last = layout.end if layout.end is not None else layout.length
        parts.append(msg("times in {start} and {end}", start=column(layout.start), end=column(last)))
    if layout.group is not None:
        parts.append(msg("groups in {column}", column=column(layout.group)))
    if layout.split is not None:
        parts.append(msg("the split in {column}", column=column(layout.split)))
    return Message("{text}", {"text": tuple(parts)})


def _classes_told(layout: Layout, column: Callable[[int | None], Message]) -> Message:
    if layout.one_hot:
        return nmsg("a column for {count} class", "a column for each of {count} classes", len(layout.labels))
    where = column(layout.labels[0])
    if layout.separator:
        between = _BETWEEN.get(layout.separator) or msg("“{sign}”", sign=layout.separator)
        return msg("classes in {column} (several in a cell, separated by {separator})", column=where, separator=between)
    if layout.kept:
        words = tuple(msg("“{name}”", name=word) for word in sorted(layout.kept))
        return msg("classes in {column} (including {words})", column=where, words=words)
    return msg("classes in {column}", column=where)


def _tables_told(alike: Sequence[tuple[str, int]], columns: Message) -> Message:
    name, rows = alike[0][0], sum(count for _name, count in alike)
    if len(alike) == 1:
        return nmsg(
            "“{table}” has {count} row: {columns}.",
            "“{table}” has {count} rows: {columns}.",
            rows,
            table=name,
            columns=columns,
        )
    return nmsg(
        "“{table}” and {count} more table like it have {rows}: {columns}.",
        "“{table}” and {count} more tables like it have {rows}: {columns}.",
        len(alike) - 1,
        table=name,
        rows=nmsg("{count} row", "{count} rows", rows),
        columns=columns,
    )


def _tracks_told(form: Format, labels: Sequence[int]) -> Message:
    files, counted = len(labels), nmsg("{count} label", "{count} labels", sum(labels))
    match form:
        case "audacity":
            return nmsg(
                "{count} Audacity label track with {labels}.",
                "{count} Audacity label tracks with {labels}.",
                files,
                labels=counted,
            )
        case "raven":
            return nmsg(
                "{count} Raven selection table with {labels}.",
                "{count} Raven selection tables with {labels}.",
                files,
                labels=counted,
            )
        case "table":
            return nmsg(
                "{count} table of times with {labels}.",
                "{count} tables of times with {labels}.",
                files,
                labels=counted,
            )


def _one_of(found: Sequence[str]) -> Message:
    """“a or b”, “a, b or 4 more”."""
    if len(found) == 2:
        return msg("{one} or {other}", one=found[0], other=found[1])
    return nmsg(
        "{one}, {other} or {count} more", "{one}, {other} or {count} more", len(found) - 2, one=found[0], other=found[1]
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """`bad` are lines that could not be understood: (line number, why)."""

    good: tuple[Row, ...]
    bad: tuple[tuple[int, Message], ...]


def rows_of(sheet: Sheet, layout: Layout) -> Rows:
    """Every row, once: Raven writes a selection once per view."""
    good: dict[Row, Row] = {}
    bad = []
    for line, cells in sheet.rows[layout.first :]:
        if layout.format == "audacity" and cells[0].startswith("\\"):
            continue  # the frequencies of the label above
        row = _row(line, cells, layout)
        if isinstance(row, Message):
            bad.append((line, row))
        else:
            good.setdefault(_numberless(row), row)
    return Rows(good=tuple(good.values()), bad=tuple(bad))


def _row(line: int, cells: tuple[str, ...], layout: Layout) -> Row | Message:
    """The row, or why it cannot be understood."""
    needed = [layout.file, layout.start, *(layout.labels if layout.one_hot else ())]
    if any(place is not None and place >= len(cells) for place in needed):
        return nmsg("it has only {count} of its columns", "it has only {count} of its columns", len(cells))
    file = None if layout.file is None else cells[layout.file]
    if file is not None and is_missing(file):
        return msg("it names no file")
    classes = _classes(cells, layout)
    if classes is None:
        return msg("the column of a class contains something other than 0 or 1")
    times = _times(cells, layout)
    if isinstance(times, Message):
        return times
    start, end = times
    return Row(
        line=line,
        file=file,
        classes=classes,
        nothing="" if classes or layout.one_hot else _cell(cells, layout.labels[0]),
        start=start,
        end=end,
        group=_text(cells, layout.group),
        split=_text(cells, layout.split),
    )


def _classes(cells: tuple[str, ...], layout: Layout) -> tuple[str, ...] | None:
    if not layout.one_hot:
        return classes_in(_cell(cells, layout.labels[0]), layout.separator, layout.kept)
    flags = [(layout.header[place], parse_flag(cells[place])) for place in layout.labels]
    if any(value is None for _name, value in flags):
        return None
    return tuple(class_name(name) for name, value in flags if value)


def _times(cells: tuple[str, ...], layout: Layout) -> tuple[float | None, float | None] | Message:
    """Start and end, none where the row gives neither, or what is wrong with them."""
    if layout.start is None:
        return None, None
    said = [_text(cells, place) for place in (layout.start, layout.end, layout.length)]
    if not any(said):
        return None, None
    start, end, length = (None if text is None else parse_position(text) for text in said)
    if end is None and start is not None and length is not None:
        end = start + length
    if start is None or end is None:
        return msg("its start or end is not a time")
    if end < start:
        return msg("it ends before it starts")
    offset = parse_position(_text(cells, layout.offset) or "")
    if offset is not None:
        # The table runs over several files: its times count from the first, the offset from the one that is meant.
        start, end = offset, offset + end - start
    return start * layout.unit, end * layout.unit


def _cell(cells: tuple[str, ...], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _text(cells: tuple[str, ...], place: int | None) -> str | None:
    """What stands there, None where nothing does."""
    if place is None or place >= len(cells) or is_missing(cells[place]):
        return None
    return cells[place]


def _numberless(row: Row) -> Row:
    return dataclasses.replace(row, line=0)
