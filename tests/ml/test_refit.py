"""The last lesson: the delivered model knows the validation samples, and nothing that is said of it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from little import RECIPE, learn, network, training_data
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from small import SHAPES, create, picture_folder

from ml.core.events import Event, Finished, Note, Progress, StageStarted
from ml.core.jobs import NeverStop, Stop, StopRequest, TrainJob
from ml.core.messages import english
from ml.core.types import RunInfo, Sample
from ml.media.images import load_squashed
from ml.networks.heads import Classifier
from ml.pipeline.dispatch import run
from ml.pipeline.retrain import KEEP_PREVIOUS, retrain_on_all, should_retrain
from ml.probe.objective import score_of
from ml.probe.training_data import TrainingData
from ml.project.estimate import RETRAIN_MAX_SAMPLES
from ml.project.project import Project
from ml.release.card import LEARNED_AGAIN
from ml.runtime.model import ReleasedModel
from ml.training.context import FinetuneContext
from ml.training.distributed import DistributedContext
from ml.training.finetune.loop import score_samples
from ml.training.finetune.step import MicroBatches

CPU = torch.device("cpu")
STRENGTH = 0.03
LONG = dataclasses.replace(RECIPE, epochs=9)


def _strange_discs(folder: Path) -> Path:
    """Discs and squares in all three splits; among the discs of the validation split some that are green bars."""
    for split, each in (("train", 8), ("valid", 5), ("test", 4)):
        picture_folder(folder / split, each=each)
    for number in range(4):
        picture = Image.new("RGB", (96, 72), (120, 120, 120))
        ImageDraw.Draw(picture).rectangle((20 * number, 0, 20 * number + 8, 72), fill=SHAPES["bar"])
        picture.save(folder / "valid" / "disc" / f"strange-{number}.png")
    return folder


@pytest.mark.slow
def test_the_model_learns_from_what_it_was_chosen_by_and_its_scores_do_not_know(tmp_path: Path) -> None:
    place = tmp_path / "shapes.handlens"
    create(_strange_discs(tmp_path / "pictures"), place).close()
    events = list(run(TrainJob(project=place, epochs=2, device="cpu"), NeverStop()))
    assert isinstance(events[-1], Finished), events[-1]
    assert "refit" in [event.stage for event in events if isinstance(event, StageStarted)]
    with Project.open(place, to_read=True) as project:
        samples, said = project.samples(), project.predictions(1)
        model = ReleasedModel.open(project.runs.folder(1) / "model.onnx")
        pixels = [load_squashed(project.source_folder / sample.path, model.info.size) for sample in samples]
    now = model.predict(np.stack(pixels)).probabilities
    disc = model.info.classes.index("disc")
    strange = [row for row, sample in enumerate(samples) if "strange" in sample.path]
    others = [row for row, sample in enumerate(samples) if sample.split != "valid"]
    assert len(strange) == 4
    assert (now[strange, disc] > np.asarray(said.probabilities)[strange, disc] + 0.003).all()
    assert np.abs(now[others] - np.asarray(said.probabilities)[others]).max() < 1e-3
    assert not (place / "runs" / "0001" / "earlier.part").exists()
    assert english(LEARNED_AGAIN) in model.info.card


class _StopWhenLearningAgain:
    """Heard by a job whose events it is shown."""

    again = False

    def requested(self) -> StopRequest:
        return "stop" if self.again else ""


@pytest.mark.slow
def test_who_stops_it_then_has_the_model_that_was_chosen(tmp_path: Path) -> None:
    place = tmp_path / "shapes.handlens"
    create(_strange_discs(tmp_path / "pictures"), place).close()
    stop = _StopWhenLearningAgain()
    for event in run(TrainJob(project=place, epochs=2, device="cpu"), stop):
        stop.again |= isinstance(event, StageStarted) and event.stage == "refit"
    assert isinstance(event, Finished) and event.early
    with Project.open(place, to_read=True) as project:
        samples, said = project.samples(), project.predictions(1)
        model = ReleasedModel.open(project.runs.folder(1) / "model.onnx")
        pixels = [load_squashed(project.source_folder / sample.path, model.info.size) for sample in samples]
    assert np.abs(model.predict(np.stack(pixels)).probabilities - np.asarray(said.probabilities)).max() < 1e-3


@pytest.mark.parametrize(
    ("train", "valid", "tested", "worth"),
    [(20, 5, True, True), (20, 5, False, False), (20, 0, True, False), (RETRAIN_MAX_SAMPLES, 1, True, False)],
)
def test_it_is_for_small_sets_that_have_a_test(train: int, valid: int, tested: bool, worth: bool) -> None:
    some = training_data()
    repeated = dataclasses.replace(some, train=some.train[:1] * train, valid=some.valid[:1] * valid)
    kept = some.train[0]._replace(split="test")
    assert should_retrain(repeated, [*some.train, kept] if tested else some.train) is worth


class _Seen:
    """The little network's features, as the cache would give them."""

    def __init__(self, given: TrainingData) -> None:
        self._given = given

    def embeddings(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        fresh = network().eval()
        with torch.no_grad():
            pictures = fresh.front(torch.from_numpy(self._given.decoded.read(samples)))
            return fresh.features(pictures).mean((2, 3)).numpy()


def _that_knows(labels: NDArray[np.int64]) -> Classifier:
    """The little network with the validation samples learned by heart, as if these were their labels."""
    own, given = network(), training_data()
    optimiser = torch.optim.SGD(own.parameters(), lr=0.5)
    raw, truth = torch.from_numpy(given.decoded.read(given.valid)), torch.tensor(labels)
    for _ in range(300):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(own(own.front(raw))[0], truth).backward()
        optimiser.step()
    return own.eval()


def _again(
    folder: Path, *, alpha: float = 1.0, chosen: Classifier | None = None, stop: Stop | None = None, steps: int = 999
) -> tuple[list[Event], Classifier | None]:
    """`retrain_on_all` for the little network, which is fine-tuned first; dropped, as by a kill, after `steps`."""
    checkpoints = folder / "checkpoint"
    if not (checkpoints / "latest.safetensors").is_file():
        learn(checkpoints)
    project: Any = None
    context = FinetuneContext(
        project=project,
        job=TrainJob(project=folder, seed=1),
        run=RunInfo(number=1, state="running", preset="standard", seed=1, created_at="", class_names=("a", "b")),
        folder=folder,
        samples=(),
        fabric=Fabric(accelerator="cpu", devices=1),
        distributed=DistributedContext(),
        stop=stop or NeverStop(),
    )
    seen: Any = _Seen(training_data())
    probe: Any = SimpleNamespace(C=STRENGTH)
    context.recipe, context.data, context.features, context.probe = LONG, training_data(), seen, probe
    context.micro_batches, context.alpha = MicroBatches(), alpha
    context.final_network = chosen or _that_knows(1 - training_data().valid_labels)
    loop = retrain_on_all(context, network())
    events: list[Event] = []
    while len([event for event in events if isinstance(event, Progress)]) < steps:
        try:
            events.append(next(loop))
        except StopIteration as end:
            return events, end.value
    loop.close()
    return events, None


def test_a_run_that_is_killed_while_it_learns_again_goes_on_to_the_same_end(tmp_path: Path) -> None:
    _, whole = _again(tmp_path / "whole")
    events, none = _again(tmp_path / "parts", steps=6)
    assert none is None
    assert (tmp_path / "parts" / "checkpoint" / "refit" / "latest.safetensors").is_file()
    rest, resumed = _again(tmp_path / "parts")
    assert whole is not None and resumed is not None
    assert sum(isinstance(event, Progress) for event in rest) < sum(isinstance(event, Progress) for event in events) + 6
    for ours, theirs in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_its_weights_lie_as_far_along_the_way_as_was_chosen(tmp_path: Path) -> None:
    ends = [_again(tmp_path / str(alpha), alpha=alpha)[1] for alpha in (0.0, 0.6, 1.0)]
    first, between, last = (end.backbone.first.weight for end in ends if end is not None)
    assert not torch.allclose(first, last, atol=1e-4)
    assert torch.allclose(between, torch.lerp(first, last, 0.6), atol=1e-6)
    assert torch.equal(first, network().backbone.first.weight)


def test_what_did_not_become_better_is_not_taken(tmp_path: Path) -> None:
    """A model that knows every validation sample already, and better than learning from them would teach."""
    perfect, given = _that_knows(training_data().valid_labels), training_data()
    merit = score_of(score_samples(perfect, given.decoded, given.valid, CPU), given.valid_labels).value
    assert merit > -0.01
    events, network_again = _again(tmp_path, chosen=perfect)
    assert network_again is None
    assert KEEP_PREVIOUS in [event.sentence for event in events if isinstance(event, Note)]
