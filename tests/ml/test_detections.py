"""Detections in long recordings: streamed, bounded by hysteresis, and written for other programs."""

from __future__ import annotations

import csv
import re
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from tiny_model import WINDOWING, tiny_info, write_loudness_model

from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.core.types import Windowing
from ml.inference.detections import Detection, DetectionOptions, Detector, FileEnd, detect_files
from ml.inference.recorded_at import recorded_at, time_in_name
from ml.inference.review import estimate_precision, propose_threshold, review_by_class, review_sample
from ml.media.audio import load_waveform, load_windows, stream_waveform, stream_windows
from ml.media.windowing import window_spans
from ml.project.labelfiles.read import read_labels
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import UnreadableInput
from ml.runtime.model import Outputs, ReleasedModel
from tests.ml.terminal import Handlens

RATE = round(WINDOWING.rate)
ENDS = 0.35
"""Seconds by which the ends of a detection may be off: a third of a window, see `_TRUST`."""


def hum(seconds: float, *bursts: tuple[float, float], rate: int = RATE, seed: int = 0) -> NDArray[np.float64]:
    """Faint noise with loud tones from when to when, in seconds."""
    sound = np.random.default_rng(seed).normal(0, 0.004, round(seconds * rate))
    for start, end in bursts:
        span = slice(round(start * rate), round(end * rate))
        sound[span] += 0.6 * np.sin(np.arange(sound[span].size) * 0.7)
    return sound


def write(path: Path, *bursts: tuple[float, float], seconds: float = 60.0) -> Path:
    soundfile.write(path, hum(seconds, *bursts), RATE)
    return path


def spans_of(found: list[Detection | FileEnd | UnreadableInput], label: str = "loud") -> list[tuple[float, float]]:
    return [(each.start, each.end) for each in found if isinstance(each, Detection) and each.label == label]


@pytest.fixture
def model(tmp_path: Path) -> ReleasedModel:
    """Finds what is loud; “quiet” is its background."""
    path = write_loudness_model(tmp_path / "model.onnx", classes=("loud", "Background"), exact_maps=True)
    return ReleasedModel.open(path)


# -- streaming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "w64"])
def test_blocks_together_are_the_recording(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    rng = np.random.default_rng(1)
    sound = np.cumsum(rng.normal(0, 1, (44_100 * 26, 2)), axis=0)
    with soundfile.SoundFile(path, "w", 44_100, 2) as sink:
        for second in np.split(sound / np.abs(sound).max(), 26):  # libsndfile crashes on much Vorbis at once
            sink.write(second)
    for rate in (32_000, 44_100):
        blocks = list(stream_waveform(path, rate=rate))
        whole = load_waveform(path, rate=rate)
        assert len(blocks) > 2
        # A click where blocks meet would be as large as the sound.
        np.testing.assert_allclose(np.concatenate(blocks)[: len(whole)], whole, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.3, 7.5, 61.234])
def test_windows_are_those_of_a_recording_read_at_once(tmp_path: Path, seconds: float) -> None:
    path = write(tmp_path / "a.wav", seconds=seconds)
    windowing = Windowing(rate=6_000, seconds=1.0, step=0.5)
    parts = list(stream_windows(path, windowing, batch=8))
    spans = [span for part, _ in parts for span in part]
    windows = np.concatenate([values for _, values in parts])
    assert max(len(values) for _, values in parts) <= 8
    assert spans[0][0] == 0.0 and spans[-1][1] == pytest.approx(seconds)
    if seconds > 1.2:
        np.testing.assert_allclose(spans, window_spans(seconds, windowing), atol=1e-6)
    np.testing.assert_allclose(windows, load_windows(path, windowing, [start for start, _ in spans]), atol=1e-5)


# -- detections --------------------------------------------------------------------------------------------------------


def test_a_sound_is_found_where_it_is(model: ReleasedModel, tmp_path: Path) -> None:
    planted = [(0.0, 1.4), (10.3, 12.9), (30.8, 32.0), (58.2, 60.0)]
    found = list(detect_files(model, [write(tmp_path / "a.wav", *planted)]))
    np.testing.assert_allclose(spans_of(found), planted, atol=ENDS)
    assert found[-1] == FileEnd(path=tmp_path / "a.wav", seconds=60.0, detections=4)
    assert all(isinstance(each, Detection) and 0.7 <= each.score <= 1.0 for each in found[:-1])


def test_the_score_is_the_probability_of_the_window_that_fits_best(model: ReleasedModel, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", (10.3, 11.1), (30.5, 31.5))
    found = [each for each in detect_files(model, [path]) if isinstance(each, Detection)]
    assert model.info.windowing is not None and len(found) == 2
    windowing = replace(model.info.windowing, step=model.info.windowing.seconds / 2)
    for each in found:
        surest = 0.0
        for spans, windows in stream_windows(path, windowing, batch=8):
            for (start, end), row in zip(spans, model.predict(windows).probabilities, strict=True):
                if end > each.start and start < each.end:
                    surest = max(surest, float(row[0]))
        assert each.score == pytest.approx(surest, abs=1e-4)


@pytest.mark.parametrize(("hop", "exact_to"), [(0.2, ENDS), (0.35, ENDS), (1.0, 0.75)])
def test_a_sound_is_found_with_any_hop(model: ReleasedModel, tmp_path: Path, hop: float, exact_to: float) -> None:
    planted = [(3.4, 5.0), (20.1, 23.3)]
    found = list(detect_files(model, [write(tmp_path / "a.wav", *planted)], DetectionOptions(hop=hop)))
    np.testing.assert_allclose(spans_of(found), planted, atol=exact_to)


def test_gaps_are_bridged_and_short_ones_left_out(model: ReleasedModel, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", (10.0, 12.0), (13.0, 15.0), (30.0, 30.8))
    apart = spans_of(list(detect_files(model, [path], DetectionOptions(gap=0.3, shortest=0.2))))
    joined = spans_of(list(detect_files(model, [path], DetectionOptions(gap=1.5, shortest=0.2))))
    long = spans_of(list(detect_files(model, [path], DetectionOptions(gap=1.5, shortest=2.0))))
    assert [round(start) for start, _ in apart] == [10, 13, 30]
    np.testing.assert_allclose(joined, [(10.0, 15.0), (30.0, 30.8)], atol=ENDS)
    np.testing.assert_allclose(long, [(10.0, 15.0)], atol=ENDS)


def test_background_is_reported_only_on_request(model: ReleasedModel, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", (10.0, 12.0))
    assert spans_of(list(detect_files(model, [path])), "Background") == []
    every = list(detect_files(model, [path], DetectionOptions(background=True)))
    np.testing.assert_allclose(spans_of(every, "Background"), [(0.0, 10.0), (12.0, 60.0)], atol=ENDS)
    starts = [each.start for each in every if isinstance(each, Detection)]
    assert starts == sorted(starts)


def test_a_damaged_file_costs_the_others_nothing(model: ReleasedModel, tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"no sound")
    good = [write(tmp_path / name, (10.0, 12.0)) for name in ("a.wav", "c.wav")]
    found = list(detect_files(model, [good[0], tmp_path / "b.wav", good[1]]))
    assert [type(each) for each in found] == [Detection, FileEnd, UnreadableInput, Detection, FileEnd]


def test_an_unknown_class_is_named(model: ReleasedModel, tmp_path: Path) -> None:
    with pytest.raises(HandlensError) as error:
        next(detect_files(model, [tmp_path / "a.wav"], DetectionOptions(thresholds={"laud": 0.5})))
    assert "laud" in english(error.value.message)


def said(info: ModelInfo, probabilities: list[list[float]]) -> Outputs:
    """Outputs whose maps tell nothing."""
    rows = np.array(probabilities, dtype=np.float32)
    maps = np.zeros((len(rows), len(info.classes), *info.map_size), dtype=np.float32)
    return Outputs(probabilities=rows, maps=maps, embedding=rows, unlike=np.zeros(len(rows), dtype=np.float32))


def test_a_detection_goes_on_until_the_lower_threshold(tmp_path: Path) -> None:
    info = tiny_info(classes=("owl", "wind"), windowing=WINDOWING)
    options = DetectionOptions(threshold=0.9, lower=0.4)
    detector = Detector(info, options.limits(info), tmp_path / "a.wav", hop=1.0)
    chances = [0.1, 0.5, 0.95, 0.5, 0.1, 0.6, 0.6, 0.1]
    windows = [(float(at), at + 1.0) for at in range(len(chances))]
    found = [*detector.add(windows, said(info, [[each, 1 - each] for each in chances])), *detector.close()]
    owls = [each for each in found if each.label == "owl"]
    assert [(each.start, each.end) for each in owls] == [(1.0, 4.0)]
    assert owls[0].score == pytest.approx(0.95, abs=1e-4)


def test_classes_that_overlap_are_found_together(tmp_path: Path) -> None:
    info = replace(tiny_info(classes=("owl", "rain"), windowing=WINDOWING), task_name="multi", present_above=(0.5, 0.8))
    detector = Detector(info, DetectionOptions(gap=0.0).limits(info), tmp_path / "a.wav", hop=1.0)
    rows = [[0.1, 0.1], [0.6, 0.9], [0.6, 0.9], [0.1, 0.9], [0.1, 0.7], [0.1, 0.1], [0.1, 0.7], [0.1, 0.1]]
    windows = [(float(at), at + 1.0) for at in range(len(rows))]
    found = [*detector.add(windows, said(info, rows)), *detector.close()]
    assert [(each.label, each.start, each.end) for each in found] == [("owl", 1.0, 3.0), ("rain", 1.0, 5.0)]
    assert found[0].score == pytest.approx(0.6) and found[1].score == pytest.approx(0.9)


def test_a_pause_in_a_log_ends_a_detection(tmp_path: Path) -> None:
    info = tiny_info(classes=("shaking", "still"), windowing=WINDOWING)
    detector = Detector(info, DetectionOptions().limits(info), tmp_path / "a.csv", hop=1.0)
    windows = [(0.0, 1.0), (1.0, 2.0), (500.25, 501.25), (501.25, 502.25)]
    found = [*detector.add(windows, said(info, [[0.95, 0.05]] * 4)), *detector.close()]
    np.testing.assert_allclose([(each.start, each.end) for each in found], [(0, 2), (500.25, 502.25)], atol=0.13)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard(model: ReleasedModel, tmp_path: Path) -> tuple[Path, Path]:
    """A model file, and a recording that names its time."""
    return tmp_path / "model.onnx", write(tmp_path / "SITE_20240131_235930.wav", (20.0, 22.0), (40.0, 43.0))


def test_detections_as_sentences_and_json(handlens: Handlens, heard: tuple[Path, Path]) -> None:
    done = handlens("predict", *heard, "--detections")
    assert done.code == 0
    first, second, last = done.out.splitlines()
    shape = re.compile(r"0:00:(\d\d\.\d) to 0:00:(\d\d\.\d) loud \(\d\d %\)")
    times = [float(number) for line in (first, second) for number in shape.fullmatch(line).groups()]  # type: ignore[union-attr]
    np.testing.assert_allclose(times, [20, 22, 40, 43], atol=ENDS)
    assert last == "2 detections in 60 s: 2 × loud."
    lines = handlens("predict", *heard, "--detections", "--json").lines
    assert [set(line) for line in lines] == [{"path", "start", "end", "label", "score"}] * 2
    assert lines[0]["path"] == str(heard[1])
    assert handlens("predict", *heard, "--detections", "--threshold", "loud=1", "--json").lines == []
    assert handlens("predict", *heard, "--detections", "--threshold", "7").code == 2


def test_tables_for_other_programs(handlens: Handlens, heard: tuple[Path, Path], tmp_path: Path) -> None:
    model, recording = heard
    files = {name: tmp_path / f"{name}.txt" for name in ("csv", "audacity", "raven", "birdnet", "counts")}
    options = [part for name, path in files.items() for part in (f"--{name}", path)]
    assert handlens("predict", model, recording, *options).code == 0
    rows = {
        name: list(csv.DictReader(files[name].read_text("utf-8-sig").splitlines()))
        for name in ("csv", "birdnet", "counts")
    }
    assert [float(row["start"]) for row in rows["csv"]] == pytest.approx([20, 40], abs=ENDS)
    assert [row["Common name"] for row in rows["birdnet"]] == ["loud", "loud"]
    assert [(row["day"], row["hour"], row["minutes"], row["detections"]) for row in rows["counts"]] == [
        ("2024-01-31", "23:00", "0.5", "1"),
        ("2024-02-01", "00:00", "0.5", "1"),
    ]
    track = files["audacity"].rename(tmp_path / f"{recording.stem}.txt")
    for table in (track, files["raven"], files["csv"]):
        labels = read_labels([table], tmp_path, [recording.name], timed=True)
        spans = labels.by_path[recording.name].spans
        assert [span.class_name for span in spans] == ["loud", "loud"]
        np.testing.assert_allclose([span[1:] for span in spans], [(20, 22), (40, 43)], atol=ENDS)


def test_raven_counts_on_through_several_recordings(handlens: Handlens, heard: tuple[Path, Path]) -> None:
    model, recording = heard
    other = write(recording.with_name("b.wav"), (5.0, 7.0))
    table, tracks = recording.with_name("raven.txt"), recording.with_name("tracks")
    assert handlens("predict", model, recording, other, "--raven", table, "--audacity", tracks).code == 0
    rows = list(csv.DictReader(table.read_text().splitlines(), delimiter="\t"))
    assert float(rows[-1]["Begin Time (s)"]) == pytest.approx(65, abs=ENDS)
    assert float(rows[-1]["File Offset (s)"]) == pytest.approx(5, abs=ENDS)
    assert sorted(path.name for path in tracks.iterdir()) == [f"{recording.stem}.txt", "b.txt"]


def test_clips_are_cut_with_a_margin_and_never_overwritten(
    handlens: Handlens, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    for _ in range(2):
        assert handlens("predict", *heard, "--clips", clips, "--margin", "0.5").code == 0
    written = sorted(clips.glob("loud/*.wav"))
    assert len(written) == 4
    lengths = sorted(soundfile.info(path).duration for path in written)
    assert lengths == pytest.approx([3, 3, 4, 4], abs=2 * ENDS)


def test_hours_count_from_the_beginning_if_nothing_tells_the_time(
    handlens: Handlens, heard: tuple[Path, Path], tmp_path: Path
) -> None:
    done = handlens("predict", heard[0], heard[1].rename(tmp_path / "a.wav"), "--counts", tmp_path / "c.csv")
    assert "does not tell when it was made" in done.out
    (row,) = csv.DictReader((tmp_path / "c.csv").read_text("utf-8-sig").splitlines())
    assert (row["file"], row["day"], row["hour"], row["detections"]) == (str(tmp_path / "a.wav"), "", "00:00", "2")


# -- when it was recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("20240131_053000.WAV", datetime(2024, 1, 31, 5, 30)),
        ("20240131_053000T.WAV", datetime(2024, 1, 31, 5, 30)),
        ("S4A03895_20190522_004500.wav", datetime(2019, 5, 22, 0, 45)),
        ("SM4-1_0+1_20190522_004500.wav", datetime(2019, 5, 22, 0, 45)),
        ("site 2024-01-31_05-30-09.flac", datetime(2024, 1, 31, 5, 30, 9)),
        ("20240131T053000Z.flac", datetime(2024, 1, 31, 5, 30, tzinfo=UTC)),
        ("x_20240131T053000+0930.wav", datetime(2024, 1, 31, 5, 30, tzinfo=timezone(timedelta(hours=9.5)))),
        ("5BEF6B80.WAV", datetime(2018, 11, 17, 1, 14, 40, tzinfo=UTC)),
        ("20241331_053000.wav", None),
        ("dawn.wav", None),
        ("12345678.wav", None),
    ],
)
def test_the_time_in_a_name(name: str, time: datetime | None) -> None:
    assert time_in_name(name) == time


def test_guano_goes_before_the_name(tmp_path: Path) -> None:
    path = write(tmp_path / "20240131_053000.wav", seconds=1.0)
    content = path.read_bytes()
    guano = b"GUANO|Version: 1.0\nTimestamp: 2023-07-01T22:15:00+02:00\nNote: a bat"
    guano += b" " * (len(guano) % 2)
    path.write_bytes(content + struct.pack("<4sI", b"guan", len(guano)) + guano)
    assert recorded_at(path) == datetime(2023, 7, 1, 22, 15, tzinfo=timezone(timedelta(hours=2)))
    path.write_bytes(content[:30])
    assert recorded_at(path) == datetime(2024, 1, 31, 5, 30)


# -- review ------------------------------------------------------------------------------------------------------------


def reviewed(seed: int, *, count: int = 120) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[int, bool]]:
    """Scores of 3,000 detections that are too sure, whether they are right, and answers about a sample."""
    rng = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-rng.normal(1.5, 1.5, 3_000)))
    right = rng.random(3_000) < scores**2
    return scores, right, {place: bool(right[place]) for place in review_sample(scores, count=count, seed=seed)}


def test_the_sample_reaches_rare_scores() -> None:
    scores = [0.95] * 990 + [0.72] * 10
    chosen = review_sample(scores, count=20)
    assert len(set(chosen)) == 20
    assert sum(scores[place] < 0.8 for place in chosen) == 10
    assert len(review_sample(scores[-3:], count=20)) == 3


def test_precision_lies_in_its_interval() -> None:
    inside, errors = [], []
    for seed in range(60):
        scores, right, answers = reviewed(seed)
        for threshold in (0.5, 0.8):
            truth = right[scores >= threshold].mean()
            estimate = estimate_precision(scores, answers, threshold=threshold)
            inside.append(estimate.interval[0] <= truth <= estimate.interval[1])
            errors.append(estimate.precision - truth)
    assert np.mean(inside) >= 0.9
    assert abs(np.mean(errors)) < 0.01


def test_the_proposed_threshold_keeps_what_it_promises() -> None:
    precisions = []
    for seed in range(8):
        scores, right, answers = reviewed(seed, count=200)
        proposal = propose_threshold(scores, answers, target=0.9)
        assert proposal is not None
        precisions.append(right[scores >= proposal.threshold].mean())
    assert np.mean(precisions) == pytest.approx(0.9, abs=0.03)
    assert english(proposal.sentence()).startswith(f"At {proposal.threshold:.2f}, about 9")


def test_classes_are_reviewed_apart() -> None:
    scores, right, answers = reviewed(1, count=300)
    detections = [
        Detection(path=Path("a.wav"), start=0.0, end=1.0, label="owl" if right[place] else "wind", score=float(score))
        for place, score in enumerate(scores)
    ]
    proposals = review_by_class(detections, answers)
    assert proposals["wind"] is None, "none of them is right"
    assert proposals["owl"] is not None and proposals["owl"].precision == 1.0
    assert review_by_class(detections, {}) == {}
