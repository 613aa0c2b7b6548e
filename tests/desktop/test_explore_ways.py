"""Other ways to look at a sample on Explore: beside the plain picture, and as the network sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot
from tiny_model import SIZE, WINDOWING, write_colour_model, write_loudness_model

from desktop.pages.explore.page import ExplorePage
from desktop.session import Session
from desktop.widgets.overlay_view import OverlayView
from desktop.widgets.pixels import rgb_image
from ml.api import kind_named
from ml.media.mel import mel_size
from tests.desktop.conftest import Opener

SLOW = 20_000


@pytest.fixture(params=["images", "recordings"])
def session(request: pytest.FixtureRequest, open_project: Opener) -> Session:
    session = open_project(kind=request.param)
    model = session.project.runs.results(1) / "model.onnx"
    write = write_colour_model if request.param == "images" else write_loudness_model
    write(model, classes=session.class_names) if request.param == "images" else write(model)
    return session


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 700)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    qtbot.waitUntil(lambda: page.panel.view().has_picture() and page.panel.view().has_overlay())
    yield page
    page.shutdown()


def test_i_shows_what_the_network_gets(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    view, pictures = page.panel.view(), session.project.kind == "images"
    plain = view.picture()
    qtbot.keyClick(page.grid, Qt.Key.Key_I)
    qtbot.waitUntil(lambda: view.picture() != plain, timeout=SLOW)
    shown = view.picture()
    assert shown is not None and view.has_overlay() and page.panel.input_button.isChecked()
    assert (shown.height(), shown.width()) == ((SIZE, SIZE) if pictures else mel_size(WINDOWING))
    sample = session.sample(page.grid.current_id() or 0)
    if pictures:
        given = kind_named("images").load_input(session.project.file(sample.path), [0], windowing=None, size=SIZE)
        assert shown == rgb_image(given[0])
    assert page.panel.input_note.text().startswith(f"The network gets {shown.width()} × {shown.height()} values")
    qtbot.keyClick(page.grid, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: view.picture() not in (None, shown), timeout=SLOW)
    other = view.picture()
    assert other is not None and other.size() == shown.size(), "of the next sample, too"
    page.panel.input_button.click()
    assert view.picture() is not None and view.picture() != other
    assert not page.panel.input_note.isVisible()


def test_a_run_without_a_model_says_so(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    (session.project.runs.results(1) / "model.onnx").unlink()
    qtbot.keyClick(page.grid, Qt.Key.Key_I)
    qtbot.waitUntil(lambda: "cannot be shown. Run 1 has no model.onnx" in page.panel.input_note.text(), timeout=SLOW)
    assert page.panel.view().has_picture() and page.panel.view().has_overlay()


def test_s_shows_the_plain_picture_beside_the_map(qtbot: QtBot, page: ExplorePage) -> None:
    assert not page.panel.view().is_beside()
    qtbot.keyClick(page.grid, Qt.Key.Key_S)
    assert page.panel.view().is_beside() and page.panel.beside_button.isChecked()
    assert not page.panel.view().grab().isNull()
    page.panel.beside_button.click()
    assert not page.panel.view().is_beside()


@pytest.mark.parametrize("wide", [True, False])
def test_one_half_is_plain_and_the_other_laid_over(qtbot: QtBot, wide: bool) -> None:
    view = OverlayView()
    qtbot.addWidget(view)
    view.resize(408, 208) if wide else view.resize(208, 408)
    picture, overlay = (QImage(40, 40, QImage.Format.Format_RGB32) for _ in range(2))
    picture.fill(QColor("blue"))
    overlay.fill(QColor("red"))
    view.set_picture(picture)
    view.set_overlay(overlay)
    view.set_opacity(1.0)
    view.set_beside(True)
    seen = view.grab().toImage()
    first, second = (QColor(seen.pixel(*((x, 100) if wide else (100, x)))).name() for x in (100, 308))
    assert (first, second) == ("#0000ff", "#ff0000")
