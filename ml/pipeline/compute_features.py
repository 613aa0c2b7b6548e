"""What the frozen network sees in every sample, before there is anything to train on: suggestions are made of it.

The features lie where a training looks for them, so the first training after it begins at once. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ml.core.errors import HandlensError
from ml.core.events import Event, FeaturesReady, StageStarted, Stopped
from ml.core.jobs import FeaturesJob, Stop
from ml.core.messages import Message, msg
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.features.features import Features, graph_extractor
from ml.graphs.feature_network import FeatureNetwork
from ml.graphs.frozen_network import FrozenNetwork
from ml.media.kinds import kind_named
from ml.probe.training_data import NORMALISATION_WINDOWS
from ml.project.project import Project
from ml.training.resources import check_disk


def compute_features(job: FeaturesJob, stop: Stop) -> Iterator[Event]:
    """Compute the features that are missing. What is there after a stop is kept. Raises HandlensError."""
    with Project.open(job.project, to_read=True) as project:
        samples = project.samples()
        if not samples:
            raise HandlensError(msg("The project is empty. Add a folder with samples."))
        network = FrozenNetwork(input_name=kind_named(project.kind).input_name, windowing=project.windowing)
        decoded = Decoded(project, size=network.size)
        check_disk({"decoded samples": decoded.bytes_to_write(samples)}, project.path)
        yield StageStarted(stage="decode")
        unreadable: dict[str, Message] = {}
        yield from decoded.decode(samples, stop, unreadable)
        if stop.requested():
            yield Stopped()
            return
        samples = tuple(sample for sample in samples if sample.path not in unreadable)
        if not samples:
            first = next(iter(unreadable.values()))
            raise HandlensError(
                msg("None of the project's files can be read any more. The first error: {reason}", reason=first)
            )
        if network.needs_fitting:
            network.fit(decoded.read(_spread(samples)).astype(np.float32, copy=False))
        yield from _extract(project, network, decoded, samples, stop)


def _extract(
    project: Project, network: FeatureNetwork, decoded: Decoded, samples: Sequence[Sample], stop: Stop
) -> Iterator[Event]:
    yield StageStarted(stage="features")
    features = Features(
        project.path / "cache", network.fingerprint, samples=len(samples), width=network.width, grid=network.grid
    )
    missing = features.missing(samples)
    if missing:
        each = 4 * network.width + (2 * network.width * network.grid[0] * network.grid[1] if features.grids_kept else 0)
        check_disk({"features": len(missing) * each}, project.path)
        yield from features.extract(samples, decoded, graph_extractor(network.feature_graph()), stop)
    if stop.requested():
        yield Stopped()
        return
    yield FeaturesReady(folder=features.folder.name, sample_ids=tuple(sample.id for sample in samples))


def _spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Return evenly picked windows of logs; without a split all of them may be used."""
    return samples[:: max(1, len(samples) // NORMALISATION_WINDOWS)]
