"""Labels and their history in `project.db`."""

from __future__ import annotations

import getpass
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple

import sqlalchemy as sa

from ml.core.types import LabelChange, LabelSpan, Origin, Sample, Split, TaskName
from ml.project import store as tables
from ml.project.store import next_id
from ml.scoring.tasks import task_named

Given = tuple[int, float | None, float | None]
"""A class by its index, and the part of the recording it was given for, in seconds; None, None: the sample itself."""
Parts = Sequence[Given]
"""The labels of a sample with their parts; there may be several parts of one class."""
_Wanted = tuple[int, tuple[int, ...] | None]


class _Group(NamedTuple):
    """What samples share that one statement can write."""

    annotator: str
    origin: Origin
    labels: tuple[int, ...] | None
    parts: tuple[Given, ...] | None


def read_samples(connection: sa.Connection, *, task: TaskName) -> tuple[Sample, ...]:
    """Every sample with its present labels, ordered by id.

    An empty change took the label away in an exclusive task; in others it says "none of them". Samples to ignore have
    no label.
    What was said of a file that is gone counts again when the file is back: until then there is nothing to learn from.
    """
    found: dict[int, Sample] = {}
    exclusive = task_named(task).exclusive
    # The driver's own rows: with a hundred thousand samples the toolkit's would take seconds.
    for identity, source, start, end, path, split, digest, origin, index in connection.connection.cursor().execute(
        _SAMPLES
    ):
        if index is None and (origin is None or origin == "ignored" or exclusive):
            ignored: Origin | None = "ignored" if origin == "ignored" else None
            found[identity] = Sample(identity, source, path, (), None, start, end, ignored, digest)
            continue
        known = found.get(identity)
        if known is not None and index in known.labels:
            continue  # another part of the recording
        labels = () if index is None else (index,) if known is None else (*known.labels, index)
        found[identity] = Sample(identity, source, path, labels, split, start, end, origin, digest)
    return tuple(found.values())


_SAMPLES = """
    SELECT sample.id, source.id, sample.start, sample."end", source.path, source.split, source.digest,
           label_change.origin, label.class_index
    FROM sample
    JOIN source ON source.id = sample.source_id
    LEFT JOIN unreadable ON unreadable.path = source.path
    LEFT JOIN label_change ON label_change.id = sample.change_id AND unreadable.path IS NULL
    LEFT JOIN label ON label.change_id = label_change.id
    ORDER BY sample.id, label.place
"""


def count_splits(connection: sa.Connection, *, task: TaskName) -> dict[Split | None, int]:
    """Count what `read_samples` returns by split, in a tenth of the time; None for samples without a label."""
    rows = connection.exec_driver_sql(_SPLITS, (not task_named(task).exclusive,))
    return {row[0]: row[1] for row in rows}


_SPLITS = """
    SELECT CASE WHEN sample.change_id IS NOT NULL
                     AND (EXISTS (SELECT 1 FROM label WHERE label.change_id = sample.change_id)
                          OR (? AND (SELECT origin FROM label_change WHERE id = sample.change_id) <> 'ignored'))
                     AND source.path NOT IN (SELECT path FROM unreadable)
                THEN source.split END, count(*)
    FROM sample
    JOIN source ON source.id = sample.source_id
    GROUP BY 1
"""


def read_labelled_paths(connection: sa.Connection) -> tuple[str, ...]:
    """The files with a sample that shows a class, in alphabetical order."""
    return tuple(row[0] for row in connection.exec_driver_sql(_LABELLED_PATHS))


_LABELLED_PATHS = """
    SELECT path FROM source
    WHERE path NOT IN (SELECT path FROM unreadable)
      AND EXISTS (SELECT 1 FROM sample JOIN label ON label.change_id = sample.change_id
                  WHERE sample.source_id = source.id)
    ORDER BY path
"""


def read_spans(connection: sa.Connection, path: str | None = None) -> dict[int, tuple[LabelSpan, ...]]:
    """The present labels that were given for a part of a recording, by sample; of one file where `path` is given."""
    labels = tables.labels
    query = (
        sa.select(tables.samples.c.id, tables.classes.c.name, labels.c.start, labels.c.end)
        .join(labels, labels.c.change_id == tables.samples.c.change_id)
        .join(tables.classes, tables.classes.c.index == labels.c.class_index)
        .where(labels.c.start.is_not(None))
        .order_by(tables.samples.c.id, labels.c.place)
    )
    if path is not None:
        query = query.join(tables.sources, tables.sources.c.id == tables.samples.c.source_id)
        query = query.where(tables.sources.c.path == path)
    found: dict[int, list[LabelSpan]] = defaultdict(list)
    for identity, name, start, end in connection.execute(query):
        found[identity].append(LabelSpan(name, start, end))
    return {identity: tuple(spans) for identity, spans in found.items()}


def read_history(connection: sa.Connection, sample_id: int) -> tuple[LabelChange, ...]:
    """Who set which label when, the oldest first."""
    changes = tables.label_changes
    query = sa.select(changes).where(changes.c.sample_id == sample_id).order_by(changes.c.id)
    rows = connection.execute(query).all()
    sets = {row.id: _labels_of(connection, row.id) for row in rows}
    return tuple(
        LabelChange(
            sample_id=sample_id,
            at=row.at,
            annotator=row.annotator,
            origin=row.origin,
            old=sets.get(row.previous_id, ()),
            new=sets[row.id],
        )
        for row in rows
    )


def append_changes(
    cursor: sqlite3.Cursor,
    wanted: Sequence[_Wanted],
    annotator: str,
    origins: Mapping[int, Origin],
    annotators: Mapping[int, str] | None = None,
    parts: Mapping[int, Parts] | None = None,
) -> tuple[LabelChange, ...]:
    """Write the labels that samples have from now on, in a few statements; None: as if nobody had labelled it.

    `origins` by sample, "person" where there is none, and `annotators` of samples that somebody else labelled. `parts`:
    the parts of the recording that the labels of a sample are given for. Without them a person labels the whole sample,
    and with another origin a class that stays keeps its parts. A sample that occurs twice is changed twice. Raises
    KeyError where a sample does not exist.
    """
    at, annotators, parts = now(), annotators or {}, parts or {}
    changes: list[LabelChange] = []
    for some in _without_repeats(wanted):
        present = _present_labels(cursor, some)
        groups: defaultdict[_Group, list[int]] = defaultdict(list)
        for sample_id, labels in some:
            origin, who = origins.get(sample_id, "person"), annotators.get(sample_id, annotator)
            changes.append(LabelChange(sample_id, at, who, origin, present[sample_id], labels or (), labels is None))
            own = parts.get(sample_id)
            groups[_Group(who, origin, labels, None if own is None or labels is None else tuple(own))].append(sample_id)
        _append_groups(cursor, groups, at)
    return tuple(changes)


def _without_repeats(wanted: Sequence[_Wanted]) -> Iterator[Sequence[_Wanted]]:
    """Divide the list where a sample occurs again."""
    if len({sample_id for sample_id, _ in wanted}) == len(wanted):
        yield wanted
        return
    part: dict[int, tuple[int, ...] | None] = {}
    for sample_id, labels in wanted:
        if sample_id in part:
            yield tuple(part.items())
            part = {}
        part[sample_id] = labels
    yield tuple(part.items())


def _append_groups(cursor: sqlite3.Cursor, groups: Mapping[_Group, list[int]], at: str) -> None:
    """Write each group in one statement per table. Other threads run meanwhile, as they cannot between many rows."""
    first = int(cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM label_change").fetchone()[0])
    for group, sample_ids in groups.items():
        cursor.execute(_INSERT_CHANGES, (first, at, group.annotator, group.origin, json.dumps(sample_ids)))
        last = first + len(sample_ids) - 1
        rows = group.parts if group.parts is not None else [(index, None, None) for index in group.labels or ()]
        for place, row in enumerate(rows):
            cursor.execute(_INSERT_LABELS, (place, *row, first, last))
        if group.labels and group.parts is None and group.origin != "person":
            cursor.execute(_KEEP_PARTS, (first, last))
            cursor.execute(_KEEP_MORE_PARTS, (first, last))
        cursor.execute(_POINT if group.labels is not None else _POINT_NOWHERE, (first, last))
        first = last + 1


def _present_labels(cursor: sqlite3.Cursor, wanted: Sequence[_Wanted]) -> dict[int, tuple[int, ...]]:
    """Return the classes that each wanted sample has now."""
    found: dict[int, tuple[int, ...]] = {}
    cursor.execute(_PRESENT, (json.dumps([sample_id for sample_id, _ in wanted]),))
    for sample_id, index in cursor:
        if index is None:
            found[sample_id] = ()
        elif index not in found.setdefault(sample_id, ()):
            found[sample_id] = (*found[sample_id], index)
    return found


# CROSS JOIN lets SQLite go through the wanted samples and not through all of them.
_PRESENT = """
    SELECT sample.id, label.class_index
    FROM json_each(?) AS wanted
    CROSS JOIN sample ON sample.id = wanted.value
    LEFT JOIN label ON label.change_id = sample.change_id
    ORDER BY label.place
"""
_INSERT_CHANGES = """
    INSERT INTO label_change (id, sample_id, at, annotator, origin, previous_id)
    SELECT ? + wanted.key, sample.id, ?, ?, ?, sample.change_id
    FROM json_each(?) AS wanted
    CROSS JOIN sample ON sample.id = wanted.value
"""
_INSERT_LABELS = """
    INSERT INTO label (change_id, place, class_index, start, "end")
    SELECT id, ?, ?, ?, ? FROM label_change WHERE id BETWEEN ? AND ?
"""
_POINT = """
    UPDATE sample SET change_id = change.id
    FROM label_change AS change
    WHERE change.id BETWEEN ? AND ? AND change.sample_id = sample.id
"""
_POINT_NOWHERE = """
    UPDATE sample SET change_id = NULL
    WHERE id IN (SELECT sample_id FROM label_change WHERE id BETWEEN ? AND ?)
"""
_KEEP_PARTS = """
    UPDATE label SET start = before.start, "end" = before."end"
    FROM label AS before
    JOIN label_change ON label_change.previous_id = before.change_id
    WHERE label.change_id = label_change.id AND label.class_index = before.class_index
      AND label_change.id BETWEEN ? AND ?
"""


_KEEP_MORE_PARTS = """
    INSERT INTO label (change_id, place, class_index, start, "end")
    SELECT label_change.id, before.place + (SELECT max(place) + 1 FROM label WHERE change_id = label_change.id),
           before.class_index, before.start, before."end"
    FROM label_change
    JOIN label AS before ON before.change_id = label_change.previous_id
    JOIN label AS own ON own.change_id = label_change.id AND own.class_index = before.class_index
    WHERE label_change.id BETWEEN ? AND ? AND before.start IS NOT own.start
"""


def append_imports(connection: sa.Connection, given: Mapping[int, Sequence[Given]]) -> None:
    """Write what folders or tables say of many samples, by id, in a few statements however many they are."""
    changes, samples = tables.label_changes, tables.samples
    before = {row.id: row.change_id for row in connection.execute(sa.select(samples.c.id, samples.c.change_id))}
    at, annotator = now(), default_annotator()
    change_ids = dict(zip(given, count(next_id(connection, changes.c.id))))
    entry = {"at": at, "annotator": annotator, "origin": "import"}
    point = samples.update().where(samples.c.id == sa.bindparam("sample")).values(change_id=sa.bindparam("change"))
    for statement, values in (
        (
            changes.insert(),
            [
                entry | {"id": change, "sample_id": sample, "previous_id": before[sample]}
                for sample, change in change_ids.items()
            ],
        ),
        (tables.labels.insert(), [row for sample, new in given.items() for row in label_rows(change_ids[sample], new)]),
        (point, [{"sample": sample, "change": change} for sample, change in change_ids.items()]),
    ):
        if values:
            connection.execute(statement, values)


def label_rows(change: int, given: Sequence[Given]) -> list[dict[str, Any]]:
    """What a change sets, as rows of the table."""
    return [
        {"change_id": change, "place": place, "class_index": index, "start": start, "end": end}
        for place, (index, start, end) in enumerate(given)
    ]


def _labels_of(connection: sa.Connection, change_id: int) -> tuple[int, ...]:
    query = sa.select(tables.labels.c.class_index).where(tables.labels.c.change_id == change_id)
    return tuple(dict.fromkeys(connection.execute(query.order_by(tables.labels.c.place)).scalars()))


def default_annotator() -> str:
    """The name that stands beside a label: the one the person has on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
