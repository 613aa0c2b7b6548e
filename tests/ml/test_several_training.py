"""Training where more than one class may be present: losses, the first model, and a whole run through the terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mixtures import mixture_folder
from typer.testing import CliRunner

from ml.cli import build_app
from ml.core.messages import english
from ml.core.types import Sample
from ml.probe.objective import known_class_mask, targets_of
from ml.probe.probe import fit_probe
from ml.project.predictions import SPLIT_CODES
from ml.project.project import Project
from ml.runtime.model import ReleasedModel
from ml.scoring.multilabel import rule_of
from ml.scoring.tasks import task_named
from ml.training.finetune.step import make_loss


def test_targets_are_an_index_or_a_row_of_zeros_and_ones() -> None:
    samples = [
        Sample(number, number, "x", labels, "train", set_by="import")
        for number, labels in enumerate([(1,), (0, 2), ()])
    ]
    assert targets_of(samples, task="multi", classes=3).tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]
    assert targets_of(samples[:1], task="single", classes=3).tolist() == [1]


def test_a_class_that_was_never_shown_cannot_be_known() -> None:
    learned = np.array([[1, 0, 0], [0, 1, 0]])
    asked = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [0, 0, 1]])
    assert known_class_mask(asked, learned).tolist() == [True, False, True, False]
    assert known_class_mask(np.array([0, 1, 2]), np.array([1, 1, 0])).tolist() == [True, True, False]


def test_the_loss_is_least_at_the_truth_and_knows_no_class_that_nobody_has_shown() -> None:
    targets = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    loss = make_loss(targets, label_smoothing=0.1, device=torch.device("cpu"))
    rows = torch.arange(4)
    right = torch.tensor(np.where(targets, 3.0, -3.0))
    assert loss(rows, right) < loss(rows, torch.zeros(4, 3)) < loss(rows, -right)
    shouting = right.clone()
    shouting[:, 2] = 50.0
    assert loss(rows, shouting) == pytest.approx(float(loss(rows, right)))
    # A quarter smoothed towards how often the class is there: best where the odds say so.
    assert loss(rows, right) > loss(rows, torch.tensor(np.where(targets, 2.94, -2.94)))


def test_the_first_model_learns_every_class_by_itself() -> None:
    rng = np.random.default_rng(3)
    targets = (rng.random((300, 3)) < 0.4).astype(np.int64)
    targets[:, 2] = 0
    features = (rng.normal(0, 1, (300, 20)) + 4 * targets @ rng.normal(0, 1, (3, 20))).astype(np.float32)
    *_, best = fit_probe((features[:200].copy(), targets[:200]), (features[200:], targets[200:]), classes=3)
    assert best.valid_accuracy is not None
    assert best.valid_accuracy > 0.97
    given = 1 / (1 + np.exp(-best.head.logits(features[:200])))
    assert best.train_loss == pytest.approx(task_named("multi").score_and_loss(given, targets[:200])[1], rel=1e-3)
    logits = best.head.logits(features[200:])
    assert ((logits[:, :2] > 0) == targets[200:, :2]).mean() > 0.95
    assert (logits[:, 2] < -10).all()


@pytest.mark.slow
def test_from_a_folder_to_predictions_of_several_classes(tmp_path: Path) -> None:
    folder, target = mixture_folder(tmp_path / "mixed", count=60), tmp_path / "mixed.handlens"
    run = CliRunner().invoke

    made = run(build_app(), ["new", str(target), "--from", str(folder), "--multi-label", "--json"])
    assert made.exit_code == 0, made.output
    trained = run(build_app(), ["train", str(target), "--epochs", "1", "--json"])
    assert trained.exit_code == 0, trained.output
    finished = json.loads(trained.stdout.splitlines()[-1])
    assert finished["event"] == "finished"
    # A third of the pictures have each shape, so chance is about 0.33.
    assert finished["test_accuracy"] > 0.8

    result = json.loads(run(build_app(), ["evaluate", str(target), "--json"]).stdout)
    assert (result["task"], result["accuracy"]) == ("multi", pytest.approx(finished["test_accuracy"]))
    assert all(scores["found"] <= scores["n"] for scores in result["per_class"].values())
    said = run(build_app(), ["evaluate", str(target)])
    assert "out of 100 on" in said.stdout
    assert "wrongly predicted" in said.stdout

    pair = next(path for path in (folder / "disc").iterdir() if (folder / "square" / path.name).is_file())
    table = tmp_path / "said.csv"
    answers = run(build_app(), ["predict", str(target), str(pair), str(folder / "none"), "--csv", str(table), "--json"])
    rows = [json.loads(line) for line in answers.stdout.splitlines()]
    assert {"disc", "square"} <= set(rows[0]["labels"])
    assert rows[0]["label"] == rows[0]["labels"][0]
    assert sum(not row["labels"] for row in rows[1:]) > len(rows[1:]) / 2
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["labels"] == "; ".join(rows[0]["labels"])

    with Project.open(target) as project:
        kept = project.predictions(1)
        assert kept.task == "multi"
        assert kept.targets is not None
        assert kept.targets.sum(axis=1).max() == 2
        model = ReleasedModel.open(project.runs.folder(1) / "model.onnx")
        assert model.info.task == "multi"
        assert model.info.present_above == pytest.approx(kept.thresholds)
        assert "which of 3 classes are present" in model.info.card
        assert model.info.wanted_error == 0.0
        assert english(rule_of(0.0, promised=False)) in model.info.card

    again = run(build_app(), ["train", str(target), "--preset", "quick", "--wrong-at-most", "20%", "--json"])
    assert again.exit_code == 0, again.output
    with Project.open(target) as project:
        kept = project.predictions(2)
        info = ReleasedModel.open(project.runs.folder(2) / "model.onnx").info
        assert info.wanted_error == 0.2
        assert info.present_above == pytest.approx(kept.thresholds)
        assert english(rule_of(0.2, promised=False)) in info.card
        assert kept.targets is not None
        valid = kept.splits == SPLIT_CODES.index("valid")
        said = np.asarray(kept.probabilities) >= kept.thresholds
        wrongly = (said & (kept.targets == 0))[valid].sum(axis=0)
        assert (wrongly <= 0.2 * np.maximum(said[valid].sum(axis=0), 1)).all()
