"""The Runs page: the table, two runs compared, what flipped shown on Explore, notes, and deleting with undo."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.pages.ids import EXPLORE, RUNS
from desktop.pages.runs.page import RunsPage
from desktop.pages.runs.table import NOTE
from desktop.session import open_session
from desktop.window.workspace import Workspace
from ml.api import Project


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project with three runs: the first is wrong on 2 test samples, the second on 2, one of them new."""
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "Fruit.handlens") as made:
        test = [sample.id for sample in made.samples() if sample.split == "test"]
        add_run(made, wrong=tuple(test[:2]), accuracy=4 / 6)
        add_run(made, wrong=tuple(test[1:3]), accuracy=4 / 6)
        made.set_labels([made.samples()[0].id], [2])
        add_run(made, accuracy=1.0)
        for run, scores in ((2, (0.5, 0.7)), (3, (0.6, 0.8, 0.9))):
            with (made.runs.folder(run) / "history.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(["epoch", "train_loss", "valid_loss", "valid_accuracy", "rate"])
                writer.writerows([epoch, 1.0, 1.0, score, 0.1] for epoch, score in enumerate(scores, start=1))
    return tmp_path / "Fruit.handlens"


@pytest.fixture
def workspace(studio: QApplication, qtbot: QtBot, place: Path) -> Iterator[Workspace]:
    frame = Workspace(open_session(place), [])
    qtbot.addWidget(frame)
    for _step in frame.steps():
        pass
    frame.resize(1366, 720)
    frame.show()
    frame.show_page(RUNS)
    yield frame
    frame.shutdown()


@pytest.fixture
def page(workspace: Workspace, qtbot: QtBot) -> RunsPage:
    page = workspace.page(RUNS)
    assert isinstance(page, RunsPage)
    qtbot.waitUntil(lambda: "no. 2" in " ".join(page.model.line(0).cells))
    return page


def select(page: RunsPage, *runs: int) -> None:
    page.table.clearSelection()
    for run in runs:
        flags = QItemSelectionModel.SelectionFlag
        index = page.model.index(page.model.row_of(run), 0)
        page.table.selectionModel().select(index, flags.Select | flags.Rows)


def test_each_run_has_a_line_with_its_score_data_and_state(page: RunsPage, workspace: Workspace, qtbot: QtBot) -> None:
    workspace.session.release(2, name="", reason="")
    qtbot.waitUntil(lambda: " to " in page.model.line(0).cells[2])
    lines = {page.model.line(row).number: page.model.line(row) for row in range(3)}
    assert lines[3].cells[1] == "6 of 6 right" and lines[1].cells[1] == "4 of 6 right"
    assert " to " in lines[1].cells[2] and lines[1].cells[3] == "Quick"
    assert lines[1].cells[6] == lines[2].cells[6] == "no. 1, 30 labels" and lines[3].cells[6].startswith("no. 2")
    assert [lines[run].cells[7] for run in (1, 2, 3)] == ["finished", "released", "finished"]
    page.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)
    assert page.model.line(2).number == 3


def test_what_flipped_between_two_runs_opens_on_explore(
    page: RunsPage, workspace: Workspace, qtbot: QtBot, place: Path
) -> None:
    select(page, 1, 2)
    qtbot.waitUntil(lambda: "score the same on 6 pictures" in page.comparison.sentence.text())
    assert page.comparison.fixed_button.text() == "1 right only in run 2"
    assert page.comparison.both_button.text() == "1 wrong in both"
    assert page.comparison.curves.points() == {2: 2}
    with Project.open(place, to_read=True) as read:
        test = [sample.id for sample in read.samples() if sample.split == "test"]
    qtbot.mouseClick(page.comparison.broken_button, Qt.MouseButton.LeftButton)
    explore = workspace.page(EXPLORE)
    assert isinstance(explore, ExplorePage) and workspace.current_page == EXPLORE
    assert explore.model.run_number == 2 and explore.grid.ids().tolist() == [test[2]]
    assert "right only in run 1" in explore.filters.cell_button.text()
    qtbot.mouseClick(explore.filters.cell_button, Qt.MouseButton.LeftButton)
    assert len(explore.grid.ids()) == 6 and explore.filters.split_box.currentText() == "Test"


def test_one_run_is_compared_with_the_run_before(page: RunsPage, qtbot: QtBot) -> None:
    select(page, 3)
    qtbot.waitUntil(lambda: "Run 3 is better than run 2" in page.comparison.sentence.text())
    assert page.comparison.curves.points() == {2: 2, 3: 3}
    changes = [page.comparison.classes.item(row, 3).text() for row in range(3)]
    assert sum(int(change) for change in changes) == 2


def test_a_note_is_on_disk_when_it_is_written(page: RunsPage, place: Path, qtbot: QtBot) -> None:
    row = page.model.row_of(2)
    page.table.setCurrentIndex(page.model.index(row, 0))
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_N)
    editor = page.table.findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClicks(editor, "two more ")
    page.model.set_lines([page.model.line(row) for row in reversed(range(page.model.rowCount()))])  # news of the runs
    qtbot.keyClicks(editor, "cameras")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.model.line(page.model.row_of(2)).cells[NOTE] == "two more cameras")
    with Project.open(place, to_read=True) as read:
        assert read.runs.notes() == {2: "two more cameras"}


def test_a_deleted_run_comes_back_with_undo_and_is_gone_when_the_project_is_closed(
    page: RunsPage, workspace: Workspace, qtbot: QtBot, place: Path
) -> None:
    select(page, 3)
    page.table.setFocus()
    qtbot.keyClick(page.table, Qt.Key.Key_Delete)
    assert page.model.row_of(3) == -1 and workspace.session.run is not None and workspace.session.run.number == 2
    qtbot.keyClick(page.table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert page.model.row_of(3) == 0
    qtbot.mouseClick(page.redo_button, Qt.MouseButton.LeftButton)
    assert page.model.row_of(3) == -1
    workspace.session.close()
    assert not (place / "runs" / "0003").exists() and (place / "runs" / "0002").exists()


def test_a_released_run_stays(page: RunsPage, workspace: Workspace) -> None:
    workspace.session.release(3, name="", reason="")
    select(page, 3)
    page.delete()
    assert page.model.row_of(3) >= 0 and "released" in page.problem.text() and not page.undo_button.isEnabled()
