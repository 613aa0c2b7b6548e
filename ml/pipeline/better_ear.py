"""Standard and Thorough adjust the picture network only: release a first model of another ear where that is better."""

from __future__ import annotations

from collections.abc import Generator

from ml.core.events import Event, Note
from ml.core.jobs import UsedEar
from ml.core.messages import Message, msg
from ml.core.phrases import percent
from ml.features.features import graph_extractor
from ml.graphs.feature_network import FeatureNetwork
from ml.pipeline.ear_stage import choose_ear, features_of, hears
from ml.pipeline.first_model import GraphRelease
from ml.pipeline.probe_stages import fit_best_probe
from ml.pipeline.session import NoModelYetError, raise_if_ended
from ml.probe.objective import Score, score_of
from ml.scoring.tasks import task_named
from ml.training.context import FinetuneContext
from ml.training.finetune.loop import score_samples

MAX_SAMPLES = 1000
"""At most this many validation samples compare both models."""
_NOT_COMPARED = msg(
    "You stopped the training before the adjusted picture network was compared with the speech network, so the "
    "adjusted one is released. To compare them, train again without stopping."
)


def better_first_model(context: FinetuneContext) -> Generator[Event, None, GraphRelease | None]:
    """Return a first model of another ear that has a better validation score than the fine-tuned network, or None.

    After a stop request the fine-tuned network is kept without a comparison, and a note says so.
    """
    comparable = hears(context) and context.frozen is not None and len(context.data.valid) > 0
    if not comparable or context.job.ear == "picture":
        return None
    before = context.features, context.probe
    try:
        raise_if_ended(context.stop)
        finetuned = _finetuned_score(context)
        network = yield from choose_ear(context, announced=False)
        chosen = context.ear
        first = None if chosen == "picture" else (yield from _first_model_score(context, network))
        if chosen is not None and first is not None and first > finetuned:
            yield Note(sentence=_reason(chosen, first, finetuned))
            context.weights, context.alpha = network.weights, 0.0
            return GraphRelease(context, network, context.probe.head)
    except NoModelYetError:  # the user stopped; the fine-tuned network is there
        yield Note(sentence=_NOT_COMPARED)
    context.features, context.probe = before
    context.ear = "picture"
    return None


def _finetuned_score(context: FinetuneContext) -> Score:
    data, device, network = context.data, context.fabric.device, context.final_network
    every = max(1, -(-len(data.valid) // MAX_SAMPLES))
    probabilities = score_samples(network.to(device), data.decoded, data.valid[::every], device)
    network.cpu()
    return score_of(probabilities, data.valid_labels[::every], task_named(data.task))


def _first_model_score(context: FinetuneContext, network: FeatureNetwork) -> Generator[Event, None, Score]:
    """Fit the first model of `network` into the context and return its score."""
    context.features = features_of(context, network)
    if context.features.missing(context.samples):
        extractor = graph_extractor(network.feature_graph())
        yield from context.features.extract(context.samples, context.decoded, extractor, context.stop)
        raise_if_ended(context.stop)
    context.probe = yield from fit_best_probe(context)
    data, task = context.data, task_named(context.data.task)
    every = max(1, -(-len(data.valid) // MAX_SAMPLES))
    logits = context.probe.head.logits(context.features.embeddings(data.valid[::every]))
    return score_of(task.activation(logits), data.valid_labels[::every], task)


def _reason(chosen: UsedEar, first: Score, finetuned: Score) -> Message:
    scores = {"first": percent(first.accuracy), "finetuned": percent(finetuned.accuracy)}
    if chosen == "both":
        return msg(
            "The first model with the picture and the speech network is released: its validation score is {first}, "
            "that of the adjusted picture network {finetuned}.",
            **scores,
        )
    if chosen == "yamnet":
        return msg(
            "The first model with YAMNet is released: its validation score is {first}, that of the adjusted picture "
            "network {finetuned}.",
            **scores,
        )
    return msg(
        "The first model with the speech network is released: its validation score is {first}, that of the adjusted "
        "picture network {finetuned}.",
        **scores,
    )
