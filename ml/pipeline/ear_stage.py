"""Choose the pretrained network for recordings: by the user, by an interrupted run, or by the training split."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np
from numpy.typing import NDArray

from ml.core.events import Event, Note
from ml.core.jobs import EARS, Stop, StopRequestedError, UsedEar
from ml.core.messages import Message, msg
from ml.core.phrases import percent
from ml.core.types import Sample
from ml.features.features import Features, graph_extractor
from ml.graphs.ears import available_ears, make_ear
from ml.graphs.feature_network import FeatureNetwork
from ml.media.kinds import kind_named
from ml.pipeline.session import raise_if_ended, stage
from ml.probe.objective import known_class_mask, targets_of
from ml.probe.probe import C_GRID, fit_probe
from ml.project.split.groups import base_groups, joined
from ml.scoring.group_effect import folds_of
from ml.scoring.task import Task
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext
from ml.training.run_files import read_settings

MAX_SAMPLES = 1000
"""At most this many training samples compare ears."""
FOLDS = 3
MIN_GAIN_OF_BOTH = 0.01
"""By how much two networks together must be better than one, since they take the time of both."""
_NAMES: Mapping[UsedEar, Message] = {
    "picture": msg("the picture network"),
    "speech": msg("the speech network"),
    "both": msg("the picture and the speech network together"),
    "yamnet": msg("YAMNet"),
}


def hears(context: RunContext) -> bool:
    """Return whether the samples are recordings."""
    return kind_named(context.project.kind).input_name == "waveform"


def choose_ear(context: RunContext, *, announced: bool = True) -> Generator[Event, None, FeatureNetwork]:
    """Return the pretrained network for recordings, and record why in the context. The samples must be decoded.

    `announced`: also emit a note that says why.
    """
    assert context.project.windowing is not None
    asked, scores = context.job.ear, dict[UsedEar, float]()
    recorded = read_settings(context.folder).get("ear", {}) if context.job.resume else {}
    if asked == "auto" and "name" in recorded:
        asked = recorded["name"]
        scores = {name: recorded[name] for name in EARS if name in recorded}
    elif asked == "auto" and context.ear is not None:
        asked, scores = context.ear, context.ear_scores
    elif asked == "auto":
        scores = yield from _compare(context)
        asked = best_ear(scores)
        if scores and announced:
            yield Note(sentence=_reason(asked, scores))
    context.ear, context.ear_scores = asked, scores
    return make_ear(asked, context.project.windowing)


def best_ear(scores: Mapping[UsedEar, float]) -> UsedEar:
    """Return the ear to use. Of equal ones it is the picture network, of which Standard can adjust all layers."""
    single: UsedEar = "picture"
    for name in ("speech", "yamnet"):
        single = name if scores.get(name, 0.0) > scores.get(single, 0.0) else single
    return "both" if scores.get("both", 0.0) >= scores.get(single, 1.0) + MIN_GAIN_OF_BOTH else single


def features_of(context: RunContext, network: FeatureNetwork) -> Features:
    """Return the cache of a network's features."""
    cache, samples = context.project.path / "cache", len(context.samples)
    return Features(cache, network.fingerprint, samples=samples, width=network.width, grid=network.grid)


def _compare(context: RunContext) -> Generator[Event, None, dict[UsedEar, float]]:
    """Return the cross-validated score of each ear; empty if the training split cannot tell them apart."""
    windowing, task = context.project.windowing, task_named(context.project.task)
    assert windowing is not None
    train = [sample for sample in context.samples if sample.split == "train" and sample.labelled]
    train = train[:: max(1, -(-len(train) // MAX_SAMPLES))]
    folds = folds_of(_groups(context, train), folds=FOLDS)
    if len(np.unique(folds)) < 2:
        return {}
    embeddings: dict[UsedEar, NDArray[np.float32]] = {}
    yield stage("features")
    ears = available_ears()
    for name in ears:
        if name == "both":
            continue
        network = make_ear(name, windowing)
        features = features_of(context, network)
        if features.missing(train):
            extractor = graph_extractor(network.feature_graph())
            yield from features.extract(train, context.decoded, extractor, context.stop)
            raise_if_ended(context.stop)
        embeddings[name] = features.embeddings(train)
    embeddings["both"] = np.hstack([embeddings["picture"], embeddings["speech"]])
    targets = targets_of(train, task=context.project.task, classes=context.classes)
    scores: dict[UsedEar, float] = {}
    for name in ears:
        try:
            score = cross_validated_score(
                embeddings[name], targets, folds, classes=context.classes, task=task, stop=context.stop
            )
        except StopRequestedError:
            raise_if_ended(context.stop)
            raise
        if score is not None:
            scores[name] = score
    return scores


def _groups(context: RunContext, samples: list[Sample]) -> list[str]:
    """Return what no fold may separate: the groups of the split, by default the files and their copies."""
    files = [file for file in context.project.as_report().files if file.labelled]
    groups = joined(base_groups(files, context.project.split_by), files)
    return [groups.get(sample.path, sample.path) for sample in samples]


def _reason(name: UsedEar, scores: Mapping[UsedEar, float]) -> Message:
    values = {each: percent(score) for each, score in scores.items()}
    if "yamnet" in scores:
        return msg(
            "Chosen for these recordings: {network}. On held-out training recordings it scores {score}. The others: "
            "{others}.",
            network=_NAMES[name],
            score=values[name],
            others=tuple(
                msg("{network} {score}", network=_NAMES[each], score=values[each]) for each in scores if each != name
            ),
        )
    match name:
        case "picture":
            return msg(
                "The picture network is used: on held-out training recordings it scores {picture}, the speech network "
                "{speech}, both together {both}.",
                **values,
            )
        case "speech":
            return msg(
                "The speech network is used: on held-out training recordings it scores {speech}, the picture network "
                "{picture}, both together {both}.",
                **values,
            )
        case _:
            return msg(
                "Both networks are used: on held-out training recordings they score {both} together, the picture "
                "network alone {picture}, the speech network alone {speech}.",
                **values,
            )


FEWER_C = C_GRID[1::2]
"""Enough to compare features."""


def cross_validated_score(
    embeddings: NDArray[np.float32],
    targets: NDArray[np.int64],
    folds: NDArray[np.int64],
    *,
    classes: int,
    task: Task,
    stop: Stop,
) -> float | None:
    """Return the score of the task on samples that the probe was not fitted to; None if it cannot be measured.

    `folds` (n,) never separate samples that belong together. Raises StopRequestedError after a stop request.
    """
    answers, truth = [], []
    for fold in np.unique(folds):
        held_out = folds == fold
        known = known_class_mask(targets, targets[~held_out])
        judged = held_out & known
        if not judged.any() or len(np.unique(targets[~held_out], axis=0)) < 2:
            continue
        train, valid = (embeddings[~held_out], targets[~held_out]), (embeddings[judged], targets[judged])
        *_, probe = fit_probe(train, valid, classes=classes, task=task, c_grid=FEWER_C, stop=stop)
        answers.append(task.activation(probe.head.logits(valid[0])))
        truth.append(valid[1])
    if not answers:
        return None
    return task.score_and_loss(np.concatenate(answers), np.concatenate(truth))[0]
