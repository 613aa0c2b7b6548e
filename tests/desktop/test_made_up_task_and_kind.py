"""Explore shows a project of a kind and a task that the window does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_folder import ordered_films
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS
from desktop.session import Session, open_session
from desktop.workers.sample_renderer import load_large, load_tile, overlay_image
from ml.api import run_scores
from ml.core.events import Finished
from ml.core.jobs import NeverStop, TrainJob
from ml.pipeline.worker import Worker
from tests import made_up


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with made_up.registered():
        place = ordered_films(tmp_path)
        *_, finished = Worker().run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop())
        assert isinstance(finished, Finished), finished
        session = open_session(place)
        yield session
        session.close()


@pytest.mark.slow
def test_explore_shows_frames_with_their_maps_and_scores(qtbot: QtBot, session: Session) -> None:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    for view in VIEWS:
        if view != "suspicious":  # it would start a job
            page.show_view(view)
    page.show_view("right")
    assert len(page.grid.ids()) > 0
    tested = next(sample for sample in session.samples if sample.split == "test")
    page.detail.show(tested.id)
    qtbot.waitUntil(page.panel.picture.has_overlay, timeout=20_000)
    assert page.panel.view() is page.panel.picture
    assert not load_tile(session.project, tested).isNull()
    assert load_large(session.project, tested).waveform is None
    stored = session.project.predictions(1)
    assert stored.task == "ordered"
    assert overlay_image(stored.maps[0], 0, kind="films") is not None
    assert run_scores(session.project, [1], session.samples)[1].score == 1.0
    page.shutdown()
