"""All that was ever said of each sample, in a form in which two copies of a project can be compared."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import sqlalchemy as sa

from ml.core.types import Origin

Place = tuple[str, float | None]
"""The file of a sample, and where it begins there."""
Said = tuple[str, str, str]
"""When, by whom and from where a label came. In two copies of a project the same change has the same."""
NamedPart = tuple[str, float | None, float | None]
"""A class by its name, and the part of the recording it was given for."""


class LabelState(NamedTuple):
    """The present labels of a sample, and every change that led to them. `digest`: that of its file."""

    sample_id: int
    digest: str
    labels: tuple[NamedPart, ...]
    origin: Origin | None
    """Of the change that counts now; None where nobody has said anything, or it was taken back."""
    history: tuple[Said, ...]
    steps: tuple[frozenset[str], ...]
    """The classes after each change of the history."""

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(name for name, _start, _end in self.labels)


LabelStates = dict[Place, LabelState]


def read_states(connection: sa.Connection) -> LabelStates:
    """Read the state of every sample, by its place."""
    cursor = connection.connection.cursor()
    names = dict(cursor.execute('SELECT "index", name FROM class').fetchall())
    given: dict[int, list[NamedPart]] = defaultdict(list)
    for change, index, start, end in cursor.execute(
        'SELECT change_id, class_index, start, "end" FROM label ORDER BY change_id, place'
    ):
        given[change].append((names[index], start, end))
    changes: dict[int, list[tuple[int, str, str, Origin]]] = defaultdict(list)
    for identity, sample, at, annotator, origin in cursor.execute(
        "SELECT id, sample_id, at, annotator, origin FROM label_change ORDER BY id"
    ):
        changes[sample].append((identity, at, annotator, origin))
    states: LabelStates = {}
    for sample, change, start, path, digest in cursor.execute(
        "SELECT sample.id, sample.change_id, sample.start, source.path, source.digest FROM sample "
        "JOIN source ON source.id = sample.source_id"
    ):
        own = changes.get(sample, [])
        origin = next((origin for identity, _at, _who, origin in own if identity == change), None)
        states[path, start] = LabelState(
            sample_id=sample,
            digest=digest,
            labels=tuple(given.get(change, ())) if change is not None else (),
            origin=origin,
            history=tuple(each[1:] for each in own),
            steps=tuple(frozenset(name for name, _s, _e in given.get(each[0], ())) for each in own),
        )
    return states
