"""Putting what a scan found into `project.db`, in a few statements however much it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ml.media.windowing import window_spans
from ml.project import store as tables
from ml.project.labels import default_annotator, now
from ml.project.samples import FoundFile, ScanReport, SplitPlan, Windowing
from ml.project.store import Store


def fill(store: Store, *, name: str, report: ScanReport, plan: SplitPlan, final: Path) -> None:
    values = {
        "name": name,
        "kind": report.kind,
        "task": report.task,
        "created_at": now(),
        "split_by": plan.split_by,
        "split_why": plan.why,
        **source_meta(Path(report.folder), final),
    }
    if report.windowing is not None:
        values |= {
            "window_rate": str(report.windowing.rate),
            "window_seconds": str(report.windowing.seconds),
            "window_step": str(report.windowing.step),
        }
    names = list(report.class_counts)
    with store.writing() as connection:
        connection.execute(tables.meta.insert(), [{"key": k, "value": v} for k, v in values.items()])
        if names:
            connection.execute(tables.classes.insert(), [{"index": i, "name": n} for i, n in enumerate(names)])
        insert_files(connection, report.files, plan, report.windowing, {n: i for i, n in enumerate(names)})
        insert_unreadable(connection, report)


def source_meta(folder: Path, project: Path) -> dict[str, str]:
    folder = folder.absolute()
    try:
        relative = os.path.relpath(folder, project)
    except ValueError:  # another drive on Windows
        relative = str(folder)
    return {"source_absolute": str(folder), "source_relative": Path(relative).as_posix()}


def insert_files(
    connection: sa.Connection,
    files: Sequence[FoundFile],
    plan: SplitPlan,
    windowing: Windowing | None,
    class_index: dict[str, int],
) -> None:
    """Sources, their samples, and the labels their folders give them, each in one statement however many there are."""
    next_source = _next_id(connection, tables.sources.c.id)
    next_sample = _next_id(connection, tables.samples.c.id)
    next_change = _next_id(connection, tables.label_changes.c.id)
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (tables.sources, tables.samples, tables.label_changes, tables.labels)
    }
    at, annotator = now(), default_annotator()
    for source_id, file in enumerate(files, next_source):
        facts = ("path", "size", "mtime_ns", "digest", "ready_split", "width", "height", "duration", "rate", "channels")
        rows[tables.sources].append(
            {"id": source_id, "split": plan.splits.get(file.path), "group_name": plan.groups.get(file.path)}
            | {fact: getattr(file, fact) for fact in facts}
        )
        spans: tuple[tuple[float | None, float | None], ...] = ((None, None),)
        if windowing is not None:
            spans = window_spans(file.duration, windowing)
        for start, end in spans:
            change_id = None
            if file.labelled:
                change_id = next_change
                next_change += 1
                rows[tables.label_changes].append(
                    {"id": change_id, "sample_id": next_sample, "at": at, "annotator": annotator, "origin": "import"}
                )
                rows[tables.labels] += [
                    {"change_id": change_id, "place": place, "class_index": class_index[name]}
                    for place, name in enumerate(file.class_names)
                ]
            rows[tables.samples].append(
                {"id": next_sample, "source_id": source_id, "start": start, "end": end, "change_id": change_id}
            )
            next_sample += 1
    for table, values in rows.items():
        if values:
            connection.execute(table.insert(), values)


def insert_unreadable(connection: sa.Connection, report: ScanReport) -> None:
    for item in report.unreadable:
        connection.execute(tables.unreadable.delete().where(tables.unreadable.c.path == item.path))
        connection.execute(tables.unreadable.insert().values(path=item.path, reason=item.reason))


def _next_id(connection: sa.Connection, column: sa.Column[int]) -> int:
    return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(column), 0))).scalar_one()) + 1
