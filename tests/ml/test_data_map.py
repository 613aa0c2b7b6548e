"""The map of a run's samples: what is alike lies together, it is computed once, and a stop ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate import add_run, image_folder, project_of

from ml.api import DataMapJob, MapReady, NeverStop, Progress, Stopped, StopRequest
from ml.pipeline.data_map import compute_data_map

CLUSTERS = 3


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose run sees three sorts of pictures."""
    with project_of(image_folder(tmp_path / "fruit", each=20), tmp_path / "Fruit.handlens") as made:
        add_run(made)
        rng = np.random.default_rng(0)
        middles = rng.normal(0, 4, (CLUSTERS, 64))
        points = middles[np.arange(60) % CLUSTERS] + rng.normal(0, 0.5, (60, 64))
        np.save(made.runs.folder(1) / "predictions" / "embeddings.npy", points.astype(np.float16))
    return tmp_path / "Fruit.handlens"


def test_alike_samples_lie_together_and_the_map_is_kept(project: Path) -> None:
    events = list(compute_data_map(DataMapJob(project=project, run=1), NeverStop()))
    assert isinstance(events[-1], MapReady) and any(isinstance(event, Progress) for event in events)
    points = np.load(project / "cache" / events[-1].file)
    assert points.shape == (60, 2) and np.isfinite(points).all()
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    assert (nearest % CLUSTERS == np.arange(60) % CLUSTERS).mean() > 0.95
    again = list(compute_data_map(DataMapJob(project=project, run=1), NeverStop()))
    assert not any(isinstance(event, Progress) for event in again), "it was computed before"
    assert again[-1] == events[-1]


def test_a_stop_leaves_no_map(project: Path) -> None:
    class StopSoon:
        def requested(self) -> StopRequest:
            return "cancel"

    events: Iterator[object] = compute_data_map(DataMapJob(project=project, run=1), StopSoon())
    assert isinstance(list(events)[-1], Stopped)
    assert not list((project / "cache").glob("map-*")) if (project / "cache").exists() else True
