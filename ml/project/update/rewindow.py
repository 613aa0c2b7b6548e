"""Cutting recordings into other windows than they were cut into when the project was made."""

from __future__ import annotations

import sqlalchemy as sa

from ml.core.types import Windowing
from ml.media.windowing import window_spans
from ml.project import store as tables
from ml.project.update.insert import windowing_meta


def rewindow(connection: sa.Connection, windowing: Windowing) -> bool:
    """Make the samples anew, as windows of `windowing`; False where somebody labelled one or a run knows them."""
    for table in (tables.label_changes, tables.runs):
        if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one():
            return False
    connection.execute(tables.samples.delete())
    sources = connection.execute(sa.select(tables.sources.c.id, tables.sources.c.duration)).all()
    windows = [
        {"source_id": source.id, "start": start, "end": end}
        for source in sources
        for start, end in window_spans(source.duration, windowing)
    ]
    if windows:
        connection.execute(tables.samples.insert(), windows)
    for key, value in windowing_meta(windowing).items():
        connection.execute(tables.meta.update().where(tables.meta.c.key == key).values(value=value))
    return True
