"""End a run with its first model, in the process that trains or in place of one that was killed."""

from __future__ import annotations

from ml.core.events import Finished
from ml.core.types import RunInfo
from ml.project.project import Project


def first_model_stays(project: Project, run: int, *, early: bool = True, seconds: float | None = None) -> Finished:
    """Make the first model the model of run `run`, and return the last event.

    `early`: the user ended the adjusting. `seconds`: of the whole run; None leaves those of the first model.
    """
    info = project.runs.keep_first(run, **({} if seconds is None else {"seconds": seconds}))
    return _finished(info, early=early, first_model_kept=True)


def end_as_recorded(project: Project, run: int) -> Finished | None:
    """End run `run` in place of a process that was killed: with its first model, or the better one that it has.

    None if it has no model yet.
    """
    if project.runs.adjusting(run):
        return first_model_stays(project, run)
    info = next((each for each in project.runs.all() if each.number == run and each.state == "finished"), None)
    return None if info is None else _finished(info, early=True, first_model_kept=False)


def _finished(info: RunInfo, *, early: bool, first_model_kept: bool) -> Finished:
    return Finished(
        run=info.number,
        seconds=info.seconds,
        valid_accuracy=info.valid_accuracy,
        test_accuracy=info.test_accuracy,
        probe_accuracy=info.probe_accuracy,
        early=early,
        first_model_kept=first_model_kept,
    )
