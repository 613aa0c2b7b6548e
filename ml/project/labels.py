"""Labels and their history in `project.db`."""

from __future__ import annotations

import getpass
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import sqlalchemy as sa

from ml.core.types import LabelChange, LabelSpan, Origin, Sample, TaskName
from ml.project import store as tables
from ml.project.store import next_id
from ml.scoring.tasks import task_named

Given = tuple[int, float | None, float | None]
"""A class by its index, and the part of the recording it was given for, in seconds; None, None: the sample itself."""


def read_samples(connection: sa.Connection, *, task: TaskName) -> tuple[Sample, ...]:
    """Every sample with its present labels, ordered by id.

    An empty change took the label away in an exclusive task; in others it says "none of them".
    What was said of a file that is gone counts again when the file is back: until then there is nothing to learn from.
    """
    found: dict[int, Sample] = {}
    exclusive = task_named(task).exclusive
    # The driver's own rows: with a hundred thousand samples the toolkit's would take seconds.
    for identity, source, start, end, path, split, digest, origin, index in connection.connection.cursor().execute(
        _SAMPLES
    ):
        if index is None and (origin is None or exclusive):
            found[identity] = Sample(identity, source, path, (), None, start, end, None, digest)
            continue
        known = found.get(identity)
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


def read_spans(connection: sa.Connection) -> dict[int, tuple[LabelSpan, ...]]:
    """The present labels that were given for a part of a recording, by sample."""
    labels = tables.labels
    query = (
        sa.select(tables.samples.c.id, tables.classes.c.name, labels.c.start, labels.c.end)
        .join(labels, labels.c.change_id == tables.samples.c.change_id)
        .join(tables.classes, tables.classes.c.index == labels.c.class_index)
        .where(labels.c.start.is_not(None))
        .order_by(tables.samples.c.id, labels.c.place)
    )
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
    connection: sa.Connection,
    wanted: Sequence[tuple[int, tuple[int, ...] | None]],
    annotator: str,
    origins: Mapping[int, Origin],
) -> tuple[LabelChange, ...]:
    """Write the labels that samples have from now on, in a few statements; None: as if nobody had labelled it.

    `origins` by sample, "person" where there is none. A person labels the whole sample; with another origin, a class
    that stays keeps its part of the recording. A sample that occurs twice is changed twice.
    """
    cursor: Any = connection.connection.cursor()
    present = _present_labels(cursor, wanted)
    at = now()
    first = next_id(connection, tables.label_changes.c.id)
    changes: list[LabelChange] = []

    def change_rows() -> Iterator[tuple[int | str | None, ...]]:
        for change_id, (sample_id, labels) in enumerate(wanted, first):
            previous, old = present[sample_id]
            origin, new = origins.get(sample_id, "person"), labels or ()
            changes.append(
                LabelChange(
                    sample_id=sample_id,
                    at=at,
                    annotator=annotator,
                    origin=origin,
                    old=old,
                    new=new,
                    unsaid=labels is None,
                )
            )
            present[sample_id] = (None, ()) if labels is None else (change_id, new)
            yield change_id, sample_id, at, annotator, origin, previous

    # The driver's own cursor, because the toolkit takes five times as long, and no lists: the garbage collector would
    # go through them again and again.
    cursor.executemany(_INSERT_CHANGE, change_rows())
    labelled = ((change_id, labels) for change_id, (_, labels) in enumerate(wanted, first) if labels)
    rows = ((change_id, place, index) for change_id, labels in labelled for place, index in enumerate(labels))
    cursor.executemany(_INSERT_LABEL, rows)
    if any(origin != "person" for origin in origins.values()):
        cursor.execute(_KEEP_PARTS, (first,))
    cursor.executemany(_POINT, ((change_id, sample_id) for sample_id, (change_id, _) in present.items()))
    return tuple(changes)


def _present_labels(cursor: Any, wanted: Iterable[tuple[int, object]]) -> dict[int, tuple[int | None, tuple[int, ...]]]:
    """Return the current change of each wanted sample, and the classes that it set."""
    found: dict[int, tuple[int | None, tuple[int, ...]]] = {}
    cursor.execute(_PRESENT, (json.dumps(list({sample_id: None for sample_id, _ in wanted})),))
    for sample_id, change_id, index in cursor:
        before = found.get(sample_id)
        labels = () if index is None else (index,) if before is None else (*before[1], index)
        found[sample_id] = (change_id, labels)
    return found


_PRESENT = """
    SELECT sample.id, sample.change_id, label.class_index
    FROM json_each(?) AS wanted
    JOIN sample ON sample.id = wanted.value
    LEFT JOIN label ON label.change_id = sample.change_id
    ORDER BY sample.id, label.place
"""
_INSERT_CHANGE = """
    INSERT INTO label_change (id, sample_id, at, annotator, origin, previous_id) VALUES (?, ?, ?, ?, ?, ?)
"""
_INSERT_LABEL = "INSERT INTO label (change_id, place, class_index) VALUES (?, ?, ?)"
_POINT = "UPDATE sample SET change_id = ? WHERE id = ?"
_KEEP_PARTS = """
    UPDATE label SET start = before.start, "end" = before."end"
    FROM label AS before
    JOIN label_change ON label_change.previous_id = before.change_id
    WHERE label.change_id = label_change.id AND label.class_index = before.class_index
      AND label_change.id >= ? AND label_change.origin <> 'person'
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
    return tuple(connection.execute(query.order_by(tables.labels.c.place)).scalars())


def default_annotator() -> str:
    """The name that stands beside a label: the one the person has on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
