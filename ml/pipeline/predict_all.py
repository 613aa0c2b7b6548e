"""Predict every sample with the network to release and write the predictions."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Event, Progress
from ml.core.types import Sample
from ml.features.decode import PROGRESS_SECONDS, per_second
from ml.probe.objective import targets_of
from ml.project.predictions import SPLIT_CODES, Predictions, PredictionWriter, read_predictions
from ml.runtime.session import cores
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext

BATCH = max(8, 2 * cores())

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Probabilities (n, classes), maps (n, classes, h, w) and embeddings (n, width) of some samples. Multi-label: logits in
place of probabilities, which are too coarse for a temperature near 1."""
Predict = Callable[[Sequence[Sample]], Batch]


def write_predictions(
    context: RunContext, predict: Predict, samples: Sequence[Sample], draft: Path, *, later: int = 0
) -> Generator[Event, None, Predictions]:
    """Write uncalibrated predictions for `samples` to the folder `draft`. Ends early if the user cancels.

    `later`: how many samples are predicted after these, for the time left.
    """
    shutil.rmtree(draft, ignore_errors=True)
    writer: PredictionWriter | None = None
    task = task_named(context.project.task)
    started, reported = time.monotonic(), 0.0
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        probabilities, maps, embeddings = predict(batch)
        if writer is None:
            writer = PredictionWriter(
                draft,
                samples=len(samples),
                classes=maps.shape[1],
                embedding=embeddings.shape[1],
                map_size=(maps.shape[2], maps.shape[3]),
                with_targets=not task.exclusive,
            )
        targets: dict[str, NDArray[np.generic]] = {}
        if not task.exclusive:
            targets["targets"] = targets_of(batch, task=task.name, classes=maps.shape[1]).astype(np.uint8)
        writer.write(
            **targets,
            sample_ids=np.array([s.id for s in batch], dtype=np.int64),
            labels=np.array([s.labels[0] if s.labels else -1 for s in batch], dtype=np.int64),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in batch], dtype=np.uint8),
            probabilities=probabilities,
            embeddings=embeddings.astype(np.float16),
            maps=maps.astype(np.float16),
        )
        if context.stop.requested() == "cancel":
            break
        now, done = time.monotonic(), start + len(batch)
        if now - reported > PROGRESS_SECONDS or done == len(samples):
            reported = now
            rate = per_second(done, now - started)
            left = (len(samples) - done + later) / rate
            yield Progress(stage="predict", done=done, total=len(samples), per_second=rate, seconds_left=left)
    assert writer is not None
    writer.close()
    return read_predictions(draft, task=task.name)


def keep_holdout_predictions(draft: Path, predictions: Predictions, holdout: Predictions) -> None:
    """Replace the validation rows of `predictions`, which are in `draft`, by those of the held-out network."""
    here, there = predictions.labelled("valid"), holdout.labelled("valid")
    for name in ("probabilities", "maps", "unlike"):
        array = np.lib.format.open_memmap(draft / f"{name}.npy", mode="r+")
        array[here] = getattr(holdout, name)[there]
        array.flush()
