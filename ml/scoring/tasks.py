"""The tasks by their names on disk. Another module may register one of its own with `register_task`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.plugins import note_plugin
from ml.core.types import TaskName
from ml.scoring.multilabel_task import MultiLabel
from ml.scoring.single_label_task import SingleLabel
from ml.scoring.task import Task


def task_for(targets: NDArray[np.integer]) -> Task:
    """Return the built-in task that has targets of this shape."""
    return task_named("single" if targets.ndim == 1 else "multi")


_tasks: dict[TaskName, Task] = {task.name: task for task in (SingleLabel(), MultiLabel())}


def register_task(task: Task) -> None:
    """Make a task known in this process, and through jobs in those it starts."""
    _tasks[task.name] = task
    note_plugin(type(task).__module__)


def task_named(name: TaskName) -> Task:
    """Return the task of this name. Raises HandlensError where no such task is known."""
    task = _tasks.get(name)
    if task is None:
        raise HandlensError(
            msg(
                "This version of Handlens does not know the task “{name}”. Install what created the project.", name=name
            )
        )
    return task
