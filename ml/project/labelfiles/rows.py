"""The rows of a recognised sheet as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ml.core.messages import Message, msg, nmsg
from ml.project.labelfiles.cells import NOTHING, class_name, classes_in, flag, seconds
from ml.project.labelfiles.types import Layout, Row, Sheet


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
    if file is not None and file.lower() in NOTHING:
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
    flags = [(layout.header[place], flag(cells[place])) for place in layout.labels]
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
    start, end, length = (None if text is None else seconds(text) for text in said)
    if end is None and start is not None and length is not None:
        end = start + length
    if start is None or end is None:
        return msg("its start or end is not a time")
    if end < start:
        return msg("it ends before it starts")
    offset = seconds(_text(cells, layout.offset) or "")
    if offset is not None:
        # The table runs over several files: its times count from the first, the offset from the one that is meant.
        start, end = offset, offset + end - start
    return start * layout.unit, end * layout.unit


def _cell(cells: tuple[str, ...], place: int) -> str:
    return cells[place] if place < len(cells) else ""


def _text(cells: tuple[str, ...], place: int | None) -> str | None:
    """What stands there, None where nothing does."""
    if place is None or place >= len(cells) or cells[place].lower() in NOTHING:
        return None
    return cells[place]


def _numberless(row: Row) -> Row:
    return dataclasses.replace(row, line=0)
