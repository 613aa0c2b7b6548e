"""A finished first model as one graph: front end, backbone, linear head, calibration, maps and OOD score."""

from __future__ import annotations

import numpy as np

from ml.graphs.builder import GraphBuilder, Value
from ml.graphs.feature_network import FeatureNetwork
from ml.probe.whitening import Head
from ml.scoring.ood import NEIGHBOURS, TAIL_FROM, OodReference


def released_graph(
    network: FeatureNetwork,
    head: Head,
    *,
    temperature: float,
    reference: OodReference,
    exclusive: bool,
    input_name: str,
) -> bytes:
    """Return the graph to release, see `ml.runtime.contract`.

    The maps are class activation maps (Zhou et al. 2016): features × head weights. With mean pooling their mean plus
    the bias is exactly the logit.
    """
    graph = GraphBuilder("model")
    features = network.features(network.raw_input(graph, input_name))
    classes, width = head.weight.shape
    embedding = features.mean(2, 3, keepdims=False)
    logits = (embedding @ np.ascontiguousarray(head.weight.T) + head.bias) / float(temperature)
    probabilities = graph.op("Softmax", logits, axis=1) if exclusive else graph.op("Sigmoid", logits)
    maps = graph.op("Conv", features, np.asarray(head.weight, dtype=np.float32)[:, :, None, None])
    graph.output("probabilities", probabilities, (classes,))
    graph.output("maps", maps, (classes, *network.grid))
    graph.output("embedding", embedding, (width,))
    graph.output("unlike", ood_score(embedding, reference), ())
    return graph.to_bytes()


def ood_score(embedding: Value, reference: OodReference) -> Value:
    """Return the scores (batch,) of `ml.scoring.ood` for embeddings (batch, width)."""
    graph = embedding.graph
    scaled = embedding / np.asarray(reference.scale, dtype=np.float32)
    length = (scaled * scaled).sum(1).sqrt() + 1e-9
    alike = (scaled / length) @ np.ascontiguousarray(reference.bank.T.astype(np.float32))
    neighbours = min(NEIGHBOURS, len(reference.bank))
    strange = 1.0 - graph.op("TopK", alike, graph.constant([neighbours]), axis=1, outputs=2).mean(1)
    # Piecewise linear: each interval between two knots adds its part.
    knots = np.asarray(reference.knots, dtype=np.float32)
    shares = np.asarray(reference.shares, dtype=np.float32)
    widths = knots[1:] - knots[:-1]
    steps = graph.op("Min", (strange - knots[:-1]).clip(0.0), widths)
    inside = (steps * ((shares[1:] - shares[:-1]) / widths)).sum(1, keepdims=False)
    beyond = (strange - float(knots[-1])).clip(0.0) * (-1.0 / float(reference.tail))
    tail = (1.0 - beyond.exp()) * (1.0 - TAIL_FROM)
    return inside + tail.reshape(-1)
