"""The command line as a contract: what goes to stdout, what to stderr, and the exit codes."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from tiny_model import COLOURS, SIZE, WINDOWING, write_colour_model, write_loudness_model

from ml import engine
from ml.cli import main
from ml.commands import common
from ml.events import EpochDone, Event, Failed, Finished, RunStarted, Showcase, StageStarted, Suspected
from ml.jobs import Job, Stop, TrainJob
from ml.media.images import load_squashed
from ml.project.predictions import SPLIT_CODES, PredictionWriter
from ml.project.project import Project
from ml.runtime.model import ReleasedModel


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Handlens = Callable[..., Done]


@pytest.fixture
def handlens(capsys: pytest.CaptureFixture[str]) -> Handlens:
    def run(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten noisy pictures each of red, green and blue, and one file that is no picture."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(COLOURS):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 90, (SIZE, SIZE, 3), dtype=np.uint8)
            pixels[..., channel] += 100
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
    (tmp_path / "pictures" / "red" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


@pytest.fixture
def project(handlens: Handlens, folder: Path, tmp_path: Path) -> Path:
    assert handlens("new", tmp_path / "colours", "--from", folder, "--json").code == 0
    return tmp_path / "colours"


@pytest.fixture
def trained(project: Path) -> Path:
    """The project with a finished run of the model that names colours."""
    with Project.open(project) as opened:
        samples = opened.samples()
        classes = tuple(item.name for item in opened.classes())
        run = opened.runs.begin(preset="quick", seed=0, class_names=classes)
        model_file = write_colour_model(opened.runs.folder(run.number) / "model.onnx")
        pixels = np.stack([load_squashed(opened.source_folder / s.path, SIZE) for s in samples])
        said = ReleasedModel.open(model_file).predict(pixels)
        order = [COLOURS.index(name) for name in classes]
        writer = PredictionWriter(
            opened.runs.folder(run.number) / "predictions",
            samples=len(samples),
            classes=3,
            embedding=3,
            map_size=(7, 7),
        )
        writer.write(
            sample_ids=np.array([s.id for s in samples]),
            labels=np.array([s.label for s in samples]),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in samples]),
            probabilities=said.probabilities[:, order],
            embeddings=said.embedding,
            maps=said.maps[:, order],
        )
        writer.close()
        opened.runs.update(run.number, state="finished", seconds=3.0, test_accuracy=1.0)
    return project


# -- new -----------------------------------------------------------------------------------------------------------


def test_new_ends_with_what_was_created(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "red" / "1.png", folder / "blue" / "copy.png")
    done = handlens("new", tmp_path / "p", "--from", folder, "--json")
    assert (done.code, done.err) == (0, "")
    created = done.lines[-1]
    assert created["event"] == "created"
    assert created["samples"] == 31
    assert created["classes"] == {"blue": 11, "green": 10, "red": 10}
    assert [item["path"] for item in created["unreadable"]] == ["red/broken.png"]
    assert created["duplicates"] == [
        {"paths": ["blue/copy.png", "red/1.png"], "classes": ["blue", "red"], "conflicting": True}
    ]
    assert sum(created["split"].values()) == 31
    assert set(created["split"]) == {"train", "valid", "test"}


def test_new_says_the_same_in_words(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "p", "--from", folder)
    assert done.code == 0
    assert "30 pictures in 3 classes" in done.out
    assert "red/broken.png" in done.out
    assert f'handlens train "{tmp_path / "p"}"' in done.out


def test_new_on_a_project_adds_files_and_keeps_splits(handlens: Handlens, folder: Path, project: Path) -> None:
    with Project.open(project) as opened:
        before = opened.splits()
    for number in range(5):
        Image.new("RGB", (SIZE, SIZE), (250, number, 0)).save(folder / "red" / f"later{number}.png")
    done = handlens("new", project, "--from", folder, "--json")
    assert done.code == 0
    assert (done.lines[-1]["added"], done.lines[-1]["samples"]) == (5, 35)
    with Project.open(project) as opened:
        after = opened.splits()
    assert before.items() <= after.items()
    assert len(after) == 35


def test_new_on_a_project_says_what_was_moved_and_what_is_gone(
    handlens: Handlens, folder: Path, project: Path, tmp_path: Path
) -> None:
    (folder / "red").rename(folder / "rouge")
    (folder / "blue" / "1.png").unlink()
    done = handlens("new", project, "--from", folder, "--json")
    created = done.lines[-1]
    assert (created["added"], created["moved"], created["gone"]) == (0, 10, ["blue/1.png"])
    assert (created["samples"], created["classes"]) == (29, {"blue": 9, "green": 10, "rouge": 10})
    told = handlens("new", project, "--from", folder).out
    assert "1 file is not in the folder any more, such as blue/1.png, and left out" in told
    assert "moved" not in told


def test_new_refuses_another_folder_for_a_project_that_is_there(
    handlens: Handlens, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    done = handlens("new", project, "--from", tmp_path / "other")
    assert done.code == 1
    assert "already a project" in done.err


def test_new_takes_recordings_by_their_names(handlens: Handlens, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, size in (("loud", 0.9), ("quiet", 0.01)):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(5):
            sound = rng.uniform(-size, size, WINDOWING.rate)
            soundfile.write(tmp_path / "sounds" / name / f"{number}.wav", sound, WINDOWING.rate)
    done = handlens("new", tmp_path / "p", "--from", tmp_path / "sounds", "--json")
    assert done.code == 0
    assert done.lines[-1]["windowing"] == {"rate": 8000, "seconds": 1.0, "step": 1.0}
    assert done.lines[-1]["samples"] == 10


def test_new_takes_a_folder_without_labels(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    done = handlens("new", tmp_path / "p", "--from", folder / "red", "--json")
    assert done.code == 0
    assert done.lines[-1]["classes"] == {}
    assert done.lines[-1]["samples"] == 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "absent"], "no folder"),
        (["--from", "empty"], "empty"),
        (["--from", "one-class"], "only one class"),
        (["--from", "pictures", "--kind", "sensors"], "There are no logs in “pictures”, only pictures"),
        (["--from", "pictures", "--split-by", "pattern:("], ""),
    ],
)
def test_new_refuses_in_one_sentence(
    handlens: Handlens,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(folder / "green", tmp_path / "one-class" / "green")
    monkeypatch.chdir(tmp_path)
    done = handlens("new", "p", *arguments, "--json")
    assert done.code == 1
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "p"],
        ["new", "p", "--from", ".", "--kind", "videos"],
        ["new", "p", "--from", ".", "--split-by", "moon"],
        ["train"],
        ["train", "p", "--preset", "fast"],
        ["train", "p", "--device", "abacus"],
        ["predict", "m.onnx"],
        ["sing"],
    ],
)
def test_wrong_usage_ends_with_2(handlens: Handlens, arguments: list[str]) -> None:
    done = handlens(*arguments)
    assert done.code == 2
    assert done.out == ""


# -- train: the engine is replaced by scripted events --------------------------------------------------------------

FINISHED = Finished(run=1, seconds=2.5, valid_accuracy=0.9, test_accuracy=0.8, probe_accuracy=0.85)


def scripted(*events: Event, then: BaseException | None = None) -> Callable[[Job, Stop], Iterator[Event]]:
    def run(_job: Job, _stop: Stop) -> Iterator[Event]:
        yield from events
        if then is not None:
            raise then

    return run


EPOCH = EpochDone(epoch=1, epochs=2, train_loss=0.5, valid_loss=0.4, valid_accuracy=0.9, rate=0.001, best=True)
STARTED = RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=COLOURS)
SHOWCASE = Showcase(
    epoch=0, sample_ids=(1,), probabilities=np.ones((1, 3), np.float32), maps=np.ones((1, 3, 7, 7), np.float32)
)


def test_train_prints_events_and_ends_with_finished(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = StageStarted(stage="probe", sentence="Now it learns.")
    monkeypatch.setattr(common, "run", scripted(stage, STARTED, SHOWCASE, EPOCH, FINISHED))
    done = handlens("train", project, "--json")
    assert (done.code, done.err) == (0, "")
    assert [line["event"] for line in done.lines] == ["stage", "started", "epoch", "finished"]
    last = done.lines[-1]
    assert (last["run"], last["seconds"], last["valid_accuracy"]) == (1, 2.5, 0.9)
    assert (last["test_accuracy"], last["probe_accuracy"]) == (0.8, 0.85)


def test_train_says_in_words_what_happens(handlens: Handlens, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Project.open(trained) as opened:
        tested = sum(sample.split == "test" for sample in opened.samples())
    stage = StageStarted(stage="probe", sentence="Now it learns.")
    monkeypatch.setattr(common, "run", scripted(stage, STARTED, EPOCH, FINISHED))
    done = handlens("train", trained)
    assert done.code == 0
    assert "Now it learns." in done.out
    assert "right on 90 %" in done.out
    assert f"of {tested} pictures" in done.out, "by what was predicted, whatever there was before the training"
    assert f'handlens evaluate "{trained}"' in done.out


def test_a_failed_training_is_one_sentence_and_code_1(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "run", scripted(Failed(message="The disk is full; free some space.", details="secret")))
    done = handlens("train", project, "--json")
    assert done.code == 1
    assert done.lines[-1]["event"] == "failed"
    assert done.lines[-1]["message"] == "The disk is full; free some space."
    assert done.err == "The disk is full; free some space.\n"


def test_ctrl_c_says_how_to_continue(handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "run", scripted(EPOCH, then=KeyboardInterrupt()))
    done = handlens("train", project, "--json")
    assert done.code == 130
    assert "--resume" in done.err
    assert done.lines[-1]["event"] == "failed"


def test_a_fault_is_one_sentence_with_details_on_request(
    handlens: Handlens, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "run", scripted(then=ZeroDivisionError("division by zero")))
    done = handlens("train", project)
    assert done.code == 1
    assert "HANDLENS_DEBUG=1" in done.err
    assert done.err.count("\n") == 1


def test_train_without_a_project_fails_in_both_languages(handlens: Handlens, tmp_path: Path) -> None:
    done = handlens("train", tmp_path / "absent", "--json")
    assert done.code == 1
    assert done.lines == [{"event": "failed", "message": done.err.rstrip("\n"), "details": ""}]


def test_the_demo_makes_samples_once_and_keeps_earlier_projects(
    handlens: Handlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Failed(message="Nothing is trained in this test.")

    def run(job: Job, stop: Stop) -> Iterator[Event]:
        return scripted(failing)(job, stop) if isinstance(job, TrainJob) else engine.run(job, stop)

    monkeypatch.setattr(common, "run", run)
    first = handlens("demo", "--to", tmp_path, "--count", 30)
    samples = sorted((tmp_path / "samples").rglob("*.*"))
    made = [path.stat().st_mtime_ns for path in samples]
    again = handlens("demo", "--to", tmp_path, "--count", 30)
    assert first.err == again.err == "Nothing is trained in this test.\n"
    assert "already in" in again.out
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "samples").rglob("*.*"))] == made
    assert len(list(tmp_path.glob("*.handlens"))) == 2


# -- evaluate --------------------------------------------------------------------------------------------------------


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
    assert done.out.startswith("Right on ")
    assert "pictures it has never seen (between" in done.out.splitlines()[0]
    assert "with 95 % confidence" in done.out.splitlines()[0]


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
    assert f"Left out {len(learned)} of 30 files" in done.err
    for path in tested:
        (folder / path).unlink()
    done = handlens("evaluate", trained, "--on", folder)
    assert done.code == 1
    assert "so none can test it" in done.err


def test_a_project_is_not_split_anew_behind_its_back(handlens: Handlens, project: Path, folder: Path) -> None:
    done = handlens("new", project, "--from", folder, "--split-by", "folder")
    assert done.code == 1
    assert "is split already" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--device", "cuda"), "no CUDA device"),
        (("--backbone", "resnet999"), "There is no network called resnet999"),
        (("--weights", "nowhere.safetensors"), "There is no file nowhere.safetensors"),
        (("--backbone", "resnet18", "--weights", "nowhere.safetensors"), "There is no file nowhere.safetensors"),
    ],
)
def test_what_is_not_there_is_said_before_a_run_begins(
    handlens: Handlens, project: Path, options: tuple[str, ...], said: str
) -> None:
    import torch  # slow to load, and nothing else here needs it

    if torch.cuda.is_available() and "cuda" in options:
        pytest.skip("there is a CUDA device")
    done = handlens("train", project, *options)
    assert done.code == 1
    assert said in done.err
    with Project.open(project) as opened:
        assert opened.runs.all() == ()


def test_evaluate_names_a_class_the_model_does_not_know(handlens: Handlens, trained: Path, folder: Path) -> None:
    (folder / "red").rename(folder / "crimson")
    done = handlens("evaluate", trained, "--on", folder)
    assert done.code == 1
    assert "“crimson”" in done.err


def test_evaluate_without_a_run_says_what_to_do(handlens: Handlens, project: Path) -> None:
    done = handlens("evaluate", project)
    assert done.code == 1
    assert "train it first" in done.err
    assert done.out == ""


# -- predict ---------------------------------------------------------------------------------------------------------


def test_predict_prints_a_line_per_input(handlens: Handlens, trained: Path, folder: Path) -> None:
    done = handlens("predict", trained, folder / "green", folder / "blue" / "0.png", "--json")
    assert (done.code, done.err) == (0, "")
    assert [line["label"] for line in done.lines] == ["green"] * 10 + ["blue"]
    line = done.lines[0]
    assert set(line) == {"path", "label", "probability", "unlike", "decision", "top"}
    assert line["decision"] == "accept"
    assert line["top"][0] == ["green", line["probability"]]
    assert sum(probability for _name, probability in line["top"]) == pytest.approx(1.0, abs=1e-4)


def test_options_that_change_nothing_are_named(handlens: Handlens, trained: Path, folder: Path) -> None:
    done = handlens("train", trained, "--resume", "--preset", "quick", "--seed", "3", "--epochs", "2")
    assert done.code == 1
    assert done.err.splitlines()[0] == "The run goes on as it began; left aside: --preset, --seed."
    with Project.open(trained) as opened:
        opened.runs.update(1, state="interrupted")
        (opened.runs.folder(1) / "settings.toml").write_text("")
        opened.add_class("violet")  # so that it does not really go on
    done = handlens("train", trained, "--resume", "--seed", "3", "--epochs", "2", "--backbone", "resnet18")
    assert done.err.splitlines()[0] == "The run goes on as it began; left aside: --seed, --epochs, --backbone."
    done = handlens("new", trained, "--from", folder, "--rate", "50")
    assert done.code == 1
    assert "how it is cut stays as it is" in done.err
    done = handlens("evaluate", trained / "runs" / "0001" / "model.onnx")
    assert done.code == 1
    assert "is a model; give the project it came from" in done.err


def test_predict_goes_on_after_an_unreadable_file(handlens: Handlens, trained: Path, folder: Path) -> None:
    done = handlens("predict", trained, folder, "--json")
    assert done.code == 1
    assert len(done.lines) == 30
    assert "red/broken.png: " in done.err.splitlines()[0]
    assert done.err.endswith("\n1 of 31 could not be read; why stands beside each above.\n")


def test_predict_takes_a_model_alone_and_writes_tables_and_pictures(
    handlens: Handlens, folder: Path, tmp_path: Path
) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    inputs = [folder / "red" / "0.png", folder / "blue" / "0.png", folder / "red" / "broken.png"]
    done = handlens("predict", model, *inputs, "--csv", tmp_path / "out" / "t.csv", "--overlays", tmp_path / "looked")
    assert done.code == 1
    assert "red, 9" in done.out
    with (tmp_path / "out" / "t.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["label"] for row in rows] == ["red", "blue", ""]
    assert [row["decision"] for row in rows] == ["accept", "accept", "unreadable"]
    assert [bool(row["reason"]) for row in rows] == [False, False, True]
    pictures = sorted((tmp_path / "looked").iterdir())
    assert [path.name for path in pictures] == ["0.png-2.png", "0.png.png"]
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width > 640


def test_pictures_of_a_folder_stay_in_their_sub_folders(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    (folder / "red" / "broken.png").unlink()
    done = handlens("predict", model, folder, folder / "red" / "0.png", "--overlays", tmp_path / "looked")
    assert done.code == 0
    looked = tmp_path / "looked"
    assert (looked / "red" / "0.png.png").is_file() and (looked / "blue" / "0.png.png").is_file()
    assert (looked / "red" / "0.png-2.png").is_file(), "given twice, drawn twice"


def test_no_picture_is_drawn_over_a_file_of_the_users(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    given = folder / "red"
    other = given / "0.png.png"
    shutil.copy(given / "1.png", other)
    (given / "broken.png").unlink()
    before = other.read_bytes()
    for _ in range(2):
        assert handlens("predict", model, given / "0.png", other, "--overlays", given).code == 0
        assert other.read_bytes() == before
    drawn = {path.name for path in given.iterdir()} - {f"{number}.png" for number in range(10)}
    assert drawn == {"0.png.png", "0.png-2.png", "0.png.png.png"}, "the second time its own are drawn anew"
    done = handlens("predict", model, given, "--json")
    assert {Path(line["path"]).name for line in done.lines} == {"0.png.png", *(f"{n}.png" for n in range(10))}
    (tmp_path / "looked").mkdir()
    shutil.copy(given / "0.png.png.png", tmp_path / "looked")
    done = handlens("predict", model, tmp_path / "looked")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "only pictures here that Handlens drew" in done.err


def test_a_very_long_name_is_predicted_and_drawn(handlens: Handlens, folder: Path, tmp_path: Path) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    long = folder / "red" / f"{'ä' * 125}.png"
    shutil.copy(folder / "red" / "0.png", long)
    done = handlens("predict", model, long, "--overlays", tmp_path / "looked")
    assert (done.code, done.err) == (0, "")
    (drawn,) = (tmp_path / "looked").iterdir()
    assert drawn.name == f"{'ä' * 98}.png.png"
    shutil.copy(drawn, folder / "red")
    done = handlens("predict", model, folder / "red", "--json")
    assert drawn.name not in {Path(line["path"]).name for line in done.lines}


@pytest.mark.parametrize("option", ["--csv", "--overlays"])
def test_what_cannot_be_written_is_said_before_anything_is_predicted(
    handlens: Handlens, folder: Path, tmp_path: Path, option: str
) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    (tmp_path / "file").write_bytes(b"")
    done = handlens("predict", model, folder / "red" / "0.png", option, tmp_path / "file" / "answers")
    assert (done.code, done.out) == (1, "")
    assert "could not be written" in done.err


def test_predict_reads_recordings_by_window(handlens: Handlens, tmp_path: Path) -> None:
    model = write_loudness_model(tmp_path / "model.onnx")
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 3 * WINDOWING.rate)
    noise[WINDOWING.rate :] *= 0.001
    soundfile.write(tmp_path / "a.wav", noise, WINDOWING.rate)
    table = tmp_path / "heard.csv"
    done = handlens("predict", model, tmp_path / "a.wav", "--overlays", tmp_path / "looked", "--csv", table, "--json")
    assert done.code == 0
    rows = list(csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["start"], row["end"], row["label"]) for row in rows] == [
        ("", "", "quiet"),
        ("0.0", "1.0", "loud"),
        ("1.0", "2.0", "quiet"),
        ("2.0", "3.0", "quiet"),
    ]
    assert {row["path"] for row in rows} == {str(tmp_path / "a.wav")}
    (line,) = done.lines
    assert [(w["start"], w["end"], w["label"]) for w in line["windows"]] == [
        (0.0, 1.0, "loud"),
        (1.0, 2.0, "quiet"),
        (2.0, 3.0, "quiet"),
    ]
    assert line["label"] == "quiet"
    assert (tmp_path / "looked" / "a.wav.png").is_file()


@pytest.mark.parametrize("model", ["absent.onnx", "empty.onnx", "project"])
def test_predict_refuses_what_is_no_model(handlens: Handlens, tmp_path: Path, model: str) -> None:
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "project").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = handlens("predict", tmp_path / model, tmp_path / "a.png", "--json")
    assert done.code == 1
    assert [(line["event"], line["message"] + "\n") for line in done.lines] == [("failed", done.err)]
    assert done.err.count("\n") == 1


# -- the rest --------------------------------------------------------------------------------------------------------


def test_export_writes_a_model_that_can_be_used(
    handlens: Handlens, trained: Path, folder: Path, tmp_path: Path
) -> None:
    assert handlens("export", trained, "--to", tmp_path / "deep" / "m.onnx").code == 0
    done = handlens("predict", tmp_path / "deep" / "m.onnx", folder / "red" / "0.png", "--json")
    assert done.lines[0]["label"] == "red"
    mine = tmp_path / "mine.onnx"
    mine.write_text("mine")
    refused = handlens("export", trained, "--to", mine)
    assert (refused.code, mine.read_text()) == (1, "mine")
    assert "is no model of Handlens; give another name" in refused.err
    refused = handlens("export", trained, "--to", tmp_path / "m.html")
    assert refused.code == 1
    assert ".onnx only" in refused.err


def test_a_run_can_be_exported_for_another_share_of_wrong_answers(
    handlens: Handlens, trained: Path, tmp_path: Path
) -> None:
    target = tmp_path / "m.onnx"
    done = handlens("export", trained, "--to", target, "--wrong-at-most", "10%", "--json")
    assert done.lines[0]["wrong_at_most"] == 0.1
    assert ReleasedModel.open(target).info.wanted_error == 0.1
    with Project.open(trained) as project:
        project.set_wrong_at_most(0.2)
    assert "20 of 100 accepted answers" in handlens("export", trained, "--to", target).out
    assert ReleasedModel.open(target).info.wanted_error == 0.2
    assert handlens("export", trained, "--to", target, "--wrong-at-most", "often").code == 2


def test_suspicious_says_where_in_a_recording_a_label_may_be_wrong(
    handlens: Handlens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wind", "owl"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng(number).normal(0, 0.1, 8000 * 12)
            soundfile.write(tmp_path / "sounds" / name / f"{number}.wav", noise, 8000)
    assert handlens("new", tmp_path / "p", "--from", tmp_path / "sounds").code == 0
    with Project.open(tmp_path / "p") as opened:
        second = opened.samples()[1]
    found = Suspected(
        run=1, sample_ids=(second.id,), labels=((0,),), suggested=(1,), scores=(0.9,), flagged=1, confirmed=0
    )
    monkeypatch.setattr(common, "run", scripted(found))
    rows = [line.split() for line in handlens("suspicious", tmp_path / "p").out.splitlines()]
    assert ["file", "where", "labelled", "looks", "like", "score"] in rows
    assert ["owl/0.wav", f"{second.start:g}–{second.end:g}", "s", "owl", "wind", "0.90"] in rows


def test_a_moved_source_folder_is_found_again(handlens: Handlens, trained: Path, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "moved")
    told = handlens("train", trained)
    assert told.code == 1 and told.err.endswith(f'say where it is now: handlens relink "{trained}" --to FOLDER.\n')
    with Project.open(trained) as opened:
        assert len(opened.runs.all()) == 1, "no run was begun"
    assert handlens("relink", trained, "--to", tmp_path).code == 1
    assert handlens("relink", trained, "--to", tmp_path / "moved").code == 0
    with Project.open(trained) as opened:
        assert opened.source_folder == tmp_path / "moved"
    few = tmp_path / "few" / "red"
    few.mkdir(parents=True)
    shutil.copy(tmp_path / "moved" / "red" / "0.png", few)
    done = handlens("relink", trained, "--to", few.parent)
    assert done.code == 0
    assert done.err == "29 of its 30 files are not there; if that is the wrong folder, say so again.\n"


def test_other_files_of_the_same_names_are_no_originals(
    handlens: Handlens, project: Path, folder: Path, tmp_path: Path
) -> None:
    other, changed = tmp_path / "other", tmp_path / "changed"
    shutil.copytree(folder, other)
    shutil.copytree(folder, changed)
    for number, path in enumerate(sorted(other.rglob("*.png"))):
        Image.new("RGB", (SIZE, SIZE), (number, 0, 0)).save(path)
    (changed / "red" / "1.png").write_bytes(b"more than there was" * 200)
    told = handlens("relink", project, "--to", other)
    assert told.code == 1
    assert told.err.endswith("but they are others; choose the folder that holds the originals.\n")
    with Project.open(project) as opened:
        assert opened.source_folder == folder
    told = handlens("relink", project, "--to", changed)
    assert told.code == 0
    assert told.err.startswith("At least 1 of its 30 files differs from the one of that name")
    assert handlens("relink", project, "--to", folder, "--json").lines[-1]["changed"] == 0


def test_other_recordings_of_the_same_length_are_no_originals(handlens: Handlens, tmp_path: Path) -> None:
    """They have the same size, too."""
    for place in ("sounds", "others"):
        for name in ("wind", "owl"):
            (tmp_path / place / name).mkdir(parents=True)
            for number in range(3):
                noise = np.random.default_rng(list(f"{place}{name}{number}".encode())).normal(0, 0.1, 8000)
                soundfile.write(tmp_path / place / name / f"{number}.wav", noise, 8000)
    assert handlens("new", tmp_path / "p", "--from", tmp_path / "sounds").code == 0
    assert "but they are others" in handlens("relink", tmp_path / "p", "--to", tmp_path / "others").err


def test_runs_are_listed(handlens: Handlens, trained: Path) -> None:
    (line,) = handlens("runs", trained, "--json").lines
    assert (line["number"], line["state"], line["preset"]) == (1, "finished", "quick")
    assert "finished" in handlens("runs", trained).out


def test_help_and_version_are_there(handlens: Handlens) -> None:
    helped = handlens("--help")
    assert helped.code == 0
    for verb in ("demo", "new", "train", "evaluate", "predict", "export", "relink", "runs", "doctor"):
        assert verb in helped.out
    assert handlens("--version").out.startswith("Handlens ")


def test_the_doctor_answers_in_json(handlens: Handlens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.doctor.devices", lambda: {"cpu": "2 cores"})
    (line,) = handlens("doctor", "--json").lines
    assert {"python", "system", "devices", "versions", "weights", "missing", "command"} <= set(line)
    assert line["versions"]["numpy"]
