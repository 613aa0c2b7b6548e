"""What can be undone. Every command is on disk when it returns, and so is its undoing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from PySide6.QtGui import QUndoCommand

from ml.api import HandlensError

Labels = tuple[int, ...] | None
"""Class indices; None: nobody has said anything."""


class LabelStore(Protocol):
    """What a command needs of a session."""

    def restore_labels(self, wanted: Iterable[tuple[int, Labels]]) -> object: ...


class Relabel(QUndoCommand):
    """Give samples other labels. `before` maps each sample to the labels it has now, `after` to those it gets.

    A command that cannot be written tells `on_problem` the sentence and removes itself from the stack.
    """

    def __init__(
        self,
        store: LabelStore,
        *,
        before: Mapping[int, Labels],
        after: Mapping[int, Labels],
        text: str,
        on_problem: Callable[[str], None],
    ) -> None:
        super().__init__(text)
        self._store = store
        self._before = dict(before)
        self._after = dict(after)
        self._on_problem = on_problem

    def redo(self) -> None:
        self._write(self._after)

    def undo(self) -> None:
        self._write(self._before)

    def _write(self, wanted: Mapping[int, Labels]) -> None:
        try:
            self._store.restore_labels(list(wanted.items()))
        except HandlensError as error:
            self.setObsolete(True)
            self._on_problem(error.message)
