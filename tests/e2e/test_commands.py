"""The whole game in the terminal, with the real engine: new, train, evaluate, predict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.commands.new import INTERRUPTED
from ml.demo.projects import DemoKind, write_samples
from ml.project.project import Project
from ml.runtime.folder import FilePrediction, predict_files
from ml.runtime.model import ReleasedModel
from tests.conftest import Demo, play_demo

ROOT = Path(__file__).parents[2]


def handlens(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ml.cli", *(str(argument) for argument in arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def trained(folder: Path, kind: DemoKind, *, count: int) -> Path:
    for _progress in write_samples(folder / "samples", kind, seed=3, count=count):
        pass
    project = folder / "project"
    created = lines(handlens("new", project, "--from", folder / "samples", "--json"))[-1]
    assert created["samples"] >= count
    assert created["unreadable"] == []
    events = lines(handlens("train", project, "--preset", "quick", "--json"))
    assert [event["event"] for event in events].count("finished") == 1
    finished = events[-1]
    assert finished["event"] == "finished"
    assert finished["test_accuracy"] is not None
    return project


@pytest.fixture
def bricks(trained_project: Path) -> Path:
    return trained_project


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("forest"), "recordings", count=36)


def test_pictures_become_a_model_that_is_better_than_guessing(bricks: Path) -> None:
    (result,) = lines(handlens("evaluate", bricks, "--json"))
    chance = 1 / len(result["per_class"])
    assert result["accuracy"] > 2 * chance
    assert sum(map(sum, result["confusion"])) == result["n"]


def test_recordings_become_a_model_that_is_better_than_guessing(forest: Path) -> None:
    (result,) = lines(handlens("evaluate", forest, "--json"))
    assert result["accuracy"] > 2 / len(result["per_class"])


@pytest.mark.parametrize("name", ["bricks", "forest"])
def test_what_was_trained_is_what_runs(name: str, request: pytest.FixtureRequest) -> None:
    """The released model, reading the files itself, says what the run stored of every sample.

    Not of the validation samples: in the end the model was trained on them, too.
    """
    with Project.open(request.getfixturevalue(name)) as project:
        stored = project.predictions(1)
        rows = {int(sample_id): row for row, sample_id in enumerate(stored.sample_ids)}
        wanted: dict[str, list[np.ndarray]] = {}
        for sample in project.samples():
            if sample.split == "valid":
                continue
            wanted.setdefault(sample.path, []).append(stored.probabilities[rows[sample.id]])
        model = ReleasedModel.open(project.runs.folder(1) / "model.onnx")
        folder = project.source_folder
        results = list(predict_files(model, [folder / path for path in wanted]))
    for result, expected in zip(results, wanted.values(), strict=True):
        assert isinstance(result, FilePrediction)
        got = [window.probabilities for window in result.windows] or [result.probabilities]
        np.testing.assert_allclose(np.stack(got), np.stack(expected), atol=1e-3)


@pytest.mark.parametrize("name", ["bricks", "forest"])
def test_predict_draws_where_it_looked(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    project: Path = request.getfixturevalue(name)
    with Project.open(project) as opened:
        inputs = [opened.source_folder / sample.path for sample in opened.samples()[:3]]
    done = handlens("predict", project, *inputs, "--overlays", tmp_path / "looked", "--json")
    assert [Path(line["path"]) for line in lines(done)] == inputs
    pictures = list((tmp_path / "looked").iterdir())
    assert len(pictures) == 3
    for path in pictures:
        with Image.open(path) as picture:
            assert np.ptp(np.asarray(picture), axis=2).max() > 60  # the colours of the map


@pytest.mark.slow
@pytest.mark.usefixtures("listening")
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C cannot be sent to one process there")
def test_ctrl_c_ends_a_training_cleanly_and_resume_goes_on(bricks: Path) -> None:
    command = [sys.executable, "-m", "ml.cli", "train", str(bricks), "--epochs", "1", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "batch":
                process.send_signal(signal.SIGINT)
                break
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "--resume" in err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["event"] == "failed"
    events = lines(handlens("train", bricks, "--resume", "--json"))
    started = next(event for event in events if event["event"] == "started")
    assert started["resumed"]
    assert (events[-1]["event"], events[-1]["run"]) == ("finished", started["run"])


@pytest.mark.usefixtures("listening")
@pytest.mark.skipif(sys.platform == "win32", reason="a group of processes cannot be interrupted there")
def test_ctrl_c_while_files_are_read_leaves_nothing_behind(tmp_path: Path) -> None:
    """The terminal sends Ctrl+C to every process of the program; one of them answers."""
    rng = np.random.default_rng(0)
    for number in range(200):
        target = tmp_path / "pictures" / ("a", "b")[number % 2] / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (400, 400, 3), dtype=np.uint8)).save(target, compress_level=1)
    command = [
        sys.executable,
        "-m",
        "ml.cli",
        "new",
        str(tmp_path / "p"),
        "--from",
        str(tmp_path / "pictures"),
        "--json",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        _out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == f"{INTERRUPTED}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


@pytest.mark.slow
def test_the_demo_adjusts_the_network_and_leaves_no_litter(tmp_path: Path) -> None:
    temp = tmp_path / "temp"
    assert "The model is correct on" in play_demo(tmp_path / "demo", temp)
    assert list(temp.iterdir()) == []
    with Project.open(next((tmp_path / "demo").glob("*.handlens"))) as project:
        last = project.runs.finished()
        assert project.runs.history(last.number), "the network was adjusted"
    assert last.valid_accuracy is not None and last.probe_accuracy is not None
    assert last.valid_accuracy >= last.probe_accuracy, "never below its first model"


def test_the_demo_plays_the_whole_game_without_a_display(demo: Demo) -> None:
    assert "The model is correct on" in demo.said
    assert "handlens predict" in demo.said
    with Image.open(next(demo.folder.glob("*/predictions.png"))) as sheet:
        assert sheet.width > 1000
