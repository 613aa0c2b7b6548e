"""When the windows of logs that pause were measured: what `project.db` keeps of the pauses."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from ml.media.stretches import Pauses, paused_before, placed
from ml.project import store as tables
from ml.project.samples import FoundFile, Sample


def keep_pauses(connection: sa.Connection, files: Iterable[FoundFile]) -> None:
    """Those of logs, by what the files hold: they stay true of a file that is moved."""
    rows = {file.digest: {"digest": file.digest, "pauses": json.dumps(file.pauses)} for file in files if file.pauses}
    if rows:
        tables.pauses.create(connection, checkfirst=True)  # projects made by an earlier version have no such table
        connection.execute(tables.pauses.insert().prefix_with("OR REPLACE"), list(rows.values()))


def with_moments(connection: sa.Connection, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples, those of logs that pause with the time that the log itself says."""
    if not sa.inspect(connection).has_table(tables.pauses.name):
        return tuple(samples)
    known = {row.digest: json.loads(row.pauses) for row in connection.execute(sa.select(tables.pauses))}
    if not known:
        return tuple(samples)
    windows: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.digest in known:
            windows[sample.source_id].append(sample)
    columns = tables.sources.c
    told: dict[int, Sample] = {}
    for row in connection.execute(sa.select(columns.id, columns.digest, columns.duration)):
        if row.id in windows:
            told |= _told(windows[row.id], known[row.digest], row.duration)
    return tuple(told.get(sample.id, sample) for sample in samples)


def _told(samples: Sequence[Sample], pauses: Pauses, duration: float) -> dict[int, Sample]:
    spans = placed([(sample.start or 0.0, sample.end or 0.0) for sample in samples], pauses, duration)
    late = paused_before(spans, pauses)
    return {
        sample.id: sample._replace(when=(round(start + missing, 6), round(end + missing, 6)))
        for sample, (start, end), missing in zip(samples, spans, late, strict=True)
    }
