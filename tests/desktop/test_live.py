"""The Use page live: pictures and sound that come without end, and a watched folder. Files stand in for devices."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricate import CLASSES, add_run, image_folder, project_of
from PIL import Image
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QSystemTrayIcon
from pytestqt.qtbot import QtBot
from tiny_model import write_colour_model, write_loudness_model

from desktop.dialogs.folder import FolderChooser
from desktop.pages.use.page import UsePage
from desktop.pages.use.watch_panel import COMMAND, FILE_RULES, ONE_RULE, WEBHOOK
from desktop.workers import live_sources
from desktop.workers.live_thread import PictureThread
from ml.api import LiveAnswer, ReleasedModel, answer_picture
from tests.desktop.conftest import Opener

RATE = 8000
SLOW = 60_000


@pytest.fixture
def page(studio: QApplication, qtbot: QtBot) -> Iterator[UsePage]:
    page = UsePage()
    page.resize(1286, 700)
    yield page
    page.shutdown()
    page.deleteLater()


def use(page: UsePage, model: Path, qtbot: QtBot) -> UsePage:
    page.set_model_file(model)
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    return page


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test neither opens the camera of a developer nor hears the room."""
    monkeypatch.setattr(live_sources, "load_multimedia", lambda: (None, "libpulse.so.0"))


def test_without_a_camera_pictures_are_played_as_if_they_were_live(page: UsePage, tmp_path: Path, qtbot: QtBot) -> None:
    use(page, write_colour_model(tmp_path / "eyes.onnx"), qtbot)
    panel = page.live_panel
    page.view.live_button.click()
    assert "libpulse.so.0" in panel.problem.text() and panel.file_button.isVisible()
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    film = tmp_path / "film.gif"
    frames[0].save(film, save_all=True, append_images=frames[1:], duration=40, loop=0)
    page.live.play(film)
    for name in ("red", "blue"):
        qtbot.waitUntil(lambda name=name: panel.headline.text().startswith(name), timeout=SLOW)  # type: ignore[misc]
    assert panel.picture.has_picture() and panel.picture.has_overlay() and not panel.problem.isVisible()
    panel.freeze_button.click()
    qtbot.wait(100)  # what was on its way when the button was pressed
    before = panel.headline.text()
    qtbot.wait(200)
    assert panel.headline.text() == before
    panel.freeze_button.click()
    qtbot.waitUntil(lambda: panel.headline.text() != before, timeout=SLOW)
    page.pages.setCurrentWidget(page.view)
    assert not page.live.running(), "a camera that nobody looks through is not left on"


def test_the_newest_picture_wins(
    studio: QApplication, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, go = threading.Event(), threading.Event()
    seen: list[int] = []

    def slowly(model: ReleasedModel, pixels: np.ndarray) -> LiveAnswer:
        seen.append(int(pixels[0, 0, 0]))
        busy.set()
        go.wait(10)
        return answer_picture(model, pixels)

    monkeypatch.setattr("desktop.workers.live_thread.answer_picture", slowly)
    thread = PictureThread(ReleasedModel.open(write_colour_model(tmp_path / "eyes.onnx")))
    thread.start()
    for red in range(50):
        image = QImage(8, 8, QImage.Format.Format_RGB32)
        image.fill(QColor(red, 0, 0))
        thread.offer(image)
        if not red:
            assert busy.wait(30)
    with qtbot.waitSignal(thread.arrived, timeout=SLOW):
        go.set()
    qtbot.waitUntil(lambda: len(seen) == 2, timeout=SLOW)
    thread.shutdown()
    assert seen == [0, 49] and thread.passed_over == 48


def test_a_live_picture_is_answered_like_its_file(tmp_path: Path) -> None:
    from ml.runtime.folder import FilePrediction, predict_files

    pixels = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    model = ReleasedModel.open(write_colour_model(tmp_path / "eyes.onnx"))
    (of_file,) = predict_files(model, [tmp_path / "a.png"])
    assert isinstance(of_file, FilePrediction)
    assert np.allclose(answer_picture(model, pixels).probabilities, of_file.probabilities, atol=1e-6)


def test_what_the_microphone_hears_is_shown_listed_and_saved(
    page: UsePage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = np.random.default_rng(0).normal(0, 0.02, 6 * RATE).astype(np.float32)
    wave[RATE : 2 * RATE] += 0.5 * np.sin(np.arange(RATE) * 0.5).astype(np.float32)
    soundfile.write(tmp_path / "room.wav", wave, RATE)
    ears = write_loudness_model(tmp_path / "ears.onnx", classes=("chainsaw", "nothing"), exact_maps=True)
    use(page, ears, qtbot)
    panel, saved = page.live_panel, tmp_path / "saved"
    page.view.live_button.click()
    assert "microphone cannot be used" in panel.problem.text()
    monkeypatch.setattr(FolderChooser, "ask", lambda *_args, **_more: saved)
    panel.record_button.click()
    page.live.play(tmp_path / "room.wav")
    qtbot.waitUntil(lambda: panel.sound.has_overlay() and panel.heard.count() > 0, timeout=SLOW)
    assert re.match(r"chainsaw · 0:00:0(0\.[789]|1\.[012]) to 0:00:0(1\.[89]|2\.[0123]) · ", panel.heard.item(0).text())
    qtbot.waitUntil(lambda: "1 sound is in" in panel.saved.text(), timeout=SLOW)
    page.live.close()
    first = min(saved.glob("chainsaw/*.wav"))
    sound, rate = soundfile.read(first)
    assert rate == RATE and 1.0 < len(sound) / RATE < 3.0 and np.abs(sound).max() > 0.3


def test_a_watched_folder_is_answered_and_its_rule_runs_a_program(page: UsePage, tmp_path: Path, qtbot: QtBot) -> None:
    use(page, write_colour_model(tmp_path / "eyes.onnx"), qtbot)
    folder, table, proof = tmp_path / "arriving", tmp_path / "answers.csv", tmp_path / "proof.txt"
    folder.mkdir()
    page.view.watch_button.click()
    panel = page.watch_panel
    panel.start_button.click()
    assert panel.problem.text() == "Choose the folder that files arrive in."
    page.watching.watch(folder)
    page.watching.save_to(table)
    panel.rules_box.setCurrentIndex(panel.rules_box.findData(ONE_RULE))
    panel.action_box.setCurrentIndex(panel.action_box.findData(WEBHOOK))
    panel.target.setText("ftp://nowhere")
    panel.start_button.click()
    assert "https://" in panel.problem.text() and not page.watching.running()
    panel.action_box.setCurrentIndex(panel.action_box.findData(COMMAND))
    program = f"import os; open({str(proof)!r}, 'w').write(os.environ['HANDLENS_CLASS'])"
    panel.target.setText(f'"{sys.executable}" -c "{program}"')
    panel.class_box.setCurrentIndex(panel.class_box.findText("red"))
    panel.start_button.click()
    assert page.watching.running() and not panel.class_box.isEnabled()
    draft = tmp_path / "a.png"
    Image.new("RGB", (64, 48), "red").save(draft)
    draft.replace(folder / "a.png")
    lines = lambda: [panel.log.item(row).text() for row in range(panel.log.count())]  # noqa: E731
    qtbot.waitUntil(lambda: any("command: sent" in line for line in lines()), timeout=SLOW)
    assert "fired: red (100 %)" in lines()[0] or "fired: red (99 %)" in lines()[0]
    assert proof.read_text() == "red"
    assert "Answered: 1" in panel.state.text() and "a.png, red" in panel.state.text()
    panel.start_button.click()
    qtbot.waitUntil(lambda: not page.watching.running(), timeout=SLOW)
    assert "a.png" in table.read_text(encoding="utf-8-sig")
    log = [json.loads(line) for line in table.with_suffix(".alarms.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in log] == ["fired", "delivered"]


@pytest.mark.qt_log_ignore("No such signal QPlatformNativeInterface", extend=True)  # offscreen has no tray
def test_an_alarm_is_shown_by_the_tray_where_there_is_one(
    page: UsePage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, str]] = []
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    monkeypatch.setattr(QSystemTrayIcon, "supportsMessages", lambda: True)
    monkeypatch.setattr(
        QSystemTrayIcon, "showMessage", lambda _tray, title, words, *_more: shown.append((title, words))
    )
    use(page, write_colour_model(tmp_path / "eyes.onnx"), qtbot)
    folder = tmp_path / "arriving"
    folder.mkdir()
    page.view.watch_button.click()
    panel = page.watch_panel
    page.watching.watch(folder)
    panel.rules_box.setCurrentIndex(panel.rules_box.findData(ONE_RULE))
    panel.class_box.setCurrentIndex(panel.class_box.findText("red"))
    panel.test_button.click()
    qtbot.waitUntil(lambda: len(shown) == 1 and panel.test_button.isEnabled(), timeout=SLOW)
    panel.start_button.click()
    draft = tmp_path / "a.png"
    Image.new("RGB", (64, 48), "red").save(draft)
    draft.replace(folder / "a.png")
    qtbot.waitUntil(lambda: len(shown) == 2, timeout=SLOW)
    assert "red (" in shown[1][1] and "a.png" in shown[1][1]
    panel.start_button.click()
    qtbot.waitUntil(lambda: not page.watching.running(), timeout=SLOW)


def test_rules_of_a_file_are_summed_up_and_tested(
    page: UsePage, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from desktop.dialogs.folder import FileChooser

    use(page, write_colour_model(tmp_path / "eyes.onnx"), qtbot)
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "alarm"\nclass = "red"\ncommand = ["/no/such/program"]\n')
    page.view.watch_button.click()
    panel = page.watch_panel
    panel.rules_box.setCurrentIndex(panel.rules_box.findData(FILE_RULES))
    panel.test_button.click()
    assert panel.problem.text() == "Choose the file with the rules."
    monkeypatch.setattr(FileChooser, "ask", lambda *_args, **_more: rules)
    panel.file_button.click()
    assert "“alarm”, red from 90 %, does: command" in panel.file_line.text()
    panel.test_button.click()
    qtbot.waitUntil(lambda: panel.log.count() == 1, timeout=SLOW)
    assert "/no/such/program could not be started" in panel.log.item(0).text()


def test_a_live_picture_joins_the_project(page: UsePage, tmp_path: Path, qtbot: QtBot, open_project: Opener) -> None:
    made = project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "fruit.handlens")
    add_run(made)
    write_colour_model(made.runs.folder(1) / "model.onnx", classes=CLASSES)
    session = open_project(made)
    page.set_session(session)
    page.show()
    page.opened()
    qtbot.waitUntil(lambda: page.model is not None, timeout=SLOW)
    before = len(session.project.samples())
    Image.new("RGB", (120, 80), (10, 200, 30)).save(tmp_path / "seen.png")
    page.view.live_button.click()
    page.live.play(tmp_path / "seen.png")
    qtbot.waitUntil(page.live_panel.picture.has_picture, timeout=SLOW)
    page.live_panel.add_menu.aboutToShow.emit()
    (action,) = [each for each in page.live_panel.add_menu.actions() if each.text() == "pear"]
    action.trigger()
    qtbot.waitUntil(lambda: len(session.project.samples()) == before + 1, timeout=SLOW)
    qtbot.waitUntil(lambda: "1 picture was added" in page.live_panel.saved.text(), timeout=SLOW)
    assert page.live.running()
