"""Open a project in a pool thread: import the core and read the samples without blocking the window."""

from __future__ import annotations

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
    prepare()
    from ml.api import HandlensError, Project

    project = Project.open(path)
    try:
        return Loaded(project=project, samples=project.samples())
    except HandlensError:
        project.close()
        raise


def prepare() -> None:
    """Import the core and the pages while the start page is shown: the first window does not wait for them."""
    import desktop.window.workspace  # noqa: F401
