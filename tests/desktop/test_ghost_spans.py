"""Spans that the model in use suggests on the Label page: accepted or rejected by keys and buttons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricate import add_run, project_of
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot
from tiny_model import write_loudness_model

from desktop.pages.label.page import LabelPage
from desktop.session import Session
from ml.api import LabelSpan, Project
from tests.desktop.conftest import Opener
from tests.desktop.test_label_spans import Recorder, no_features

RATE = 16_000
CALLS = ((1.2, 1.8), (3.0, 4.6))
SHIFT = Qt.KeyboardModifier.ShiftModifier
SLOW = 30_000


def recordings(folder: Path, name: str) -> Path:
    """Six seconds of hiss with two calls, filed under “nothing”, and shorter ones of both classes."""
    rng = np.random.default_rng(5)
    for place in ("chainsaw", "nothing"):
        (folder / place).mkdir(parents=True)
        for number in range(2):
            loud = 0.5 if place == "chainsaw" else 0.02
            soundfile.write(folder / place / f"z{number}.wav", rng.normal(0, loud, RATE), RATE)
    wave = rng.normal(0, 0.02, 6 * RATE)
    for begin, end in CALLS:
        here = slice(round(begin * RATE), round(end * RATE))
        wave[here] += 0.6 * np.sin(2 * np.pi * 900 * np.arange(here.stop - here.start) / RATE)
    soundfile.write(folder / "nothing" / name, wave, RATE)
    return folder


def give_model(project: Project) -> None:
    run = add_run(project)
    write_loudness_model(
        project.runs.results(run.number) / "model.onnx", classes=("chainsaw", "nothing"), exact_maps=True
    )


@pytest.fixture
def session(tmp_path: Path, open_project: Opener) -> Session:
    made = project_of(recordings(tmp_path / "s", "night.wav"), tmp_path / "p.handlens", kind="recordings")
    give_model(made)
    return open_project(made)


@pytest.fixture
def show(qtbot: QtBot, session: Session) -> Iterator[Callable[[], LabelPage]]:
    made: list[LabelPage] = []

    def make() -> LabelPage:
        page = LabelPage(runner=no_features, player=Recorder())
        made.append(page)
        qtbot.addWidget(page)
        page.resize(1100, 640)
        page.set_session(session)
        page.show()
        with qtbot.waitExposed(page):
            page.opened()
        return page

    yield make
    for page in made:
        page.shutdown()


def window(session: Session, second: float) -> int:
    """Return the window of the night in which this second lies."""
    return next(
        sample.id
        for sample in session.samples
        if sample.path.endswith("night.wav") and sample.start is not None and sample.start <= second < sample.start + 1
    )


def look_at(qtbot: QtBot, page: LabelPage, session: Session, second: float) -> None:
    chosen = window(session, second)
    page.grid.choose(chosen)
    view = page.panel.sound
    qtbot.waitUntil(lambda: view.has_picture() and view._whole[0] == session.sample(chosen).start)
    qtbot.waitUntil(lambda: page.model.ghosts.state(session.sample(chosen))[0] == "done", timeout=SLOW)


def ghosts(page: LabelPage) -> list[tuple[str, float, float]]:
    return [(each.name, each.start, each.end) for each in page.panel.sound.spans() if each.ghost]


def spans(session: Session) -> list[LabelSpan]:
    with Project.open(session.project.path) as again:
        return sorted({span for own in again.label_spans().values() for span in own}, key=lambda span: span.start)


def test_a_detection_is_a_ghost_until_it_is_accepted(
    qtbot: QtBot, show: Callable[[], LabelPage], session: Session
) -> None:
    page = show()
    look_at(qtbot, page, session, 1.5)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)
    name, start, end = ghosts(page)[0]
    assert name == "chainsaw" and (start, end) == pytest.approx(CALLS[0], abs=0.3)
    assert page.panel.ghost_bar.words.text().startswith("chainsaw? 1.")
    qtbot.keyClick(page.grid, Qt.Key.Key_A, SHIFT)
    (accepted,) = spans(session)
    assert accepted.class_name == "chainsaw" and accepted[1:] == pytest.approx((start, end), abs=0.001)
    assert session.sample(window(session, 1.5)).labels == (0,)
    qtbot.waitUntil(lambda: [each.ghost for each in page.panel.sound.spans()] == [False])
    assert not page.panel.ghost_bar.accept_button.isEnabled()
    qtbot.keyClick(page.grid, Qt.Key.Key_Backspace)
    assert spans(session) == [] and session.sample(window(session, 1.5)).labels == (1,)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)


def test_a_rejected_ghost_stays_away(qtbot: QtBot, show: Callable[[], LabelPage], session: Session) -> None:
    page = show()
    look_at(qtbot, page, session, 3.5)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)
    qtbot.keyClick(page.grid, Qt.Key.Key_X, SHIFT)
    assert ghosts(page) == [] and spans(session) == []
    look_at(qtbot, page, session, 1.5)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)
    look_at(qtbot, page, session, 4.3)
    assert page.panel.ghost_bar.words.text() == "The model suggests no further span here."
    page.model.ghosts.changed.emit()  # as when a search ends
    assert ghosts(page) == [], "also in the next window of the recording, and when it is shown again"
    page.undo()
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)
    page.panel.ghost_bar.reject_button.click()
    assert ghosts(page) == []


def test_a_ghost_is_chosen_with_the_mouse_and_accepted_with_the_button(
    qtbot: QtBot, show: Callable[[], LabelPage], session: Session
) -> None:
    page = show()
    look_at(qtbot, page, session, 3.5)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1)
    view = page.panel.sound
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(round(view._x(3.5)), view.height() // 2))
    assert view.chosen() == 0
    page.panel.ghost_bar.accept_button.click()
    assert [span.class_name for span in spans(session)] == ["chainsaw"]
    assert {sample.labels for sample in session.samples if sample.start in (3.0, 4.0)} == {(0,)}, "in both windows"
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert len(spans(session)) == 1, "nothing is chosen"


def test_without_a_run_nothing_is_suggested(
    qtbot: QtBot, tmp_path: Path, open_project: Opener, show: Callable[[], LabelPage], session: Session
) -> None:
    session.project.delete_run(1)
    page = show()
    page.grid.choose(window(session, 1.5))
    qtbot.waitUntil(page.panel.sound.has_picture)
    assert not page.panel.ghost_bar.isVisible() and ghosts(page) == []
    give_model(session.project)
    session.refresh_runs(show=2)
    qtbot.waitUntil(lambda: len(ghosts(page)) == 1, timeout=SLOW)
    assert page.panel.ghost_bar.isVisible()


def test_a_model_that_cannot_be_read_says_so(qtbot: QtBot, show: Callable[[], LabelPage], session: Session) -> None:
    (session.project.runs.results(1) / "model.onnx").write_bytes(b"no model")
    page = show()
    page.grid.choose(window(session, 1.5))
    words = page.panel.ghost_bar.words
    qtbot.waitUntil(lambda: words.text().startswith("No spans are suggested here. model.onnx"), timeout=SLOW)
