"""The map of the data: points, the pointer, a line around some, colours, and 100,000 points that move."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPolygonF
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.session import Session
from desktop.widgets.scatter_view import ScatterView
from ml.pipeline.data_map import compute_data_map
from tests.desktop.conftest import Opener


@pytest.fixture
def session(open_project: Opener) -> Session:
    session = open_project(mistakes=2)
    folder = session.project.runs.folder(1) / "predictions"
    labels = np.load(folder / "labels.npy")
    points = np.random.default_rng(0).normal(0, 0.2, (30, 16))
    points[:, 0] += 10.0 * labels
    np.save(folder / "embeddings.npy", points.astype(np.float16))
    return session


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = ExplorePage(runner=compute_data_map)  # type: ignore[arg-type]
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.set_session(session)
    page.show()
    yield page
    page.shutdown()


def drag(qtbot: QtBot, view: ScatterView, corners: list[tuple[float, float]]) -> None:
    places = [QPoint(round(x), round(y)) for x, y in corners]
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(view, place)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=places[-1])


def test_a_line_around_points_brings_their_samples_into_the_grid(
    page: ExplorePage, session: Session, qtbot: QtBot
) -> None:
    page.filters.split_box.setCurrentIndex(0)
    page.view.choose("map")
    scatter = page.map.scatter
    qtbot.waitUntil(lambda: scatter.count() == 30)
    assert all(name in page.map.legend.text() for name in ("apple", "pear", "plum"))
    table = page.model.table
    assert table is not None
    plums = scatter.places()[table.labels == 2]
    (left, top), (right, bottom) = plums.min(axis=0) - 6, plums.max(axis=0) + 6
    drag(qtbot, scatter, [(left, top), (right, top), (right, bottom), (left, bottom)])
    assert page.view.current() == "wrong" and "10 pictures from the map" in page.filters.cell_button.text()
    assert {session.sample(int(each)).label for each in page.grid.ids()} == {2} and len(page.grid.ids()) == 10


def test_the_sample_under_the_pointer_is_shown_large(page: ExplorePage, session: Session, qtbot: QtBot) -> None:
    page.view.choose("map")
    scatter = page.map.scatter
    qtbot.waitUntil(lambda: scatter.count() == 6)
    x, y = scatter.places()[3]
    with qtbot.waitSignal(page.data_map.pointed) as pointed:
        qtbot.mouseMove(scatter, QPoint(round(float(x)), round(float(y))))
    assert session.sample(pointed.args[0]).split == "test"
    assert page.panel.file_name.text() == session.sample(pointed.args[0]).path


def test_colours_say_right_or_wrong_and_filters_leave_points_out(page: ExplorePage, qtbot: QtBot) -> None:
    page.view.choose("map")
    qtbot.waitUntil(lambda: page.map.scatter.count() == 6)
    page.map.colour_box.setCurrentIndex(2)
    page.map.colour_chosen.emit()
    assert "wrong" in page.map.legend.text()
    page.filters.verdict_box.setCurrentIndex(1)
    page.filters.verdict_box.activated.emit(1)
    assert page.map.scatter.count() == 2


def test_the_map_is_arranged_by_likeness(page: ExplorePage, qtbot: QtBot) -> None:
    page.view.choose("map")
    qtbot.waitUntil(lambda: page.map.scatter.count() == 6)
    before = page.map.scatter.places()
    qtbot.mouseClick(page.map.likeness_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "alike to the model" in page.map.sentence.text(), timeout=20_000)
    qtbot.waitUntil(lambda: not np.array_equal(page.map.scatter.places(), before))


def test_the_keys_move_zoom_and_choose(qtbot: QtBot) -> None:
    view = ScatterView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    points = np.random.default_rng(0).normal(0, 1, (200, 2)).astype(np.float32)
    view.set_points(points, np.full(200, 0xFF00FF00, np.uint32))
    view.show()
    for _ in range(8):
        qtbot.keyClick(view, Qt.Key.Key_Plus)
    qtbot.keyClick(view, Qt.Key.Key_Left)
    with qtbot.waitSignal(view.lassoed) as chosen:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    places = view.places()[chosen.args[0]]
    assert 0 < len(places) < 200 and (places >= 0).all() and (places[:, 0] < 400).all()
    triangle = QPolygonF([QPointF(0, 0), QPointF(400, 0), QPointF(0, 300)])
    inside, everywhere = view.inside(triangle), view.places()
    expected = np.flatnonzero((everywhere >= 0).all(axis=1) & (everywhere[:, 0] / 400 + everywhere[:, 1] / 300 < 1))
    assert sorted(inside.tolist()) == expected.tolist()


def test_a_hundred_thousand_points_move_smoothly(qtbot: QtBot) -> None:
    view = ScatterView()
    qtbot.addWidget(view)
    view.resize(900, 640)
    points = np.random.default_rng(0).normal(0, 1, (100_000, 2)).astype(np.float32)
    view.set_points(points, np.random.default_rng(1).integers(0xFF000000, 0xFFFFFFFF, 100_000, dtype=np.uint32))
    view.show()
    times = []
    for step in range(30):
        began = time.process_time()
        view.move_by(7 if step % 2 else -5, 3)
        view.grab()
        times.append(time.process_time() - began)
    assert float(np.median(times)) < 0.033, "processor time of a frame"
