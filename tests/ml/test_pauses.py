"""Logs that pause: which windows they are cut into, and when these were by the clock of the log."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from small import create

from ml.engine import run
from ml.events import Scanned
from ml.jobs import NeverStop, ScanJob
from ml.media.sensors import load_log, load_log_windows, log_length
from ml.media.stretches import paused_before, placed, unseen, with_pauses, without_pauses
from ml.project.project import Project
from ml.project.samples import Windowing
from ml.project.splitting import plan_split

PAUSES = ((10.0, 5.0), (12.0, 100.0))
"""After 10 s five are missing, and after two more a hundred."""


def log_of(path: Path, times: list[float]) -> Path:
    """A log that measures how late it is; downwards, or that would be known for a clock and not be learned from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("time,x,y\n" + "".join(f"{at:.3f},{-at:.3f},{row % 7}\n" for row, at in enumerate(times)))
    return path


def test_a_moment_is_found_again() -> None:
    for own, left in ((0.0, 0.0), (9.9, 9.9), (12.0, 10.0), (15.0, 10.0), (16.0, 11.0), (60.0, 12.0), (118.0, 13.0)):
        assert without_pauses(own, PAUSES) == pytest.approx(left)
    for left, own in ((0.0, 0.0), (9.9, 9.9), (10.0, 15.0), (11.0, 16.0), (12.0, 117.0), (13.0, 118.0)):
        assert with_pauses(left, PAUSES) == pytest.approx(own)


def test_a_window_lies_in_the_stretch_it_has_most_of() -> None:
    windows = [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0), (12.0, 16.0), (16.0, 20.0)]
    read = placed(windows, PAUSES, 20.0)
    assert read == [(0, 4), (4, 8), (6, 10), (12, 16), (16, 20)]
    assert paused_before(read, PAUSES) == [0, 0, 0, 105, 105]
    assert unseen(read, 20.0) == 2.0
    assert placed(windows, (), 20.0) == windows


def test_rows_that_are_in_no_window_are_counted(tmp_path: Path) -> None:
    """Three long stretches and, between them, one of 30 rows, which no window has most of."""
    lengths = (600, 30, 600, 600)
    times = [pause * 500 + at / 10 for pause, rows in enumerate(lengths) for at in range(rows)]
    for number in range(4):
        log_of(tmp_path / "logs" / "ab"[number % 2] / f"{number}.csv", times)
    *_, last = run(ScanJob(folder=tmp_path / "logs", kind="sensors"), NeverStop())
    assert isinstance(last, Scanned) and last.report.windowing is not None
    windowing = last.report.windowing
    with create(tmp_path / "logs", tmp_path / "p", kind="sensors") as project:
        samples = [sample for sample in project.samples() if sample.path == "a/0.csv"]
    starts = [sample.start or 0.0 for sample in samples]
    seen = -load_log_windows(tmp_path / "logs" / "a" / "0.csv", windowing, starts)[:, 0]
    missing = 4 * (len(times) - len(np.unique(seen)))
    assert missing >= 4 * 30
    assert last.report.notes[-1] == (
        f"{missing} of the 7,320 rows of logs that pause lie so close to a pause that they are in no window; they are "
        "neither learned from nor tested with."
    )
    for sample, window in zip(samples, seen, strict=True):
        assert sample.part is not None
        assert sample.part[0] == pytest.approx(window.min(), abs=0.01)
        assert sample.part[1] == pytest.approx(window.max() + 0.1, abs=0.01)


def test_projects_of_an_earlier_version_are_read_and_learn_of_the_pauses(tmp_path: Path) -> None:
    times = [pause * 500 + at / 10 for pause in range(2) for at in range(300)]
    for number in range(4):
        log_of(tmp_path / "logs" / "ab"[number % 2] / f"{number}.csv", times)
    with create(tmp_path / "logs", tmp_path / "p", kind="sensors") as project:
        report = project.as_report()
        told = [sample.part for sample in project.samples()]
    assert (500.0, 530.0) in told
    with sqlite3.connect(tmp_path / "p" / "project.db") as database:
        database.execute("DROP TABLE pause")
    *_, last = run(ScanJob(folder=tmp_path / "logs", kind="sensors", windowing=report.windowing), NeverStop())
    assert isinstance(last, Scanned)
    with Project.open(tmp_path / "p") as project:
        assert [sample.part for sample in project.samples()] == [(s.start, s.end) for s in project.samples()]
        project.add(last.report, plan_split(last.report))
        assert [sample.part for sample in project.samples()] == told


def test_windows_of_a_log_whose_rate_is_not_quite_that_of_the_others_are_where_they_say(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.csv", [at / 50.9 for at in range(5090)])
    windowing = Windowing(rate=50.0, seconds=2.0, step=2.0, columns=("x",), clock="file")
    assert log_length(path, windowing)[0] == pytest.approx(100.0, abs=0.01)
    windows = -load_log_windows(path, windowing, [0.0, 50.0, 90.0])
    assert windows[:, 0, 0] == pytest.approx([0.0, 50.0, 90.0], abs=0.02)
    assert -load_log(path, windowing, start=90.0, end=95.0)[0, [0, -1]] == pytest.approx([90.0, 95.0], abs=0.05)


def test_an_hour_lasts_an_hour_at_any_rate(tmp_path: Path) -> None:
    path = log_of(tmp_path / "log.csv", [at / 10.004 for at in range(36_014)])
    windowing = Windowing(rate=10.0, seconds=10.0, step=10.0, columns=("x",), clock="file")
    assert log_length(path, windowing)[0] == pytest.approx(3600.0, abs=0.1)
