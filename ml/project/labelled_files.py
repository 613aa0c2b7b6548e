"""The labels of a project as label files give them: by file, for the whole of it or for parts of a recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ml.core.types import LabelSpan, Sample, Split
from ml.project.project import Project

_TOUCH = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledFile:
    """A file with its present labels. `path` as in the project, `place` on the disk, `end` in seconds."""

    path: str
    place: Path
    split: Split | None
    end: float
    classes: tuple[str, ...] = ()
    """Of the whole file; empty where it shows none of the classes, or where `spans` say more."""
    spans: tuple[LabelSpan, ...] | None = None
    """Labels of parts of a recording, by their start; empty where somebody looked and found nothing."""
    windows: tuple[tuple[float, float, tuple[str, ...]], ...] = ()
    """Start, end and classes of each labelled window, where `spans` say more."""

    @property
    def parts(self) -> tuple[LabelSpan, ...]:
        """The labels with their times, those of the whole file too."""
        return tuple(LabelSpan(name, 0.0, self.end) for name in self.classes) if self.spans is None else self.spans


def labelled_files(project: Project) -> Iterator[LabelledFile]:
    """Yield every file that has a label, in alphabetical order. Samples that are ignored have none.

    A window that was labelled as such counts as a span from its start to its end; windows of one class that follow
    one another are one span.
    """
    names = {item.index: item.name for item in project.classes()}
    spans, windowed = project.label_spans(), project.windowing is not None
    by_path: dict[str, list[Sample]] = defaultdict(list)
    for sample in project.samples():
        if not sample.ignored:
            by_path[sample.path].append(sample)
    splits = project.splits()
    for path in sorted(by_path):
        samples = by_path[path]
        if not any(sample.labelled for sample in samples):
            continue
        file = LabelledFile(path=path, place=project.file(path), split=splits.get(path), end=_end(samples))
        yield _with_labels(file, samples, names, spans if windowed else {})


def _end(samples: Sequence[Sample]) -> float:
    return max(sample.end or 0.0 for sample in samples)


def _with_labels(
    file: LabelledFile,
    samples: Sequence[Sample],
    names: Mapping[int, str],
    spans: Mapping[int, tuple[LabelSpan, ...]],
) -> LabelledFile:
    alike = len({(sample.labelled, sample.labels) for sample in samples}) == 1
    if alike and not any(sample.id in spans for sample in samples):
        return replace(file, classes=tuple(names[index] for index in samples[0].labels))
    given: set[LabelSpan] = set()
    whole: dict[str, list[int]] = defaultdict(list)
    windows = []
    for place, sample in enumerate(samples):
        own = spans.get(sample.id, ())
        given.update(own)
        begin, end = sample.start or 0.0, sample.end or 0.0
        for name in (names[index] for index in sample.labels):
            if all(span.class_name != name for span in own):
                whole[name].append(place)
        if sample.labelled:
            windows.append((begin, end, tuple(names[index] for index in sample.labels)))
    given.update(LabelSpan(name, *part) for name, places in whole.items() for part in _joined(places, samples))
    ordered = sorted(given, key=lambda span: (span.start, span.end, span.class_name))
    return replace(file, spans=tuple(ordered), windows=tuple(windows))


def _joined(places: Sequence[int], samples: Sequence[Sample]) -> list[tuple[float, float]]:
    """Join windows that follow one another. Those with another one between them stay apart: it may differ."""
    joined: list[tuple[float, float]] = []
    for before, place in zip([None, *places], places, strict=False):
        begin, end = samples[place].start or 0.0, samples[place].end or 0.0
        if joined and before == place - 1 and begin <= joined[-1][1] + _TOUCH:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
