"""Recognise a label file by its content: which program wrote it, and which column holds what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg
from ml.core.phrases import listed
from ml.core.types import LabelColumns
from ml.project.labelfiles.annotators import annotator_columns
from ml.project.labelfiles.cells import all_flags, class_words, quoted, separator_of, shortened
from ml.project.labelfiles.columns import (
    ANNOTATOR,
    END,
    FILE,
    FILE_OFFSET,
    FOLDER,
    GROUP,
    LABEL,
    LENGTH,
    NO_CLASS,
    PLURAL,
    ROOT_FOLDER,
    SPLIT,
    START,
    first_of,
    known,
    plain,
)
from ml.project.labelfiles.match import FileIndex
from ml.project.labelfiles.types import LabelSchema
from ml.project.scan.folder import READY_SPLITS
from ml.tables.cells import is_missing
from ml.tables.names import words_of
from ml.tables.sheet import HEAD_ROWS, Sheet
from ml.tables.timestamps import parse_position
from ml.tables.units import seconds_in_unit

_LOOKED_AT = HEAD_ROWS - 1
_SHOWN = 12
_NO_FILE = (NO_CLASS | {*START, *END, *ANNOTATOR}) - {*FILE}
_ROWS_TRIED = 400
_MOST_FOLDERS = 3
"""Columns that together name the folder."""
_CLEARER = 0.5
"""An unnamed column counts as one of folders if it leaves so much less open which file is meant."""
_WANTED = msg(
    "It needs a column with the name of the file (such as “file” or “image_id”) and a column with the class (such as "
    "“label”)."
)
_WANTED_OF_RECORDINGS = msg(
    "It needs a column with the name of the file (such as “file” or “image_id”) and a column with the class (such as "
    "“label”). Or name the table after its recording and give each label a start and an end."
)


def recognise(sheet: Sheet, index: FileIndex, *, timed: bool, columns: LabelColumns | None = None) -> LabelSchema:
    """Find which column holds what. `timed`: whether the files are recordings, in which a label can be a part.

    `columns`: those that a person chose. Raises HandlensError with a sentence that names the columns found and what was
    wanted.
    """
    if columns is not None:
        return _as_chosen(sheet, columns, index, timed=timed)
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
    schema = table.schema(file, timed=timed, folders=table.folder_columns(file, index))
    if schema is None:
        raise HandlensError(_no_class(sheet, table, file, index) or _no_columns(sheet, table, timed=timed))
    return schema


def file_column(sheet: Sheet, index: FileIndex) -> int | None:
    """The column whose cells name files; None where no cell does."""
    table = _Table(sheet, [plain(cell) for cell in sheet.head[0][1]], first=1)
    place = table.file_column(index)
    named = place is not None and any(index.find(cell) or index.find_loosely(cell) for cell in table.cells[place])
    return place if named else None


def _as_chosen(sheet: Sheet, columns: LabelColumns, index: FileIndex, *, timed: bool) -> LabelSchema:
    top = sheet.head[0][1]
    file, label = (_place_of(name, top, sheet) for name in columns)
    has_header = len(sheet.head) > 1 and not (index.find(top[file]) or index.find_loosely(top[file]))
    names = [plain(cell) for cell in top] if has_header else [""] * len(top)
    table = _Table(sheet, names, first=int(has_header))
    schema = table.schema(file, timed=timed, folders=table.folder_columns(file, index), label=label)
    if schema is None:
        raise HandlensError(_no_columns(sheet, table, timed=timed))
    return schema


def _place_of(name: str, top: Sequence[str], sheet: Sheet) -> int:
    """The place of a column by its name, or by its number from 1."""
    alike = [place for place, cell in enumerate(top) if cell.casefold() == name.strip().casefold()]
    if alike:
        return alike[0]
    if name.strip().isdecimal() and 0 < int(name) <= len(top):
        return int(name) - 1
    raise HandlensError(
        msg(
            "“{table}” has no column “{column}”. It has the columns {columns}.",
            table=sheet.path.name,
            column=shortened(name),
            columns=listed([quoted(cell) for cell in top if cell], most=_SHOWN),
        )
    )


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


def _is_folder(cell: str) -> bool:
    return bool(cell) and not is_missing(cell)


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
        best, best_score = None, (False, False, 0, 0)
        for exact, find in ((True, index.find), (False, index.find_loosely)):
            for place, (name, cells) in enumerate(zip(self.names, self.cells, strict=True)):
                if name in _NO_FILE:
                    continue
                counts = Counter(cells)
                found = {cell: find(cell)[:1] for cell in counts}
                fitting = sum(count for cell, count in counts.items() if found[cell])
                named = name in FILE
                order = FILE.index(name) if named else len(FILE)
                score = (named and fitting >= len(cells) / 2, exact, len(set(found.values()) - {()}), -order)
                if fitting and (exact or fitting >= len(cells) / 2) and (best is None or score > best_score):
                    best, best_score = place, score
        return first_of(self.names, FILE) if best is None else best

    def folder_columns(self, file: int | None, index: FileIndex) -> tuple[int, ...]:
        """The columns that together say in which folder the file lies: by their names, else those that leave least
        open which file is meant where several have its name."""
        if file is None:
            return ()
        named = [place for place, name in enumerate(self.names) if place != file and name in FOLDER]
        named.sort(key=lambda place: self.names[place] not in ROOT_FOLDER)
        chosen = [place for place in named if any(map(_is_folder, self.cells[place]))]
        rows = range(min(_ROWS_TRIED, *(len(cells) for cells in self.cells)))
        torn = [row for row in rows if len(index.find(self.cells[file][row])) > 1]

        def left_open(places: Sequence[int]) -> int:
            names = ("/".join(self.cells[place][row] for place in [*places, file]) for row in torn)
            return sum(len(index.find(name)) - 1 for name in names)

        others = [
            place
            for place, name in enumerate(self.names)
            if place not in {file, *named} and name not in NO_CLASS and name not in LABEL
        ]
        while torn and len(chosen) < _MOST_FOLDERS and (now := left_open(chosen)):
            best = min(others, key=lambda place: left_open([*chosen, place]), default=None)
            if best is None or left_open([*chosen, best]) > _CLEARER * now:
                break
            chosen.append(best)
            others.remove(best)
        return tuple(chosen)

    def schema(
        self, file: int | None, *, timed: bool, folders: tuple[int, ...] = (), label: int | None = None
    ) -> LabelSchema | None:
        """What the columns hold; None where no class is found. `label`: the column of the class, where it is known."""
        start, end, length, offset = self._times(file) if timed else (None, None, None, None)
        folders = tuple(place for place in folders if place != label)
        if file is None and (start is None or not timed):
            return None
        group, split = self._group(file), self._split(file)
        annotator = self._annotator(file)
        places = (file, *folders, start, end, length, offset, group, split, annotator)
        taken = {place for place in places if place is not None}
        chosen = label is not None
        people = () if chosen or start is not None else self._people(taken - {annotator})
        if people:
            annotator = None
        label = label if chosen or people else self._label(taken)
        flags = self._flags(taken) if not people and (label is None or (not chosen and self._is_flag(label))) else ()
        labels = people or flags or (() if label is None else (label,))
        if not labels:
            return None
        cells = [] if flags else [cell for place in labels for cell in self.cells[place]]
        separator = separator_of(set(cells), plural=self.names[labels[0]] in PLURAL)
        words = class_words(cells) if not separator else frozenset()
        raven = {"begin time", "end time"} <= set(self.names) and not {"selection", "view"}.isdisjoint(self.names)
        header = words_of(self.header[start]) if start is not None and self.header else ()
        return LabelSchema(
            format="raven" if raven else "table",
            first=self.first,
            header=tuple(self.header),
            file=file,
            folders=folders,
            annotator=None if annotator == label else annotator,
            labels=labels,
            one_hot=bool(flags),
            by_person=bool(people),
            separator=separator,
            class_words=words,
            start=start,
            end=end,
            length=length,
            offset=offset,
            unit=min(1.0, seconds_in_unit(header) or 1.0),  # “min” may stand for the least
            group=None if group in {label, *labels} else group,
            split=None if split == label else split,
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

    def _annotator(self, file: int | None) -> int | None:
        """The column that says who gave the label; a class may have the same name, as “person” in a one-hot table."""
        names = [name if place != file else "" for place, name in enumerate(self.names)]
        place = first_of(names, ANNOTATOR)
        return None if place is None or not self._filled(place) or self._may_be_flags(place) else place

    def _may_be_flags(self, place: int) -> bool:
        return all_flags(self.cells[place]) and len(set(self.cells[place])) > 1

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

    def _people(self, taken: Collection[int | None]) -> tuple[int, ...]:
        """The columns that each hold what one person says, where none is named as that of the class."""
        free = [place for place in range(len(self.cells)) if place not in taken]
        if not self.first or any(self.names[place] in LABEL and self._filled(place) for place in free):
            return ()
        return annotator_columns(self.names, self.cells, free)

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
