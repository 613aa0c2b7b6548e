"""Preview the labels that label files give to a folder, before its files are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from ml.core.errors import HandlensError, UnreadableError
from ml.core.jobs import StopRequestedError
from ml.core.messages import Message, msg
from ml.core.types import KindName, LabelColumns
from ml.media.kinds import kind_named
from ml.media.signatures import belongs
from ml.project.labelfiles.match import FileIndex
from ml.project.labelfiles.messages import MILD, describe_issue
from ml.project.labelfiles.read import read_labels
from ml.project.labelfiles.recognise import file_column
from ml.project.scan.folder import files_below
from ml.project.scan.layout import clean_name, places
from ml.project.scan.multilabel import looks_multilabel
from ml.tables.sheet import LABEL_SUFFIXES, read_sheet

_NAMES_LOOKED_AT = 50_000
_TABLES_TRIED = 30
_DEEPEST = 2
_ROWS_SHOWN, _COLUMNS_SHOWN = 3, 30


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelPreview:
    """`labelled` of `files` get a label, or are known to show no class. `recognised` and `problems` are sentences."""

    files: int
    labelled: int
    classes: tuple[str, ...]
    several: bool
    """Whether the labels need a project in which more than one class may be present."""
    recognised: tuple[Message, ...]
    problems: tuple[Message, ...]


def preview_labels(
    folder: Path,
    kind: KindName,
    sources: tuple[Path, ...],
    columns: LabelColumns | None = None,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> LabelPreview:
    """Match the label files with the names of the files below `folder`; nothing is decoded.

    `columns`: those of the tables, where a person chose them.

    Raises HandlensError with one sentence where `sources` hold no labels of any of them, and StopRequestedError once
    `stopped()`.
    """
    for source in sources:
        if not source.exists():
            message = msg(
                "There is no label file {file}. Check the name, or connect the drive it is on.", file=str(source)
            )
            raise HandlensError(message)
    paths = _paths(folder, kind, without={source.absolute() for source in sources}, stopped=stopped)
    timed = kind_named(kind).windowed
    reading = read_labels(sources, folder, paths, timed=timed, columns=columns, stopped=stopped)
    labelled = [found for found in reading.by_path.values() if found.classes or found.spans or found.timed]
    names = {name for found in labelled for name in found.classes}
    names |= {span.class_name for found in labelled for span in found.spans}
    torn = sum(len(found.classes) > 1 and not found.timed for found in labelled)
    several = looks_multilabel(torn, in_rows=reading.several_in_row, files=len(paths))
    task = "multi" if several else "single"
    return LabelPreview(
        files=len(paths),
        labelled=len(reading.by_path) if several else len(labelled),
        classes=tuple(sorted(names)),
        several=several,
        recognised=reading.tables,
        problems=tuple(
            describe_issue(issue, kind=kind, task=task) for issue in reading.issues if issue.kind not in MILD
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TableHead:
    """The beginning of a table, for a person who is asked what its columns hold."""

    columns: tuple[str, ...]
    """Names that `LabelColumns` understands."""
    rows: tuple[tuple[str, ...], ...]
    file: str = ""
    """The column whose cells name files, if there is one."""


def table_head(source: Path, folder: Path, kind: KindName) -> TableHead | None:
    """The first rows of a table with two columns or more about the files of `folder`; None for anything else."""
    try:
        sheet = read_sheet(source) if source.is_file() else None
    except UnreadableError:
        return None
    if sheet is None or len(sheet.head) < 2:
        return None
    rows = [cells for _line, cells in sheet.head[: _ROWS_SHOWN + 1]]
    width = min(len(rows[0]), _COLUMNS_SHOWN)
    if width < 2:
        return None
    names = rows[0][:width]
    distinct = len({name.casefold() for name in names}) == width and all(names)
    columns = names if distinct else tuple(str(place + 1) for place in range(width))
    index = FileIndex(_paths(folder, kind, without=(), stopped=lambda: False), folder)
    file = file_column(sheet, index)
    return TableHead(
        columns=columns,
        rows=tuple(cells[:width] for cells in rows[int(distinct) :][:_ROWS_SHOWN]),
        file="" if file is None or file >= width else columns[file],
    )


def suggest_labels(folder: Path, kind: KindName, *, stopped: Callable[[], bool] = lambda: False) -> Path | None:
    """The table in `folder` that labels most of its files, or the folder itself where tracks lie beside recordings.

    None where there are none. Looks at the first few tables only, and not into deep folders. Raises StopRequestedError
    once `stopped()`.
    """
    try:
        names = list(islice(_until(stopped, files_below(folder)), _NAMES_LOOKED_AT))
    except OSError:
        return None
    paths = [name for name in names if belongs(folder, name, kind_named(kind))]
    found: dict[Path, int] = {}
    for name in [name for name in names if _may_hold_labels(name)][:_TABLES_TRIED]:
        try:
            reading = read_labels([folder / name], folder, paths, timed=kind_named(kind).windowed, stopped=stopped)
        except HandlensError:
            continue
        found[folder / name] = len(reading.by_path)
    best = max(found, key=lambda path: found[path], default=None)
    if best is not None and found[best] == 1 and len(found) > 1:
        return folder
    return best


def labels_beside(folder: Path, kind: KindName) -> tuple[Path, ...]:
    """The label files in `folder` where its folders name no classes, see `suggest_labels`; empty where they do."""
    paths = _paths(folder, kind, without=(), stopped=lambda: False)
    for place in places(paths):
        folders = {clean_name(folder) for folder in place.path.split("/")[:-1]}
        if place.class_name is not None and place.class_name in folders:
            return ()
    found = suggest_labels(folder, kind) if paths else None
    return () if found is None else (found,)


def _paths(folder: Path, kind: KindName, *, without: Collection[Path], stopped: Callable[[], bool]) -> list[str]:
    """The files of the kind, relative to the folder; a table of labels is no log."""
    try:
        found = [name for name in _until(stopped, files_below(folder)) if belongs(folder, name, kind_named(kind))]
        return [name for name in found if folder / name not in without]
    except OSError as error:
        message = msg(
            "The folder “{folder}” cannot be opened. Allow reading it, or choose another folder.", folder=folder.name
        )
        raise HandlensError(message, details=repr(error)) from error


def _until(stopped: Callable[[], bool], names: Iterator[str]) -> Iterator[str]:
    for name in names:
        if stopped():
            raise StopRequestedError
        yield name


def _may_hold_labels(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in LABEL_SUFFIXES and len(path.parts) <= _DEEPEST
