"""What a preset means, and how the recipe follows the first model."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fabricate import image_folder, project_of

from ml.core.jobs import TrainJob
from ml.probe.objective import class_weights
from ml.project.estimate import epochs_for, estimate_seconds
from ml.training.data.augment import augment
from ml.training.finetune.step import make_loss
from ml.training.recipe import AugmentConfig, adapt_recipe, recipe_for, relative_probe_loss

JOB = TrainJob(project=Path("p"), preset="standard")


def test_a_small_set_is_passed_over_more_often_than_a_large_one() -> None:
    assert epochs_for("quick", 100) == 0
    assert epochs_for("standard", 200) > epochs_for("standard", 2_000) >= epochs_for("standard", 200_000) >= 4
    assert epochs_for("thorough", 1_000) > epochs_for("standard", 1_000)


def test_doubt_is_0_where_the_first_model_knows_and_1_where_it_guesses() -> None:
    single = np.array([0, 1, 2, 3] * 5)
    assert relative_probe_loss(math.log(4), single) == pytest.approx(1.0)
    assert relative_probe_loss(0.0, single) == 0.0
    assert relative_probe_loss(None, single) == 0.0
    several = np.array([[1, 0], [0, 1]] * 5)
    assert relative_probe_loss(2 * math.log(2), several) == pytest.approx(1.0, abs=1e-3)


def test_a_doubtful_first_model_is_trained_on_harder_but_not_longer_than_asked() -> None:
    recipe = recipe_for(JOB, train=500, on_gpu=False)
    sure, lost = adapt_recipe(recipe, relative_loss=0.05, train=500), adapt_recipe(recipe, relative_loss=0.8, train=500)
    assert lost.backbone_lr == pytest.approx(2 * sure.backbone_lr)
    assert lost.epochs > sure.epochs
    assert sure.frozen_stages > lost.frozen_stages == 0
    assert adapt_recipe(recipe, relative_loss=0.8, train=500, lengthen=False).epochs == recipe.epochs


def test_the_time_it_takes_follows_how_far_the_first_model_was_from_its_aim(tmp_path: Path) -> None:
    told = []
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        for relative_loss in (0.1, 0.9):
            run = project.runs.begin(preset="quick", seed=0, class_names=("apple", "pear", "plum"))
            project.runs.update(run.number, state="finished")
            (project.runs.folder(run.number) / "settings.toml").write_text(
                f"[speed]\ndoubt = {relative_loss}\n", "utf-8"
            )
            told.append(estimate_seconds(project, "standard"))
        assert estimate_seconds(project, "quick") < told[0]
    assert told[1] > 1.5 * told[0]


def test_what_is_seen_more_often_is_varied_more() -> None:
    few, many = (recipe_for(JOB, train=train, on_gpu=False) for train in (5_000, 100))
    assert few.epochs < many.epochs
    assert (
        few.augment_magnitude
        < many.augment_magnitude
        < recipe_for(dataclasses.replace(JOB, preset="thorough"), train=100, on_gpu=False).augment_magnitude
    )


def test_few_steps_are_small_steps() -> None:
    two = recipe_for(dataclasses.replace(JOB, epochs=2), train=145, on_gpu=False)
    usual = recipe_for(JOB, train=145, on_gpu=False)
    few, many = (adapt_recipe(recipe, relative_loss=0.5, train=145, lengthen=False) for recipe in (two, usual))
    assert few.backbone_lr < many.backbone_lr / 4 and few.head_lr < many.head_lr / 4


def test_a_rare_class_weighs_more_but_not_so_much_that_it_weighs_as_much_as_a_common_one() -> None:
    weights = class_weights(np.array([0] * 16 + [1]))
    assert weights.mean() == pytest.approx(1.0)
    assert weights[16] == pytest.approx(4 * weights[0])
    assert (class_weights(np.array([0, 1, 2] * 5)) == 1.0).all()


def test_what_a_rare_class_weighs_more_does_not_make_it_likelier() -> None:
    """Logits that say how common each class is are the best there are where nothing tells classes apart."""
    targets = np.array([0] * 16 + [3])
    loss, rows = make_loss(targets, label_smoothing=0.0, device=torch.device("cpu")), torch.arange(17)
    shift = torch.zeros(2, requires_grad=True)
    logits = torch.zeros(17, 4) + torch.tensor([math.log(16), 0.0, 0.0, 0.0])
    logits[:, [0, 3]] = logits[:, [0, 3]] + shift
    (slope,) = torch.autograd.grad(loss(rows, logits), shift)
    assert slope.abs().max() < 1e-6


@pytest.mark.parametrize("turns", [False, True])
def test_pictures_are_turned_only_where_they_may_be(turns: bool) -> None:
    """The upper left corner is bright: without quarter turns and mirrors it stays there."""
    pictures = torch.full((64, 3, 64, 64), -1.0)
    pictures[:, :, :20, :20] = 1.0
    config = AugmentConfig(magnitude=0.1, hflip=False, rotate=turns)
    varied = augment(pictures, kind="images", config=config, generator=torch.Generator().manual_seed(0))
    halves = varied.mean(1)[:, :56, :56].reshape(64, 2, 28, 2, 28).mean((2, 4)).flatten(1).argmax(1)
    assert len(halves.unique()) == (4 if turns else 1)


def test_a_background_is_softer_than_what_it_is_behind_and_silence_is_none() -> None:
    pictures = torch.full((64, 3, 96, 128), -1.0)
    pictures[:32, :, 20, :] = 1.0
    config = AugmentConfig(magnitude=1.0)
    varied = augment(pictures, kind="recordings", config=config, generator=torch.Generator().manual_seed(0))
    behind_silence = varied[32:].amax((1, 2, 3))
    assert (behind_silence > -1.0).any()
    assert behind_silence.max() < 0.9


def test_a_tone_is_varied_in_pitch_and_time_and_silence_stays_silent() -> None:
    pictures = torch.full((64, 3, 96, 128), -1.0)
    pictures[:, :, 48, 60:68] = 1.0
    varied = augment(
        pictures, kind="recordings", config=AugmentConfig(magnitude=0.5), generator=torch.Generator().manual_seed(0)
    )
    assert varied.shape == pictures.shape
    audible = varied[:, 0].flatten(1)[varied.amax((1, 2, 3)) > 0.0]  # in some the tone itself is blanked
    assert len(audible) > 32
    loudest = audible.argmax(dim=1)
    pitch, time = loudest // 128, loudest % 128
    assert pitch.unique().numel() > 5 and (pitch - 48).abs().max() < 16
    assert time.unique().numel() > 10
    silent = augment(
        torch.full((4, 3, 96, 128), -1.0),
        kind="recordings",
        config=AugmentConfig(magnitude=0.0),
        generator=torch.Generator(),
    )
    assert torch.equal(silent, torch.full((4, 3, 96, 128), -1.0))
