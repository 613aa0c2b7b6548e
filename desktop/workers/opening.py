"""Opening a project, in a pool thread: the core is loaded and the samples are read while the window stays alive."""

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
    """Open and read the project at `path`. Raises HandlensError, and then nothing is left open."""
    # The core and its libraries take longer to load than the first window may take to appear, so they are loaded here.
    from ml.api import HandlensError, Project

    project = Project.open(path)
    try:
        return Loaded(project=project, samples=project.samples())
    except HandlensError:
        project.close()
        raise


def prepare() -> None:
    """Load the core while the person looks at the start page."""
    import ml.api  # noqa: F401
