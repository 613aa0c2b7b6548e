"""End a run with its first model, in the process that trains or in place of one that was killed."""

from __future__ import annotations

from ml.core.events import Finished
from ml.project.project import Project


def first_model_stays(project: Project, run: int, *, early: bool = True, seconds: float | None = None) -> Finished:
    """Make the first model the model of run `run`, and return the last event.

    `early`: the user ended the adjusting. `seconds`: of the whole run; None leaves those of the first model.
    """
    info = project.runs.keep_first(run, **({} if seconds is None else {"seconds": seconds}))
    return Finished(
        run=run,
        seconds=info.seconds,
        valid_accuracy=info.valid_accuracy,
        test_accuracy=info.test_accuracy,
        probe_accuracy=info.probe_accuracy,
        early=early,
        first_model_kept=True,
    )
