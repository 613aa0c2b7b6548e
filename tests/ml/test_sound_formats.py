"""Recordings in any container, under any name and with any header are heard whole; damage is said."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import correlate

from ml.core.errors import UnreadableError
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.types import Windowing
from ml.media import ffmpeg
from ml.media.audio import audio_facts, load_waveform, load_windows, stream_waveform
from ml.media.ffmpeg import NEEDS_FFMPEG, find_ffmpeg
from ml.project.scan.checks import findings
from ml.project.scan.scan import scan

RATE = 16000
CONTAINERS = {
    "m4a": ["-c:a", "aac"], "aac": ["-c:a", "aac", "-f", "adts"], "wma": ["-c:a", "wmav2"], "ac3": ["-c:a", "ac3"],
    "webm": ["-c:a", "libopus"], "amr": ["-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k", "-ac", "1"],
    "caf": ["-c:a", "alac"], "wv": ["-c:a", "wavpack"], "tta": ["-c:a", "tta"], "mka": ["-c:a", "libvorbis"],
    "mov": ["-c:a", "pcm_s24le"], "wav": ["-c:a", "adpcm_ms"],
}  # fmt: skip


def needed_ffmpeg() -> str:
    program = find_ffmpeg()
    if program is None:
        pytest.skip("FFmpeg is not installed (pip install handlens[media])")
    return str(program)


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("ml.media.sound_source.find_ffmpeg", lambda: None)
    monkeypatch.setattr(ffmpeg, "find_ffmpeg", lambda: None)
    yield


def chirp(seconds: float) -> NDArray[np.float64]:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(0.5 * np.sin(2 * np.pi * (200 * t + 1000 / seconds * t**2)))


def encoded(target: Path, options: list[str], wave: NDArray[np.float64], *, more: list[str] | None = None) -> Path:
    source = target.parent / "source.wav"
    soundfile.write(source, wave, RATE)
    command = [needed_ffmpeg(), "-v", "error", "-nostdin", "-y", *(more or []), "-i", str(source), *options]
    done = subprocess.run([*command, str(target)], capture_output=True, text=True, check=False)
    if "Unknown encoder" in done.stderr:
        pytest.skip(f"this FFmpeg cannot write {target.suffix}")
    assert done.returncode == 0, done.stderr
    source.unlink()
    return target


def likeness(found: NDArray[np.float32], wanted: NDArray[np.float64]) -> float:
    """The best correlation over all shifts, as encoders put a few hundredths of a second in front."""
    scale = float(np.linalg.norm(found) * np.linalg.norm(wanted))
    return float(correlate(found, wanted, mode="full", method="fft").max()) / scale


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_every_container_sounds_right_under_its_name_and_another(tmp_path: Path, suffix: str) -> None:
    wave = chirp(2)
    path = encoded(tmp_path / f"a.{suffix}", CONTAINERS[suffix], wave)
    facts = audio_facts(path)
    assert facts.duration == pytest.approx(2, abs=0.15)
    assert not facts.cut
    assert likeness(load_waveform(path, rate=RATE), wave) > 0.9
    other = path.rename(tmp_path / "a.mp3")
    assert audio_facts(other) == facts


def test_a_video_is_heard_and_a_silent_one_says_so(tmp_path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=2"]
    video = encoded(tmp_path / "a.mp4", ["-c:v", "mpeg4", "-c:a", "aac"], chirp(2), more=picture)
    assert likeness(load_waveform(video, rate=RATE), chirp(2)) > 0.9
    silent = encoded(tmp_path / "b.mp4", ["-map", "0:v", "-c:v", "mpeg4"], chirp(2), more=picture)
    with pytest.raises(UnreadableError, match="no sound"):
        audio_facts(silent)


def test_pieces_of_a_video_lie_where_they_do_in_the_whole(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.m4a", CONTAINERS["m4a"], chirp(6))
    whole = load_waveform(path, rate=8000)
    assert np.concatenate(list(stream_waveform(path, rate=8000))) == pytest.approx(whole, abs=1e-4)
    found = load_windows(path, Windowing(rate=8000, seconds=1.0, step=1.0), [4.0, 0.5])
    assert found[0] == pytest.approx(whole[32000:40000], abs=1e-3)
    assert found[1] == pytest.approx(whole[4000:12000], abs=1e-3)


@pytest.mark.parametrize("suffix", ["m4a", "webm"])
def test_late_pieces_are_found_without_decoding_what_is_before(tmp_path: Path, suffix: str) -> None:
    path = encoded(tmp_path / f"a.{suffix}", CONTAINERS[suffix], chirp(60))
    whole = load_waveform(path, rate=8000)
    found = load_windows(path, Windowing(rate=8000, seconds=1.0, step=1.0), [55.5, 30.0])
    for start, window in zip((55.5, 30.0), found, strict=True):
        expected = whole[round(start * 8000) :][:8000].astype(np.float64)
        assert likeness(window, expected) > 0.99
        shift = int(correlate(window, expected, mode="full").argmax()) - (len(expected) - 1)
        assert abs(shift) <= 8, "within a thousandth of a second"


def test_a_cut_video_is_used_up_to_the_cut(tmp_path: Path) -> None:
    path = encoded(tmp_path / "a.m4a", ["-c:a", "aac", "-movflags", "+faststart"], chirp(10))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    facts = audio_facts(path)
    assert facts.cut
    assert 4 < facts.duration < 7


def test_a_playlist_leads_nowhere(tmp_path: Path) -> None:
    needed_ffmpeg()
    soundfile.write(tmp_path / "secret.wav", chirp(1), RATE)
    for name, text in (
        ("a.m4a", "#EXTM3U\n#EXTINF:1,\nsecret.wav\n#EXT-X-ENDLIST\n"),
        ("b.m4a", f"ffconcat version 1.0\nfile {tmp_path / 'secret.wav'}\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(UnreadableError):
            audio_facts(tmp_path / name)
        with pytest.raises(UnreadableError):
            ffmpeg.FFmpegSound(tmp_path / name)


def test_without_ffmpeg_one_sentence_names_it(tmp_path: Path, without_ffmpeg: None) -> None:
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
    with pytest.raises(UnreadableError) as caught:
        audio_facts(path)
    assert caught.value.message == NEEDS_FFMPEG
    assert "FFmpeg" in english(caught.value.message)


def wave_file(*chunks: tuple[bytes, int | None, bytes], size: int | None = None) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data) if n is None else n) + data for name, n, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4 if size is None else size) + b"WAVE" + body


def test_wave_files_with_broken_headers_are_read_by_what_follows(tmp_path: Path, without_ffmpeg: None) -> None:
    sound = (np.sin(np.arange(3 * RATE) / 10) * 10000).astype("<i2").tobytes()
    form = (b"fmt ", None, struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    files = {
        "sizes of nothing": wave_file(form, (b"data", 0, sound), size=0),
        "sizes of a stream": wave_file(form, (b"data", 0xFFFFFFFF, sound), size=0xFFFFFFFF),
        "odd chunk": wave_file(form, (b"LIST", None, b"INFOabc"), (b"data", None, sound)),
        "chunks of others": wave_file(
            (b"iXML", None, b"12345678"), (b"\1\2\xff!", None, b"12345"), form, (b"data", None, sound)
        ),
        "chunk without end": wave_file(form, (b"junk", 0xFFFFFFFF, b""), (b"data", None, sound)),
    }
    wanted = np.frombuffer(sound, "<i2") / 32768
    for name, content in files.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(content)
        assert audio_facts(path).duration == pytest.approx(3.0), name
        assert load_waveform(path, rate=RATE) == pytest.approx(wanted, abs=1e-4), name


def test_flac_headers_are_not_believed(case: Callable[[str], Path]) -> None:
    needed_ffmpeg()
    folder = case("14") / "long"
    for path in sorted(folder.iterdir()):
        facts = audio_facts(path)
        assert facts.cut == (path.name == "d_cut.flac")
        assert facts.duration == pytest.approx(16 if facts.cut else 20, abs=0.1)
        loud = np.abs(load_waveform(path, rate=8000, start=11.5, seconds=1.0)) > 0.15
        assert np.flatnonzero(loud)[0] / 8000 == pytest.approx(0.5, abs=0.01), path.name


def test_a_cut_recording_is_said(case: Callable[[str], Path]) -> None:
    needed_ffmpeg()
    folder = case("14") / "long"
    *_, last = scan(ScanJob(folder=folder, kind="recordings", unlabelled=True), NeverStop())
    assert isinstance(last, Scanned)
    said = {finding.paths: english(finding.sentence) for finding in findings(last.report)}
    assert "damaged or cut off" in said[("d_cut.flac",)]


def test_mp3_of_varying_bitrate_is_heard_to_its_end(case: Callable[[str], Path]) -> None:
    needed_ffmpeg()
    folder = case("17") / "long"
    for path in sorted(folder.iterdir()):
        assert audio_facts(path).duration == pytest.approx(120, abs=0.1), path.name
    path = folder / "b_noxing.mp3"
    heard = np.flatnonzero(np.abs(load_waveform(path, rate=8000)) > 0.15) / 8000
    assert (heard[0], heard[-1]) == (pytest.approx(80, abs=0.1), pytest.approx(100, abs=0.1))
    window = load_waveform(path, rate=8000, start=79.0, seconds=2.0)
    assert np.flatnonzero(np.abs(window) > 0.15)[0] / 8000 == pytest.approx(1.0, abs=0.1)


def test_channels_that_cancel_are_not_mixed(case: Callable[[str], Path]) -> None:
    folder = case("13")
    for cls in ("knock", "whine"):
        for name in ("r00.wav", "r01.wav"):
            anti, left = folder / "anti" / cls / name, folder / "left" / cls / name
            wanted = load_waveform(left, rate=RATE)
            assert load_waveform(anti, rate=RATE) == pytest.approx(wanted, abs=1e-4)
            piece = load_waveform(anti, rate=RATE, start=0.7, seconds=0.5)
            assert piece == pytest.approx(wanted[11200:19200], abs=1e-4)
            assert audio_facts(anti).cancels
            assert not audio_facts(folder / "half" / cls / name).cancels
    *_, last = scan(ScanJob(folder=folder / "anti", kind="recordings"), NeverStop())
    assert isinstance(last, Scanned)
    said = [finding for finding in findings(last.report) if "cancel" in english(finding.sentence)]
    assert [len(finding.paths) for finding in said] == [40]
