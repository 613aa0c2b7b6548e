"""Recordings above the range of the pretrained networks: heard slower, with the times of the recordings."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from ultrasound import RATE, bat_folder

from ml.core.events import Finished, Scanned
from ml.core.jobs import NeverStop, ScanJob, TrainJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import LabelSpan, Windowing
from ml.graphs.ears import make_ear
from ml.media.audio import audio_facts
from ml.media.mel import settings_for
from ml.media.windowing import choose_time_expansion, choose_windowing
from ml.pipeline.dispatch import run
from ml.project.labelfiles.windows import suited_to
from ml.project.project import Project
from ml.project.scan.checks import findings
from ml.project.scan.scan import scan
from ml.project.scan.slower import with_time_expansion
from ml.runtime.folder import FilePrediction, predict_files
from ml.runtime.model import ReleasedModel
from tests.ml.terminal import Handlens

SLOWER = Windowing(rate=256_000, seconds=0.5, step=0.25, time_expansion=8)


def scanned(folder: Path) -> ScanReport:
    last = list(scan(ScanJob(folder=folder, kind="recordings"), NeverStop()))[-1]
    assert isinstance(last, Scanned)
    return last.report


def test_bats_are_heard_slower_and_keep_their_times(handlens: Handlens, tmp_path: Path) -> None:
    bat_folder(tmp_path / "bats")
    out = handlens("new", tmp_path / "p", "--from", tmp_path / "bats").out
    assert "The recordings are heard 8 times slower (time expansion)" in out
    assert "The option for this: --time-expansion." in out
    with Project.open(tmp_path / "p") as project:
        assert project.windowing == dataclasses.replace(SLOWER, step=0.5)
        assert {(sample.start, sample.end) for sample in project.samples()} == {(0.0, 0.5)}


def test_a_model_of_bats_tells_them_apart_and_hears_them_as_in_the_project(handlens: Handlens, tmp_path: Path) -> None:
    bat_folder(tmp_path / "bats")
    assert handlens("new", tmp_path / "p", "--from", tmp_path / "bats").code == 0
    events = list(run(TrainJob(project=tmp_path / "p", preset="quick", ear="speech"), NeverStop()))
    assert isinstance(events[-1], Finished)
    model = ReleasedModel.open(tmp_path / "p" / "runs" / "0001" / "model.onnx")
    assert model.info.windowing is not None and model.info.windowing.time_expansion == 8
    new = bat_folder(tmp_path / "new", each=2)
    for answer in predict_files(model, sorted(new.rglob("*.wav"))):
        assert isinstance(answer, FilePrediction)
        assert model.info.classes[answer.best] == answer.path.parent.name
        assert [(window.start, window.end) for window in answer.windows] == [(0.0, 0.5)]


def test_the_user_can_switch_it_off_or_choose_another_factor(handlens: Handlens, tmp_path: Path) -> None:
    bat_folder(tmp_path / "bats", each=3)
    lines = handlens("new", tmp_path / "off", "--from", tmp_path / "bats", "--time-expansion", "1", "--json").out
    made = json.loads(lines.splitlines()[-1])
    assert made["windowing"] == {"rate": 32_000, "seconds": 0.5, "step": 0.5}
    assert "sounds up to 128 kHz" in " ".join(made["findings"])
    lines = handlens("new", tmp_path / "ten", "--from", tmp_path / "bats", "--time-expansion", "10", "--json").out
    assert json.loads(lines.splitlines()[-1])["windowing"]["time_expansion"] == 10
    refused = handlens("new", tmp_path / "ten", "--from", tmp_path / "bats", "--time-expansion", "8")
    assert "Choose another project name for another --time-expansion." in refused.err
    wrong = handlens("new", tmp_path / "x", "--from", tmp_path / "bats", "--time-expansion", "0")
    assert "“0” is no whole number from 1 to 100." in wrong.err


def test_new_files_of_a_project_are_heard_as_the_others_are(handlens: Handlens, tmp_path: Path) -> None:
    folder = bat_folder(tmp_path / "bats", each=3)
    assert handlens("new", tmp_path / "p", "--from", folder).code == 0
    soundfile.write(folder / "noctule" / "quiet.wav", np.zeros(RATE // 2), RATE)
    assert "1 new file" in handlens("new", tmp_path / "p", "--from", folder).out
    with Project.open(tmp_path / "p") as project:
        assert project.windowing is not None and project.windowing.time_expansion == 8


def test_birds_in_the_same_format_are_heard_as_recorded(tmp_path: Path) -> None:
    report = scanned(bat_folder(tmp_path / "birds", each=3, pitches={"low": 3e3, "high": 9e3}))
    assert report.windowing is not None
    assert (report.windowing.rate, report.windowing.time_expansion) == (32_000, 1)


@pytest.mark.parametrize(
    ("sound", "above"),
    [
        ("noise", None),
        ("silence", None),
        ("a call and wind", True),
        ("a steady hiss", True),
        ("a click and hum", False),
    ],
)
def test_noise_and_wind_do_not_decide_where_the_sound_lies(tmp_path: Path, sound: str, above: bool | None) -> None:
    rng, t = np.random.default_rng(3), np.arange(RATE) / RATE
    wave = rng.normal(0, 0.003, RATE)
    match sound:
        case "silence":
            wave[:] = 0.0
        case "a call and wind":
            wave += 0.3 * np.sin(2 * np.pi * 120 * t) * (t > 0.4)
            wave[100_000:102_000] += 0.1 * np.hanning(2000) * np.sin(2 * np.pi * 40e3 * t[:2000])
        case "a steady hiss":
            wave += 0.05 * np.sin(2 * np.pi * 31e3 * t)
        case "a click and hum":
            wave += 0.2 * np.sin(2 * np.pi * 60e3 * t)
            wave[100_000:103_000] += 0.3 * np.hanning(3000) * np.sin(2 * np.pi * 4e3 * t[:3000])
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    share = audio_facts(tmp_path / "a.wav").share_above
    assert share is None if above is None else share is not None and (share > 0.5) == above


def test_a_few_recordings_of_bats_among_others_are_enough_and_a_stray_one_is_not() -> None:
    assert choose_time_expansion([384_000] * 8, [0.9, 0.8, 0.1, None, 0.1, 0.0, 0.2, None]) == 12
    assert choose_time_expansion([96_000] * 8, [0.9, *[0.1] * 7]) == 1
    assert choose_time_expansion([44_100] * 6 + [256_000] * 2, [None] * 6 + [0.9] * 2) == 2
    assert choose_time_expansion([16_000] * 4, [None] * 4) == 1


def test_windows_follow_what_is_heard() -> None:
    slow = choose_windowing([4.0] * 10, [250_000] * 10, time_expansion=8)
    assert slow == Windowing(rate=250_000, seconds=0.625, step=0.3125, time_expansion=8)
    assert slow.as_heard == Windowing(rate=31_250, seconds=5.0, step=2.5)
    assert choose_windowing([4.0], [192_000], time_expansion=7).rate % 7 == 0
    shorter = suited_to(slow, [LabelSpan("a", 1.0, 1.2)] * 9)
    assert shorter == Windowing(rate=250_000, seconds=0.25, step=0.125, time_expansion=8)


def test_networks_hear_a_slowed_recording_as_one_that_was_slowed_before() -> None:
    saved_slower = Windowing(rate=32_000, seconds=4.0, step=2.0)
    for name in ("picture", "speech", "both"):
        assert make_ear(name, SLOWER).feature_graph() == make_ear(name, saved_slower).feature_graph()
    assert settings_for(SLOWER).rate == 32_000 and settings_for(SLOWER).time_expansion == 8


def test_the_choice_of_a_person_can_be_changed_without_a_new_look(tmp_path: Path) -> None:
    report = scanned(bat_folder(tmp_path / "bats", each=3))
    off = with_time_expansion(report, 1)
    assert off.windowing == Windowing(rate=32_000, seconds=0.5, step=0.5)
    assert [finding.severity for finding in findings(off) if "128 kHz" in english(finding.sentence)] == ["warn"]
    assert with_time_expansion(off, 8) == report
