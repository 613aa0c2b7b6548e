"""The picture of what the network gets is what the front end inside of the model makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from tiny_model import SIZE, tiny_info

from ml.core.errors import HandlensError
from ml.core.types import Windowing
from ml.graphs.builder import GraphBuilder
from ml.graphs.frontends import mel_front_end
from ml.graphs.speech_embedding import SpeechEmbedding, read_filterbank
from ml.inference.network_input import network_band, network_input
from ml.media.images import load_squashed
from ml.media.mel import mel_size, network_picture, settings_for
from ml.media.speech_mel import FRAMES, RANGE_DB, STRIDE, speech_filterbank, speech_picture
from ml.runtime.session import open_session


@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 1.0), (16_000, 5.0), (44_100, 3.0), (8_000, 2.0)])
def test_the_spectrogram_is_that_of_the_network(rate: int, seconds: float) -> None:
    windowing = Windowing(rate=rate, seconds=seconds, step=seconds)
    times = np.arange(windowing.frames) / rate
    wave = np.random.default_rng(1).normal(0, 0.02, len(times)) + np.sin(2 * np.pi * (300 + 200 * times) * times)
    size = mel_size(windowing)
    graph = GraphBuilder("front")
    raw = graph.input("wave", (windowing.frames,))
    picture = mel_front_end(raw, settings_for(windowing), frames=windowing.frames, size=size)
    graph.output("picture", picture, (3, *size))
    wave = wave.astype(np.float32)
    (given,) = open_session(graph.to_bytes()).run(None, {"wave": wave[None]})
    shown = network_picture(wave, windowing)
    assert shown.shape == size
    assert np.abs(shown - (given[0, 0] + 1) / 2).max() < 0.004, "less than one of 255 grey levels"


def test_a_picture_has_the_pixels_that_the_network_gets(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.effect_noise((300, 100), 80).convert("RGB").save(path)
    shown = network_input(tiny_info(), path)
    assert shown.shape == (SIZE, SIZE, 3) and np.array_equal(shown, load_squashed(path, SIZE, None))


def test_a_recording_is_shown_from_where_its_window_begins(tmp_path: Path) -> None:
    windowing = Windowing(rate=8_000, seconds=1.0, step=1.0)
    wave = np.random.default_rng(0).normal(0, 0.001, 16_000)
    wave[8_000:] += np.sin(2 * np.pi * 3_000 * np.arange(8_000) / 8_000) * 0.5
    soundfile.write(tmp_path / "a.wav", wave, 8_000)
    info = replace(tiny_info(windowing=windowing))
    shown = network_input(info, tmp_path / "a.wav", 1.0)
    assert shown.shape == (*mel_size(windowing), 3)
    bright = shown[..., 0].mean(axis=1)
    assert int(bright.argmax()) < len(bright) / 3, "high notes are above"


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(HandlensError):
        network_input(tiny_info(), tmp_path / "missing.png")


def test_the_filters_of_the_speech_network_are_those_of_its_pretraining() -> None:
    assert np.abs(speech_filterbank() - read_filterbank()).max() < 1e-8


@pytest.mark.parametrize(("rate", "seconds"), [(16_000, 1.0), (8_000, 0.6), (44_100, 2.0)])
def test_the_spectrogram_is_that_of_the_speech_network(rate: int, seconds: float) -> None:
    windowing = Windowing(rate=rate, seconds=seconds, step=seconds)
    times = np.arange(windowing.frames) / rate
    wave = np.random.default_rng(1).normal(0, 0.02, len(times)) + np.sin(2 * np.pi * (300 + 200 * times) * times)
    wave = wave.astype(np.float32)
    graph = GraphBuilder("front")
    network = SpeechEmbedding(windowing)
    given = network._spectrogram(network.raw_input(graph, "wave"))
    graph.output("picture", given, (1, FRAMES + STRIDE * (network.grid[1] - 1), 32))
    (values,) = open_session(graph.to_bytes()).run(None, {"wave": wave[None]})
    decibel = 10.0 * (values[0, 0].T - 2.0)
    wanted = (decibel - decibel.max()) / RANGE_DB + 1.0
    shown = speech_picture(wave, windowing)
    assert shown.shape[0] == 32 and abs(shown.shape[1] - seconds / 0.01) <= 2
    added = (wanted.shape[1] - shown.shape[1]) // 2
    places = [
        np.abs(wanted[:, begin : begin + shown.shape[1]] - shown).max()
        for begin in range(max(0, added - 2), added + 3)
        if begin + shown.shape[1] <= wanted.shape[1]
    ]
    assert min(places) < 0.004


def test_a_run_with_the_speech_network_shows_its_spectrogram(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8_000), 8_000)
    info = replace(tiny_info(windowing=Windowing(rate=8_000, seconds=1.0, step=1.0)), backbone="speech_embedding")
    assert network_input(info, tmp_path / "a.wav").shape[0] == 32
    assert network_band(info) == (60.0, 3800.0, True)
