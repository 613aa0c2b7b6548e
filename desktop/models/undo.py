"""Changes of labels as commands that can be undone. A few labels are on disk on return, many soon after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol, TypedDict

from PySide6.QtGui import QUndoCommand, QUndoStack

from desktop.i18n import text, tr, trn
from desktop.label_writer import Written
from desktop.session import Session
from desktop.widgets.class_keys import NONE
from ml.api import HandlensError, LabelParts, Origin, Remark, Sample, task_named

Labels = tuple[int, ...] | None
"""Class indices; None for no label."""


def same_labels(one: Labels, other: Labels) -> bool:
    """Compare labels without their order."""
    return one == other if one is None or other is None else set(one) == set(other)


OnProblem = Callable[[str], None]
"""Called with a sentence when labels could not be written."""


class ClassFacts(TypedDict, total=False):
    """What can change of a class."""

    name: str
    colour: str
    retired: bool


class LabelStore(Protocol):
    """The part of a session that a command needs."""

    def write_labels(
        self,
        wanted: Iterable[tuple[int, Labels]],
        *,
        origins: Mapping[int, Origin] | None = None,
        annotators: Mapping[int, str] | None = None,
        parts: Mapping[int, LabelParts] | None = None,
        on_end: Callable[[Written], None],
    ) -> None: ...


def give_labels(
    session: Session,
    samples: Sequence[Sample],
    after: Mapping[int, Labels],
    *,
    text: str,
    on_problem: OnProblem,
    ignore: bool = False,
) -> Relabel | None:
    """Give samples other labels; None if that changes nothing. `ignore`: the samples are not to be used any more."""
    changed = [sample for sample in samples if ignore != sample.ignored or not _same_as_now(sample, after[sample.id])]
    if not changed:
        return None
    origins: dict[int, Origin] = {s.id: s.set_by for s in changed if s.set_by not in (None, "person")}
    return Relabel(
        session,
        before={s.id: s.labels if s.labelled or s.ignored else None for s in changed},
        after={s.id: after[s.id] for s in changed},
        text=text,
        on_problem=on_problem,
        origins_before=origins,
        origins_after=dict.fromkeys((s.id for s in changed), "ignored") if ignore else None,
    )


def _same_as_now(sample: Sample, labels: Labels) -> bool:
    return same_labels(sample.labels if sample.labelled or sample.ignored else None, labels)


class ChangeClass(QUndoCommand):
    """Rename, recolour or retire a class. `before` and `after` are arguments of `Session.change_class`."""

    def __init__(
        self, session: Session, index: int, *, before: ClassFacts, after: ClassFacts, text: str, on_problem: OnProblem
    ) -> None:
        super().__init__(text)
        self._session, self._index, self._before, self._after = session, index, before, after
        self._on_problem = on_problem

    def redo(self) -> None:
        self._change(self._after)

    def undo(self) -> None:
        self._change(self._before)

    def _change(self, facts: ClassFacts) -> None:
        try:
            self._session.change_class(self._index, **facts)
        except HandlensError as error:
            self._on_problem(text(error.message))
            self.setObsolete(True)


class AddClass(QUndoCommand):
    """Add a class; undoing retires it, because its index stays taken."""

    def __init__(self, session: Session, name: str, *, on_problem: OnProblem) -> None:
        super().__init__(tr("Add {name}", name=name))
        self._session, self._name, self._on_problem = session, name, on_problem
        self.index: int | None = None

    def redo(self) -> None:
        try:
            self.index = self._session.add_class(self._name).index
        except HandlensError as error:
            self._on_problem(text(error.message))
            self.setObsolete(True)

    def undo(self) -> None:
        if self.index is not None:
            self._session.change_class(self.index, retired=True)


class DeleteRuns(QUndoCommand):
    """Delete runs; undoing brings them back. A run that cannot be deleted stays, and `on_problem` says why."""

    def __init__(self, session: Session, runs: Sequence[int], *, on_problem: OnProblem) -> None:
        super().__init__(trn("Delete {count} run", "Delete {count} runs", len(runs)))
        self._session, self._runs, self._on_problem = session, tuple(runs), on_problem
        self._deleted: list[int] = []

    def redo(self) -> None:
        self._deleted = []
        for run in self._runs:
            try:
                self._session.delete_run(run)
            except HandlensError as error:
                self._on_problem(text(error.message))
            else:
                self._deleted.append(run)
        if not self._deleted:
            self.setObsolete(True)

    def undo(self) -> None:
        for run in self._deleted:
            self._session.undelete_run(run)


class Relabel(QUndoCommand):
    """Give samples other labels. `before` maps each sample to its present labels, `after` to the new ones.

    `origins_before` and `origins_after` name the origin of labels that do not come from the user, see
    `Project.restore_labels`. If nothing can be written, the command calls `on_problem` with a sentence and removes
    itself from `stack`. If only a part was written, it stays, so that this part can be undone.
    """

    def __init__(
        self,
        store: LabelStore,
        *,
        before: Mapping[int, Labels],
        after: Mapping[int, Labels],
        text: str,
        on_problem: OnProblem,
        origins_before: Mapping[int, Origin] | None = None,
        origins_after: Mapping[int, Origin] | None = None,
    ) -> None:
        super().__init__(text)
        self.annotators_after: Mapping[int, str] = {}
        """Who gave the new labels, if it was not the user."""
        self.parts_before: Mapping[int, LabelParts] = {}
        self.parts_after: Mapping[int, LabelParts] = {}
        """The parts of the recording that labels are given for, by sample."""
        self._store = store
        self._before, self._after = dict(before), dict(after)
        self._origins_before, self._origins_after = dict(origins_before or {}), dict(origins_after or {})
        self._on_problem = on_problem
        self.sample_ids = tuple(self._before)
        self._inside = False
        """Whether the stack is calling this command now: then it sees by itself that the command is obsolete."""
        self.stack: QUndoStack | None = None

    def redo(self) -> None:
        self._write(self._after, self._origins_after, self.parts_after, done=True)

    def undo(self) -> None:
        self._write(self._before, self._origins_before, self.parts_before, done=False)

    def _write(
        self,
        wanted: Mapping[int, Labels],
        origins: Mapping[int, Origin],
        parts: Mapping[int, LabelParts],
        *,
        done: bool,
    ) -> None:
        if self.isObsolete():
            return
        self._inside = True
        self._store.write_labels(
            wanted.items(),
            origins=origins,
            annotators=self.annotators_after if done else {},
            parts=parts,
            on_end=partial(self._on_end, done),
        )
        self._inside = False

    def _on_end(self, done: bool, written: Written) -> None:
        if written.error is None:
            return
        self._on_problem(text(written.error.message))
        if written.changes:
            return
        self.setObsolete(True)
        if not self._inside and self.stack is not None:
            # Qt removes an obsolete command only when it is called again.
            (self.stack.undo if done else self.stack.redo)()


def parts_now(session: Session, sample_ids: Iterable[int], path: str | None = None) -> dict[int, LabelParts]:
    """Return the parts of recordings that the present labels of these samples are given for.

    `path`: the recording, if all are of one.
    """
    indices = {item.name: item.index for item in session.classes}
    spans, found = session.project.label_spans(path), dict[int, LabelParts]()
    for sample in session.samples_of(sample_ids):
        parts = [(indices[span.class_name], span.start, span.end) for span in spans.get(sample.id, ())]
        timed = {index for index, _start, _end in parts}
        found[sample.id] = [*parts, *((index, None, None) for index in sample.labels if index not in timed)]
    return found


Change = tuple[dict[int, Labels], dict[int, Labels], str]
"""The labels before and after, of the samples that change, and the name of the step."""


def relabel_command(
    session: Session, samples: Sequence[Sample], class_index: int, names: Sequence[str], *, on_problem: OnProblem
) -> Relabel | None:
    """Give the samples this class, or toggle it in multi-label projects; None if that changes nothing."""
    if not task_named(session.project.task).exclusive:
        before, after, text = toggle_class(samples, class_index, names)
    elif class_index >= 0:
        before, after, text = set_class(samples, class_index, names)
    else:
        return None
    if not before:
        return None
    # Undo restores confirmations as well.
    origins: dict[int, Origin] = {s.id: "confirmed" for s in samples if s.id in before and s.set_by == "confirmed"}
    return Relabel(session, before=before, after=after, text=text, on_problem=on_problem, origins_before=origins)


def confirm_command(session: Session, samples: Sequence[Sample], *, on_problem: OnProblem) -> Relabel | None:
    """Confirm the labels of the samples; None if no sample has one."""
    present: dict[int, Labels] = {sample.id: sample.labels for sample in samples if sample.labelled}
    if not present:
        return None
    origins: dict[int, Origin] = {s.id: s.set_by for s in samples if s.id in present and s.set_by is not None}
    return Relabel(
        session,
        before=present,
        after=present,
        text=tr("Confirm the label"),
        on_problem=on_problem,
        origins_before=origins,
        origins_after=dict.fromkeys(present, "confirmed"),
    )


def set_class(samples: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """Give each sample this class alone."""
    before: dict[int, Labels] = {sample.id: sample.labels for sample in samples if sample.labels != (class_index,)}
    return before, dict.fromkeys(before, (class_index,)), tr("Label as {name}", name=names[class_index])


def toggle_class(samples: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """Add the class to all samples, or remove it if every sample has it.

    `NONE` removes all classes: the samples are labelled as "none of them".
    """
    after: dict[int, Labels]
    if class_index == NONE:
        after, text = {sample.id: () for sample in samples}, tr("Label as none of them")
    elif all(class_index in sample.labels for sample in samples):
        after = {sample.id: tuple(index for index in sample.labels if index != class_index) for sample in samples}
        text = tr("Remove {name}", name=names[class_index])
    else:
        after = {sample.id: tuple(sorted({*sample.labels, class_index})) for sample in samples}
        text = tr("Add {name}", name=names[class_index])
    before: dict[int, Labels] = {sample.id: sample.labels if sample.labelled else None for sample in samples}
    changed = [sample_id for sample_id in before if not same_labels(before[sample_id], after[sample_id])]
    return {key: before[key] for key in changed}, {key: after[key] for key in changed}, text


class RemarkSamples(QUndoCommand):
    """Flag samples, or write a note on them. `before` and `after` map each sample to its remark."""

    def __init__(
        self,
        session: Session,
        *,
        before: Mapping[int, Remark],
        after: Mapping[int, Remark],
        text: str,
        on_problem: OnProblem,
    ) -> None:
        super().__init__(text)
        self._session, self._before, self._after = session, dict(before), dict(after)
        self._on_problem = on_problem
        self.sample_ids = tuple(self._after)

    def redo(self) -> None:
        self._write(self._after)

    def undo(self) -> None:
        self._write(self._before)

    def _write(self, remarks: Mapping[int, Remark]) -> None:
        try:
            self._session.set_remarks(remarks)
        except HandlensError as error:
            self._on_problem(text(error.message))
            self.setObsolete(True)
