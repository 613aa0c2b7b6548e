"""Spans on sensor logs: drawn on the traces, labelled by a key, moved by their ends, several in a log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fabricate
import pytest
from fabricate import LOGS, log_folder, project_of
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from desktop.pages.label.page import LabelPage
from desktop.session import Session
from ml.api import LabelSpan, Project
from tests.desktop.conftest import Opener
from tests.desktop.test_label_spans import no_features


def shown(qtbot: QtBot, session: Session) -> LabelPage:
    page = LabelPage(runner=no_features)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    page._on_chosen(int(page.grid.ids()[0]))
    qtbot.waitUntil(page.panel.traces.has_picture)
    return page


@pytest.fixture
def session(tmp_path: Path, open_project: Opener) -> Session:
    return open_project(project_of(log_folder(tmp_path / "s", each=2), tmp_path / "p.handlens", kind="sensors"))


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[LabelPage]:
    page = shown(qtbot, session)
    yield page
    page.shutdown()


def drag(qtbot: QtBot, page: LabelPage, begin: float, end: float) -> None:
    view = page.panel.traces
    first, last = (QPoint(round(view._x(each)), view.height() // 2) for each in (begin, end))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=first)
    qtbot.mouseMove(view, last)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=last)


def spans(session: Session, sample_id: int) -> list[LabelSpan]:
    with Project.open(session.project.path) as again:
        return list(again.label_spans().get(sample_id, ()))


def test_a_span_on_a_log_is_drawn_labelled_moved_and_removed(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    first = page.grid.current_id()
    assert first is not None and session.sample(first).labels == (0,)
    drag(qtbot, page, 0.4, 1.2)
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    (drawn,) = spans(session, first)
    assert drawn.class_name == "pear" and drawn[1:] == pytest.approx((0.4, 1.2), abs=0.03)
    assert session.sample(first).labels == (1,) and page.grid.current_id() == first
    drag(qtbot, page, drawn.end, 1.6)
    (moved,) = spans(session, first)
    assert moved.start == drawn.start and moved.end == pytest.approx(1.6, abs=0.03)
    tools = page.panel.trace_tools
    assert tools.isVisible() and not page.panel.tools.isVisible()
    for field, value in ((tools.begin_field, 1.8), (tools.end_field, 2.2)):  # by keys alone
        field.setFocus()
        field.setValue(value)
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    assert [span.start for span in spans(session, first)] == [drawn.start, 1.8], "several in one log"
    assert [span.name for span in page.panel.traces.spans()] == ["pear", "pear"]
    page.panel.traces.choose(1)
    tools.remove_button.click()
    assert spans(session, first) == [moved]
    page.undo()
    page.undo()
    page.undo()
    page.undo()
    assert spans(session, first) == [] and session.sample(first).labels == (0,)


def test_traces_zoom_and_keep_the_names_of_their_lanes(page: LabelPage) -> None:
    view = page.panel.traces
    assert view.lanes() == ("x", "y")
    view.select((0.6, 1.8))
    page.panel.trace_tools.in_button.click()
    assert view._seconds == pytest.approx(1.2) and view._start == pytest.approx(0.6)


def test_of_a_log_without_times_whole_rows_are_chosen(
    qtbot: QtBot, tmp_path: Path, open_project: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = replace(LOGS, rate=1.0, seconds=120.0, step=120.0, clock="none")
    monkeypatch.setitem(fabricate.CUTS, "sensors", rows)
    made = project_of(log_folder(tmp_path / "s", each=2), tmp_path / "p.handlens", kind="sensors")
    session = open_project(made)
    page = shown(qtbot, session)
    drag(qtbot, page, 20.4, 60.7)
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    first = page.grid.current_id()
    assert first is not None
    (drawn,) = spans(session, first)
    assert drawn.start == int(drawn.start) and drawn.end == int(drawn.end)
    assert drawn[1:] == pytest.approx((20.4, 60.7), abs=1.5)
    assert page.panel.trace_tools.begin_field.suffix() == ""
    assert page.panel.traces.accessibleDescription().startswith("pear from row 2")
    page.shutdown()
