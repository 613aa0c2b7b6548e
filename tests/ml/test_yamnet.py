"""YAMNet, whose weights come on request: three layouts of files, the check of what they compute, and runs with it."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from fabricate import project_of, sound_folder
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ml.core.errors import HandlensError
from ml.core.events import Event, Failed, Finished, Note
from ml.core.jobs import Ear, NeverStop, TrainJob
from ml.core.messages import english
from ml.core.types import Windowing
from ml.graphs import ears, yamnet, yamnet_weights
from ml.graphs.builder import GraphBuilder
from ml.graphs.ears import make_ear
from ml.graphs.yamnet_frontend import FRAMES, clip_spectrograms, clips, log_mel
from ml.pipeline import install_ear
from ml.pipeline.dispatch import run
from ml.pipeline.ear_stage import best_ear
from ml.project.estimate import plan_time
from ml.project.project import Project
from ml.runtime.model import ReleasedModel
from ml.runtime.session import open_session

REAL = os.environ.get("HANDLENS_YAMNET", "")
Parts = dict[str, NDArray[np.float32]]


def made_up_parts() -> list[tuple[str, Parts]]:
    """The place of each convolution in the torch port, and made-up numbers of it and its batch norm."""
    rng, names = np.random.default_rng(0), ["layer1.fused"]
    for number in range(2, 15):
        names += [f"layer{number}.depthwise_conv", f"layer{number}.pointwise_conv"]
    parts = []
    for name, shape in zip(names, yamnet_weights._shapes(), strict=True):
        spread = np.sqrt(2.0 / np.prod(shape[1:]))
        numbers = {
            "weight": rng.normal(0, spread, shape),
            "beta": rng.normal(0, 0.1, shape[0]),
            "mean": rng.normal(0, 0.1, shape[0]),
            "variance": rng.uniform(0.5, 2.0, shape[0]),
        }
        parts.append((name, {key: value.astype(np.float32) for key, value in numbers.items()}))
    return parts


def write_torch(path: Path) -> Path:
    torch = pytest.importorskip("torch")
    state = {}
    for name, numbers in made_up_parts():
        arrays = {
            "conv.weight": numbers["weight"],
            "bn.weight": np.ones_like(numbers["beta"]),
            "bn.bias": numbers["beta"],
            "bn.running_mean": numbers["mean"],
            "bn.running_var": numbers["variance"],
            "bn.num_batches_tracked": np.array(7),
        }
        state |= {f"{name}.{key}": torch.from_numpy(value) for key, value in arrays.items()}
    state |= {"classifier.weight": torch.zeros(521, 1024), "classifier.bias": torch.zeros(521)}
    torch.save(state, path)
    return path


def write_keras(path: Path) -> Path:
    h5py = pytest.importorskip("h5py", reason="h5py reads Google's file; it is in the extra [keras]")
    with h5py.File(path, "w") as file:
        for name, numbers in made_up_parts():
            layer, _, part = name.replace("fused", "conv").partition(".")
            place, depthwise = f"{layer}/{part}", part == "depthwise_conv"
            kernel = numbers["weight"].transpose(2, 3, 0, 1) if depthwise else numbers["weight"].transpose(2, 3, 1, 0)
            file[f"{place}/{place}/{'depthwise_kernel' if depthwise else 'kernel'}:0"] = kernel
            for key, leaf in (("beta", "beta"), ("mean", "moving_mean"), ("variance", "moving_variance")):
                file[f"{place}/bn/{place}/bn/{leaf}:0"] = numbers[key]
        file["logits/logits/kernel:0"] = np.zeros((1024, 521), np.float32)
    return path


def write_onnx(path: Path) -> Path:
    """Write convolutions with batch norms, the weights behind a pair of quantisation."""
    nodes, constants, x = [], [numpy_helper.from_array(np.float32(1), "scale")], "x"
    for place, (_, numbers) in enumerate(made_up_parts()):
        names = {key: f"{key}{place}" for key in numbers}
        constants += [numpy_helper.from_array(value, names[key]) for key, value in numbers.items()]
        constants.append(numpy_helper.from_array(np.ones_like(numbers["beta"]), f"gamma{place}"))
        nodes += [
            helper.make_node("QuantizeLinear", [names["weight"], "scale"], [f"q{place}"]),
            helper.make_node("DequantizeLinear", [f"q{place}", "scale"], [f"dq{place}"]),
            helper.make_node("Conv", [x, f"dq{place}"], [f"conv{place}"]),
            helper.make_node(
                "BatchNormalization",
                [f"conv{place}", f"gamma{place}", names["beta"], names["mean"], names["variance"]],
                [x := f"y{place}"],
                epsilon=1e-4,
            ),
        ]
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "yamnet", [], [], constants)).SerializeToString())
    return path


WRITERS = {"yamnet.pth": write_torch, "yamnet.h5": write_keras, "yamnet.onnx": write_onnx}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights are kept in this test."""
    path = tmp_path / "cache" / "yamnet.npz"
    monkeypatch.setattr(yamnet_weights, "yamnet_file", lambda: path)
    return path


@pytest.fixture
def made_up(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made-up weights on this machine; they count as right."""
    with monkeypatch.context() as patch:
        patch.setattr(yamnet_weights, "difference_from_reference", lambda _layers: 0.0)
        yamnet_weights.install(write_onnx(tmp_path / "yamnet.onnx"))
    return kept


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_weights_are_read_from_every_layout(tmp_path: Path, name: str) -> None:
    layers = yamnet_weights.read_layers(WRITERS[name](tmp_path / name))
    assert len(layers) == 27
    for (_, numbers), layer in zip(made_up_parts(), layers, strict=True):
        factor = 1.0 / np.sqrt(numbers["variance"] + 1e-4)
        np.testing.assert_allclose(layer.weight, numbers["weight"] * factor[:, None, None, None], rtol=1e-5)
        np.testing.assert_allclose(layer.bias, numbers["beta"] - numbers["mean"] * factor, rtol=1e-4, atol=1e-6)


def test_weights_that_compute_something_else_are_refused_and_not_kept(kept: Path, tmp_path: Path) -> None:
    with pytest.raises(HandlensError, match=r"yamnet.onnx does not hold the weights of YAMNet"):
        yamnet_weights.install(write_onnx(tmp_path / "yamnet.onnx"))
    assert not kept.exists() and "yamnet" not in ears.available_ears()


def test_other_files_are_refused_with_a_sentence(kept: Path, tmp_path: Path) -> None:
    for name, content in (("a.onnx", b"no model"), ("a.pth", b"no weights"), ("a.wav", b""), ("b.onnx", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(HandlensError) as caught:
            yamnet_weights.install(tmp_path / name)
        assert name in english(caught.value.message)
    assert not kept.exists()


def test_without_h5py_it_says_how_googles_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "yamnet.h5").write_bytes(b"\x89HDF")
    with pytest.raises(HandlensError, match=r"needs the library h5py.*handlens\[keras\].*or use yamnet.pth"):
        yamnet_weights.read_layers(tmp_path / "yamnet.h5")


@pytest.mark.skipif(not REAL, reason="HANDLENS_YAMNET names no file with the weights, which are in no package")
def test_the_real_weights_compute_the_stored_embeddings() -> None:
    difference = yamnet_weights.difference_from_reference(yamnet_weights.read_layers(Path(REAL)))
    assert difference < yamnet_weights.TOLERANCE


def test_the_spectrogram_is_that_of_the_pretraining() -> None:
    """Compare with a plain computation by NumPy's Fourier transform."""
    wave = clips() / np.abs(clips()).max(axis=1, keepdims=True)
    frames = np.lib.stride_tricks.sliding_window_view(wave, 400, axis=1)[:, ::160] * np.hanning(401)[:-1]
    magnitude = np.abs(np.fft.rfft(frames, 512))
    edges = 700 * (np.exp(np.linspace(np.log1p(125 / 700), np.log1p(7500 / 700), 66)) - 1)
    mel, own = np.log1p(np.arange(257) * 31.25 / 700)[:, None], np.log1p(edges / 700)
    filters = np.clip(np.minimum((mel - own[:-2]) / np.diff(own)[:-1], (own[2:] - mel) / np.diff(own)[1:]), 0, None)
    found = clip_spectrograms()
    assert found.shape == (3, FRAMES, 64)
    np.testing.assert_allclose(found, np.log(magnitude @ filters + 0.001), atol=5e-3)


def test_neither_gain_nor_rate_nor_a_loud_neighbour_change_what_is_heard() -> None:
    t = np.arange(32_000) / 32_000
    wave = (0.2 * np.sin(2 * np.pi * 700 * t) + 0.1 * np.sin(2 * np.pi * 3000 * t)).astype(np.float32)

    def heard(raw: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        graph = GraphBuilder("log_mel")
        mel = log_mel(graph.input("raw", (raw.shape[1],)), rate=rate, frames=raw.shape[1])
        graph.output("mel", mel, (98, 64))
        return np.asarray(open_session(graph.to_bytes()).run(None, {"raw": raw})[0])

    reference = heard(wave[None], 32_000)
    np.testing.assert_allclose(heard(np.stack([wave * 0.01, wave * 3]), 32_000), np.repeat(reference, 2, 0), atol=1e-3)
    np.testing.assert_allclose(heard(wave[None, ::2], 16_000), reference, atol=0.1)


@pytest.mark.parametrize(("seconds", "columns"), [(0.5, 1), (0.975, 1), (1.0, 2), (5.0, 10)])
def test_features_are_mean_and_maximum_over_patches_that_cover_the_window(
    made_up: Path, seconds: float, columns: int
) -> None:
    windowing = Windowing(rate=16_000, seconds=seconds, step=seconds)
    ear = make_ear("yamnet", windowing)
    assert ear.grid == (1, columns) and ear.width == 2048
    session = open_session(ear.feature_graph())
    raw = np.random.default_rng(1).normal(0, 0.1, (4, windowing.frames)).astype(np.float32)
    embedding, grid = session.run(None, {"raw": raw})
    patches = grid[:, :1024].astype(np.float32)
    np.testing.assert_allclose(embedding[:, :1024], patches.mean((2, 3)), rtol=0.01, atol=0.01)
    np.testing.assert_allclose(embedding[:, 1024:], patches.max((2, 3)), rtol=0.01, atol=0.01)
    alone = np.concatenate([session.run(None, {"raw": each[None]})[0] for each in raw])
    np.testing.assert_allclose(alone, embedding, rtol=1e-4, atol=1e-4)


def test_weights_that_were_damaged_later_are_not_used(made_up: Path) -> None:
    assert "yamnet" in ears.available_ears()
    made_up.write_bytes(made_up.read_bytes()[:-1])
    assert "yamnet" not in ears.available_ears()
    with pytest.raises(HandlensError, match=r"Train once with --ear yamnet"):
        yamnet.Yamnet(Windowing(rate=16_000, seconds=1.0, step=1.0))


def test_yamnet_is_used_where_it_is_better() -> None:
    assert best_ear({"picture": 0.8, "speech": 0.7, "both": 0.82, "yamnet": 0.9}) == "yamnet"
    assert best_ear({"picture": 0.9, "speech": 0.7, "both": 0.9, "yamnet": 0.9}) == "picture"
    assert best_ear({"picture": 0.8, "speech": 0.7, "both": 0.95, "yamnet": 0.9}) == "both"


# -- runs --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "p.handlens"
    project_of(sound_folder(tmp_path / "in", each=6), place, kind="recordings").close()
    return place


def train(place: Path, ear: Ear, weights: Path | None = None) -> list[Event]:
    return list(run(TrainJob(project=place, preset="quick", device="cpu", ear=ear, weights=weights), NeverStop()))


def test_a_run_with_a_weights_file_keeps_the_weights_and_releases_a_model_of_its_own(
    kept: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yamnet_weights, "difference_from_reference", lambda _layers: 0.0)
    events = train(place, "yamnet", write_onnx(tmp_path / "yamnet.onnx"))
    assert isinstance(events[-1], Finished), events[-1]
    settings = tomllib.loads((place / "runs/0001/settings.toml").read_text(encoding="utf-8"))
    assert settings["ear"]["name"] == "yamnet" and settings["backbone"]["name"] == "yamnet"
    kept.unlink()
    model = ReleasedModel.open(place / "runs/0001/model.onnx")
    assert model.predict(np.zeros((2, 16_000), np.float32)).maps.shape[2] == 1


@pytest.mark.slow
def test_where_the_weights_are_there_yamnet_is_compared_too(made_up: Path, place: Path) -> None:
    events = train(place, "auto")
    assert isinstance(events[-1], Finished), events[-1]
    told = [english(event.sentence) for event in events if isinstance(event, Note)]
    assert any(sentence.startswith("Chosen for these recordings:") and "YAMNet" in sentence for sentence in told)
    settings = tomllib.loads((place / "runs/0001/settings.toml").read_text(encoding="utf-8"))
    assert set(settings["ear"]) == {"name", "picture", "speech", "both", "yamnet"}


def test_without_weights_and_connection_it_says_what_to_do_before_a_run_begins(
    kept: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_ear, "ADDRESS", "https://127.0.0.1:9/yamnet.pth")
    events = train(place, "yamnet")
    told = [english(event.sentence) for event in events if isinstance(event, Note)]
    assert told == ["YAMNet is downloaded once: 15 MB.", "The weights of YAMNet are free for any use (apache-2.0)."]
    last = events[-1]
    assert isinstance(last, Failed)
    assert "Download https://127.0.0.1:9/yamnet.pth on another computer and train with" in english(last.message)
    with Project.open(place) as project:
        assert not project.runs.all()
        times = [plan_time(project, "quick", ear=ear).per_sample["features"] for ear in ("yamnet", "auto")]
    assert times[0] < times[1]
