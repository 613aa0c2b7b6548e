"""A long recording dropped on the Use page: its timeline, reviewing with keys, thresholds and exports."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from tiny_model import write_loudness_model

from desktop.dialogs.folder import FileSaver, FolderChooser
from desktop.pages.use.page import UsePage
from desktop.pages.use.timeline_panel import TimelinePanel
from desktop.workers.player import Player
from ml.api import DetectionReview
from ml.inference.detections import detect_files
from ml.media.overview import MOST_COLUMNS, Overview, log_picture, stream_overview
from ml.runtime.model import ReleasedModel

RELEASED = Path(__file__).parents[1] / "fixtures" / "released_0_1"
RATE = 8000
SLOW = 60_000
CALLS = ((10.0, 1.5, 0.6), (20.0, 1.5, 0.5), (33.0, 2.0, 0.7), (45.0, 1.5, 0.6))
"""Start, length and loudness of each call."""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of hiss with four calls, made at half past five in the morning."""
    rng = np.random.default_rng(3)
    wave = rng.normal(0, 0.02, 60 * RATE).astype(np.float32)
    for start, seconds, loudness in CALLS:
        tone = loudness * np.sin(2 * np.pi * 900 * np.arange(round(seconds * RATE)) / RATE)
        wave[round(start * RATE) :][: len(tone)] += tone.astype(np.float32)
    path = tmp_path_factory.mktemp("long") / "20240131_053000.wav"
    soundfile.write(path, wave, RATE)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_loudness_model(tmp_path / "ears.onnx", classes=("chainsaw", "nothing"), exact_maps=True)


@pytest.fixture(autouse=True)
def played(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each sound is that would be heard if there were a loudspeaker."""
    lengths: list[float] = []
    monkeypatch.setattr(Player, "problem", lambda _player: "")
    monkeypatch.setattr(Player, "play", lambda player, _start=0.0: lengths.append(player.seconds()))
    return lengths


@pytest.fixture
def page(studio: QApplication, qtbot: QtBot, model: Path) -> Iterator[UsePage]:
    page = UsePage()
    page.resize(1286, 700)
    page.set_model_file(model)
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    yield page
    page.shutdown()
    page.deleteLater()


def open_timeline(page: UsePage, recording: Path, qtbot: QtBot) -> TimelinePanel:
    page.add((recording,))
    panel = page.timeline_panel
    assert page.pages.currentWidget() is panel
    qtbot.waitUntil(panel.exports["csv"].isEnabled, timeout=SLOW)
    return panel


def test_a_long_recording_is_shown_reviewed_and_exported(
    page: UsePage,
    recording: Path,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    played: list[float],
) -> None:
    panel = open_timeline(page, recording, qtbot)
    view, marks = panel.view, panel.view.marks()
    assert view.length() == pytest.approx(60.0) and view.visible() == (0.0, 60.0)
    assert [mark.start for mark in marks] == pytest.approx([start for start, _seconds, _loudness in CALLS], abs=0.3)
    assert panel.consequence.text().startswith("4 detections, ")
    qtbot.keyClick(view, Qt.Key.Key_Right)
    start, seconds = view.visible()
    assert seconds < 30 and start < 10 < start + seconds
    assert panel.current_line.text().startswith("chainsaw · 0:00:")
    qtbot.waitUntil(lambda: played == pytest.approx([50.5], abs=0.3), timeout=SLOW)  # from just before the first call
    qtbot.keyClick(view, Qt.Key.Key_Y)
    assert view.current() == 1 and view.marks()[0].right is True
    qtbot.keyClick(view, Qt.Key.Key_N)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert view.current() == 1 and view.marks()[1].right is False and panel.current_line.text().endswith("wrong")
    assert "2 detections are reviewed" in panel.precision.text()
    table, clips = tmp_path / "found.csv", tmp_path / "clips"
    monkeypatch.setattr(FileSaver, "ask", lambda *_args, **_more: table)
    monkeypatch.setattr(FolderChooser, "ask", lambda *_args, **_more: clips)
    for form, target in (("csv", table), ("clips", clips)):
        panel.exports[form].click()
        qtbot.waitUntil(lambda target=target: str(target) in panel.saved.text(), timeout=SLOW)  # type: ignore[misc]
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3, "what a person found wrong is left out"
    assert len(list(clips.glob("chainsaw/*.wav"))) == 3
    counts = tmp_path / "counts.csv"
    monkeypatch.setattr(FileSaver, "ask", lambda *_args, **_more: counts)
    panel.exports["counts"].click()
    qtbot.waitUntil(lambda: str(counts) in panel.saved.text(), timeout=SLOW)
    assert "2024-01-31,05:00,1.0,chainsaw,3" in counts.read_text(encoding="utf-8-sig")
    panel.back_button.click()
    assert page.pages.currentWidget() is page.view and page.timeline.path is None


def test_the_sliders_hide_what_is_unsure_or_short_and_say_so(page: UsePage, recording: Path, qtbot: QtBot) -> None:
    panel = open_timeline(page, recording, qtbot)
    panel.length.setValue(panel.length.maximum())
    assert not panel.view.marks() and panel.consequence.text().startswith("No detection is left")
    panel.length.setValue(round(2.2 / 3.0 * panel.length.maximum()))
    assert [round(mark.start) for mark in panel.view.marks()] == [33]
    panel.length.setValue(0)
    assert len(panel.view.marks()) >= 4
    panel.threshold.setValue(99)
    assert "99 % sure" in panel.consequence.text()


def test_zooming_keeps_the_second_under_the_pointer(page: UsePage, recording: Path, qtbot: QtBot) -> None:
    view = open_timeline(page, recording, qtbot).view
    at = QPointF(view.x_of(33.0), view.picture_rect().center().y())
    for _turn in range(20):
        event = QWheelEvent(
            at, view.mapToGlobal(at), QPoint(0, 0), QPoint(0, 120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        view.wheelEvent(event)
    assert view.visible()[1] == pytest.approx(1.0, abs=0.5)
    assert view.seconds_at(at.x()) == pytest.approx(33.0, abs=0.01)
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert view.visible() == (0.0, 60.0)
    chosen: list[float] = []
    view.position_chosen.connect(chosen.append)
    spot = QPointF(view.x_of(5.0), view.picture_rect().center().y()).toPoint()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=spot)
    assert chosen == pytest.approx([5.0], abs=0.1)


def test_a_hidden_search_finds_what_the_usual_threshold_finds(model: Path, recording: Path) -> None:
    opened = ReleasedModel.open(model)
    review = DetectionReview(opened.info)
    review.add(item for item in detect_files(opened, [recording], review.options()) if hasattr(item, "label"))
    usual = [item for item in detect_files(opened, [recording]) if hasattr(item, "label")]
    assert [review.detections[place] for place in review.shown()] == usual and len(usual) == 4


def test_reviewing_proposes_a_threshold(model: Path) -> None:
    review = DetectionReview(ReleasedModel.open(model).info)
    from ml.inference.detections import Detection

    rng = np.random.default_rng(0)
    scores = np.sort(rng.uniform(0.4, 0.99, 200))
    review.add(
        Detection(path=Path("a.wav"), start=float(at), end=at + 1.0, label="chainsaw", score=float(score))
        for at, score in enumerate(scores)
    )
    sample = review.to_review("chainsaw", count=60)
    assert len(sample) == 60 and list(sample) == sorted(sample)
    for place in sample:
        review.answer(place, bool(scores[place] > 0.8))
    proposal = review.proposal("chainsaw")
    assert proposal is not None and 0.75 < proposal.threshold < 0.85
    review.set_threshold(proposal.threshold, "chainsaw")
    estimate = review.precision("chainsaw")
    assert estimate is not None and estimate.precision >= 0.9
    assert not set(review.to_review("chainsaw", count=60)) & set(sample)


def test_the_overview_is_small_and_shows_where_it_is_loud(recording: Path, model: Path) -> None:
    windowing = ReleasedModel.open(model).info.windowing
    assert windowing is not None
    *_, overview = stream_overview(recording, windowing)
    picture = overview.picture()
    assert overview.seconds == pytest.approx(60.0)
    loud = (np.flatnonzero(picture[..., 0].max(axis=0) > 200) + 0.5) / picture.shape[1] * 60
    within = [(loud > start - 0.2) & (loud < start + seconds + 0.2) for start, seconds, _loudness in CALLS]
    assert all(each.any() for each in within) and np.any(within, axis=0).all()
    many, block = Overview(windowing), np.random.default_rng(1).normal(0, 0.1, 1 << 20).astype(np.float32)
    for _block in range(9):
        many.add(block)
    assert MOST_COLUMNS <= many.picture().shape[1] < 2 * MOST_COLUMNS


def test_counts_per_hour_and_day_follow_the_limits_and_the_name(
    page: UsePage, recording: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = open_timeline(page, recording, qtbot)
    panel.counts_button.click()
    dialog = page.timeline.counts
    qtbot.waitUntil(dialog.save_button.isEnabled, timeout=SLOW)
    assert dialog.bars.bars() == [4] and dialog.table.item(0, 0).text() == "2024-01-31 05:00"
    assert [dialog.table.item(0, column).text() for column in (1, 2)] == ["1.0", "4"]
    dialog.per_box.setCurrentIndex(1)
    dialog.per_box.activated.emit(1)
    assert dialog.table.item(0, 0).text() == "2024-01-31" and dialog.note.text() == ""
    monkeypatch.setattr(FileSaver, "ask", lambda *_args, **_more: tmp_path / "counts.csv")
    dialog.save_button.click()
    with (tmp_path / "counts.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.DictReader(file)) == [{"time": "2024-01-31", "minutes": "1.0", "chainsaw": "4"}]
    dialog.reject()


def test_a_long_log_has_a_timeline_with_its_pause(studio: QApplication, tmp_path: Path, qtbot: QtBot) -> None:
    log = tmp_path / "machine_20240131_053000.csv"
    times = np.concatenate([np.arange(0, 40, 0.02), np.arange(60, 90, 0.02)])
    speed = np.where(times < 20, 1.0, 8.0)  # slow, then fast, then a pause of 20 s
    rows = [f"{at:.2f},{np.sin(at * each):.3f},{-np.sin(at * each):.3f}" for at, each in zip(times, speed, strict=True)]
    log.write_text("\n".join(["time,x,y", *rows]))
    page = UsePage()
    page.resize(1286, 700)
    page.set_model_file(RELEASED / "projects" / "sensors" / "runs" / "0001" / "model.onnx")
    page.show()
    page.opened()
    page.add((log,))
    qtbot.waitUntil(page.view.panel.timeline_button.isVisible, timeout=SLOW)
    page.view.panel.timeline_button.click()
    panel = page.timeline_panel
    qtbot.waitUntil(panel.exports["csv"].isEnabled, timeout=SLOW)
    assert panel.view.length() == pytest.approx(90.0, abs=0.5) and panel.problem.text() == ""
    assert not panel.play_button.isVisible() and not panel.exports["clips"].isVisible()
    assert page.timeline.review is not None and page.timeline.review.detections
    assert not any(40.5 < (mark.start + mark.end) / 2 < 59.5 for mark in panel.view.marks())
    picture = log_picture(log, page.model.info.windowing)  # type: ignore[arg-type, union-attr]
    ink = (picture.min(axis=2) < 128).any(axis=0)
    seconds = np.arange(len(ink)) * 90 / len(ink)
    assert (
        ink[seconds < 39].all() and not ink[(seconds > 41) & (seconds < 59)].any() and ink[seconds > 61].mean() > 0.99
    )
    page.shutdown()
    page.deleteLater()
