"""Logs of sensors from a folder to a model that is asked about new ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small import create, log_folder

from ml.commands.new import with_options
from ml.core.errors import HandlensError
from ml.core.events import Finished, Scanned
from ml.core.jobs import FRONTS, Front, NeverStop, ScanJob, TrainJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import Windowing
from ml.graphs.log_frontend import SIZE, SLICES, settings_for_logs
from ml.inference.overlays import write_overlay
from ml.media.kinds import kind_named
from ml.media.logs.log import MOST_COLUMNS, load_log, log_facts
from ml.media.logs.timeline import timeline_of_rows
from ml.media.logs.traces import trace_picture
from ml.media.windowing import choose_log_windowing
from ml.networks.frontends.log import LogFrontEnd, _packed, _unpacked
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.scan.agree_logs import agree_schema
from ml.project.scan.scan import scan
from ml.runtime.folder import FilePrediction, UnreadableInput, find_inputs, predict_files
from ml.runtime.model import ReleasedModel
from ml.training.data.augment import augment_logs


def look(folder: Path, **asked: float) -> ScanReport:
    last = list(scan(ScanJob(folder=folder, kind="sensors", **asked), NeverStop()))[-1]  # type: ignore[arg-type]
    assert isinstance(last, Scanned), last
    return last.report


def notes_of(report: ScanReport) -> tuple[str, ...]:
    return tuple(map(english, report.notes))


@pytest.mark.parametrize("front", ["combined", "spectrogram"])
@pytest.mark.parametrize("channels", [216, 217, MOST_COLUMNS])
def test_as_many_columns_as_can_be_read_can_be_learned_from(channels: int, front: Front) -> None:
    end = LogFrontEnd(settings_for_logs(channels=channels, frames=200, front=front))
    readings = np.random.default_rng(9).normal(0, 1, (4, channels, 200)).astype(np.float32)
    end.fit(readings)
    seen = end(torch.from_numpy(readings))
    assert seen.shape == (4, 4, 224, 224)
    assert _unpacked(seen[:, 3], end.count).shape == (4, end.count, SLICES)  # none of the numbers fell off the picture
    assert torch.isfinite(seen).all()


def test_a_new_project_takes_fewer_columns_than_one_of_version_0_1(tmp_path: Path) -> None:
    path = logs_of(tmp_path / "logs", "x\n", lambda _log, row: str(row * 7 % 5), count=1) / "still" / "0.csv"
    small = log_facts(path)
    names = tuple(f"c{column}" for column in range(700))
    wide = dataclasses.replace(
        small,
        columns=names,
        by_row=timeline_of_rows([(0, 1000)]),
        ranges=small.ranges * 700,
        steps=small.steps * 700,
        missing=small.missing * 700,
    )
    with pytest.raises(HandlensError, match=r"700 columns.*at most 256"):
        agree_schema({"a": wide, "b": wide}, rate=None, windowing=None)
    earlier = Windowing(rate=1.0, seconds=748, step=748, columns=names, clock="none")
    assert agree_schema({"a": wide, "b": wide}, rate=None, windowing=earlier).timelines.keys() == {"a", "b"}


def test_a_folder_of_logs_says_what_it_found(tmp_path: Path) -> None:
    folder = log_folder(tmp_path / "logs")
    (folder / "still" / "other.csv").write_text("time,x,y,z\n" + "".join(f"{i / 50},1,2,3\n" for i in range(40)))
    (folder / "still" / "broken.csv").write_text("")
    report = look(folder)
    assert report.class_counts == {"shaking": 8, "still": 9}
    assert {item.path: english(item.reason) for item in report.unreadable} == {
        "still/broken.csv": "The file is empty.",
    }
    assert report.windowing is not None
    assert report.windowing.columns == ("x", "y") and report.windowing.clock == "file"
    assert (report.windowing.rate, report.windowing.frames) == (50.0, 120)
    assert all(low < high for low, high in report.windowing.ranges)
    assert "The rate of the logs, by the column “time”: 50 rows per second." in notes_of(report)
    assert any("“state” is left out: it holds words" in note for note in notes_of(report))
    assert notes_of(report)[-1] == (
        "Only 1 of 17 logs has numbers in a column “z”, so it is left out. To use it, give the column the same name in "
        "all logs."
    )


def test_only_the_command_line_names_its_option(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for name in ("still", "moving"):
        (folder / name).mkdir(parents=True)
        for number in range(2):
            rows = "".join(f"{row % 7},{row % (number + 3)}\n" for row in range(60))
            (folder / name / f"{number}.csv").write_text("x,y\n" + rows)
    (note,) = [note for note in look(folder).notes if "counted in rows" in str(note)]
    assert str(note).endswith("If you know how many rows make a second, enter it.")
    assert str(with_options(note)).endswith("enter it. The option for this: --rate.")


def logs_of(folder: Path, head: str, row: Callable[[int, int], str], *, count: int = 6, rows: int = 60) -> Path:
    """`count` logs in two classes; `row` is told the number of the log and of the row."""
    for number in range(count):
        place = folder / ("still", "moving")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        text = "".join(row(number, at) + "\n" for at in range(rows))
        (place / f"{number}.csv").write_text(head + text)
    return folder


def test_what_climbs_alike_in_every_log_is_no_measurement(tmp_path: Path) -> None:
    folder = logs_of(tmp_path / "logs", "x,pulses\n", lambda log, row: f"{row * 7 % 5},{1_000 * log + 13.0 * row}")
    report = look(folder)
    assert report.windowing is not None and report.windowing.columns == ("x",)
    assert (
        "The column “pulses” rises by the same steps in every log, like a clock or a counter, so it is left out. "
        "If it is the time, name it “time”."
    ) in notes_of(report)


def test_a_project_that_learned_from_a_clock_still_knows_its_logs(tmp_path: Path) -> None:
    folder = logs_of(tmp_path / "logs", "unix_ms,x\n", lambda log, row: f"{1_709_290_800_000 + 20 * row},{row % 5}")
    earlier = Windowing(rate=1.0, seconds=60.0, step=60.0, columns=("unix_ms", "x"), clock="none")
    last = list(scan(ScanJob(folder=folder, kind="sensors", windowing=earlier), NeverStop()))[-1]
    assert isinstance(last, Scanned) and not last.report.unreadable
    assert {(file.duration, file.rate) for file in last.report.files} == {(60.0, 1.0)}
    path = next(folder.glob("*/0.csv"))
    assert load_log(path, earlier)[:, 1].tolist() == [np.float32(1_709_290_800_020), 1.0]


def test_what_climbs_in_some_logs_or_by_a_steepness_of_its_own_is_a_measurement(tmp_path: Path) -> None:
    some = logs_of(tmp_path / "some", "x,heat\n", lambda log, row: f"{row * 7 % 5},{row * 13 if log else 13 - row}")
    own = logs_of(tmp_path / "own", "x,heat\n", lambda log, row: f"{row * 7 % 5},{row * (log + 1) / 3}")
    for folder in (some, own):
        report = look(folder)
        assert report.windowing is not None and report.windowing.columns == ("x", "heat")


def test_only_columns_that_nearly_all_logs_name_are_learned_from(tmp_path: Path) -> None:
    def row(log: int, at: int) -> str:
        return f"{at * 7 % 5},{100 + at % 3}" if log < 5 else f"{100 + at % 3},{at * 7 % 5}"

    folder = logs_of(tmp_path / "logs", "gyro,accel\n", row, count=10)
    for number in range(5, 10):
        path = next(folder.glob(f"*/{number}.csv"))
        path.write_text(path.read_text().replace("gyro,accel", "acc,Gyro"))
    report = look(folder)
    assert report.windowing is not None and report.windowing.columns == ("gyro",)
    assert report.windowing.ranges == ((0.0, 4.0),) and not report.unreadable
    assert notes_of(report)[1:] == (
        "Not all logs have numbers in the columns “accel” and “acc”, so these are left out. To use a column, give it "
        "the same name in all logs.",
    )


def test_the_few_logs_without_a_column_are_left_out_and_say_so(tmp_path: Path) -> None:
    folder = logs_of(tmp_path / "logs", "x,y\n", lambda log, row: f"{row * 7 % 5},{row % 3}", count=10)
    other, without = folder / "still" / "0.csv", folder / "moving" / "1.csv"
    other.write_text(other.read_text().replace("x,y", "x,z"))
    without.write_text(without.read_text().replace("x,y\n", ""))
    report = look(folder)
    assert report.windowing is not None and report.windowing.columns == ("x", "y")
    assert {item.path: english(item.reason) for item in report.unreadable} == {
        "still/0.csv": "The log lacks the column “y” that the others have; it has “z”. "
        "Give a column the same name in all logs."
    }
    assert "1 log does not name its columns. They are taken in the order of the other logs." in notes_of(report)


def test_pauses_and_columns_of_gaps_are_spoken_of(tmp_path: Path) -> None:
    def row(log: int, at: int) -> str:
        time = at / 50 + (10 if log and at >= 150 else 0)
        return f"{time:.2f},{at * 7 % 5},{at % 3 if at % 20 == 0 or log < 2 else 'NaN'}"

    report = look(logs_of(tmp_path / "logs", "time,x,y\n", row, rows=300))
    assert report.windowing is not None and report.windowing.frames == 150
    assert notes_of(report)[1:] == (
        "The column “y” is mostly gaps: 95 % of its cells are empty. They are filled in with straight lines between "
        "the others. This concerns 4 of 6 logs.",
        "5 of 6 logs have long pauses and are cut there. No window spans a pause. Times count from the first row of a "
        "log, pauses included.",
    )


def test_a_column_that_is_empty_in_some_logs_is_named(tmp_path: Path) -> None:
    def row(log: int, at: int) -> str:
        return f"{at * 7 % 5},{'' if log % 3 == 0 else at % 3},{'' if log == 5 else at % 4}"

    report = look(logs_of(tmp_path / "logs", "x,y,z\n", row, count=12))
    assert report.windowing is not None and report.windowing.columns == ("x", "z")
    assert [english(item.reason) for item in report.unreadable] == [
        "The column “z” cannot be used in this log, unlike in the others: it is empty. "
        "Fix the column or leave the log out."
    ]
    assert notes_of(report)[1:] == (
        "The column “y” is left out: it is empty. Only 4 of 11 logs are affected, but the column is left out of all.",
    )


def test_cells_that_are_no_numbers_are_counted_unless_they_are_a_handful(tmp_path: Path) -> None:
    def row(log: int, at: int) -> str:
        x = "ERR" if log < 2 and at % 10 == 3 else at * 7 % 5
        return f"{x},{'lost' if (log, at) == (1, 30) else at * 3 % 4},{at % 3 or 'off'}"

    report = look(logs_of(tmp_path / "logs", "x,y,z\n", row))
    assert report.windowing is not None and report.windowing.columns == ("x", "y")
    assert notes_of(report)[1:] == (
        "The column “z” is left out: more than one cell in five is not a number.",
        "In the column “x” 12 of 360 cells are not numbers, for example “ERR”. They are filled in from their "
        "neighbours. This concerns 2 of 6 logs.",
    )


def test_a_rate_that_was_said_stands_above_the_files(tmp_path: Path) -> None:
    report = look(log_folder(tmp_path / "logs"), rate=200.0)
    assert report.windowing is not None
    assert (report.windowing.rate, report.windowing.seconds, report.windowing.clock) == (200.0, 0.6, "asked")


def test_a_project_keeps_how_its_logs_are_cut(tmp_path: Path) -> None:
    folder = log_folder(tmp_path / "logs")
    report = look(folder)
    with create(folder, tmp_path / "p.handlens", kind="sensors") as made:
        assert made.windowing == report.windowing
    with Project.open(tmp_path / "p.handlens") as opened:
        assert opened.windowing == report.windowing
        assert {(sample.start, sample.end) for sample in opened.samples()} == {(0.0, 2.4)}


def test_long_logs_are_cut_into_windows() -> None:
    given = choose_log_windowing([30_000] * 9 + [200], rate=100.0, columns=("x",), clock="file")
    assert (given.frames, given.step) == (500, 2.5)
    assert choose_log_windowing([900] * 5, rate=None, columns=("x",), clock="none").frames == 900
    assert choose_log_windowing([9_000] * 5, rate=None, columns=("x",), clock="none").frames == 512
    assert choose_log_windowing([90_000] * 5, rate=20_000.0, columns=("x",), clock="asked").frames == 2048


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("channels", [1, 4])
def test_the_front_end_draws_and_measures(front: str, channels: int) -> None:
    draw = np.random.default_rng(0)
    windows = draw.normal(100, 3, (12, channels, 90)).astype(np.float32)
    layer = LogFrontEnd(settings_for_logs(channels=channels, frames=90, front=front))  # type: ignore[arg-type]
    layer.fit(windows)
    seen = layer(torch.from_numpy(windows))
    assert seen.shape == (12, 4, SIZE, SIZE)
    assert bool(torch.isfinite(seen).all()) and float(seen[:, :3].abs().max()) <= 1.0
    numbers = _unpacked(seen[:, 3], layer.count).mean(2)
    assert float(numbers.mean(0).abs().max()) < 1e-3
    # A log at another level is another log: nothing is normalised away.
    higher = layer(torch.from_numpy(windows + 3.0))
    assert float((higher - seen).abs().max()) > 0.3


def test_a_column_that_never_moves_is_no_trouble() -> None:
    windows = np.zeros((6, 2, 64), dtype=np.float32)
    windows[:, 1] = np.random.default_rng(0).normal(size=(6, 64))
    layer = LogFrontEnd(settings_for_logs(channels=2, frames=64))
    layer.fit(windows)
    assert bool(torch.isfinite(layer(torch.from_numpy(windows))).all())


def test_many_numbers_find_room_beside_the_picture() -> None:
    numbers = torch.randn(2, 1792, SLICES)
    assert torch.equal(_unpacked(_packed(numbers, 1792)[:, 0], 1792), numbers)


def test_varied_copies_keep_their_level_and_their_seed() -> None:
    readings = 50 + torch.randn(16, 3, 100, generator=torch.Generator().manual_seed(1))
    scale = torch.ones(3, 1)

    def vary(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return augment_logs(readings, scale=scale, strength=1.0, generator=generator)

    assert torch.equal(vary(1), vary(1)) and not torch.equal(vary(1), vary(2))
    assert vary(1).shape == readings.shape
    assert float((vary(1).mean(2) - readings.mean(2)).abs().mean()) < 0.3


def test_traces_share_their_scale_and_maps_lie_along_the_time() -> None:
    low, high = np.zeros((1, 50)), np.ones((1, 50))
    ranges = [(0.0, 1.0)]
    first, second = (trace_picture(row, ranges, size=(80, 60)).astype(int) for row in (low, high))
    assert first[40:].std() > first[:20].std() and second[:20].std() > second[40:].std()
    assert trace_picture(np.random.default_rng(0).normal(size=(40, 5_000)), [], size=(80, 240)).shape == (240, 80, 3)
    assert kind_named("sensors").turned(np.ones((3, 7, 5), dtype=np.float16)).shape == (3, 1, 5)


def test_from_a_folder_of_logs_to_answers(tmp_path: Path) -> None:
    folder = log_folder(tmp_path / "logs")
    with create(folder, tmp_path / "p.handlens", kind="sensors") as project:
        path = project.path
    last = list(run(TrainJob(project=path, preset="quick", device="cpu"), NeverStop()))[-1]
    assert isinstance(last, Finished), last
    assert last.test_accuracy == 1.0
    model = ReleasedModel.open(path / "runs" / "0001" / "model.onnx")
    assert model.info.input_name == "readings" and model.info.windowing is not None
    assert model.info.windowing.columns == ("x", "y")
    assert model.info.parity_difference < 1e-3
    shaking = sorted((folder / "shaking").iterdir())[0]
    other = tmp_path / "other.csv"
    other.write_text("1,2,3\n" * 20)
    good, bad = predict_files(model, find_inputs([shaking, other], model.info), keep_maps=True)
    assert isinstance(good, FilePrediction) and model.info.classes[good.best] == "shaking"
    assert isinstance(bad, UnreadableInput) and "has 3 columns of numbers" in english(bad.reason)
    write_overlay(good, model.info, tmp_path / "seen.png")
    assert (tmp_path / "seen.png").stat().st_size > 5_000
    paused = tmp_path / "paused.csv"  # shaking for 4.8 s, half a minute of nothing, and then it stands still
    calm = sorted((folder / "still").iterdir())[0]
    rows = [line.split(",")[1:] for path in (shaking, calm) for line in 2 * path.read_text().splitlines()[1:]]
    times = [at / 50 + (30 if at >= 240 else 0) for at in range(480)]
    paused.write_text(
        "time,x,y,state\n" + "".join(f"{time:.2f},{','.join(row)}\n" for time, row in zip(times, rows, strict=True))
    )
    (found,) = predict_files(model, [paused], keep_maps=True)
    assert isinstance(found, FilePrediction)
    spans = [(window.start, window.end) for window in found.windows]
    assert spans == [(0, 2.4), (2.4, 4.8), (34.8, 37.2), (37.2, 39.6)]
    best = [model.info.classes[int(window.probabilities.argmax())] for window in found.windows]
    assert best == ["shaking", "shaking", "still", "still"]
    write_overlay(found, model.info, tmp_path / "paused.png")
    assert (tmp_path / "paused.png").stat().st_size > 5_000
    shorter = dataclasses.replace(model.info.windowing, columns=("x",))
    assert shorter != model.info.windowing
