"""`handlens predict`: lines, tables and pictures, and no file of the user's touched."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from tiny_model import WINDOWING, write_colour_model, write_loudness_model

from ml.project.project import Project
from tests.ml.terminal import Handlens


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
    assert done.err.splitlines()[0] == "The run continues with its own settings. Ignored: --preset, --seed."
    with Project.open(trained) as opened:
        opened.runs.update(1, state="interrupted")
        (opened.runs.folder(1) / "settings.toml").write_text("")
        opened.add_class("violet")  # so that it does not really go on
    done = handlens("train", trained, "--resume", "--seed", "3", "--epochs", "2", "--backbone", "resnet18")
    assert done.err.splitlines()[0] == "The run continues with its own settings. Ignored: --seed, --epochs, --backbone."
    done = handlens("new", trained, "--from", folder, "--rate", "50")
    assert done.code == 1
    assert "its windows cannot change" in done.err
    done = handlens("evaluate", trained / "runs" / "0001" / "model.onnx")
    assert done.code == 1
    assert "is a model. Choose the folder of the project it came from" in done.err


def test_that_nothing_can_be_resumed_is_said_before_the_training_loads(
    handlens: Handlens, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml.commands.train.train_with", lambda *_arguments: pytest.fail("it began to train"))
    done = handlens("train", trained, "--resume")
    assert done.code == 1
    assert done.err == "There is no interrupted run to resume. Train without --resume.\n"


def test_predict_goes_on_after_an_unreadable_file(handlens: Handlens, trained: Path, folder: Path) -> None:
    done = handlens("predict", trained, folder, "--json")
    assert done.code == 1
    assert len(done.lines) == 30
    assert "red/broken.png: " in done.err.splitlines()[0]
    assert done.err.endswith("\n1 of 31 files could not be read. The reasons are above.\n")


def test_predict_takes_a_model_alone_and_writes_tables_and_pictures(
    handlens: Handlens, folder: Path, tmp_path: Path
) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    inputs = [folder / "red" / "0.png", folder / "blue" / "0.png", folder / "red" / "broken.png"]
    done = handlens("predict", model, *inputs, "--csv", tmp_path / "out" / "t.csv", "--overlays", tmp_path / "looked")
    assert done.code == 1
    assert "red (9" in done.out
    assert f"The answers as a table: {tmp_path / 'out' / 't.csv'}\n" in done.out
    assert f"2 pictures of where it looked: {tmp_path / 'looked'}\n" in done.out
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
    for path in folder.rglob("*.png"):
        if path.name != "0.png":
            path.unlink()
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
    assert "All pictures here were drawn by Handlens" in done.err


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


@pytest.mark.parametrize(("option", "name"), [("--csv", "answers.csv"), ("--overlays", "looked")])
def test_a_mistyped_folder_is_not_made(
    handlens: Handlens, folder: Path, tmp_path: Path, option: str, name: str
) -> None:
    model = write_colour_model(tmp_path / "model.onnx")
    done = handlens("predict", model, folder / "red" / "0.png", option, tmp_path / "mistypd" / "new" / name)
    assert (done.code, done.out) == (1, "")
    assert f"There is no folder {tmp_path / 'mistypd'}" in done.err
    assert not (tmp_path / "mistypd").exists()


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
