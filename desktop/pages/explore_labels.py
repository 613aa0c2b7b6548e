"""What a key press makes of the labels of what is selected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from desktop.commands import Labels
from desktop.widgets.class_keys import NONE
from ml.api import Sample

Change = tuple[dict[int, Labels], dict[int, Labels], str]
"""The labels before and after by sample, of those that change, and the step in words, for undo."""


def replaced(chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """Each sample has one class: this one."""
    before: dict[int, Labels] = {sample.id: sample.labels for sample in chosen if sample.labels != (class_index,)}
    return before, dict.fromkeys(before, (class_index,)), _tr("Label as {name}").format(name=names[class_index])


def toggled(chosen: Sequence[Sample], class_index: int, names: Sequence[str]) -> Change:
    """More than one class may be present: give this one to all, or take it from all that have it if all do.

    `NONE` takes all classes away and says that none of them is there.
    """
    after: dict[int, Labels]
    if class_index == NONE:
        after, text = {sample.id: () for sample in chosen}, _tr("Label as none of them")
    elif all(class_index in sample.labels for sample in chosen):
        after = {sample.id: tuple(index for index in sample.labels if index != class_index) for sample in chosen}
        text = _tr("Take away {name}").format(name=names[class_index])
    else:
        after = {sample.id: tuple(sorted({*sample.labels, class_index})) for sample in chosen}
        text = _tr("Add {name}").format(name=names[class_index])
    before: dict[int, Labels] = {sample.id: sample.labels if sample.labelled else None for sample in chosen}
    changed = [sample_id for sample_id in before if before[sample_id] != after[sample_id]]
    return {key: before[key] for key in changed}, {key: after[key] for key in changed}, text


def _tr(text: str) -> str:
    return QCoreApplication.translate("ExploreLabels", text)
