"""Labels changed with keys: on disk at once, undone and redone on disk too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.session import Session
from ml.api import HandlensError, Project, msg
from tests.desktop.conftest import Opener


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(mistakes=2)


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    yield page
    page.shutdown()


def labels_on_disk(session: Session) -> dict[int, tuple[int, ...]]:
    """What another program would read at this moment."""
    with Project.open(session.project.path) as again:
        return {sample.id: sample.labels for sample in again.samples()}


def test_a_digit_labels_the_chosen_sample_on_disk(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    grid = page.grid
    sample_id = grid.current_id()
    assert sample_id is not None
    before, order = session.sample(sample_id).labels, list(grid.ids())
    qtbot.keyClick(grid, Qt.Key.Key_3)
    assert before != (2,)
    assert labels_on_disk(session)[sample_id] == (2,)
    assert list(grid.ids()) == order, "a relabelled sample stays where it is"
    assert "✎" in grid.model().index(0, 0).data(Qt.ItemDataRole.UserRole + 1).caption
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.panel.labelled.text() == "plum"
    assert session.project.history(sample_id)[-1].origin == "person"


@pytest.mark.parametrize(
    ("split", "said"),
    [("train", "trains"), ("valid", "validates"), ("test", "tests")],
)
def test_it_is_said_what_the_new_label_is_for(page: ExplorePage, session: Session, split: str, said: str) -> None:
    sample = next(sample for sample in session.samples if sample.split == split and sample.labels == (0,))
    page.detail.show(sample.id)
    session.restore_labels([(sample.id, (2,))])
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.panel.note.text() == f"This label was apple during this run. The next run {said} with the new one."


def test_undo_and_redo_are_on_disk_too(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    grid = page.grid
    sample_id = grid.current_id()
    assert sample_id is not None
    before = session.sample(sample_id).labels
    assert not page.view.undo_button.isEnabled()
    qtbot.keyClick(grid, Qt.Key.Key_3)
    qtbot.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert labels_on_disk(session)[sample_id] == before
    qtbot.mouseClick(page.view.redo_button, Qt.MouseButton.LeftButton)
    assert labels_on_disk(session)[sample_id] == (2,)


def test_several_are_labelled_and_undone_together(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    grid = page.grid
    grid.selectAll()
    chosen = grid.selected_ids()
    before = {sample_id: session.sample(sample_id).labels for sample_id in chosen}
    assert len(set(before.values())) > 1
    qtbot.keyClick(grid, Qt.Key.Key_1)
    assert all(labels_on_disk(session)[sample_id] == (0,) for sample_id in chosen)
    page.model.undo_stack.undo()
    assert {sample_id: labels_on_disk(session)[sample_id] for sample_id in chosen} == before


def test_that_a_digit_labels_more_than_the_one_shown_is_said(qtbot: QtBot, page: ExplorePage) -> None:
    grid, side = page.grid, page.panel
    assert not side.selected.isVisible()
    qtbot.keyClick(grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert side.selected.isVisible() and side.selected.text() == "2 selected. A digit key labels all of them."
    grid.selectAll()
    assert side.selected.text() == "6 selected. A digit key labels all of them."
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    assert not side.selected.isVisible()


def test_a_digit_without_a_class_does_nothing(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    before = labels_on_disk(session)
    qtbot.keyClick(page.grid, Qt.Key.Key_9)
    assert labels_on_disk(session) == before
    assert page.model.undo_stack.count() == 0


def test_correcting_the_label_counts_as_right(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    table, grid = page.model.table, page.grid
    sample_id = grid.current_id()
    assert table is not None and sample_id is not None
    row = table.row(sample_id)
    assert row is not None
    said = int(table.predicted[row])
    assert page.filters.sentence.text().startswith("2 of ")
    qtbot.keyClick(grid, Qt.Key(Qt.Key.Key_1 + said))
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.filters.sentence.text().startswith("1 of ")


def test_one_run_has_one_score_everywhere(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    said: list[str] = []
    page.sentence_changed.connect(said.append)
    table, grid = page.model.table, page.grid
    assert table is not None
    qtbot.waitUntil(lambda: page.runs.box.currentText() == "run 1 · 4 of 6 right")
    row = table.row(grid.current_id() or 0)
    assert row is not None
    qtbot.keyClick(grid, Qt.Key(Qt.Key.Key_1 + int(table.predicted[row])))
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert said[-1] == "The model is wrong on 1 of the 6 pictures in the test set."
    qtbot.waitUntil(lambda: page.runs.box.currentText() == "run 1 · 5 of 6 right")


def test_a_label_that_cannot_be_written_is_said_and_not_kept(
    qtbot: QtBot, page: ExplorePage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise HandlensError(msg("The disk is full. Free some space and label it again."))

    before = labels_on_disk(session)
    monkeypatch.setattr(session.project, "restore_in_pieces", full)
    qtbot.keyClick(page.grid, Qt.Key.Key_3)
    assert page.view.problem.isVisible()
    assert page.view.problem.text() == "The disk is full. Free some space and label it again."
    assert page.model.undo_stack.count() == 0
    assert labels_on_disk(session) == before
