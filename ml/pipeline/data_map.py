"""A map of a run's samples, computed once and kept in the cache of the project."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ml.core.disk import replacing
from ml.core.events import Event, MapReady, Progress, StageStarted, Stopped
from ml.core.jobs import DataMapJob, Stop
from ml.features.decode import PROGRESS_SECONDS
from ml.probe.likeness_map import likeness_map
from ml.project.predictions import Predictions
from ml.project.project import Project

STEPS = 1_000


def compute_data_map(job: DataMapJob, stop: Stop) -> Iterator[Event]:
    """Place every sample of a run on a map. Raises HandlensError where its predictions are missing."""
    with Project.open(job.project, to_read=True) as project:
        predictions = project.predictions(job.run)
        file = project.path / "cache" / f"map-{_fingerprint(predictions)}.npy"
        yield StageStarted(stage="map")
        if not _fits(file, len(predictions)):
            points = np.zeros((0, 2), dtype=np.float32)
            reported = 0.0
            for fraction, newest in likeness_map(predictions.embeddings):
                if stop.requested():
                    yield Stopped()
                    return
                points = newest
                if time.monotonic() - reported > PROGRESS_SECONDS:
                    reported = time.monotonic()
                    yield Progress(stage="map", done=round(STEPS * fraction), total=STEPS)
            file.parent.mkdir(exist_ok=True)
            with replacing(file, durable=False) as draft, draft.open("wb") as opened:
                np.save(opened, points, allow_pickle=False)
        yield MapReady(run=job.run, file=file.name)


def _fingerprint(predictions: Predictions) -> str:
    """Name the map after what it shows: a better model of the same run has other embeddings."""
    digest = hashlib.sha256(np.ascontiguousarray(predictions.sample_ids).tobytes())
    digest.update(np.ascontiguousarray(predictions.embeddings).tobytes())
    return digest.hexdigest()[:16]


def _fits(file: Path, count: int) -> bool:
    try:
        points = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool(points.shape == (count, 2) and points.dtype == np.float32)
