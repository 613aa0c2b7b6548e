"""Labels and their history in `project.db`."""

from __future__ import annotations

import getpass
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import sqlalchemy as sa

from ml.core.types import LabelChange, LabelSpan, Origin, Sample, TaskName
from ml.project import store as tables
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


def append_change(
    connection: sa.Connection, sample_id: int, wanted: tuple[int, ...] | None, annotator: str, origin: Origin
) -> LabelChange:
    """Write what a sample is labelled with from now on; None: as if nobody had ever said.

    What a person says, they say of the whole sample; else a class that stays keeps the part it was given for.
    """
    new = wanted or ()
    query = sa.select(tables.samples.c.change_id).where(tables.samples.c.id == sample_id)
    previous = connection.execute(query).scalar_one()
    at = now()
    change_id = connection.execute(
        tables.label_changes.insert().values(
            sample_id=sample_id, at=at, annotator=annotator, origin=origin, previous_id=previous
        )
    ).lastrowid
    held = {} if previous is None else _parts_of(connection, previous)
    parts = {} if origin == "person" else held
    if new:
        given = [(index, *parts.get(index, (None, None))) for index in new]
        connection.execute(tables.labels.insert(), label_rows(change_id, given))
    points_to = None if wanted is None else change_id
    connection.execute(tables.samples.update().where(tables.samples.c.id == sample_id).values(change_id=points_to))
    return LabelChange(
        sample_id=sample_id, at=at, annotator=annotator, origin=origin, old=tuple(held), new=new, unsaid=wanted is None
    )


def append_imports(connection: sa.Connection, given: Mapping[int, Sequence[Given]]) -> None:
    """Write what folders or tables say of many samples, by id, in a few statements however many they are."""
    changes, samples = tables.label_changes, tables.samples
    before = {row.id: row.change_id for row in connection.execute(sa.select(samples.c.id, samples.c.change_id))}
    at, annotator = now(), default_annotator()
    change_ids = dict(zip(given, count(tables.next_id(connection, changes.c.id))))
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


def _parts_of(connection: sa.Connection, change_id: int) -> dict[int, tuple[float | None, float | None]]:
    """The classes that a change set, in order, each with the part of the recording it was given for."""
    labels = tables.labels
    query = sa.select(labels.c.class_index, labels.c.start, labels.c.end).where(labels.c.change_id == change_id)
    return {row.class_index: (row.start, row.end) for row in connection.execute(query.order_by(labels.c.place))}


def default_annotator() -> str:
    """The name that stands beside a label: the one the person has on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
