"""New files of a folder join the project that is there, on a side of the test on which nothing is seen twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import sqlalchemy as sa

from ml.core.scan_report import ScanReport, SplitPlan
from ml.core.types import Cut, Origin, Split, TaskName
from ml.project import store as tables
from ml.project.split.plan import FARTHEST_FROM_LEARNING
from ml.project.update.insert import class_indices, insert_files, insert_unreadable
from ml.project.update.reconcile import replaced
from ml.scoring.tasks import task_named


def add(
    connection: sa.Connection,
    report: ScanReport,
    plan: SplitPlan,
    *,
    task: TaskName,
    cut: Cut | None,
    origin: Origin = "import",
) -> int:
    """Take in the files of `report` that are new; what is known stays as it is. Returns the number of new files."""
    columns = tables.sources.c
    known = connection.execute(sa.select(columns.path, columns.digest)).all()
    paths = {row.path for row in known}
    exclusive = task_named(task).exclusive
    # Where a task is not exclusive, copies are one sample, whichever of them was found first.
    digests = {row.digest for row in known} if not exclusive else set()
    fresh = [file for file in report.files if file.path not in paths and file.digest not in digests]
    indices = class_indices(connection, [name for file in fresh for name in file.class_names])
    sides = _sides(connection, plan, {file.path: file.digest for file in fresh})
    plan = dataclasses.replace(plan, splits=sides)
    insert_files(connection, fresh, plan, cut, indices, exclusive=exclusive, origin=origin)
    insert_unreadable(connection, report)
    return len(fresh)


def assign(connection: sa.Connection, plan: SplitPlan) -> None:
    """Write the splits and groups of `plan` for sources that have none yet; splits that exist are kept."""
    source = tables.sources
    query = sa.select(source.c.path, source.c.digest).where(source.c.split.is_(None))
    sides = _sides(connection, plan, {row.path: row.digest for row in connection.execute(query)})
    rows = [{"at": path, "side": side, "group": plan.groups.get(path)} for path, side in sides.items()]
    if rows:
        connection.execute(
            source.update()
            .where(source.c.path == sa.bindparam("at"))
            .values(split=sa.bindparam("side"), group_name=sa.bindparam("group")),
            rows,
        )


def _sides(connection: sa.Connection, plan: SplitPlan, digests: Mapping[str, str]) -> dict[str, Split]:
    """Where `plan` puts the files of these paths and digests, but that it knows only what the scan found.

    A file may be a copy of one that is gone, or lies where the scan may not look: it goes where that one is. What took
    another's name may be that one, cut to another length, and goes there, too.
    """
    columns = tables.sources.c
    query = sa.select(columns.path, columns.digest, columns.split).where(columns.split.is_not(None))
    rows = sorted(connection.execute(query).all(), key=lambda row: FARTHEST_FROM_LEARNING[row.split])
    by_digest: dict[str, Split] = {row.digest: row.split for row in rows}
    by_path: dict[str, Split] = {row.path: row.split for row in rows}
    return {
        path: by_digest.get(digest) or by_path.get(replaced(path)) or plan.splits[path]
        for path, digest in digests.items()
        if path in plan.splits
    }
