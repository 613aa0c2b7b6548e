"""What can be undone. Every command is on disk when it returns, and so is its undoing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from PySide6.QtGui import QUndoCommand

from desktop.i18n import text
from ml.api import HandlensError, Origin

Labels = tuple[int, ...] | None
"""Class indices; None: nobody has said anything."""


def same_labels(one: Labels, other: Labels) -> bool:
    """Whether both say the same: the order in which classes were given says nothing."""
    return one == other if one is None or other is None else set(one) == set(other)


def _say_nothing(_sentence: str) -> None:
    return


class LabelStore(Protocol):
    """What a command needs of a session."""

    def restore_labels(
        self, wanted: Iterable[tuple[int, Labels]], *, origins: Mapping[int, Origin] | None = None
    ) -> object: ...


class Relabel(QUndoCommand):
    """Give samples other labels. `before` maps each sample to the labels it has now, `after` to those it gets.

    `origins_before` and `origins_after` say of samples who says so, where that is not simply a person, see
    `Project.restore_labels`. A command that cannot be written tells `on_problem` the sentence and removes itself from
    the stack.
    """

    def __init__(
        self,
        store: LabelStore,
        *,
        before: Mapping[int, Labels],
        after: Mapping[int, Labels],
        text: str,
        on_problem: Callable[[str], None] = _say_nothing,
        origins_before: Mapping[int, Origin] | None = None,
        origins_after: Mapping[int, Origin] | None = None,
    ) -> None:
        super().__init__(text)
        self._store = store
        self._before, self._after = dict(before), dict(after)
        self._origins_before, self._origins_after = dict(origins_before or {}), dict(origins_after or {})
        self.on_problem = on_problem

    def redo(self) -> None:
        self._write(self._after, self._origins_after)

    def undo(self) -> None:
        self._write(self._before, self._origins_before)

    def _write(self, wanted: Mapping[int, Labels], origins: Mapping[int, Origin]) -> None:
        try:
            self._store.restore_labels(list(wanted.items()), origins=origins)
        except HandlensError as error:
            self.setObsolete(True)
            self.on_problem(text(error.message))
