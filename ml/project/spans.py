"""Spans that a person draws on a recording: they label its windows as the spans of a label file do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ml.core.types import LabelSpan, Sample
from ml.project.labelfiles.windows import labels_of_windows, span_labels_window
from ml.project.labels import Given, Parts


class WindowLabels(NamedTuple):
    """The labels of a window, and the parts of the recording they are given for. None: it has none."""

    labels: tuple[int, ...] | None
    parts: Parts


class SpanEdit(NamedTuple):
    """The windows of a recording that change, by sample, and the spans that no window takes its label from."""

    windows: dict[int, WindowLabels]
    outdone: tuple[LabelSpan, ...]


def spans_in(parts: Mapping[int, Sequence[LabelSpan]]) -> tuple[LabelSpan, ...]:
    """Return the different spans of a recording, given those of each of its windows, by their start."""
    found = {span for own in parts.values() for span in own}
    return tuple(sorted(found, key=lambda span: (span.start, span.end, span.class_name)))


def edit_spans(
    windows: Sequence[Sample],
    before: Sequence[LabelSpan],
    after: Sequence[LabelSpan],
    names: Sequence[str],
    *,
    exclusive: bool,
) -> SpanEdit:
    """Return what changes when a recording has the spans `after` in place of `before`.

    `windows`: all samples of the recording, `names`: the classes. Only windows that a changed span labels, or has
    labelled, can change. Labels of whole windows stay beside the spans where several classes may be present; else the
    span, which says more exactly what is meant, takes their place.
    """
    indices = {name: index for index, name in enumerate(names)}
    changed = {*before} ^ {*after}
    ordered = sorted(windows, key=lambda sample: sample.start or 0.0)
    cuts = [(sample.start or 0.0, sample.end or 0.0) for sample in ordered]
    chosen = labels_of_windows(after, cuts, several=not exclusive)
    found: dict[int, WindowLabels] = {}
    used: set[LabelSpan] = set()
    for sample, cut, spans in zip(ordered, cuts, chosen, strict=True):
        classes = {span.class_name for span in spans}
        own = [span for span in after if span.class_name in classes and span_labels_window(span, *cut)]
        used.update(own)
        if not any(span_labels_window(span, *cut) for span in changed):
            continue
        parts: list[Given] = [(indices[span.class_name], span.start, span.end) for span in own]
        if not exclusive or not parts:
            timed = {span.class_name for span in before if span_labels_window(span, *cut)}
            whole = [index for index in sample.labels if names[index] not in timed | classes]
            parts += [(index, None, None) for index in whole]
        labels = tuple(sorted({index for index, _start, _end in parts}))
        found[sample.id] = WindowLabels(labels or None, parts)
    return SpanEdit(found, tuple(span for span in after if span not in used))
