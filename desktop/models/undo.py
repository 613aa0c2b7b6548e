"""What can be undone. Every command is on disk when it returns, and so is its undoing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from PySide6.QtGui import QUndoCommand

from desktop.i18n import text, tr
from desktop.session import Session
from desktop.widgets.class_keys import NONE
from ml.api import HandlensError, Origin, Sample, task_named

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


Change = tuple[dict[int, Labels], dict[int, Labels], str]
"""The labels before and after by sample, of those that change, and the step in words, for undo."""


def relabelling(session: Session, chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Relabel | None:
    """The command that gives the samples this class, or changes it; None where that changes nothing."""
    if not task_named(session.project.task).exclusive:
        before, after, text = toggled(chosen, class_index, names)
    elif class_index >= 0:
        before, after, text = replaced(chosen, class_index, names)
    else:
        return None
    if not before:
        return None
    # Undoing brings back, too, that somebody had called a label right.
    said: dict[int, Origin] = {s.id: "confirmed" for s in chosen if s.id in before and s.set_by == "confirmed"}
    return Relabel(session, before=before, after=after, text=text, origins_before=said)


def confirming(session: Session, chosen: Sequence[Sample]) -> Relabel | None:
    """The command that says that their labels are right; None where none of them is labelled."""
    held: dict[int, Labels] = {sample.id: sample.labels for sample in chosen if sample.labelled}
    if not held:
        return None
    said: dict[int, Origin] = {s.id: s.set_by for s in chosen if s.id in held and s.set_by is not None}
    return Relabel(
        session,
        before=held,
        after=held,
        text=tr("Confirm the label"),
        origins_before=said,
        origins_after=dict.fromkeys(held, "confirmed"),
    )


def replaced(chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """Each sample has one class: this one."""
    before: dict[int, Labels] = {sample.id: sample.labels for sample in chosen if sample.labels != (class_index,)}
    return before, dict.fromkeys(before, (class_index,)), tr("Label as {name}", name=names[class_index])


def toggled(chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """More than one class may be present: give this one to all, or take it from all that have it if all do.

    `NONE` takes all classes away and says that none of them is there.
    """
    after: dict[int, Labels]
    if class_index == NONE:
        after, text = {sample.id: () for sample in chosen}, tr("Label as none of them")
    elif all(class_index in sample.labels for sample in chosen):
        after = {sample.id: tuple(index for index in sample.labels if index != class_index) for sample in chosen}
        text = tr("Remove {name}", name=names[class_index])
    else:
        after = {sample.id: tuple(sorted({*sample.labels, class_index})) for sample in chosen}
        text = tr("Add {name}", name=names[class_index])
    before: dict[int, Labels] = {sample.id: sample.labels if sample.labelled else None for sample in chosen}
    changed = [sample_id for sample_id in before if not same_labels(before[sample_id], after[sample_id])]
    return {key: before[key] for key in changed}, {key: after[key] for key in changed}, text
