"""Playing only the parts of a recording that the network attended to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.session import Session
from desktop.workers.player import Parts, Player, pcm_of, place_in
from ml.api import attended_times
from tests.desktop.conftest import Opener


class Recorder(Player):
    """Notes which parts would be played: there is no loudspeaker here."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Parts] = []

    def problem(self) -> str:
        return ""

    def play_parts(self, parts: Parts) -> None:
        self.parts.append(parts)


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(kind="recordings")


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = ExplorePage(player=Recorder())
    qtbot.addWidget(page)
    page.resize(1100, 700)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    qtbot.waitUntil(page.panel.sound.has_picture)
    yield page
    page.shutdown()


def test_p_plays_where_the_map_is_bright(qtbot: QtBot, page: ExplorePage) -> None:
    player = page.player
    assert isinstance(player, Recorder)
    qtbot.keyClick(page.grid, Qt.Key.Key_P)
    ((part,),) = player.parts
    assert part == pytest.approx((1 / 7, 4 / 7), abs=0.08), "the columns that speak for the prediction"
    page.model.set_map_of("off")
    page.panel.attended_button.click()
    assert player.parts[1] == (part,), "without a map it is that of the prediction"


def test_where_nothing_is_bright_it_says_so(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    sample_id = page.grid.current_id()
    assert sample_id is not None
    predicted = page.model.map_class(session.sample(sample_id))
    page.model.set_map_of(next(index for index in range(3) if index != predicted))
    qtbot.keyClick(page.grid, Qt.Key.Key_P)
    player = page.player
    assert isinstance(player, Recorder) and player.parts == []
    assert page.panel.sound_note.isVisible() and "attended to" in page.panel.sound_note.text()
    qtbot.keyClick(page.grid, Qt.Key.Key_Right)
    assert not page.panel.sound_note.isVisible()


def test_pictures_have_nothing_to_play(qtbot: QtBot, open_project: Opener) -> None:
    page = ExplorePage(player=Recorder())
    qtbot.addWidget(page)
    page.set_session(open_project())
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_P)
    assert isinstance(page.player, Recorder) and page.player.parts == []
    assert not page.panel.attended_button.isVisible()
    page.shutdown()


def test_times_come_in_order_and_reach_the_ends() -> None:
    maps = np.full((2, 3, 8), -1.0, dtype=np.float32)
    maps[1, 0, 6:] = 2.0
    maps[1, 2, :2] = 1.8
    maps[0, 1, 4] = 0.5
    first, last = attended_times(maps, 1)
    assert first[0] == 0.0 and first[1] == pytest.approx(2 / 8, abs=0.05)
    assert last == pytest.approx((6 / 8, 1.0), abs=0.05)
    assert attended_times(maps, 0) == (), "weak beside what speaks for the other class"
    assert attended_times(np.zeros((2, 1, 4), dtype=np.float32), 1) == ()


def test_parts_begin_and_end_softly_and_the_cursor_jumps() -> None:
    wave = np.full(1000, 0.5, dtype=np.float32)
    played = np.frombuffer(pcm_of(wave, 1000, (0.2, 0.6), 1.0, 1.0, fade=0.02), dtype="<i2")
    assert len(played) == 400 and abs(int(played[0])) < 1000 and abs(int(played[-1])) < 1000
    assert (played[20:-20] == played[200]).all() and (wave == 0.5).all()
    parts = ((0.2, 0.6), (0.8, 0.9))
    assert [round(place_in(parts, each), 6) for each in (0.0, 0.3, 0.45, 0.5, 9.0)] == [0.2, 0.5, 0.85, 0.9, 0.9]
