"""What can be undone. Every command is on disk when it returns, and so is its undoing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QUndoCommand

from ml.api import HandlensError

Labels = tuple[int, ...]


class LabelStore(Protocol):
    """What a command needs of a session."""

    def set_labels(self, sample_ids: Sequence[int], class_indices: Sequence[int]) -> object: ...


class Relabel(QUndoCommand):
    """Give samples another label. `before` maps each sample to the labels it has now.

    A command that cannot be written tells `on_problem` the sentence and removes itself from the stack.
    """

    def __init__(
        self,
        store: LabelStore,
        *,
        before: Mapping[int, Labels],
        after: Labels,
        name: str,
        on_problem: Callable[[str], None],
    ) -> None:
        super().__init__(QCoreApplication.translate("Relabel", "Label as {name}").format(name=name))
        self._store = store
        self._before = dict(before)
        self._after = after
        self._on_problem = on_problem

    def redo(self) -> None:
        self._write({self._after: list(self._before)})

    def undo(self) -> None:
        groups: dict[Labels, list[int]] = {}
        for sample_id, labels in self._before.items():
            groups.setdefault(labels, []).append(sample_id)
        self._write(groups)

    def _write(self, groups: Mapping[Labels, list[int]]) -> None:
        try:
            for labels, sample_ids in groups.items():
                self._store.set_labels(sample_ids, labels)
        except HandlensError as error:
            self.setObsolete(True)
            self._on_problem(error.message)
