"""Points in the plane that are near each other where samples are alike: t-SNE after principal components."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from openTSNE import TSNEEmbedding
from openTSNE.affinity import PerplexityBasedNN

from ml.runtime.session import cores
from ml.scoring.projection import principal_components

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
