"""Predictions of the pretrained network with its own ImageNet classes, before any training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ml.core.errors import UnreadableError
from ml.core.events import Event, Looked
from ml.core.jobs import LookJob
from ml.graphs.builder import GraphBuilder
from ml.graphs.frozen_network import FrozenNetwork
from ml.graphs.imagenet import imagenet_classes
from ml.media.images import load_squashed
from ml.runtime.session import open_session


def preview_with_imagenet_labels(job: LookJob) -> Iterator[Event]:
    """Predict the most probable ImageNet class of each picture."""
    network, names = FrozenNetwork(input_name="pixels", windowing=None), imagenet_classes()
    graph = GraphBuilder("imagenet")
    probabilities = graph.op("Softmax", network.imagenet_logits(network.raw_input(graph, "raw")), axis=1)
    graph.output("probabilities", probabilities, (len(names),))
    session = open_session(graph.to_bytes())
    words: list[str] = []
    likelihoods: list[float] = []
    for path in job.pictures:
        try:
            pixels = load_squashed(path, network.size)[None]
        except (UnreadableError, OSError):
            words.append("")
            likelihoods.append(0.0)
            continue
        (answers,) = session.run(None, {"raw": pixels})
        words.append(names[int(np.argmax(answers[0]))])
        likelihoods.append(float(answers[0].max()))
    yield Looked(words=tuple(words), probabilities=tuple(likelihoods))
