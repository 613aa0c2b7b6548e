"""Recognise a label file by its content: which program wrote it, and which column holds what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.core.phrases import listed
from ml.project.labelfiles.cells import all_flags, class_words, quoted, separator_of, shortened
from ml.project.labelfiles.match import FileIndex
from ml.project.labelfiles.types import LabelSchema
from ml.project.scan.folder import READY_SPLITS
from ml.tables.cells import is_missing
from ml.tables.names import words_of
from ml.tables.sheet import HEAD_ROWS, Sheet
from ml.tables.timestamps import parse_position
from ml.tables.units import TIME_UNITS, seconds_in_unit

FILE = (
    "begin path", "begin file", "file", "filename", "file name", "path", "filepath", "file path", "rel path",
    "relative path", "image", "img", "image id", "image name", "image file", "image path", "img id", "img name", "id",
    "fname", "itemid", "item id", "item", "audio", "audio file", "audio path", "audio filename", "recording",
    "recording id", "slice file name", "sound", "wav", "wav file", "clip", "clip id", "sample", "sample id", "key",
    "source file", "picture", "photo", "uuid", "name", "datei", "dateiname", "bild", "fichier", "archivo",
)  # fmt: skip
LABEL = (
    "label", "class", "category", "annotation", "species", "class name", "label name", "category name", "primary label",
    "target", "labels", "classes", "categories", "tags", "tag", "annotations", "common name", "scientific name",
    "species name", "call type", "call", "sound type", "event label", "event", "breed", "type", "kind", "diagnosis",
    "dx", "finding", "finding labels", "attributes", "attribute ids", "ebird code", "species code", "class label",
    "ground truth", "truth", "y", "klasse", "art", "etikett", "classe", "clase", "etiqueta", "especie", "espece",
    "label id", "class id", "category id", "target id",
)  # fmt: skip
START = (
    "start", "start time", "begin time", "begin", "onset", "start s", "begin s", "tmin", "t start", "time start",
    "start sec", "start seconds", "starttime", "from", "min t", "anfang", "beginn", "debut", "inicio",
)  # fmt: skip
END = (
    "end", "end time", "stop", "stop time", "offset", "end s", "stop s", "tmax", "t end", "time end", "end sec",
    "end seconds", "endtime", "finish", "to", "max t", "ende", "fin",
)  # fmt: skip
LENGTH = ("duration", "length", "dur", "delta time", "dauer")
FILE_OFFSET = ("file offset",)
GROUP = (
    "fold", "folds", "kfold", "group", "group id", "speaker", "speaker id", "subject", "subject id", "patient",
    "patient id", "session", "session id",
)  # fmt: skip
SPLIT = ("split", "set", "subset", "partition", "usage", "phase", "data set")

PLURAL = frozenset(["labels", "classes", "categories", "tags", "annotations", "finding labels", "attributes"])
NO_CLASS = frozenset(
    [*GROUP, *SPLIT, *FILE_OFFSET, *LENGTH, "index", "unnamed 0", "row", "row id", "selection", "view", "channel",
     "low freq", "high freq", "confidence", "score", "probability", "width", "height", "latitude", "longitude", "date",
     "time", "rating", "url", "license", "author", "comment", "comments", "notes", "take", "src file", "salience",
     "fsid", "mids", "is train", "esc 10", "xmin", "xmax", "ymin", "ymax"]
)  # fmt: skip
"""Columns that never hold the class, even if no other column is left."""


def plain(name: str) -> str:
    """The words of a column's name without a unit at its end: “Begin Time (s)” and “beginTime” are the same."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in TIME_UNITS | {"milliseconds", "hz"}:
        words.pop()
    return " ".join(words)


def first_of(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The place of the column whose (plain) name stands first in `wanted`; None where none does."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    return next((places[name] for name in wanted if name in places), None)


def known(names: Sequence[str]) -> bool:
    """Whether these cells are names of columns."""
    every = frozenset([*FILE, *LABEL, *START, *END, *LENGTH, *GROUP, *SPLIT])
    return any(name in every for name in names)


_LOOKED_AT = HEAD_ROWS - 1
_SHOWN = 12
_NO_FILE = NO_CLASS | {*START, *END}
_WANTED = msg(
    "It needs a column with the name of the file (such as “file” or “image_id”) and a column with the class (such as "
    "“label”)."
)
_WANTED_OF_RECORDINGS = msg(
    "It needs a column with the name of the file (such as “file” or “image_id”) and a column with the class (such as "
    "“label”). Or name the table after its recording and give each label a start and an end."
)


def recognise(sheet: Sheet, index: FileIndex, *, timed: bool) -> LabelSchema:
    """Find which column holds what. `timed`: whether the files are recordings, in which a label can be a part.

    Raises HandlensError with a sentence that names the columns found and what was wanted.
    """
    if timed and _is_audacity(sheet):
        return LabelSchema(format="audacity", first=0, start=0, end=1, labels=(2,))
    top = sheet.head[0][1]
    head = [plain(cell) for cell in top]
    has_header = known(head) and not any(index.find(cell) for cell in top if "." in cell)
    if has_header and len(sheet.head) == 1:
        return _without_rows(sheet, head, timed=timed)
    table = _Table(sheet, head if has_header else [""] * len(head), first=int(has_header))
    file = table.file_column(index)
    if not has_header and file is not None and _may_be_names(top, file, index):
        table = _Table(sheet, head, first=1)
    schema = table.schema(file, timed=timed)
    if schema is None:
        raise HandlensError(_no_class(sheet, table, file, index) or _no_columns(sheet, table, timed=timed))
    return schema


def _without_rows(sheet: Sheet, head: Sequence[str], *, timed: bool) -> LabelSchema:
    """The schema of a table of times without any label; any other table without rows is an error."""
    start, end = first_of(head, START), first_of(head, END)
    if timed and start is not None and end is not None and first_of(head, FILE) is None:
        return LabelSchema(format="raven", first=1, header=sheet.head[0][1], labels=(0,), start=start, end=end)
    raise HandlensError(
        msg(
            "“{table}” has no rows below the names of its columns. Choose a table that contains labels.",
            table=sheet.path.name,
        )
    )


def _may_be_names(top: Sequence[str], file: int, index: FileIndex) -> bool:
    """Whether the first line is a heading of unknown words: it names no file and holds no number."""
    return len(top) > file and not index.find(top[file]) and "." not in top[file] and not any(map(_number, top))


def _number(cell: str) -> bool:
    return parse_position(cell) is not None


def _is_audacity(sheet: Sheet) -> bool:
    """Whether the lines are start, end, label; a line with a backslash and two frequencies may follow each."""
    rows = [cells for _line, cells in sheet.head[:_LOOKED_AT] if not cells[0].startswith("\\")]
    fits = sum(
        2 <= len(cells) <= 3 and parse_position(cells[0]) is not None and parse_position(cells[1]) is not None
        for cells in rows
    )
    three = sum(len(cells) == 3 and parse_position(cells[2]) is None for cells in rows)
    return bool(rows) and fits >= 0.8 * len(rows) and three >= 0.5 * len(rows)


class _Table:
    """The columns of a sheet and what they hold."""

    def __init__(self, sheet: Sheet, names: Sequence[str], *, first: int) -> None:
        self.names = list(names)
        self.first = first
        self.header = sheet.head[0][1] if first else ()
        rows = [cells for _line, cells in sheet.head[first : first + _LOOKED_AT]]
        width = len(names) if first else Counter(map(len, rows)).most_common(1)[0][0]
        self.names = [*self.names, *[""] * width][:width]
        self.cells = [[cells[place] for cells in rows if len(cells) > place] for place in range(width)]

    def file_column(self, index: FileIndex) -> int | None:
        """The column whose cells match the most distinct files; by its name where no cell matches any."""
        best, best_score = None, (False, 0, 0)
        for place, (name, cells) in enumerate(zip(self.names, self.cells, strict=True)):
            if name in _NO_FILE:
                continue
            counts = Counter(cells)
            found = {cell: index.find(cell)[:1] for cell in counts}
            fitting = sum(count for cell, count in counts.items() if found[cell])
            named = name in FILE
            order = FILE.index(name) if named else len(FILE)
            score = (named and fitting >= len(cells) / 2, len(set(found.values()) - {()}), -order)
            if fitting and (best is None or score > best_score):
                best, best_score = place, score
        return first_of(self.names, FILE) if best is None else best

    def schema(self, file: int | None, *, timed: bool) -> LabelSchema | None:
        start, end, length, offset = self._times(file) if timed else (None, None, None, None)
        if file is None and (start is None or not timed):
            return None
        group, split = self._group(file), self._split(file)
        taken = {place for place in (file, start, end, length, offset, group, split) if place is not None}
        label = self._label(taken)
        flags = self._flags(taken) if label is None or self._is_flag(label) else ()
        if label is None and not flags:
            return None
        separator = ""
        if label is not None and not flags:
            separator = separator_of(set(self.cells[label]), plural=self.names[label] in PLURAL)
        words: frozenset[str] = frozenset()
        if label is not None and not flags and not separator:
            words = class_words(self.cells[label])
        raven = {"begin time", "end time"} <= set(self.names) and not {"selection", "view"}.isdisjoint(self.names)
        header = words_of(self.header[start]) if start is not None and self.header else ()
        return LabelSchema(
            format="raven" if raven else "table",
            first=self.first,
            header=tuple(self.header),
            file=file,
            labels=flags or ((label,) if label is not None else ()),
            one_hot=bool(flags),
            separator=separator,
            class_words=words,
            start=start,
            end=end,
            length=length,
            offset=offset,
            unit=min(1.0, seconds_in_unit(header) or 1.0),  # “min” may stand for the least
            group=None if group in {label, *flags} else group,
            split=split,
        )

    def _times(self, file: int | None) -> tuple[int | None, int | None, int | None, int | None]:
        """Start, end, duration, and Raven's place in the file."""
        if not self.first:
            numbers = [place for place in range(len(self.cells)) if place != file and self._is_time(place)]
            pairs = [p for p in numbers if p + 1 in numbers and self._ascending(p)]
            return (pairs[0], pairs[0] + 1, None, None) if pairs else (None, None, None, None)
        start, end = first_of(self.names, START), first_of(self.names, END)
        length, offset = first_of(self.names, LENGTH), first_of(self.names, FILE_OFFSET)
        if start is None and end is not None and length is not None and self.names[end] == "offset":
            start, end = end, None  # “offset, duration” instead of “onset, offset”
        if start is None or not self._is_time(start) or (end is None and length is None):
            return None, None, None, None
        return start, end, None if end is not None else length, offset

    def _is_time(self, place: int) -> bool:
        filled = [cell for cell in self.cells[place] if cell]
        return bool(filled) and sum(parse_position(cell) is not None for cell in filled) >= 0.8 * len(filled)

    def _ascending(self, place: int) -> bool:
        pairs = [
            (parse_position(a), parse_position(b))
            for a, b in zip(self.cells[place], self.cells[place + 1], strict=False)
        ]
        return all(a is None or b is None or a <= b for a, b in pairs)

    def _group(self, file: int | None) -> int | None:
        return first_of([n if p != file else "" for p, n in enumerate(self.names)], GROUP)

    def _split(self, file: int | None) -> int | None:
        for wanted in SPLIT:
            for place, name in enumerate(self.names):
                filled = [cell.lower() for cell in self.cells[place] if cell]
                if name == wanted and place != file and filled and all(cell in READY_SPLITS for cell in filled):
                    return place
        return None

    def _label(self, taken: set[int]) -> int | None:
        """The class column: by name, words before numbers; else the only column that is left."""
        free = [place for place in range(len(self.cells)) if place not in taken]
        named = [place for place in free if self.names[place] in LABEL and self._filled(place)]
        named.sort(key=lambda place: LABEL.index(self.names[place]))
        if named:
            return next((place for place in named if not self._is_number(place)), named[0])
        left = [place for place in free if self.names[place] not in NO_CLASS and self._filled(place)]
        left = [place for place in left if not self._is_fraction(place)]
        if self.first:
            return left[0] if len(left) == 1 else None
        words = [place for place in left if not self._is_number(place)]
        return next(iter(words or left), None)

    def _flags(self, taken: set[int]) -> tuple[int, ...]:
        found = [
            place
            for place, name in enumerate(self.names)
            if place not in taken and name and name not in NO_CLASS and all_flags(self.cells[place])
        ]
        return tuple(found) if len(found) > 1 else ()

    def _is_flag(self, place: int) -> bool:
        """Whether the class column is one of several columns of yes and no."""
        return all_flags(self.cells[place]) and self.names[place] not in LABEL[:12]

    def _filled(self, place: int) -> bool:
        return any(not is_missing(cell) for cell in self.cells[place])

    def _is_number(self, place: int) -> bool:
        return all(re.fullmatch(r"\d+(\.0)?", cell) for cell in self.cells[place] if cell)

    def _is_fraction(self, place: int) -> bool:
        filled = [cell for cell in self.cells[place] if cell]
        return all(re.fullmatch(r"-?\d+[.,]\d+(e-?\d+)?", cell) for cell in filled)


def _no_class(sheet: Sheet, table: _Table, file: int | None, index: FileIndex) -> Message | None:
    """The message for a table whose file column is clear and whose class column is not."""
    others = [quoted(cell) for place, cell in enumerate(table.header) if place != file and cell]
    if file is None or not others or not any(index.find(cell) for cell in table.cells[file]):
        return None
    return msg(
        "“{table}” names the files in its column “{column}”, but it is not clear which other column contains the "
        "class: {others}. Rename that column to “label”, “class” or “species”.",
        table=sheet.path.name,
        column=shortened(table.header[file]),
        others=listed(others, most=_SHOWN),
    )


def _no_columns(sheet: Sheet, table: _Table, *, timed: bool) -> Message:
    name, cells = sheet.path.name, [quoted(cell) for cell in sheet.head[0][1] if cell]
    columns_found = listed(cells, most=_SHOWN)
    if len(cells) == 1:
        found = msg("“{table}” has only one column: {columns}.", table=name, columns=columns_found)
    elif table.first:
        found = msg("“{table}” has the columns {columns}.", table=name, columns=columns_found)
    else:
        found = msg(
            "“{table}” has no column names that Handlens knows. Its first line is {columns}.",
            table=name,
            columns=columns_found,
        )
    return msg("{first} {second}", first=found, second=_WANTED_OF_RECORDINGS if timed else _WANTED)
