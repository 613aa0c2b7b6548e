"""Open a project in a pool thread: import the core and read the samples without blocking the window."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ml.api import Project, Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    project: Project
    samples: tuple[Sample, ...]


def load_project(path: Path) -> Loaded:
    """Open and read the project at `path`. Raises HandlensError and leaves nothing open then."""
    # Importing the core takes longer than the first window may take to appear, so it happens here.
    prepare()
    from ml.api import Project

    project = Project.open(path)
    try:
        with _without_collections():
            return Loaded(project=project, samples=project.samples())
    except BaseException:
        project.close()
        raise


@contextmanager
def _without_collections() -> Iterator[None]:
    """Make many objects: the garbage collector would look through all of them several times, and the window waits."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def restore_and_load(path: Path) -> Loaded:
    """Put the newest backup in the place of a damaged database, then open it. Raises HandlensError."""
    from ml.api import restore_backup

    restore_backup(path)
    return load_project(path)


def prepare() -> None:
    """Import the core and the pages while the start page is shown: the first window does not wait for them."""
    import scipy.special  # noqa: F401 - takes a third of a second, and the first look at “Sure enough?” needs it

    import desktop.window.workspace  # noqa: F401
