"""`handlens evaluate`: on the test split, and on other folders."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from tiny_model import COLOURS, SIZE

from ml.commands.evaluate import say_result
from ml.core.events import Evaluated
from ml.core.types import TaskName
from ml.project.project import Project
from tests.ml.terminal import Handlens


def test_evaluate_scores_the_test_split(handlens: Handlens, trained: Path) -> None:
    done = handlens("evaluate", trained, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.lines
    with Project.open(trained) as opened:
        tested = sum(sample.split == "test" for sample in opened.samples())
    assert (line["accuracy"], line["n"]) == (1.0, tested)
    assert set(line["per_class"]) == set(COLOURS)
    assert np.trace(line["confusion"]) == tested
    assert 0 <= line["ece"] <= 1


def test_evaluate_believes_the_labels_as_they_are_now(handlens: Handlens, trained: Path) -> None:
    with Project.open(trained) as opened:
        one = next(sample for sample in opened.samples() if sample.split == "test")
        purple = opened.add_class("purple")
        opened.set_labels([one.id], [purple.index])
    line = handlens("evaluate", trained, "--json").lines[0]
    assert line["accuracy"] == pytest.approx(1 - 1 / line["n"])
    purple_scores = line["per_class"]["purple"]
    assert [purple_scores[key] for key in ("n", "recall", "precision", "f1")] == [1.0, 0.0, 0.0, 0.0]
    assert purple_scores["recall_high"] > 0.5  # one sample proves next to nothing


def test_evaluate_begins_with_a_sentence(handlens: Handlens, trained: Path) -> None:
    done = handlens("evaluate", trained)
    assert done.out.startswith("The model is correct on ")
    assert "pictures it has never seen. With 95 % confidence, it is correct on between" in done.out.splitlines()[0]


@pytest.mark.parametrize(("each", "told"), [(2, False), (20, True)])
def test_how_far_off_its_probabilities_are_is_only_said_of_enough_files(
    handlens: Handlens, trained: Path, tmp_path: Path, each: int, *, told: bool
) -> None:
    rng = np.random.default_rng(7)
    for channel, name in enumerate(COLOURS):
        (tmp_path / "other" / name).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "other" / name / f"{number}.png")
    words = handlens("evaluate", trained, "--on", tmp_path / "other").out
    assert ("Its probabilities are off by" in words) == told
    (line,) = handlens("evaluate", trained, "--on", tmp_path / "other", "--json").lines
    assert (line["files"], 0 <= line["ece"] <= 1) == (3 * each, True)


@pytest.mark.parametrize("task", ["single", "multi"])
def test_of_windows_it_is_said_from_how_many_recordings_they_are(task: TaskName) -> None:
    result = Evaluated(accuracy=0.75, n=48, files=16, per_class={}, confusion=(), ece=0.1, task=task)
    out = io.StringIO()
    say_result(result, "recordings", Console(file=out, width=200))
    assert "48 sounds (from 16 recordings) it has never seen" in out.getvalue().splitlines()[0]
    out = io.StringIO()
    say_result(result, "images", Console(file=out, width=200))
    assert "48 pictures it has never seen" in out.getvalue().splitlines()[0]


def test_evaluate_on_a_labelled_folder(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for channel, name in enumerate(COLOURS):
        pixels = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
        pixels[..., channel] += 100
        for part in ("train", "val"):
            (tmp_path / "other" / part / name).mkdir(parents=True)
            Image.fromarray(pixels).save(tmp_path / "other" / part / name / "new.png")
    reddish = np.full((SIZE, SIZE, 3), (200, 40, 40), dtype=np.uint8)
    Image.fromarray(reddish).save(tmp_path / "other" / "val" / "blue" / "wrong.png")
    done = handlens("evaluate", trained, "--on", tmp_path / "other", "--json")
    assert done.code == 0
    (line,) = done.lines
    assert line["n"] == 7
    assert line["accuracy"] == pytest.approx(6 / 7)
    assert line["per_class"]["red"]["n"] == 2
    assert line["per_class"]["blue"]["recall"] == pytest.approx(2 / 3)


def test_evaluate_leaves_out_what_it_learned_from(handlens: Handlens, trained: Path, folder: Path) -> None:
    with Project.open(trained) as project:
        tested = [sample.path for sample in project.samples() if sample.split == "test"]
        learned = [sample.path for sample in project.samples() if sample.split != "test"]
    done = handlens("evaluate", trained, "--on", folder, "--json")
    assert done.lines[-1]["n"] == len(tested)
    assert f"Skipped {len(learned)} of 30 files" in done.err
    for path in tested:
        (folder / path).unlink()
    done = handlens("evaluate", trained, "--on", folder)
    assert done.code == 1
    assert "so none can test it" in done.err


def test_evaluate_names_a_class_the_model_does_not_know(handlens: Handlens, trained: Path, folder: Path) -> None:
    for name in COLOURS:
        (folder / name).rename(folder / f"light {name}")
    done = handlens("evaluate", trained, "--on", folder)
    assert done.code == 1
    assert "“light red”" in done.err


@pytest.mark.parametrize("leave", ["nothing", "an empty folder", "a new class"])
def test_a_class_that_is_not_tested_is_named_and_null(
    handlens: Handlens, trained: Path, tmp_path: Path, leave: str
) -> None:
    rng = np.random.default_rng(5)
    names = [name if name != "green" or leave != "a new class" else "light" for name in COLOURS]
    for channel, name in enumerate(names):
        (tmp_path / "other" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "other" / name / f"{number}.png")
    if leave == "nothing":
        shutil.rmtree(tmp_path / "other" / "green")
    elif leave == "an empty folder":
        for number in range(4):
            (tmp_path / "other" / "green" / f"{number}.png").unlink()
    done = handlens("evaluate", trained, "--on", tmp_path / "other", "--json")
    (line,) = done.lines
    assert (line["n"], line["accuracy"]) == (8, 1.0)
    assert [line["per_class"]["green"][key] for key in ("n", "recall", "f1")] == [0, None, None]
    assert line["per_class"]["red"]["recall"] == 1.0
    assert "“green” was not tested, because the folder has no pictures of it." in line["findings"]
    assert ("“light”" in done.err) == (leave == "a new class")


def test_evaluate_without_a_run_says_what_to_do(handlens: Handlens, project: Path) -> None:
    done = handlens("evaluate", project)
    assert done.code == 1
    assert "Train it first" in done.err
    assert done.out == ""
