"""Logs that pause: which windows they are cut into, and when those were by the clock of the log."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from small import create

from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.scan_report import FoundFile
from ml.core.types import LabelSpan, Stretch, Windowing
from ml.media.logs.log import load_log, load_log_windows, log_windows
from ml.media.logs.timeline import Timeline
from ml.pipeline.dispatch import run
from ml.project.labelfiles.windows import labels_in_windows, leave_out_pauses, measured_spans
from ml.project.project import Project
from ml.project.split.plan import plan_split

STRETCHES = (Stretch(0.0, 10.0, 10), Stretch(15.0, 17.0, 2), Stretch(117.0, 125.0, 8))
"""After 10 s five are missing, and after two more a hundred."""
TIMELINE = Timeline(stretches=STRETCHES, rate=1.0)


def log_of(path: Path, times: Sequence[float]) -> Path:
    """A log that measures how late it is; downwards, or the column would be taken for a clock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time,x,y\n" + "".join(f"{at:.4f},{-at:.4f},{row % 7}\n" for row, at in enumerate(times)))
    return path


def paused(folder: Path, lengths: Sequence[int] = (300, 300)) -> list[float]:
    """Four logs at 10 Hz of so many rows between pauses; a stretch begins every 500 s."""
    times = [number * 500 + at / 10 for number, rows in enumerate(lengths) for at in range(rows)]
    for number in range(4):
        log_of(folder / "ab"[number % 2] / f"{number}.csv", times)
    return times


def test_times_and_indices_are_inverse() -> None:
    for moment, index in ((0.0, 0), (9.9, 9.9), (12.0, 10), (15.0, 10), (16.0, 11), (60.0, 12), (118.0, 13), (999, 20)):
        assert TIMELINE.to_index(moment) == pytest.approx(index)
    for index, moment in ((0.0, 0), (9.9, 9.9), (10.0, 15), (11.0, 16), (12.0, 117), (13.0, 118), (20.0, 125)):
        assert TIMELINE.to_time(index) == pytest.approx(moment)


def test_a_window_lies_in_the_stretch_it_has_most_of() -> None:
    windowing = Windowing(rate=1.0, seconds=4.0, step=4.0, columns=("x",))
    assert TIMELINE.windows(windowing) == ((0, 4), (4, 8), (6, 10), (117, 121), (121, 125))


def test_samples_have_the_times_of_their_rows(tmp_path: Path) -> None:
    paused(tmp_path / "logs", (600, 30, 600, 600))
    with create(tmp_path / "logs", tmp_path / "p", kind="sensors") as project:
        samples = [sample for sample in project.samples() if sample.path == "a/0.csv"]
        assert project.windowing is not None
        starts = [sample.start or 0.0 for sample in samples]
        seen = -load_log_windows(tmp_path / "logs" / "a" / "0.csv", project.windowing, starts)[:, 0]
    assert starts == [0, 1000, 1500], "no window twice"
    for sample, window in zip(samples, seen, strict=True):
        assert sample.start == pytest.approx(window.min(), abs=0.01)
        assert sample.end == pytest.approx(window.max() + 0.1, abs=0.01)


def test_a_project_of_version_0_1_keeps_its_times(tmp_path: Path) -> None:
    """They leave the pauses out. Its samples still are the same rows, and new files are cut like the others."""
    paused(tmp_path / "logs")
    with create(tmp_path / "logs", tmp_path / "p", kind="sensors") as project:
        times = [(sample.path, sample.start, sample.end) for sample in project.samples()]
        assert project.windowing is not None
        windowing = project.windowing
    assert max(end or 0.0 for _path, _start, end in times) == 530.0
    with closing(sqlite3.connect(tmp_path / "p" / "project.db")) as database, database:
        database.execute("DELETE FROM meta WHERE key = 'window_times'")
        database.execute("UPDATE sample SET start = start - 470, end = end - 470 WHERE start >= 500")
    with Project.open(tmp_path / "p") as project:
        assert project.windowing is not None
        assert project.windowing == dataclasses.replace(windowing, without_pauses=True)
        earlier = [(sample.path, sample.start or 0.0) for sample in project.samples()]
        for (path, own, _end), (_same, start) in zip(times, earlier, strict=True):
            np.testing.assert_array_equal(
                load_log_windows(tmp_path / "logs" / path, project.windowing, [start]),
                load_log_windows(tmp_path / "logs" / path, windowing, [own or 0.0]),
            )
        log_of(tmp_path / "logs" / "a" / "new.csv", [at / 10 + (500 if at >= 300 else 0) for at in range(600)])
        *_, last = run(ScanJob(folder=tmp_path / "logs", kind="sensors", windowing=project.windowing), NeverStop())
        assert isinstance(last, Scanned)
        assert project.add(last.report, plan_split(last.report, existing=project.splits())) == 1
        found = [sample.start for sample in project.samples() if sample.path == "a/new.csv"]
        assert found == [start for path, start in earlier if path == "a/0.csv"]


def test_a_label_over_a_pause_counts_by_what_was_measured(tmp_path: Path) -> None:
    """10 s of "on" around a pause of half a minute are as short as without it, and keep the times of the table."""
    file = FoundFile(
        path="a.csv",
        size=1,
        mtime_ns=0,
        digest="",
        rate=1.0,
        duration=200.0,
        stretches=(Stretch(0, 100, 100), Stretch(130, 230, 100)),
        spans=(LabelSpan("on", 95, 135),),
    )
    assert measured_spans(file) == (LabelSpan("on", 95, 105),)
    windows = [(50, 100), (75, 100), (130, 180), (180, 230)]
    labels = labels_in_windows(file, windows, several=False)
    assert labels == [file.spans, file.spans, file.spans, ()]
    assert leave_out_pauses(file).spans == (LabelSpan("on", 95, 105),)


def test_late_windows_of_a_log_at_a_slightly_different_rate_are_where_they_say(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.csv", [at / 50.9 for at in range(5090)])
    windowing = Windowing(rate=50.0, seconds=2.0, step=2.0, columns=("x",), clock="file")
    assert log_windows(path, windowing)[-1] == (98, 100)
    windows = -load_log_windows(path, windowing, [0.0, 50.0, 90.0])
    assert windows[:, 0, 0] == pytest.approx([0.0, 50.0, 90.0], abs=0.02)
    assert -load_log(path, windowing, start=90.0, end=95.0)[0, [0, -1]] == pytest.approx([90.0, 95.0], abs=0.05)


def test_an_hour_lasts_an_hour_at_any_rate(tmp_path: Path) -> None:
    """The rate is rounded to 10 Hz, by which the log would last two seconds longer."""
    path = log_of(tmp_path / "log.csv", [at / 10.004 for at in range(36_014)])
    windowing = Windowing(rate=10.0, seconds=10.0, step=10.0, columns=("x",), clock="file")
    start, end = log_windows(path, windowing)[-1]
    assert end == pytest.approx(3600.0, abs=0.2)
    assert -load_log_windows(path, windowing, [start])[0, 0, 0] == pytest.approx(start, abs=0.06)


def test_times_rounded_to_milliseconds_leave_whole_windows_whole(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.csv", [round(at / 30, 3) for at in range(3000)])
    windowing = Windowing(rate=30.0, seconds=10.0, step=10.0, columns=("x",), clock="file")
    assert log_windows(path, windowing) == tuple((10.0 * at, 10.0 * at + 10) for at in range(10))


def test_thousands_of_pauses_take_linear_time() -> None:
    lasting = []
    for count in (4_000, 16_000):
        stretches = tuple(Stretch(number * 100.0, number * 100.0 + 30, 30) for number in range(count))
        timeline = Timeline(stretches=stretches, rate=1.0)
        windowing = Windowing(rate=1.0, seconds=40.0, step=20.0, columns=("x",))
        begin = time.perf_counter()
        windows = timeline.windows(windowing)
        places = [timeline.locate(start) for start, _end in windows]
        lasting.append(time.perf_counter() - begin)
        assert len(windows) >= count and all(end - first == 30 for _at, first, end in places)
    assert lasting[1] < 12 * lasting[0]
