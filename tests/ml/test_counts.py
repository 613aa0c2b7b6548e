"""Counts per hour and day: detections of recordings, and answered files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ml.inference.counts import tally_detections, tally_files
from ml.inference.detections import Detection, FileEnd
from ml.runtime.folder import predict_files
from ml.runtime.model import ReleasedModel
from tests.tiny_model import COLOURS, write_colour_model


def test_detections_fall_into_hours_days_and_hours_of_the_clock() -> None:
    path = Path("AM1_20240131_233000.wav")
    found = [Detection(path=path, start=at, end=at + 1, label="owl", score=0.9) for at in (60.0, 1_900.0, 89_000.0)]
    tally = tally_detections(found, FileEnd(path=path, seconds=90_000.0, detections=3))
    hours = tally.table(("owl", "fox"), "hour")
    assert hours.times[0] == "2024-01-31 23:00" and len(hours.times) == 26
    assert hours.counts.sum(axis=0).tolist() == [3, 0]
    assert hours.minutes.sum() == 1_500 and hours.minutes[0] == 30
    days = tally.table(("owl",), "day")
    assert days.times == ("2024-01-31", "2024-02-01", "2024-02-02") and days.counts[:, 0].tolist() == [1, 1, 1]
    clock = tally.table(("owl",), "clock")
    assert len(clock.times) == 24 and clock.counts[list(clock.times).index("00:00"), 0] == 2


def test_files_are_counted_by_class_and_the_time_in_their_names(tmp_path: Path) -> None:
    for name, colour in (
        ("cam_20240501_061500.png", "red"),
        ("cam_20240501_065900.png", "red"),
        ("cam_20240501_070000.png", "lime"),
        ("nothing tells.png", "blue"),
        ("neither here.png", "blue"),
        ("cam_20240501_080000.png", (90, 90, 90)),
    ):
        Image.new("RGB", (60, 60), colour).save(tmp_path / name)
    model = ReleasedModel.open(write_colour_model(tmp_path / "m.onnx"))
    answers = list(predict_files(model, sorted(tmp_path.glob("*.png"))))
    tally = tally_files(answers, model.info)  # type: ignore[arg-type]
    table = tally.table(COLOURS, "hour")
    assert table.times == ("", "2024-05-01 06:00", "2024-05-01 07:00", "2024-05-01 08:00")
    assert table.counts.tolist() == [[0, 0, 2], [2, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert len(tally.untimed) == 2 and not np.any(table.minutes)
