"""Take the last merge back: what each sample was before it, and whether somebody has labelled it since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from ml.core.errors import HandlensError
from ml.core.messages import Message, msg, nmsg
from ml.core.types import Origin
from ml.project.labels import Given
from ml.project.merge_record import MergeRecord

_NAMED = 5


class MergedChange(NamedTuple):
    """A label that was taken over, what the sample had before, and whether it has another one since."""

    sample_id: int
    path: str
    start: float | None
    before: tuple[Given, ...] | None
    """None where nobody had said anything."""
    origin: Origin | None
    is_there: bool
    """The sample has what the merge gave it."""
    changed_since: bool
    """Somebody has labelled it in another way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UndoneMerge:
    """What was taken back, or would be."""

    copy: str
    labels: int
    remarks: int
    kept_remarks: int
    """Notes and flags that somebody has changed since."""

    def message(self) -> Message:
        said = nmsg(
            "The merge of “{copy}” is taken back: {count} sample has the label again that it had before.",
            "The merge of “{copy}” is taken back: {count} samples have the labels again that they had before.",
            self.labels,
            copy=self.copy,
        )
        if not self.labels:
            said = msg("The merge of “{copy}” is taken back.", copy=self.copy)
        for count, more in (
            (
                self.remarks,
                nmsg("{count} note or flag is gone.", "{count} notes or flags are gone.", self.remarks),
            ),
            (
                self.kept_remarks,
                nmsg(
                    "{count} note or flag was changed since and stays.",
                    "{count} notes or flags were changed since and stay.",
                    self.kept_remarks,
                ),
            ),
        ):
            if count:
                said = msg("{first} {second}", first=said, second=more)
        return said


def read_ends(connection: sa.Connection) -> tuple[int, int]:
    """Return the newest rows of the histories of labels and of remarks; 0 where there are none."""
    there = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'remark'").first()
    labels, remarks = (
        connection.exec_driver_sql(f"SELECT coalesce(max(id), 0) FROM {name}").scalar_one() if name else 0
        for name in ("label_change", "remark" if there else "")
    )
    return int(labels), int(remarks)


def read_merged(connection: sa.Connection, record: MergeRecord) -> tuple[MergedChange, ...]:
    """Return what the merge changed."""
    cursor = connection.connection.cursor()
    given: dict[int, list[Given]] = {}
    for change, index, start, end in cursor.execute(_BEFORE, (record.first, record.last)):
        given.setdefault(change, []).append((index, start, end))
    present: dict[int, list[Given]] = {}
    for sample, index, start, end in cursor.execute(_PRESENT, (record.first, record.last)):
        present.setdefault(sample, []).append((index, start, end))
    found = []
    for sample, path, begin, previous, origin, newest, change, now in cursor.execute(
        _CHANGES, (record.first, record.last)
    ):
        before = None if previous is None else tuple(given.get(previous, ()))
        says = None if now is None else tuple(present.get(sample, ()))
        is_there = newest == change
        found.append(MergedChange(sample, path, begin, before, origin, is_there, not is_there and says != before))
    return tuple(found)


_BEFORE = """
    SELECT label.change_id, label.class_index, label.start, label."end"
    FROM label_change
    JOIN label ON label.change_id = label_change.previous_id
    WHERE label_change.id BETWEEN ? AND ?
    ORDER BY label.change_id, label.place
"""
_PRESENT = """
    SELECT sample.id, label.class_index, label.start, label."end"
    FROM label_change
    JOIN sample ON sample.id = label_change.sample_id
    JOIN label ON label.change_id = sample.change_id
    WHERE label_change.id BETWEEN ? AND ?
    ORDER BY sample.id, label.place
"""
_CHANGES = """
    SELECT sample.id, source.path, sample.start, merged.previous_id, before.origin,
           (SELECT max(id) FROM label_change WHERE sample_id = sample.id), merged.id, sample.change_id
    FROM label_change AS merged
    JOIN sample ON sample.id = merged.sample_id
    JOIN source ON source.id = sample.source_id
    LEFT JOIN label_change AS before ON before.id = merged.previous_id
    WHERE merged.id BETWEEN ? AND ?
    ORDER BY merged.id
"""


def read_merged_remarks(connection: sa.Connection, record: MergeRecord) -> tuple[tuple[int, bool], ...]:
    """Return the samples that got a note or flag from the merge, and whether it was changed since."""
    if record.last_remark < record.first_remark:
        return ()
    rows = connection.exec_driver_sql(_REMARKS, (record.first_remark, record.last_remark))
    return tuple((int(sample), bool(changed)) for sample, changed in rows)


_REMARKS = """
    SELECT sample_id, id <> (SELECT max(id) FROM remark AS newest WHERE newest.sample_id = remark.sample_id)
    FROM remark WHERE id BETWEEN ? AND ?
"""


def refuse_changed(changes: Sequence[MergedChange]) -> None:
    """Raise HandlensError where somebody has labelled a sample in another way since the merge."""
    changed = [each for each in changes if each.changed_since]
    if changed:
        names = [each.path if each.start is None else f"{each.path} ({each.start:g} s)" for each in changed]
        raise HandlensError(
            nmsg(
                "The merge is not taken back, because {count} of its samples was labelled again since: {names}.",
                "The merge is not taken back, because {count} of its samples were labelled again since: {names}.",
                len(changed),
                names=", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])]),
            )
        )
