"""A map of a run's samples, computed once and kept in the cache of the project."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from openTSNE import TSNEEmbedding
from openTSNE.affinity import PerplexityBasedNN

from ml.core.disk import replacing
from ml.core.events import Event, MapReady, Progress, StageStarted, Stopped
from ml.core.jobs import DataMapJob, Stop
from ml.features.decode import PROGRESS_SECONDS
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.runtime.session import cores
from ml.scoring.projection import principal_components

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


WIDTH = 50
PERPLEXITY = 30
EARLY, LATE = 250, 500
"""Iterations with and without early exaggeration, as openTSNE and Belkina et al. 2019 use them."""
AT_ONCE = 10
EXAGGERATION = 12.0
SPREAD = 1e-4
INTERPOLATED_FROM = 10_000
"""Above it, interpolation (FIt-SNE, Linderman et al. 2019) is faster than Barnes and Hut."""
FEWEST = 8
PARALLEL_FROM = 5_000


def likeness_map(embeddings: NDArray[np.floating], *, seed: int = 0) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yield the fraction that is done and the points (n, 2) so far, several times; the last ones are final.

    The result is the same for the same embeddings on the same machine.
    """
    narrow = principal_components(embeddings, min(WIDTH, embeddings.shape[1]))
    start = narrow[:, :2] / max(float(narrow[:, 0].std()), 1e-9) * SPREAD
    if len(narrow) < FEWEST:
        yield 1.0, np.asarray(narrow[:, :2], dtype=np.float32)
        return
    # Threads that wait for each other take longer than one for a few samples.
    jobs = cores() if len(narrow) >= PARALLEL_FROM else 1
    perplexity = min(PERPLEXITY, (len(narrow) - 1) / 3)
    affinities = PerplexityBasedNN(narrow, perplexity=perplexity, metric="euclidean", n_jobs=jobs, random_state=seed)
    yield 0.2, start
    points = TSNEEmbedding(
        start.astype(np.float64),
        affinities,
        negative_gradient_method="fft" if len(narrow) >= INTERPOLATED_FROM else "bh",
        n_jobs=jobs,
        random_state=seed,
    )
    for done in range(0, EARLY + LATE, AT_ONCE):
        early = done < EARLY
        points = points.optimize(AT_ONCE, exaggeration=EXAGGERATION if early else None, momentum=0.5 if early else 0.8)
        fraction = 0.2 + 0.8 * (done + AT_ONCE) / (EARLY + LATE)
        yield min(1.0, fraction), np.asarray(points, dtype=np.float32)
