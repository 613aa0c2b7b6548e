"""What a key press makes of the labels of what is selected."""

from __future__ import annotations

from collections.abc import Sequence

from desktop.i18n import tr
from desktop.models.undo import Labels, Relabel, same_labels
from desktop.session import Session
from desktop.widgets.class_keys import NONE
from ml.api import Origin, Sample

Change = tuple[dict[int, Labels], dict[int, Labels], str]
"""The labels before and after by sample, of those that change, and the step in words, for undo."""


def relabelling(session: Session, chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Relabel | None:
    """The command that gives the samples this class, or changes it; None where that changes nothing."""
    if session.project.task == "multi":
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
