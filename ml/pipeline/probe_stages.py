"""The stages up to the first model, which every training begins with: decode, features, probe. None needs torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator

from ml.core.errors import HandlensError
from ml.core.events import Event, Note, ProbeDone, Progress
from ml.core.jobs import StopRequestedError
from ml.core.messages import Message, msg, nmsg
from ml.features.features import Extractor
from ml.pipeline.session import NoModelYetError, raise_if_cancelled, raise_if_ended, release_memory, stage
from ml.probe.probe import C_GRID, Probe, fit_probe
from ml.probe.training_data import make_training_data
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext

MAX_SELECTION_SAMPLES = 10_000
"""At most this many validation samples select the first model; more would only take more memory."""

MakeExtractor = Callable[[], Generator[Event, None, Extractor]]
"""Returns the extractor of the frozen features, which may take seconds to make."""


def decode_stage(context: RunContext) -> Iterator[Event]:
    """Decode every source file once, and leave out samples whose files cannot be read."""
    yield stage("decode")
    samples = context.samples
    unreadable: dict[str, Message] = {}
    yield from context.decoded.decode(samples, context.stop, unreadable)
    raise_if_ended(context.stop)
    if unreadable:
        first = next(iter(unreadable.values()))
        if len(unreadable) == len({sample.path for sample in samples}):
            raise HandlensError(
                msg("None of the project's files can be read any more. The first error: {reason}", reason=first)
            )
        yield Note(
            sentence=nmsg(
                "{count} file could not be read any more and was left out. The error: {reason}",
                "{count} files could not be read any more and were left out. The first error: {reason}",
                len(unreadable),
                reason=first,
            )
        )
    context.samples = tuple(sample for sample in samples if sample.path not in unreadable)


def feature_stage(context: RunContext, make_extractor: MakeExtractor) -> Iterator[Event]:
    """Compute the frozen features of all samples that have none yet, and collect the training data.

    `context.features` says which these are.
    """
    started, samples = time.monotonic(), context.samples
    missing = context.features.missing(samples)
    if missing:
        extractor = yield from make_extractor()
        yield from context.features.extract(samples, context.decoded, extractor, context.stop)
    raise_if_ended(context.stop)
    context.forward_seconds = (time.monotonic() - started) / len(missing) if missing else context.forward_seconds
    release_memory()
    context.data = make_training_data(context.project, context.decoded, samples, classes=context.classes)


def probe_done(context: RunContext) -> ProbeDone:
    """Return the event that the first model is there."""
    probe = context.probe
    return ProbeDone(
        seconds=time.monotonic() - context.started,
        train_loss=probe.train_loss,
        valid_loss=probe.valid_loss,
        valid_accuracy=probe.valid_accuracy,
    )


def fit_best_probe(context: RunContext) -> Generator[Event, None, Probe]:
    """Return the best probe. A stop request ends the search, or raises NoModelYetError before the first probe."""
    data, features, stop = context.data, context.features, context.stop
    every = max(1, -(-len(data.valid) // MAX_SELECTION_SAMPLES))
    train = (features.embeddings(data.train), data.train_labels)
    valid = (features.embeddings(data.valid[::every]), data.valid_labels[::every])
    task = task_named(data.task)
    best: Probe | None = None
    tried = 0
    try:
        for probe in fit_probe(train, valid, classes=context.classes, task=task, stop=stop):
            raise_if_cancelled(stop)
            best, tried = probe, tried + 1
            yield Progress(stage="probe", done=min(tried, len(C_GRID)), total=len(C_GRID))
    except StopRequestedError:
        raise_if_cancelled(stop)
        if best is None:
            raise NoModelYetError from None
    assert best is not None
    return best
