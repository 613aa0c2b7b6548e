"""Recordings of every odd make come out as mono sound at the rate asked for, cut where it was asked."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml.core.errors import UnreadableError
from ml.core.messages import english
from ml.core.types import Windowing
from ml.media.audio import (
    AUDIO_SUFFIXES,
    audio_facts,
    choose_windowing,
    load_waveform,
    load_window,
    load_windows,
    window_spans,
)


def tone(seconds: float, *, rate: int, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def chirp(seconds: float, *, rate: int) -> NDArray[np.float64]:
    """Rising from 200 to 3,000 Hz, so that every moment sounds different."""
    t = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * (200 * t + 1400 / seconds * t**2))


FORMATS = [
    ("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.wav", "PCM_32"), ("a.wav", "FLOAT"), ("a.wav", "PCM_U8"),
    ("a.flac", "PCM_24"), ("a.ogg", "VORBIS"), ("a.opus", "OPUS"), ("a.mp3", "MPEG_LAYER_III"), ("a.aiff", "PCM_16"),
    ("a.caf", "PCM_16"), ("a.w64", "PCM_16"), ("a.au", "PCM_16"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "subtype"), FORMATS)
def test_every_format_sounds_the_same(tmp_path: Path, name: str, subtype: str) -> None:
    path = tmp_path / name
    rate = 48000
    kind = {"opus": "OGG"}.get(path.suffix[1:])
    soundfile.write(path, np.stack([chirp(2, rate=rate)] * 2, axis=1), rate, subtype=subtype, format=kind)
    facts = audio_facts(path)
    assert (facts.rate, facts.channels) == (rate, 2)
    assert facts.duration == pytest.approx(2, abs=0.06)
    found = load_waveform(path, rate=16000)
    wanted = chirp(2, rate=16000)
    length = min(len(found), len(wanted)) - 1600
    assert found.dtype == np.float32
    likeness = np.corrcoef(found[1600:length], wanted[1600:length])[0, 1]
    assert likeness > 0.9


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "eight.wav"
    levels = np.linspace(-0.4, 0.8, 8)
    soundfile.write(path, np.tile(levels, (800, 1)), 8000, subtype="PCM_24")
    assert audio_facts(path).channels == 8
    assert load_waveform(path, rate=8000) == pytest.approx(np.full(800, levels.mean()), abs=1e-4)


def test_values_that_are_no_numbers_become_silence(tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    values = np.full(1000, 0.25)
    values[100:110] = np.nan
    values[200:210] = np.inf
    soundfile.write(path, values, 8000, subtype="FLOAT")
    found = load_waveform(path, rate=8000)
    assert np.isfinite(found).all()
    assert found[105] == 0
    assert found[205] == 0
    assert found[300] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44100, 32000), (8000, 8000), (48000, 32000), (22050, 16000), (96000, 32000)]
)
def test_a_piece_is_the_same_however_it_is_read(tmp_path: Path, rate: int, wanted: int) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, chirp(8, rate=rate), rate)
    whole = load_waveform(path, rate=wanted)
    assert len(whole) == pytest.approx(8 * wanted, abs=2)
    windowing = Windowing(rate=wanted, seconds=1.0, step=0.5)
    starts = [3.3, 0.0, 7.0, 6.123, 0.5]
    together = load_windows(path, windowing, starts)
    assert together.shape == (5, wanted)
    for row, start in enumerate(starts):
        expected = whole[round(start * wanted) :][:wanted]
        assert np.abs(together[row, : len(expected)] - expected).max() < 1e-3
        assert np.abs(load_window(path, windowing, start=start) - together[row]).max() < 1e-3
    piece = load_waveform(path, rate=wanted, start=2.0, seconds=1.5)
    assert np.abs(piece - whole[2 * wanted :][: len(piece)]).max() < 1e-3
    assert len(piece) == 1.5 * wanted


@pytest.mark.parametrize("name", ["lossy.mp3", "lossy.ogg"])
def test_windows_of_lossy_files_lie_where_they_should(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, chirp(6, rate=44100), 44100)
    whole = load_waveform(path, rate=16000)
    windowing = Windowing(rate=16000, seconds=1.0, step=1.0)
    for row, start in enumerate([1.0, 4.25]):
        window = load_windows(path, windowing, [1.0, 4.25])[row]
        assert np.abs(window - whole[round(start * 16000) :][:16000]).max() < 1e-3


def test_a_short_clip_is_padded_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "blip.wav"
    soundfile.write(path, np.full(800, 0.5), 8000)
    window = load_window(path, Windowing(rate=8000, seconds=1.0, step=1.0), start=0.0)
    assert window.shape == (8000,)
    assert window[:800] == pytest.approx(np.full(800, 0.5), abs=1e-3)
    assert not window[800:].any()


def test_behind_the_end_there_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "blip.wav"
    soundfile.write(path, np.full(800, 0.5), 8000)
    assert not load_window(path, Windowing(rate=4000, seconds=0.5, step=0.5), start=60.0).any()
    assert len(load_waveform(path, rate=8000, start=60.0, seconds=1.0)) == 0


def test_a_single_value_is_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "click.wav"
    soundfile.write(path, np.array([0.5]), 44100)
    assert audio_facts(path).duration > 0
    assert load_window(path, Windowing(rate=16000, seconds=0.5, step=0.5), start=0.0).shape == (8000,)


def test_the_sound_is_believed_not_the_header(tmp_path: Path) -> None:
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(2, rate=8000), 8000)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: 44 + 8000])  # half a second of 16-bit sound, under a header that says two
    assert audio_facts(cut).duration == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("empty.wav", b"", "empty"),
        ("letter.wav", b"Dear Anna, here are the recordings.", "not a recording"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, word: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert_unreadable(path, word)


def test_a_recording_without_sound_or_that_is_gone_says_so(tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(0), 8000)
    with pytest.raises(UnreadableError, match="holds no sound"):
        audio_facts(silent)
    assert_unreadable(tmp_path / "gone.flac", "no longer there")


def assert_unreadable(path: Path, word: str) -> None:
    for read in (audio_facts, lambda p: load_waveform(p, rate=8000)):
        with pytest.raises(UnreadableError) as caught:
            read(path)
        message = english(caught.value.message)
        assert word in message
        assert message.endswith(".")
        assert path.name not in message
        assert str(path.parent) not in message


@given(st.floats(0.001, 400), st.sampled_from([0.5, 1.0, 3.5, 5.0]), st.sampled_from([0.5, 1.0]))
def test_windows_leave_nothing_unheard(duration: float, seconds: float, share: float) -> None:
    spans = window_spans(duration, Windowing(rate=8000, seconds=seconds, step=seconds * share))
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(duration, abs=0.2 * seconds + 1e-5)
    assert len(spans) == 1 or spans[-1][1] == pytest.approx(duration, abs=1e-5)
    assert (len(spans) == 1) == (duration <= 1.2 * seconds)
    for (start, end), (following, _) in pairwise(spans):
        assert start < following <= end + 1e-5
        assert end - start == pytest.approx(seconds, abs=1e-5)


def test_nothing_has_no_windows() -> None:
    assert window_spans(0.0, Windowing(rate=8000, seconds=1.0, step=1.0)) == ()


@pytest.mark.parametrize(
    ("durations", "rates", "wanted"),
    [
        ([5.0] * 9 + [7.2], [44100] * 10, Windowing(rate=32000, seconds=5.0, step=5.0)),
        ([0.4] * 20, [8000] * 20, Windowing(rate=8000, seconds=0.5, step=0.5)),
        ([0.01], [48000], Windowing(rate=32000, seconds=0.5, step=0.5)),
        ([60.0, 180.0, 90.0], [22050, 22050, 44100], Windowing(rate=22050, seconds=5.0, step=2.5)),
        ([1.2] * 10, [16000] * 10, Windowing(rate=16000, seconds=1.5, step=1.5)),
    ],
)
def test_the_window_follows_from_the_recordings(durations: list[float], rates: list[int], wanted: Windowing) -> None:
    assert choose_windowing(durations, rates) == wanted


def test_suffixes_are_lower_case_with_a_dot() -> None:
    assert {".wav", ".flac", ".mp3", ".ogg", ".m4a"} <= AUDIO_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)
