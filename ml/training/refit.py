"""The last lesson: when everything is chosen, the model learns once more, from the samples it was chosen by too.

A fifth of all labels is kept to choose by. Of a large set nobody misses them; a small one is missing a fourth of what
it could have learned from, or all that its one speaker of five can teach. So the head of the first model is fitted anew
to both splits (what scikit-learn calls `refit`), fine-tuning goes on over both for a third of its passes at half the
rates, and the share of the way between them that was chosen is taken. What is known of the model was measured before
(`ml.export.earlier`), and the test split stays unseen. What it did: docs/learning.md.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from ml.core.messages import msg
from ml.estimate import AGAIN, LEARN_AGAIN_UP_TO
from ml.events import Event, Note
from ml.jobs import Stop
from ml.networks.heads import Classifier
from ml.project.samples import Sample
from ml.training.blend import mixed, tuned_weights
from ml.training.checkpoint import network_tensors
from ml.training.crew import Crew
from ml.training.features import Features
from ml.training.finetune import Material, score_samples
from ml.training.listening import StoppedError, listening
from ml.training.probe import Probe, fit_probe
from ml.training.probe_several import fit_several
from ml.training.recipe import Recipe
from ml.training.score import NONE, score_of
from ml.training.step import Pieces
from ml.training.steps import give_head, learn_again, stage
from ml.training.together import Lesson

RATES = 0.5
"""Of those before."""
KEPT = msg("The final training on all samples did not improve the model, so the previous model is kept.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What was chosen by the validation split: a recipe, the `strength` of the first model's head, and the share of the
    way from there to the fine-tuned weights. `network` is what came of it."""

    network: Classifier
    recipe: Recipe
    strength: float
    share: float


def worth_learning_again(material: Material, samples: Sequence[Sample]) -> bool:
    """Whether the validation samples are worth learning from, and the test split is there to say what came of it."""
    tested = any(sample.split == "test" and sample.labelled for sample in samples)
    return tested and len(material.valid) > 0 and len(material.train) + len(material.valid) <= LEARN_AGAIN_UP_TO


def seen_again(recipe: Recipe, material: Material) -> int:
    """How many samples, each pass counted, the last lesson has."""
    return _shortened(recipe).epochs * (len(material.train) + len(material.valid))


def learned_from_all(
    fresh: Classifier,
    chosen: Chosen,
    material: Material,
    features: Features,
    *,
    seed: int,
    folder: Path,
    fabric: Fabric,
    crew: Crew,
    pieces: Pieces,
    stop: Stop,
) -> Generator[Event, None, Classifier | None]:
    """A network made as `chosen` was, from both splits, on the CPU; None where it was stopped or did not become better.

    `fresh` has the pretrained weights; `folder` holds where the fine-tuning ended, and what an interrupted run left of
    this is gone on with.
    """
    yield stage("refit")
    whole = _of_both(material)
    probe = _fitted(features, whole, strength=chosen.strength, classes=fresh.head.out_features, stop=stop)
    if probe is None:
        return None
    network = copy.deepcopy(fresh)
    give_head(network, probe.head)
    tuned = tuned_weights(fresh, folder, best=False) if chosen.share > 0.0 else None
    if tuned is not None:
        fresh.load_state_dict(tuned)
        again = folder / "refit"
        lesson = Lesson(fresh, whole, _shortened(chosen.recipe), seed, again, NONE, pieces)
        outcome = yield from learn_again(lesson, fabric, crew, stop)
        tuned = tuned_weights(fresh, again, best=False)
        if tuned is None or not outcome.whole:
            return None
        network.load_state_dict(mixed(dict(network_tensors(network)), tuned, chosen.share))
    try:
        better = _better(network, chosen.network, material, device=fabric.device, stop=stop)
    except StoppedError:
        return None
    if not better:
        yield Note(sentence=KEPT)
        return None
    network.both_sides = chosen.network.both_sides
    return network


def _of_both(material: Material) -> Material:
    return dataclasses.replace(
        material,
        train=(*material.train, *material.valid),
        train_labels=np.concatenate([material.train_labels, material.valid_labels]),
        valid=(),
        valid_labels=material.valid_labels[:0],
    )


def _shortened(recipe: Recipe) -> Recipe:
    """What is left to learn is little. To the end, for nothing tells when to end."""
    epochs = max(1, round(recipe.epochs * AGAIN))
    return dataclasses.replace(
        recipe,
        epochs=epochs,
        patience=epochs,
        head_rate=recipe.head_rate * RATES,
        body_rate=recipe.body_rate * RATES,
    )


def _fitted(features: Features, whole: Material, *, strength: float, classes: int, stop: Stop) -> Probe | None:
    embeddings = features.embeddings(whole.train)
    fit = fit_probe if whole.train_labels.ndim == 1 else fit_several
    best: Probe | None = None
    for probe in fit(
        (embeddings, whole.train_labels),
        (embeddings[:0].copy(), whole.valid_labels),
        classes=classes,
        strengths=(strength,),
    ):
        if stop.requested():
            return None
        best = probe or best
    return best


def _better(new: Classifier, old: Classifier, material: Material, *, device: torch.device, stop: Stop) -> bool:
    """Of samples that it has learned from by now a model knows more than before, or something went wrong."""
    scores = []
    for network in (new, old):
        with listening(stop, network):
            said = score_samples(network.to(device), material.decoded, material.valid, device)
        network.cpu()
        scores.append(score_of(said, material.valid_labels).merit)
    return bool(np.isfinite(scores[0])) and scores[0] >= scores[1]
