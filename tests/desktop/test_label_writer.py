"""Many labels at once: written in the background, in order, and never lost."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop import label_writer
from desktop.pages.explore.page import ExplorePage
from desktop.session import Session
from desktop.window.main_window import MainWindow
from ml.api import HandlensError, LabelChange, Project, msg
from tests.desktop.conftest import Opener

Pieces = Iterator[tuple[LabelChange, ...]]


class Disk:
    """Holds back the writing of many labels until `release`, or fails with `fault` after the first piece or before."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write: Callable[..., Pieces] = project.restore_in_pieces
        self._free = threading.Event()
        self.fault: HandlensError | None = None
        self.fault_after = 0
        monkeypatch.setattr(project, "restore_in_pieces", self._held)

    def release(self) -> None:
        self._free.set()

    def _held(self, wanted: list[tuple[int, object]], **options: object) -> Pieces:
        if len(wanted) > label_writer.FEW:
            assert self._free.wait(10)
        if self.fault is not None:
            yield from self._write(wanted[: self.fault_after], **options)
            raise self.fault
        yield from self._write(wanted, **options)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of 30 pictures is a large one here."""
    monkeypatch.setattr(label_writer, "FEW", 4)


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
    page.filters.split_box.setCurrentIndex(0)
    page.filters.filter_changed.emit()
    yield page
    page.shutdown()


@pytest.fixture
def disk(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(session.project, monkeypatch)
    yield disk
    disk.release()


def on_disk(path: Path) -> dict[int, tuple[int, ...]]:
    with Project.open(path) as again:
        return {sample.id: sample.labels for sample in again.samples()}


def test_many_are_labelled_undone_and_made_again(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    before = on_disk(session.project.path)
    page.grid.selectAll()
    for key, wanted in (
        (Qt.Key.Key_1, dict.fromkeys(before, (0,))),
        (Qt.Key.Key_Z, before),
        (Qt.Key.Key_1, dict.fromkeys(before, (0,))),
    ):
        ctrl = Qt.KeyboardModifier.ControlModifier if key == Qt.Key.Key_Z else Qt.KeyboardModifier.NoModifier
        with qtbot.waitSignal(session.labels_changed):
            qtbot.keyClick(page.grid, key, ctrl)
        assert {sample.id: sample.labels for sample in session.samples} == wanted
        assert on_disk(session.project.path) == wanted
    assert page.model.table is not None and set(page.model.table.labels.tolist()) == {0}


def test_edits_wait_for_the_one_that_is_being_written(
    qtbot: QtBot, page: ExplorePage, session: Session, disk: Disk
) -> None:
    first, second = session.samples[0], session.samples[-1]
    page.model.relabel([sample.id for sample in session.samples], 0)
    page.model.relabel([first.id], 1)
    page.model.relabel([second.id], 1)
    page.model.undo()
    assert on_disk(session.project.path)[second.id] == second.labels, "nothing overtakes the large edit"
    disk.release()
    qtbot.waitUntil(lambda: session.sample(first.id).labels == (1,))
    assert on_disk(session.project.path) == {sample.id: (0,) for sample in session.samples} | {first.id: (1,)}
    assert [change.new for change in session.project.history(second.id)][1:] == [(0,), (1,), (0,)]
    assert page.model.undo_stack.undoText() == "Label as pear"


def test_closing_waits_for_the_disk(qtbot: QtBot, page: ExplorePage, session: Session, disk: Disk) -> None:
    first = session.samples[0]
    page.model.relabel([sample.id for sample in session.samples], 0)
    page.model.relabel([first.id], 2)
    threading.Timer(0.2, disk.release).start()
    page.shutdown()
    assert on_disk(session.project.path) == {sample.id: (0,) for sample in session.samples} | {first.id: (2,)}


def test_a_full_disk_removes_the_edit(qtbot: QtBot, page: ExplorePage, session: Session, disk: Disk) -> None:
    before = on_disk(session.project.path)
    disk.fault = HandlensError(msg("The disk is full."))
    page.model.relabel([sample.id for sample in session.samples], 0)
    disk.release()
    qtbot.waitUntil(lambda: page.view.problem.text() == "The disk is full.")
    assert page.model.undo_stack.count() == 0
    assert on_disk(session.project.path) == before
    assert {sample.id: sample.labels for sample in session.samples} == before


def test_what_was_written_before_the_disk_was_full_can_be_undone(
    qtbot: QtBot, page: ExplorePage, session: Session, disk: Disk
) -> None:
    before = on_disk(session.project.path)
    disk.fault, disk.fault_after = HandlensError(msg("The disk is full.")), 20
    page.model.relabel([sample.id for sample in session.samples], 0)
    disk.release()
    qtbot.waitUntil(lambda: page.view.problem.text() == "The disk is full.")
    assert {sample.id: sample.labels for sample in session.samples} == on_disk(session.project.path)
    assert on_disk(session.project.path) != before
    disk.fault = None
    with qtbot.waitSignal(session.labels_changed):
        page.model.undo()
    assert on_disk(session.project.path) == before


def test_the_window_says_that_it_saves_labels(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        add_run(project)
    window = MainWindow()
    qtbot.addWidget(window)
    window.show()
    window.open_project(project.path)
    qtbot.waitUntil(lambda: window.workspace is not None)
    assert window.workspace is not None
    session, page = window.workspace.session, window.workspace.page("explore")
    assert isinstance(page, ExplorePage)
    disk = Disk(session.project, monkeypatch)
    page.model.relabel([sample.id for sample in session.samples], 0)
    assert window.strip.isVisible() and window.strip.words() == "Saving 20 labels"
    disk.release()
    qtbot.waitUntil(lambda: not window.strip.isVisible())
    assert set(on_disk(project.path).values()) == {(0,)}
    window.close()


def test_a_reader_and_another_writer_are_let_in(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.project.project.LABELS_AT_ONCE", 10)
    pieces = session.project.restore_in_pieces([(sample.id, (1,)) for sample in session.samples])
    next(pieces)
    with closing(sqlite3.connect(session.project.path / "project.db", timeout=0)) as other, other:
        other.execute("INSERT INTO meta VALUES ('other', 'here')")
    other.close()
    for _ in pieces:
        pass
    assert set(on_disk(session.project.path).values()) == {(1,)}


def test_the_counts_follow_the_labels(session: Session) -> None:
    samples = session.samples
    session.tally()
    session.set_labels([sample.id for sample in samples], (1,))
    session.restore_labels([(sample.id, None) for sample in samples[::2]])
    counted = Counter((sample.labels, sample.split, sample.set_by) for sample in session.samples)
    assert +Counter(session.tally()) == counted
    assert session.split_counts()[""] == len(samples[::2])
