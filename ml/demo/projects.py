"""The two sample projects by kind: what `handlens demo` and the start page offer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

DemoKind = Literal["images", "recordings"]

DEMO_NAMES: dict[DemoKind, str] = {"images": "Bricks on a belt", "recordings": "Sounds of a forest"}


def write_samples(
    folder: Path, kind: DemoKind, *, seed: int = 0, count: int | None = None, wrong: int = 0
) -> Iterator[tuple[int, int]]:
    """Write the sample files of `kind` into class folders under `folder` and yield (done, total), first (0, total).

    `count` is the number of files, by default that of `sample_count`; `wrong` of them lie in the folder of another
    class. The same seed, which is not negative, gives the same files. Files are written as the iterator is read, so
    dropping it stops the work. Raises OSError where the folder cannot be written.
    """
    # What draws and synthesises loads here: it takes a second, and the window imports this module when it opens.
    number = sample_count(kind) if count is None else count
    if kind == "images":
        from ml.demo.bricks import write_bricks

        yield from write_bricks(folder, pictures=number, seed=seed, wrong=wrong)
    else:
        from ml.demo.forest import write_forest

        yield from write_forest(folder, clips=number, seed=seed, wrong=wrong)


def sample_count(kind: DemoKind) -> int:
    """Return the usual number of files."""
    return 600 if kind == "images" else 300
