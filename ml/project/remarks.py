"""Flags and notes on samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sqlalchemy as sa

from ml.project import store as tables
from ml.project.labels import now

LONGEST_NOTE = 2000
"""Characters of a note; a longer one is cut."""


class Remark(NamedTuple):
    """What somebody noted on a sample."""

    flagged: bool = False
    note: str = ""


def read_remarks(connection: sa.Connection) -> dict[int, Remark]:
    """Return the newest remark of each sample, where it has a flag or a note."""
    if not _is_there(connection):
        return {}
    rows = connection.exec_driver_sql(_NEWEST)
    return {sample: Remark(bool(flagged), note) for sample, flagged, note in rows if flagged or note}


_NEWEST = """
    SELECT sample_id, flagged, note FROM remark WHERE id IN (SELECT max(id) FROM remark GROUP BY sample_id)
    ORDER BY sample_id
"""


def append_remarks(connection: sa.Connection, wanted: Mapping[int, Remark], annotator: str) -> None:
    """Write what is noted on samples from now on."""
    tables.remarks.create(connection, checkfirst=True)
    at = now()
    rows = [
        {
            "sample_id": sample_id,
            "at": at,
            "annotator": annotator,
            "flagged": int(remark.flagged),
            "note": remark.note.replace("\0", "").strip()[:LONGEST_NOTE],
        }
        for sample_id, remark in wanted.items()
    ]
    if rows:
        connection.execute(tables.remarks.insert(), rows)


def _is_there(connection: sa.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'remark'"
    return connection.exec_driver_sql(query).first() is not None
