"""The graphs of first models against the same networks in torch, and the reader of torch's files."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.types import Windowing
from ml.graphs.frozen_network import FrozenNetwork
from ml.graphs.pretrained import lite0_path
from ml.graphs.torch_file import read_state_dict
from ml.media.kinds import InputName
from ml.networks.frontends.log import LogFrontEnd
from ml.networks.heads import Classifier, build_network
from ml.runtime.session import open_session
from ml.training.data.features import _Backbone

SPEECH = Windowing(rate=8000, seconds=1.0, step=1.0)
SIRENS = Windowing(rate=22_050, seconds=4.0, step=4.0)
LOG = Windowing(rate=50.0, seconds=2.0, step=2.0, columns=("x", "y", "z"))
GENERATOR = np.random.default_rng(0)


def pixels(count: int) -> NDArray[Any]:
    coarse = GENERATOR.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 16, axis=1), 16, axis=2)


def waves(windowing: Windowing, count: int) -> NDArray[Any]:
    """Tones with noise; the first is silence."""
    time = np.arange(windowing.frames) / windowing.rate
    pitch = GENERATOR.uniform(100, 3000, (count, 1))
    sound = np.sin(2 * np.pi * pitch * time) * np.exp(-time) + GENERATOR.normal(0, 0.02, (count, windowing.frames))
    sound[0] = 0.0
    return sound.astype(np.float32)


def readings(count: int) -> NDArray[Any]:
    time = np.arange(LOG.frames) / LOG.rate
    pace = GENERATOR.uniform(1, 10, (count, 3, 1))
    values = np.sin(pace * time) * [[[1.0], [20.0], [300.0]]] + GENERATOR.normal(0, 0.1, (count, 3, LOG.frames))
    return values.astype(np.float32)


@pytest.mark.parametrize(
    ("input_name", "windowing", "raw"),
    [
        ("pixels", None, pixels(12)),
        ("waveform", SPEECH, waves(SPEECH, 12)),
        ("waveform", SIRENS, waves(SIRENS, 4)),
        ("readings", LOG, readings(40)),
    ],
    ids=["pictures", "speech", "sirens", "logs"],
)
def test_the_graph_computes_the_features_that_torch_computes(
    input_name: InputName, windowing: Windowing | None, raw: NDArray[Any]
) -> None:
    network = build_network(windowing=windowing, classes=3, input_name=input_name).eval()
    frozen = FrozenNetwork(input_name=input_name, windowing=windowing)
    if isinstance(network.front, LogFrontEnd):
        network.front.fit(raw)
        frozen.fit(raw)
    embedding, grid = open_session(frozen.feature_graph()).run(None, {"raw": raw})
    expected, expected_grid = in_torch(network, raw)
    assert embedding.shape == (len(raw), frozen.width)
    assert grid.shape == (len(raw), frozen.width, *frozen.grid)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(embedding / scale, expected / scale, atol=1e-4)
    np.testing.assert_allclose(grid.astype(np.float32) / scale, expected_grid.astype(np.float32) / scale, atol=2e-3)


def in_torch(network: Classifier, raw: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    with torch.inference_mode():
        embedding, grid = _Backbone(network)(torch.from_numpy(raw))
    return embedding.numpy(), grid.numpy()


def test_other_settings_of_a_log_have_other_names_for_their_features() -> None:
    raw = readings(20)
    names = set()
    for front, values in (("combined", raw), ("traces", raw), ("combined", raw * 2.0)):
        network = FrozenNetwork(input_name="readings", windowing=LOG, log_front=front)  # type: ignore[arg-type]
        network.fit(values)
        names.add(network.fingerprint)
    assert len(names) == 3


# -- files of torch -----------------------------------------------------------------------------------------------


def test_both_formats_of_torch_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    expected = torch.load(lite0_path(), map_location="cpu", weights_only=True)
    zipped = tmp_path / "zipped.pth"
    torch.save(expected, zipped)
    assert zipfile.is_zipfile(zipped)
    for path in (lite0_path(), zipped):
        found = read_state_dict(path)
        assert list(found) == list(expected)
        assert all(np.array_equal(found[name], expected[name].numpy()) for name in expected)


class _Command:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-the-file",)


@pytest.mark.parametrize("kind", ["legacy", "zip"])
def test_nothing_in_a_weights_file_is_executed(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pth"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("evil/data.pkl", pickle.dumps({"weight": _Command()}))
    else:
        parts = (0x1950A86A20F9469CFC6C, 1001, {}, {"weight": _Command()}, [])
        path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(HandlensError, match=r"evil\.pth cannot be read"):
        read_state_dict(path)
    assert not (tmp_path / "made-by-the-file").exists()


def test_a_damaged_weights_file_is_refused(tmp_path: Path) -> None:
    whole = lite0_path().read_bytes()
    for name, content in (("short", whole[: len(whole) // 2]), ("empty", b""), ("text", b"hello, world")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(HandlensError, match="cannot be read as a weights file"):
            read_state_dict(tmp_path / name)
