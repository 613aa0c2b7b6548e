"""Read label files: recognise each table, read its rows, match them with files, and join the results."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ml.core.errors import HandlensError, UnreadableError
from ml.core.jobs import StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.core.scan_report import IssueKind
from ml.core.types import LabelColumns, LabelSpan
from ml.project.labelfiles.cells import class_name, classes_in
from ml.project.labelfiles.match import FileIndex, file_of, match_rows, recording_of
from ml.project.labelfiles.messages import describe_tables
from ml.project.labelfiles.recognise import recognise
from ml.project.labelfiles.sequence import sequence_of
from ml.project.labelfiles.types import (
    FileLabels,
    LabelReading,
    LabelRow,
    LabelSchema,
    LabelTable,
    MatchedTable,
    Problem,
    Problems,
)
from ml.project.labelfiles.votes import count_votes, votes_of
from ml.project.scan.folder import READY_SPLITS, files_below
from ml.tables.cells import is_missing, parse_flag
from ml.tables.sheet import LABEL_SUFFIXES, read_sheet
from ml.tables.timestamps import parse_position

_FEWEST_GROUPS = 3
_ROWS_BETWEEN = 1000
"""Between two looks at whether to stop."""
_NOTHING_FITS: dict[IssueKind, Message] = {
    "no_file": msg(
        "No row of {files} names a file in “{folder}”, for example {first}. Choose the folder these labels belong to."
    ),
    "ambiguous": msg(
        "No row of {files} names exactly one file in “{folder}”, for example {first}. Choose the folder these labels "
        "belong to."
    ),
    "contested": msg(
        "No row of {files} clearly names a file in “{folder}”, for example {first}. Choose the folder these labels "
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
"""Why nothing could be used, the most telling issue first."""


def read_labels(
    sources: Sequence[Path],
    folder: Path,
    paths: Sequence[str],
    *,
    timed: bool,
    columns: LabelColumns | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> LabelReading:
    """Return the labels that `sources` (label files, or folders of such) give to `paths`, the files of `folder`.

    `timed`: whether these are recordings, in which a label can be a part. `columns`: those that a person chose. Tables
    are read row by row: lines that cannot be used, and rows that name no file of `paths`, are counted with the first
    example and not kept. Raises
    HandlensError where a file of `sources` has no labels, or none for `paths`, and StopRequestedError once `stopped()`.
    """
    index = FileIndex(paths, folder)
    tables: list[LabelTable] = []
    problems = Problems()
    for source in sources:
        named = not source.is_dir()
        for path in [source] if named else _inside(source, folder, paths):
            # A folder of tracks beside the recordings may have the same folders in it.
            root = folder if named or path.is_relative_to(folder) else source
            found = _open_table(path, root, index, timed=timed, named=named, columns=columns)
            if isinstance(found, Problem):
                problems.add(found)
            else:
                tables.append(found)
    matched = []
    for table in _with_shared_spelling(tables):
        unreadable, unmatched = Problems(), Problems()
        rows = _readable_rows(table, index, unreadable, unmatched, stopped=stopped)
        matched.append(match_rows(table, rows, index, unmatched))
        problems.add_all(unreadable)
        problems.add_all(unmatched)
    by_path = _join(matched, problems)
    if not any(result.matches for result in matched) and not any(labels.timed for labels in by_path.values()):
        raise HandlensError(_nothing_fits(sources, folder, problems))
    return LabelReading(
        by_path=by_path,
        tables=describe_tables(matched),
        rows=sum(result.rows for result in matched),
        used=sum(len(result.matches) for result in matched),
        sequences=tuple(sequence for result in matched if (sequence := sequence_of(result))),
        several_in_row=len({m.path for result in matched for m in result.matches if _gives_several(m.row)}),
        columns=columns,
        issues=problems.issues(),
    )


def _gives_several(row: LabelRow) -> bool:
    """Whether a row gives several classes on purpose, and not several people one each."""
    ballots = [classes for _person, classes in row.ballots] or [row.classes]
    return any(len(classes) > 1 for classes in ballots)


def _inside(source: Path, folder: Path, paths: Sequence[str]) -> list[Path]:
    """Possible label files below a folder, without the files that are to be labelled."""
    labelled = {folder / path for path in paths}
    try:
        below = sorted(source / name for name in files_below(source))
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


def _open_table(
    path: Path, folder: Path, index: FileIndex, *, timed: bool, named: bool, columns: LabelColumns | None
) -> LabelTable | Problem:
    """The label file with its schema, or why there is none. Raises HandlensError if the user `named` this file."""
    try:
        sheet = read_sheet(path)
        schema = recognise(sheet, index, timed=timed, columns=columns)
    except UnreadableError as error:
        if named:
            message = msg("“{file}” cannot be used for labels. {why}", file=path.name, why=error.message)
            raise HandlensError(message) from error
        return Problem(kind="not_a_table", example=msg("“{file}”: {why}", file=path.name, why=error.message))
    except HandlensError as error:
        if named:
            raise
        return Problem(kind="not_a_table", example=error.message)
    if schema.file is not None:
        return LabelTable(sheet=sheet, schema=schema)
    about = recording_of(path, folder, index)
    return about if isinstance(about, Problem) else LabelTable(sheet=sheet, schema=schema, about=about)


def _with_shared_spelling(tables: Iterable[LabelTable]) -> list[LabelTable]:
    """The tables with words that are a class spelt as the first table spells them."""
    spelling: dict[str, str] = {}
    shared = []
    for table in tables:
        words = frozenset(spelling.setdefault(word.lower(), word) for word in table.schema.class_words)
        schema = dataclasses.replace(table.schema, class_words=words)
        shared.append(dataclasses.replace(table, schema=schema))
    return shared


def _join(matched: Sequence[MatchedTable], problems: Problems) -> dict[str, FileLabels]:
    """The labels of all tables by file. Groups that are too few to divide by are added to the `problems`."""
    by_path: dict[str, FileLabels] = {}
    votes = votes_of(matched)
    for result in matched:
        for match in result.matches:
            _add_row(by_path.setdefault(match.path, FileLabels()), match.row, result.table.schema)
        if result.table.about is not None:
            by_path.setdefault(result.table.about, FileLabels()).timed = True
    # “none” in one row does not cancel the class that another row gives.
    nothing = {word.lower() for result in matched for word in result.table.schema.class_words}
    for labels in by_path.values():
        something = [name for name in labels.classes if name.lower() not in nothing]
        labels.classes = dict.fromkeys(something) if something else labels.classes
    count_votes(by_path, votes, problems)
    for path, split in _splits_of_tables(matched).items():
        by_path[path].split = split
    too_few = _leave_out_few_groups(by_path)
    for group in too_few:
        problems.add(Problem(kind="few_groups", example=msg("“{name}”", name=group)))
    return by_path


def _add_row(labels: FileLabels, row: LabelRow, schema: LabelSchema) -> None:
    if row.start is not None and row.end is not None:
        labels.timed = True
        labels.spans |= dict.fromkeys(LabelSpan(name, row.start, row.end) for name in row.classes)
    else:
        labels.classes |= dict.fromkeys(row.classes)
    if row.group is not None and schema.group is not None:
        head = schema.header[schema.group] if schema.header else "group"
        labels.group = labels.group or f"{head} {row.group}"
    if row.split is not None:
        labels.split = row.split.lower()


def _splits_of_tables(matched: Sequence[MatchedTable]) -> dict[str, str]:
    """The split of each file by the names of the tables, train.csv and test.csv, if there are both."""
    splits: dict[str, str] = {}
    for result in matched:
        split = _split_in_name(result.table.sheet.path)
        if split is not None and result.table.schema.split is None:
            splits |= {match.path: split for match in result.matches}
    return splits if len({READY_SPLITS[name] for name in splits.values()}) > 1 else {}


def _split_in_name(path: Path) -> str | None:
    words = re.split(r"[\W_]+", path.stem.lower())
    return next((word for word in words if word in READY_SPLITS), None)


def _leave_out_few_groups(by_path: Mapping[str, FileLabels]) -> list[str]:
    """Leave groups out where a table has ready-made splits, or names too few groups to divide by; return these few."""
    groups = sorted({labels.group for labels in by_path.values() if labels.group is not None})
    divided = len({READY_SPLITS.get(labels.split or "") for labels in by_path.values()} - {None}) > 1
    if not groups or (not divided and len(groups) >= _FEWEST_GROUPS):
        return []
    for labels in by_path.values():
        labels.group = None
    return [] if divided else groups


def _nothing_fits(sources: Sequence[Path], folder: Path, problems: Problems) -> Message:
    files = msg("“{name}”", name=sources[0].name) if len(sources) == 1 else msg("these label files")
    values = {"files": files, "folder": folder.name}
    for kind, template in _NOTHING_FITS.items():
        first = problems.first(kind)
        if first is not None:
            return dataclasses.replace(template, values={**values, "first": first})
    return msg("There is no row in {files} below the names of the columns. Choose a table with labels.", **values)


def _readable_rows(
    table: LabelTable,
    index: FileIndex,
    unreadable: Problems,
    unmatched: Problems,
    *,
    stopped: Callable[[], bool],
) -> Iterator[LabelRow]:
    """Parse every row. Lines that could not be understood are only counted."""
    schema, name = table.schema, table.sheet.path.name
    for line, cells in itertools.islice(table.sheet.rows(), schema.first, None):
        if not line % _ROWS_BETWEEN and stopped():
            raise StopRequestedError
        if schema.format == "audacity" and cells[0].startswith("\\"):
            continue  # the frequencies of the label above
        if _names_no_file(cells, schema, index):
            # Of millions of rows most may belong to other files: they are not worth parsing.
            file_of(cells[schema.file or 0], line, name, index, unmatched)
            continue
        row = _row(line, cells, schema)
        if isinstance(row, LabelRow):
            yield row
        elif not unreadable.again("unparsable"):
            example = msg("line {line} of “{table}” ({why})", line=line, table=name, why=row)
            unreadable.add(Problem(kind="unparsable", example=example))


def _names_no_file(cells: tuple[str, ...], schema: LabelSchema, index: FileIndex) -> bool:
    """Whether a row without times names something that is not in the folder."""
    if schema.file is None or schema.start is not None or schema.file >= len(cells):
        return False
    name = cells[schema.file]
    return not is_missing(name) and not index.find(name) and not index.find_loosely(name)


def _file_named(cells: tuple[str, ...], schema: LabelSchema) -> str | None:
    """The path that a row names, its folder included."""
    if schema.file is None:
        return None
    name = cells[schema.file]
    folders = [_cell(cells, place).replace("\\", "/").strip("/") for place in schema.folders]
    folders = [folder for folder in folders if folder and not is_missing(folder)]
    if folders and folders[-1].rpartition("/")[2] == name:
        return "/".join(folders)  # it has the name of the file at its end
    return "/".join([*folders, name])


def _row(line: int, cells: tuple[str, ...], schema: LabelSchema) -> LabelRow | Message:
    """Parse a row, or return why that fails."""
    needed = [schema.file, schema.start, *(schema.labels if schema.one_hot else ())]
    if any(place is not None and place >= len(cells) for place in needed):
        return nmsg("it has only {count} of its columns", "it has only {count} of its columns", len(cells))
    if schema.file is not None and is_missing(cells[schema.file]):
        return msg("it names no file")
    classes = _classes(cells, schema)
    if classes is None:
        return msg("the column of a class contains something other than 0 or 1")
    ballots = _ballots(cells, schema)
    times = _times(cells, schema)
    if isinstance(times, Message):
        return times
    start, end = times
    return LabelRow(
        line=line,
        file=_file_named(cells, schema),
        classes=classes,
        nothing="" if classes or schema.one_hot else _cell(cells, schema.labels[0]),
        start=start,
        end=end,
        group=_text(cells, schema.group),
        split=_text(cells, schema.split),
        annotator=_text(cells, schema.annotator),
        ballots=ballots,
    )


def _classes(cells: tuple[str, ...], schema: LabelSchema) -> tuple[str, ...] | None:
    if schema.by_person:
        return tuple(dict.fromkeys(name for _person, classes in _ballots(cells, schema) for name in classes))
    if not schema.one_hot:
        return classes_in(_cell(cells, schema.labels[0]), schema.separator, schema.class_words)
    flags = [(schema.header[place], parse_flag(cells[place])) for place in schema.labels]
    if any(value is None for _name, value in flags):
        return None
    return tuple(class_name(name) for name, value in flags if value)


def _ballots(cells: tuple[str, ...], schema: LabelSchema) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What each person says, without those who say nothing."""
    if not schema.by_person:
        return ()
    said = (
        (schema.header[place], classes_in(_cell(cells, place), schema.separator, schema.class_words))
        for place in schema.labels
    )
    return tuple((person, classes) for person, classes in said if classes)


def _times(cells: tuple[str, ...], schema: LabelSchema) -> tuple[float | None, float | None] | Message:
    """Start and end (None, None where the row has neither), or what is wrong with them."""
    if schema.start is None:
        return None, None
    texts = [_text(cells, place) for place in (schema.start, schema.end, schema.length)]
    if not any(texts):
        return None, None
    start, end, length = (None if text is None else parse_position(text) for text in texts)
    if end is None and start is not None and length is not None:
        end = start + length
    if start is None or end is None:
        return msg("its start or end is not a time")
    if end < start:
        return msg("it ends before it starts")
    offset = parse_position(_text(cells, schema.offset) or "")
    if offset is not None:
        # The table spans several files: its times count from the first, the offset from the one that is meant.
        start, end = offset, offset + end - start
    return start * schema.unit, end * schema.unit


def _cell(cells: tuple[str, ...], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _text(cells: tuple[str, ...], place: int | None) -> str | None:
    """The cell, None where it is missing."""
    if place is None or place >= len(cells) or is_missing(cells[place]):
        return None
    return cells[place]
