"""Run any job in this process. `ml.pipeline.worker.Worker.run` does the same in a child process."""

from __future__ import annotations

import errno
import logging
import os
import time
import traceback
from collections.abc import Iterator
from typing import assert_never

from ml.core.engine import NEEDS_ENGINE, can_finetune
from ml.core.errors import HandlensError
from ml.core.events import TERMINAL, Event, Failed, Stopped
from ml.core.jobs import (
    BackboneJob,
    DataMapJob,
    EvaluateJob,
    ExportJob,
    FeaturesJob,
    Job,
    LookJob,
    ScanJob,
    Stop,
    SuspectJob,
    TrainJob,
)
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage
from ml.core.messages import Message, msg
from ml.core.plugins import import_plugins
from ml.core.ranks import world_size
from ml.evaluation.evaluate import evaluate
from ml.project.scan.scan import scan

_log = logging.getLogger(__name__)
INTERNAL_ERROR = msg("An internal error in Handlens ended the work. Your labels and finished runs are unchanged.")


def run(job: Job, stop: Stop) -> Iterator[Event]:
    """Yield the events of `job`, ending with exactly one of `events.TERMINAL`. Raises nothing."""
    name, started = type(job).__name__, time.monotonic()
    _log.info("%s begins", name)
    how = "left"
    try:
        import_plugins(job.plugins)
        for event in _dispatch(job, stop):
            if isinstance(event, TERMINAL):
                how = type(event).__name__
            if isinstance(event, Failed):
                _log.warning("%s", event.message.template)  # its values are names of the user's files
            yield event
    except GeneratorExit:
        raise
    except Exception as error:
        how = "Failed"
        level = logging.WARNING if isinstance(error, HandlensError) else logging.ERROR
        _log.log(level, "%s failed", name, exc_info=error)
        yield explain(error)
    finally:
        _log.info("%s ends after %.1f s: %s", name, time.monotonic() - started, how)


def _dispatch(job: Job, stop: Stop) -> Iterator[Event]:
    match job:
        case ScanJob():
            yield from scan(job, stop)
        case TrainJob():
            yield from _train(job, stop)
        case EvaluateJob():
            yield from evaluate(job, stop)
        case LookJob():
            from ml.graphs.imagenet_preview import preview_with_imagenet_labels

            yield from preview_with_imagenet_labels(job)
        case BackboneJob():
            from ml.networks.weights.resolve import check_backbone

            yield from check_backbone(job)
        case SuspectJob():
            from ml.pipeline.label_issues import rank_label_issues

            yield from rank_label_issues(job, stop)
        case FeaturesJob():
            from ml.pipeline.compute_features import compute_features

            yield from compute_features(job, stop)
        case DataMapJob():
            from ml.pipeline.data_map import compute_data_map

            yield from compute_data_map(job, stop)
        case ExportJob():
            from ml.pipeline.export_model import export

            yield from export(job, stop)
        case _:
            assert_never(job)


def _train(job: TrainJob, stop: Stop) -> Iterator[Event]:
    from ml.pipeline.first_model import train_first_model, trains_without_torch

    if job.ear == "yamnet":
        from ml.pipeline.install_ear import install_yamnet

        if (prepared := (yield from install_yamnet(job, stop))) is None:
            yield Stopped()
            return
        job = prepared
    if trains_without_torch(job) and world_size() == 1:
        yield from train_first_model(job, stop)
        return
    if not can_finetune():
        raise HandlensError(NEEDS_ENGINE)
    from ml.pipeline.progressive import train_progressively, trains_progressively

    if world_size() == 1 and trains_progressively(job):
        yield from train_progressively(job, stop)
        return
    # Load torch only for fine-tuning: it takes seconds.
    from ml.pipeline.train import train

    yield from train(job, stop)


def explain(error: Exception) -> Failed:
    """Return the event that describes any error in one sentence."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, HandlensError):
        return Failed(message=error.message, details=error.details, reason=error.reason)
    if is_memory_shortage(error):
        return Failed(message=MEMORY_RAN_OUT, details=details)
    if isinstance(error, OSError):
        return Failed(message=_system_sentence(error), details=details)
    if isinstance(error, ImportError):
        return Failed(
            message=msg(
                "A library that training needs is missing ({name}). "
                'Install everything from the Handlens folder with: pip install -e ".[studio]".',
                name=str(error.name),
            ),
            details=details,
        )
    return Failed(message=INTERNAL_ERROR, details=details)


def _system_sentence(error: OSError) -> Message:
    # numpy reports a full disk without an error number.
    number = errno.ENOSPC if "free space" in str(error) else error.errno
    path = os.fsdecode(error.filename) if error.filename else ""
    reason = (error.strerror or str(error)).lower()
    return _with_path(number, path, reason) if path else _without_path(number, reason)


def _with_path(number: int | None, path: str, reason: str) -> Message:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return msg(
                "The disk is full ({path}). Free some space and try again, or continue a training with --resume. "
                "Nothing that was saved is lost.",
                path=path,
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return msg(
                "Handlens has no permission to read or write {path}. Change the permissions or use another folder.",
                path=path,
            )
        case errno.ENOENT:
            return msg("{path} no longer exists. Put it back or connect its drive, then try again.", path=path)
        case _:
            return msg("The system could not read or write {path}: {reason}.", path=path, reason=reason)


def _without_path(number: int | None, reason: str) -> Message:
    match number:
        case errno.ENOSPC | errno.EDQUOT:
            return msg(
                "The disk is full. Free some space and try again, or continue a training with --resume. "
                "Nothing that was saved is lost."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return msg(
                "Handlens has no permission to read or write a file or folder. "
                "Change the permissions or use another folder."
            )
        case errno.ENOENT:
            return msg("A file or folder no longer exists. Put it back or connect its drive, then try again.")
        case _:
            return msg("The system could not read or write a file: {reason}.", reason=reason)
