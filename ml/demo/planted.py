"""Wrong labels that a sample project has on purpose, so that the search for them has something to find."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PLANTED = 5
FILES_PER_WRONG = 60
"""At least so many files for each wrong label: a short sample must not consist of them."""
_NAME = "sample.json"


def wrong_labels(count: int) -> int:
    """Return how many labels of a sample of `count` files are wrong on purpose."""
    return min(PLANTED, count // FILES_PER_WRONG)


def choose_wrong(count: int, *, wrong: int, classes: int, seed: int) -> dict[int, int]:
    """Return what `wrong` of `count` files really show, by their index; file i is labelled i modulo `classes`."""
    rng = np.random.default_rng((seed, 7))
    chosen = rng.permutation(count)[:wrong]
    return {int(index): int((index + rng.integers(1, classes)) % classes) for index in chosen}


def mark_sample(project: Path, *, wrong: int) -> None:
    """Write into the project that it is a built-in sample, and how many of its labels are wrong on purpose."""
    (project / _NAME).write_text(json.dumps({"wrong_labels": wrong}) + "\n", encoding="utf-8")


def planted_labels(project: Path) -> int | None:
    """Return how many labels of a built-in sample are wrong on purpose; None for other projects."""
    try:
        wrong = json.loads((project / _NAME).read_text(encoding="utf-8"))["wrong_labels"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wrong if isinstance(wrong, int) else None
