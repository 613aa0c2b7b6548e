"""The model of a project as it is to be used: which run, and with which thresholds."""

from __future__ import annotations

from pathlib import Path

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.project.project import Project
from ml.runtime.model import ReleasedModel


def model_path(project: Project, run: int | None) -> Path:
    """Where the model of run `run` (the one in use if None) lies; raises where there is none."""
    number = project.run_in_use(run).number
    path = project.runs.results(number) / "model.onnx"
    if not path.is_file():
        raise HandlensError(msg("Run {run} has no {file}. Train again to get one.", run=str(number), file="model.onnx"))
    return path


def open_run_model(project: Project, run: int | None = None, *, many: bool = True) -> tuple[Path, ReleasedModel]:
    """Return the file and the model of run `run` (the one in use if None), with the thresholds chosen for the project.

    Raises HandlensError.
    """
    number = project.run_in_use(run).number
    file = model_path(project, number)
    released = ReleasedModel.open(file, many=many)
    released.info = with_thresholds_for(project, number, released.info)
    return file, released
