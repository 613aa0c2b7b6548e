"""Released models as they are used: opened, asked about files, believed or not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image
from tiny_model import COLOURS, SIZE, WINDOWING, tiny_info, write_colour_model, write_loudness_model

from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.core.types import PictureReading, Windowing
from ml.media import kinds
from ml.media.images import load_squashed
from ml.project.scan.folder import CLOSED_FOLDER
from ml.runtime import folder
from ml.runtime.contract import METADATA_KEY
from ml.runtime.decision import decide
from ml.runtime.folder import FilePrediction, UnreadableInput, find_inputs, predict_files
from ml.runtime.model import ReleasedModel


@pytest.fixture
def colours(tmp_path: Path) -> ReleasedModel:
    return ReleasedModel.open(write_colour_model(tmp_path / "colours.onnx"))


@pytest.fixture
def loudness(tmp_path: Path) -> ReleasedModel:
    return ReleasedModel.open(write_loudness_model(tmp_path / "loudness.onnx"))


def paint(path: Path, colour: str, *, size: tuple[int, int] = (60, 40)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def record(path: Path, loud: list[bool]) -> Path:
    """One second of noise or near silence per entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, len(loud) * WINDOWING.rate)
    soundfile.write(path, noise * np.repeat(np.where(loud, 1.0, 0.01), WINDOWING.rate), WINDOWING.rate)
    return path


def test_a_model_says_one_thing_per_sample(colours: ReleasedModel) -> None:
    batch = np.zeros((3, SIZE, SIZE, 3), dtype=np.uint8)
    for row in range(3):
        batch[row, ..., row] = 200
    said = colours.predict(batch)
    assert said.probabilities.argmax(axis=1).tolist() == [0, 1, 2]
    assert said.probabilities.dtype == np.float32
    assert said.maps.shape == (3, 3, 7, 7)
    assert said.embedding.shape == (3, 3)
    assert said.unlike.shape == (3,)
    assert colours.info.classes == COLOURS


def test_what_is_no_model_of_ours_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match="no model at"):
        ReleasedModel.open(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model at all")
    with pytest.raises(HandlensError, match="damaged or not an ONNX file"):
        ReleasedModel.open(broken)
    whole = write_colour_model(tmp_path / "whole.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(HandlensError):
        ReleasedModel.open(cut)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"kind": "x"}, "does not know"),
        ({"size": 200}, "does not fit"),
        ({"size": 200_000}, "cannot be read"),
        ({"size": "big"}, "cannot be read"),
        ({"classes": COLOURS[:2]}, "does not fit"),
    ],
)
def test_a_description_of_another_network_is_refused(tmp_path: Path, wrong: dict[str, object], sentence: str) -> None:
    path = write_colour_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.metadata_props[0].value = json.dumps({**json.loads(model.metadata_props[0].value), **wrong})
    onnx.save(model, path)
    with pytest.raises(HandlensError, match=sentence):
        ReleasedModel.open(path)


@pytest.mark.parametrize(
    ("description", "sentence"),
    [
        (None, "did not make it"),
        ('{"format": 99}', "another version"),
        ("{", "cannot be read"),
        ('{"format": 1}', "read"),
    ],
)
def test_a_model_without_our_description_is_refused(tmp_path: Path, description: str | None, sentence: str) -> None:
    path = write_colour_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    del model.metadata_props[:]
    if description is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, description
    onnx.save(model, path)
    with pytest.raises(HandlensError, match=sentence):
        ReleasedModel.open(path)


def test_a_prediction_is_rejected_when_unsure_or_unfamiliar() -> None:
    info = replace(tiny_info(), reject_below=0.7, unlike_above=0.6)
    assert decide(np.array([0.9, 0.1]), 0.2, info) == "accept"
    assert decide(np.array([0.6, 0.4]), 0.2, info) == "reject"
    assert decide(np.array([0.9, 0.1]), 0.8, info) == "reject"


def test_files_come_back_in_order_with_unreadable_ones_in_their_place(colours: ReleasedModel, tmp_path: Path) -> None:
    names = [COLOURS[number % 3] for number in range(40)]
    paths = [paint(tmp_path / "in" / f"{number:02d}.png", name) for number, name in enumerate(names)]
    paths[17].write_bytes(b"rubbish")
    results = list(predict_files(colours, paths))
    assert [result.path for result in results] == paths
    assert isinstance(results[17], UnreadableInput)
    assert english(results[17].reason).endswith(".")
    said = [COLOURS[result.best] for result in results if isinstance(result, FilePrediction)]
    assert said == names[:17] + names[18:]


def test_a_file_that_no_decoder_was_made_for_costs_the_others_nothing(
    colours: ReleasedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "odd.png", "z.png"):
        Image.new("RGB", (SIZE, SIZE), "red").save(tmp_path / name)

    def load(path: Path, size: int, reading: PictureReading | None) -> NDArray[np.uint8]:
        if path.name == "odd.png":
            raise ZeroDivisionError
        return load_squashed(path, size, reading)

    monkeypatch.setattr(kinds, "load_squashed", load)
    found = list(predict_files(colours, find_inputs([tmp_path], colours.info)))
    assert [isinstance(each, UnreadableInput) for each in found] == [False, True, False]
    assert "a fault in Handlens (ZeroDivisionError)" in english(found[1].reason)  # type: ignore[union-attr]


def test_a_file_is_judged_alike_alone_and_among_others(colours: ReleasedModel, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    paths = []
    for number in range(11):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)).save(paths[-1])
    together = [r.probabilities for r in predict_files(colours, paths) if isinstance(r, FilePrediction)]
    alone = [next(predict_files(colours, [path])) for path in paths]
    for one, other in zip(together, alone, strict=True):
        assert isinstance(other, FilePrediction)
        np.testing.assert_allclose(one, other.probabilities, atol=1e-6)


def test_maps_are_given_only_when_asked_for(colours: ReleasedModel, tmp_path: Path) -> None:
    path = paint(tmp_path / "a.png", "red")
    without, with_maps = next(predict_files(colours, [path])), next(predict_files(colours, [path], keep_maps=True))
    assert isinstance(without, FilePrediction)
    assert without.maps is None
    assert isinstance(with_maps, FilePrediction)
    assert with_maps.maps is not None
    assert with_maps.maps.shape == (3, 7, 7)


def test_a_recording_is_read_window_by_window(loudness: ReleasedModel, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", [True, True, False])
    result = next(predict_files(loudness, [path]))
    assert isinstance(result, FilePrediction)
    assert [(w.start, w.end) for w in result.windows] == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert [int(w.probabilities.argmax()) for w in result.windows] == [0, 0, 1]
    mean = np.mean([w.probabilities for w in result.windows], axis=0)
    np.testing.assert_allclose(result.probabilities, mean, atol=1e-6)


def test_a_long_recording_is_read_to_its_end(loudness: ReleasedModel, tmp_path: Path) -> None:
    loud = [number % 3 == 0 for number in range(75)]
    result = next(predict_files(loudness, [record(tmp_path / "long.flac", loud)]))
    assert isinstance(result, FilePrediction)
    assert [int(w.probabilities.argmax()) == 0 for w in result.windows] == loud


def test_a_fault_late_in_a_recording_costs_the_others_nothing(
    loudness: ReleasedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("a.wav", 2), ("long.wav", folder.CHUNK + 8), ("z.wav", 2)):
        soundfile.write(tmp_path / name, np.zeros(WINDOWING.frames * seconds), round(WINDOWING.rate))
    load = kinds.load_windows

    def fail(path: Path, windowing: Windowing, starts: Sequence[float]) -> NDArray[np.float32]:
        if starts[0] > 1:
            raise ZeroDivisionError
        return load(path, windowing, starts)

    monkeypatch.setattr(kinds, "load_windows", fail)
    found = list(predict_files(loudness, find_inputs([tmp_path], loudness.info)))
    assert [isinstance(each, UnreadableInput) for each in found] == [False, True, False]


def test_recordings_of_many_lengths_keep_their_order(loudness: ReleasedModel, tmp_path: Path) -> None:
    paths = [record(tmp_path / f"{n}.wav", [bool(n % 2)] * (1 + n % 4)) for n in range(12)]
    paths.insert(5, tmp_path / "broken.wav")
    paths[5].write_bytes(b"RIFF")
    results = list(predict_files(loudness, paths))
    assert [result.path for result in results] == paths
    assert isinstance(results[5], UnreadableInput)
    counts = [len(r.windows) for r in results if isinstance(r, FilePrediction)]
    assert counts == [1 + n % 4 for n in range(12)]


def test_stopping_early_leaves_no_thread(colours: ReleasedModel, tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"{number}.png", "green") for number in range(40)]
    results = predict_files(colours, paths)
    assert next(results).path == paths[0]
    results.close()  # the fixture `no_thread_left` looks for what it left behind


def test_folders_are_searched_for_files_of_the_models_kind(colours: ReleasedModel, tmp_path: Path) -> None:
    paint(tmp_path / "deep" / "er" / "A.PNG", "red")
    paint(tmp_path / "b.jpg", "red")
    paint(tmp_path / ".hidden" / "c.png", "red")
    record(tmp_path / "sound.wav", [True])
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    found = find_inputs([tmp_path], colours.info)
    assert sorted(path.name for path in found) == ["A.PNG", "b.jpg"]
    assert find_inputs([tmp_path / "notes.txt"], colours.info) == [tmp_path / "notes.txt"]
    with pytest.raises(HandlensError, match="no file or folder"):
        find_inputs([tmp_path / "absent"], colours.info)
    (tmp_path / "empty").mkdir()
    with pytest.raises(HandlensError, match="No pictures were found"):
        find_inputs([tmp_path / "empty"], colours.info)


def test_a_folder_inside_that_may_not_be_opened_is_named(
    colours: ReleasedModel, tmp_path: Path, close_folder: Callable[[str], None]
) -> None:
    paint(tmp_path / "cats" / "a.png", "red")
    paint(tmp_path / "dogs" / "b.png", "red")
    close_folder("dogs")
    good, bad = predict_files(colours, find_inputs([tmp_path], colours.info))
    assert isinstance(good, FilePrediction) and good.path == tmp_path / "cats" / "a.png"
    assert bad == UnreadableInput(path=tmp_path / "dogs", reason=CLOSED_FOLDER)


def test_samples_shared_out_among_the_cores_are_answered_as_one_batch_is(tmp_path: Path) -> None:
    file = write_colour_model(tmp_path / "colours.onnx")
    batch = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    together, apart = (ReleasedModel.open(file, many=many).predict(batch) for many in (False, True))
    for name in ("probabilities", "maps", "embedding", "unlike"):
        assert getattr(apart, name) == pytest.approx(getattr(together, name), abs=1e-6)
    none = ReleasedModel.open(file, many=True).predict(batch[:0])
    assert none.probabilities.shape == (0, 3)


def test_nothing_is_noted_for_the_makers_of_the_runtime(tmp_path: Path) -> None:
    file = write_colour_model(tmp_path / "colours.onnx")
    code = (
        "import sys, numpy as np; from pathlib import Path; from ml.runtime.model import ReleasedModel; "
        f"ReleasedModel.open(Path(sys.argv[1])).predict(np.zeros((1, {SIZE}, {SIZE}, 3), np.uint8))"
    )
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "USERPROFILE")}
    subprocess.run([sys.executable, "-c", code, str(file)], check=True, timeout=120, env=kept | places)
    assert [path for path in home.rglob("*") if "onnxruntime" in path.name.lower()] == []
