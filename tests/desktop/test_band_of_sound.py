"""Listening to a band of frequencies on the Label page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fabricate import project_of
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.pages.label.page import LabelPage
from desktop.workers.player import Player
from tests.desktop.conftest import Opener
from tests.desktop.test_label_spans import no_features

RATE = 16_000
LOW, HIGH = 400, 3000


class Ear(Player):
    """Notes how loud two tones are in what is played, the louder as 1."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[float, float]] = []
        self.parts: list[tuple[float, float | None]] = []
        self.on = False

    def playing(self) -> bool:
        return self.on

    def play(self, start: float = 0.0, end: float | None = None) -> None:
        wave: NDArray[np.float32] = self._wave
        tones = np.abs(np.fft.rfft(wave))[[LOW, HIGH]]
        low, high = (tones / tones.max()).round(2).tolist()
        self.heard.append((low, high))
        self.parts.append((start, end))
        self.on = True

    def stop(self) -> None:
        self.on = False


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path, open_project: Opener) -> Iterator[LabelPage]:
    times = np.arange(RATE) / RATE
    for name in ("apple", "pear"):
        (tmp_path / "s" / name).mkdir(parents=True)
        wave = 0.3 * np.sin(2 * np.pi * LOW * times) + 0.3 * np.sin(2 * np.pi * HIGH * times)
        soundfile.write(tmp_path / "s" / name / f"{name}.wav", wave, RATE)
    made = project_of(tmp_path / "s", tmp_path / "p.handlens", kind="recordings")
    page = LabelPage(runner=no_features, player=Ear())
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(open_project(made))
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    page._on_chosen(int(page.grid.ids()[0]))
    qtbot.waitUntil(page.panel.sound.has_picture)
    yield page
    page.shutdown()


def test_only_the_band_is_heard_and_it_is_shown(qtbot: QtBot, page: LabelPage) -> None:
    tools, view, ear = page.panel.tools, page.panel.sound, page.player
    assert isinstance(ear, Ear) and view.band() is None and not tools.low_field.isVisible()
    page._on_space()
    page._on_space()
    assert ear.heard == [(1.0, 1.0)]
    qtbot.keyClick(page.grid, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    assert tools.low_field.isVisible() and tools.high_field.maximum() == RATE // 2
    tools.low_field.setValue(1500)
    tools.high_field.setValue(5000)
    assert view.band() == (1500, 5000)
    assert view.plot_rect().top() < view.height_of(5000) < view.height_of(1500) < view.plot_rect().bottom()
    page._on_space()
    qtbot.waitUntil(lambda: len(ear.heard) == 2, timeout=20_000)
    assert ear.heard[-1] == (0.0, 1.0)
    tools.low_field.setValue(0)  # while it plays
    tools.high_field.setValue(1000)
    qtbot.waitUntil(lambda: ear.heard[-1] == (1.0, 0.0), timeout=20_000)
    qtbot.keyClick(page.grid, Qt.Key.Key_B, Qt.KeyboardModifier.ShiftModifier)
    assert ear.heard[-1] == (1.0, 1.0) and view.band() is None and not tools.low_field.isVisible()


def test_the_band_stays_for_the_next_sample_and_for_a_selection(qtbot: QtBot, page: LabelPage) -> None:
    tools, view, ear = page.panel.tools, page.panel.sound, page.player
    assert isinstance(ear, Ear)
    tools.band_button.toggle()
    tools.low_field.setValue(1500)
    page.step(1)
    assert ear.seconds() == 0
    qtbot.waitUntil(lambda: ear.seconds() > 0, timeout=20_000)
    view.select((0.2, 0.5))
    page._on_space()
    qtbot.waitUntil(lambda: len(ear.heard) == 1, timeout=20_000)
    assert ear.heard == [(0.0, 1.0)] and ear.parts == [pytest.approx((0.2, 0.5))]


def test_the_edges_cannot_cross(page: LabelPage) -> None:
    tools = page.panel.tools
    tools.band_button.toggle()
    tools.high_field.setValue(2000)
    tools.low_field.setValue(7000)
    band = tools.band()
    assert band is not None and band[0] < band[1]
