"""Spans on recordings, drawn with the mouse on the Label page and labelled by a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate import project_of, sound_folder
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from desktop.pages.label.page import LabelPage
from desktop.session import Session
from desktop.workers.player import Player, pcm_of
from ml.api import Event, Job, LabelSpan, Project, Stop, Stopped
from tests.desktop.conftest import Opener


def no_features(_job: Job, _stop: Stop) -> Iterator[Event]:
    yield Stopped()


class Recorder(Player):
    """Notes what would be played."""

    played: tuple[float, float | None] = (0.0, None)

    def play(self, start: float = 0.0, end: float | None = None) -> None:
        self.played = (start, end)


@pytest.fixture
def session(tmp_path: Path, open_project: Opener) -> Session:
    made = project_of(sound_folder(tmp_path / "s", each=2), tmp_path / "p.handlens", kind="recordings")
    return open_project(made)


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[LabelPage]:
    page = LabelPage(runner=no_features, player=Recorder())
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    page._on_chosen(int(page.grid.ids()[0]))
    qtbot.waitUntil(page.panel.sound.has_picture)
    yield page
    page.shutdown()


def drag(qtbot: QtBot, page: LabelPage, begin: float, end: float) -> None:
    """Drag from one second of the recording to another."""
    view = page.panel.sound
    middle = view.height() // 2
    first, last = (QPoint(round(view._x(each)), middle) for each in (begin, end))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=first)
    qtbot.mouseMove(view, last)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=last)


def spans(session: Session, sample_id: int) -> list[LabelSpan]:
    with Project.open(session.project.path) as again:
        return list(again.label_spans().get(sample_id, ()))


def test_a_span_is_drawn_labelled_moved_and_removed(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    first = page.grid.current_id()
    assert first is not None and session.sample(first).labels == (0,)
    drag(qtbot, page, 0.2, 0.6)
    page._on_space()
    assert page.player.played == pytest.approx((0.2, 0.6), abs=0.02), "Space plays what is selected"
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    (drawn,) = spans(session, first)
    assert drawn.class_name == "pear" and drawn[1:] == pytest.approx((0.2, 0.6), abs=0.02)
    assert session.sample(first).labels == (1,) and page.grid.current_id() == first
    drag(qtbot, page, drawn.end, 0.8)
    (moved,) = spans(session, first)
    assert moved.start == drawn.start and moved.end == pytest.approx(0.8, abs=0.02)
    page.panel.tools.begin_field.setValue(0.85)  # by keys alone
    page.panel.tools.end_field.setValue(0.95)
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    assert len(spans(session, first)) == 2, "several of one class in one sample"
    page.undo()
    page.undo()
    assert spans(session, first) == [drawn]
    qtbot.waitUntil(lambda: len(page.panel.sound.spans()) == 1)
    page.panel.sound.choose(0)
    page.panel.tools.remove_button.click()
    assert spans(session, first) == [] and session.sample(first).labels == ()
    page.undo()
    page.undo()
    assert spans(session, first) == [] and session.sample(first).labels == (0,), "as the folder said"


def test_zoom_shows_a_part_and_spans_keep_their_place(page: LabelPage) -> None:
    view = page.panel.sound
    view.select((0.4, 0.6))
    page.panel.tools.in_button.click()
    assert view._seconds == pytest.approx(0.5) and view._start == pytest.approx(0.25)
    assert view._x(0.5) == pytest.approx(view.plot_rect().center().x(), abs=1)
    page.panel.tools.out_button.click()
    assert view._seconds == pytest.approx(1.0)


def test_slow_and_loud_playback() -> None:
    wave = np.full(1000, 0.25, dtype=np.float32)
    usual = np.frombuffer(pcm_of(wave, 1000, (0.0, 1.0), 1.0, 1.0), dtype="<i2")
    slow = np.frombuffer(pcm_of(wave, 1000, (0.2, 0.4), 0.1, 2.0), dtype="<i2")
    assert len(usual) == 1000 and len(slow) == pytest.approx(2000, abs=10)
    assert slow[0] == pytest.approx(2 * usual[0], abs=2)
