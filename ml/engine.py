"""Runs any job, here in this process. `ml.worker.Worker.run` does the same in a child."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Iterator
from typing import assert_never

from ml.errors import HandlensError
from ml.evaluating import evaluate
from ml.events import Event, Failed
from ml.jobs import BackboneJob, EvaluateJob, Job, LookJob, ScanJob, Stop, SuspectJob, TrainJob
from ml.project.importing import scan


def run(job: Job, stop: Stop) -> Iterator[Event]:
    """Yield the events of `job`; ends with exactly one of `events.TERMINAL` and raises nothing."""
    try:
        yield from _dispatch(job, stop)
    except GeneratorExit:
        raise
    except Exception as error:
        yield explain(error)


def _dispatch(job: Job, stop: Stop) -> Iterator[Event]:
    match job:
        case ScanJob():
            yield from scan(job, stop)
        case TrainJob():
            # Only training needs torch, which takes seconds to load.
            from ml.training.run import train

            yield from train(job, stop)
        case EvaluateJob():
            yield from evaluate(job, stop)
        case LookJob():
            from ml.networks.look import look

            yield from look(job)
        case BackboneJob():
            from ml.networks.obtain import check

            yield from check(job)
        case SuspectJob():
            from ml.training.suspicious import suspicious

            yield from suspicious(job, stop)
        case _:
            assert_never(job)


def explain(error: Exception) -> Failed:
    """The failure in one sentence, for whatever went wrong."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, HandlensError):
        return Failed(message=error.message, details=error.details)
    if isinstance(error, OSError):
        return Failed(message=_system_sentence(error), details=details)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return Failed(
            message="Memory ran out; close other programs or choose a smaller preset, then train again.",
            details=details,
        )
    if isinstance(error, ImportError):
        return Failed(
            message=f"A library that training needs is missing ({error.name}); "
            'install everything from the Handlens folder with: pip install -e ".[studio]".',
            details=details,
        )
    return Failed(
        message="It hit a fault in Handlens and ended; your labels and finished runs are untouched.", details=details
    )


def _system_sentence(error: OSError) -> str:
    where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
    # numpy says it in words and without a number.
    number = errno.ENOSPC if "free space" in str(error) else error.errno
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return (
                f"The disk is full{where}; free some space and try again, or go on with a training by --resume. "
                "Nothing that was saved is lost."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Handlens may not write or read there{where}; change the permissions or use another folder."
        case errno.ENOENT:
            return f"A file or folder is not there any more{where}; put it back or plug in its drive, then try again."
        case _:
            return f"The system refused to read or write{where}: {(error.strerror or str(error)).lower()}."
