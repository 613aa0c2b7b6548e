"""The fine-tuning in one process or in many: rank 0 tells the others what to learn, then all run the same loop."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ml.events import Event
from ml.jobs import NeverStop, Stop
from ml.networks.heads import Classifier
from ml.training.crew import Crew, peers_gone
from ml.training.finetune import Material, Outcome, finetune
from ml.training.listening import listening
from ml.training.recipe import Recipe
from ml.training.score import Score
from ml.training.step import Pieces


@dataclass(frozen=True, slots=True)
class Lesson:
    """All that the loop needs. It travels between processes of one training, never to a disk."""

    network: Classifier
    material: Material
    recipe: Recipe
    seed: int
    folder: Path
    probe: Score
    pieces: Pieces


def teach(lesson: Lesson, fabric: Fabric, crew: Crew, stop: Stop) -> Generator[Event, None, Outcome]:
    """Fine-tune as rank 0, with the help of the others. Raises HandlensError where one of them is lost."""
    if crew.size == 1:
        with listening(stop, lesson.network):
            return (yield from _loop(lesson, fabric, crew, stop))
    # Only one of several processes hears the user: they stop together after a step, not within one.
    with peers_gone():
        lesson.network.to(torch.device("cpu"))  # as the others' devices have other numbers
        crew.told(lesson)
        outcome = yield from _loop(lesson, fabric, crew, stop)
        crew.may_be_asked_again()
        return outcome


def help_out(fabric: Fabric, crew: Crew) -> None:
    """Wait for lessons, learn them along, and say nothing. The project's folder has to lie where rank 0 has it."""
    with peers_gone():
        while isinstance(lesson := _told(crew), Lesson):
            for _event in _loop(lesson, fabric, crew, NeverStop()):
                pass


def _told(crew: Crew) -> object:
    return crew.told(None)


def _loop(lesson: Lesson, fabric: Fabric, crew: Crew, stop: Stop) -> Generator[Event, None, Outcome]:
    return finetune(
        lesson.network,
        lesson.material,
        lesson.recipe,
        fabric=fabric,
        seed=lesson.seed,
        folder=lesson.folder,
        probe=lesson.probe,
        stop=stop,
        crew=crew,
        pieces=lesson.pieces,
    )
