"""What a project knows of its files, as a scan would report it."""

from __future__ import annotations

import sqlalchemy as sa

from ml.core.types import FoundFile, Task
from ml.project import store as tables
from ml.project.labels import read_samples


def known_files(connection: sa.Connection, *, task: Task, from_table: bool) -> tuple[FoundFile, ...]:
    """The project's sources under their present labels. `from_table`: whether these came from label files at first."""
    rows = connection.execute(sa.select(tables.classes)).mappings()
    names: dict[int, str] = {row["index"]: row["name"] for row in rows}
    # In the order of the samples; a recording shows what any of its windows shows.
    shown: dict[int, dict[str, None]] = {}
    for sample in read_samples(connection, task=task):
        if sample.labelled:
            shown.setdefault(sample.source_id, {}).update(dict.fromkeys(names[index] for index in sample.labels))
    classes = {source: tuple(found) for source, found in shown.items()}
    sources = connection.execute(sa.select(tables.sources).order_by(tables.sources.c.path)).all()
    return tuple(
        FoundFile(
            path=row.path,
            size=row.size,
            mtime_ns=row.mtime_ns,
            digest=row.digest,
            class_name=next(iter(classes.get(row.id, ())), None),
            also=classes.get(row.id, ())[1:],
            group=row.group_name if from_table else None,
            from_table=from_table,
            negative=task == "multi" and row.id in classes and not classes[row.id],
            ready_split=row.ready_split,
            width=row.width,
            height=row.height,
            duration=row.duration,
            rate=row.rate,
            channels=row.channels,
        )
        for row in sources
    )
