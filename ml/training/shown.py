"""Pick the samples that are shown during training."""

from __future__ import annotations

from ml.core.types import Sample

SHOWCASE = 12


def pick_showcase(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
    """Return up to `SHOWCASE` samples, spread over the classes, always the same ones."""
    by_class: dict[tuple[int, ...], list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.labels, []).append(sample)
    chosen: list[Sample] = []
    depth = 0
    while len(chosen) < min(SHOWCASE, len(samples)):
        chosen += [by_class[labels][depth] for labels in sorted(by_class) if depth < len(by_class[labels])]
        depth += 1
    return tuple(chosen[:SHOWCASE])
