"""Explore and Train where more than one class may be present: toggling keys, thresholds, what counts as wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate_several import THRESHOLDS, add_run_of_several, mixed_project
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from desktop.models.prediction_table import Filter, table_of
from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS
from desktop.pages.train import messages as train_words
from desktop.pages.train.page import TrainPage
from desktop.session import Session
from desktop.widgets.tiles import Tile
from ml.api import (
    SPLIT_CODES,
    EpochDone,
    Event,
    Finished,
    Job,
    ProbeDone,
    Project,
    RunStarted,
    Stop,
    compare_runs,
)
from tests.desktop.conftest import Opener

TEST = SPLIT_CODES.index("test")


@pytest.fixture
def session(open_project: Opener, tmp_path: Path) -> Session:
    project = mixed_project(tmp_path / "fruit.handlens")
    tested = [sample for sample in project.samples() if sample.split == "test"]
    two = next(sample for sample in tested if len(sample.labels) == 2)
    none = next(sample for sample in tested if not sample.labels)
    add_run_of_several(project, wrong={two.id: two.labels[:1], none.id: (2,)})
    return open_project(project)


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


def on_disk(session: Session, sample_id: int) -> tuple[tuple[int, ...], bool]:
    with Project.open(session.project.path) as again:
        found = next(sample for sample in again.samples() if sample.id == sample_id)
        return found.labels, found.labelled


def tile_at(page: ExplorePage, place: int) -> Tile:
    tile = page.grid.model().index(place, 0).data(Qt.ItemDataRole.UserRole + 1)
    assert isinstance(tile, Tile)
    return tile


def test_the_wrong_ones_come_first_and_say_what_is_there_and_what_was_said(page: ExplorePage) -> None:
    captions = {tile_at(page, place).caption for place in range(2)}
    assert "none of them → plum" in captions
    assert any(
        ", " in caption.split(" → ")[0] and ", " not in caption.split(" → ")[1]
        for caption in captions - {"none of them → plum"}
    )
    assert not tile_at(page, 2).wrong
    assert page.filters.sentence.text().startswith("2 of ")


def test_a_digit_adds_a_class_and_takes_it_away_again(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    grid = page.grid
    sample_id = grid.current_id()
    assert sample_id is not None
    before = session.sample(sample_id).labels
    missing = next(index for index in range(3) if index not in before)
    qtbot.keyClick(grid, Qt.Key(Qt.Key.Key_1 + missing))
    assert on_disk(session, sample_id) == (tuple(sorted({*before, missing})), True)
    qtbot.keyClick(grid, Qt.Key(Qt.Key.Key_1 + missing))
    assert on_disk(session, sample_id) == (before, True)
    page.model.undo_stack.undo()
    assert on_disk(session, sample_id)[0] == tuple(sorted({*before, missing}))
    page.model.undo_stack.undo()
    assert on_disk(session, sample_id)[0] == before


def test_labels_given_in_another_order_are_not_changed_by_anybody(page: ExplorePage, session: Session) -> None:
    two = next(sample for sample in session.samples if len(sample.labels) == 2)
    swapped = two.labels[::-1]
    session.restore_labels([(two.id, swapped)])
    table = page.model.table
    assert table is not None and session.sample(two.id).labels == swapped
    told = explore_words.tile(table, table.row(two.id) or 0, session.sample(two.id), ("apple", "pear", "plum"))
    assert not told.changed and "✎" not in told.caption
    page.detail.show(two.id)
    assert "during this run" not in page.panel.note.text()


def test_the_least_sure_say_what_they_are_sorted_by(page: ExplorePage) -> None:
    assert "closest" not in page.filters.sentence.text()
    page.view.tabs.setCurrentIndex(VIEWS.index("unsure"))
    assert page.filters.sentence.text().endswith("wrong · closest to a threshold first")


def test_zero_says_none_of_them_and_undo_brings_back_that_nobody_had_said(
    qtbot: QtBot, page: ExplorePage, session: Session
) -> None:
    grid = page.grid
    sample_id = grid.current_id()
    assert sample_id is not None
    session.restore_labels([(sample_id, None)])
    assert on_disk(session, sample_id) == ((), False)
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.panel.labelled.text() == "not yet"
    qtbot.keyClick(grid, Qt.Key.Key_0)
    assert on_disk(session, sample_id) == ((), True)
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.panel.labelled.text() == "none of them"
    page.model.undo_stack.undo()
    assert on_disk(session, sample_id) == ((), False)
    page.model.undo_stack.redo()
    assert on_disk(session, sample_id) == ((), True)


def test_of_several_chosen_all_get_the_class_that_some_lack(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    grid = page.grid
    grid.selectAll()
    chosen = grid.selected_ids()
    before = {sample_id: session.sample(sample_id).labels for sample_id in chosen}
    qtbot.keyClick(grid, Qt.Key.Key_1)
    assert all(0 in session.sample(sample_id).labels for sample_id in chosen)
    page.model.undo_stack.undo()
    assert {sample_id: session.sample(sample_id).labels for sample_id in chosen} == before


def test_the_bars_carry_the_thresholds(page: ExplorePage) -> None:
    bars = {bar.name: bar.threshold for bar in page.panel.bars.bars()}
    assert bars == pytest.approx(dict(zip(("apple", "pear", "plum"), THRESHOLDS, strict=True)))


def test_only_what_is_said_wrongly_stands_beside_the_diagonal(page: ExplorePage, session: Session) -> None:
    predictions = session.predictions()
    assert predictions is not None
    table = table_of(predictions, session.samples)
    counts = table.confusion(Filter(split=TEST))
    totals = table.totals(Filter(split=TEST))
    assert (counts - np.diag(np.diag(counts))).sum() == 0, "the only wrong word is said of what has no class"
    assert (totals - np.diag(counts)).sum() == 1
    page.view.tabs.setCurrentIndex(VIEWS.index("confusion"))
    assert "Off the diagonal" in page.confusion.sentence.text()
    assert page.confusion.matrix.sentence(0, 1).startswith("“pear” was wrongly predicted for 0 of the ")
    assert len(table.select(Filter(split=TEST, label=-1))) == sum(
        sample.split == "test" and not sample.labels for sample in session.samples
    )


def test_what_a_run_found_is_told_in_words(session: Session) -> None:
    looked = compare_runs(session.project, before=None, after=1, samples=session.samples)
    assert looked.label_counts is not None
    assert len(looked.mistakes) == 2
    assert (looked.label_counts.wrong, looked.label_counts.present - looked.label_counts.found) == (1, 1)
    told = train_words.RunSummary(run=1, first=True, seconds=3.0)
    lines = train_words.result_lines("images", told, looked, task="multi")
    found, there, named = looked.label_counts.found, looked.label_counts.present, looked.label_counts.predicted
    assert lines[0] == f"It found {found} of {there} labels. Wrong predictions: 1 of {named}."


def test_the_score_is_told_with_its_meaning(qtbot: QtBot, session: Session) -> None:
    events: list[Event] = [
        RunStarted(
            run=2, resumed=False, train=8, valid=8, test=14, class_names=("apple", "pear", "plum"), task="multi"
        ),
        ProbeDone(seconds=1.0, train_loss=0.5, valid_loss=0.6, valid_accuracy=0.81),
        EpochDone(epoch=1, epochs=1, train_loss=0.4, valid_loss=0.5, valid_accuracy=0.9, rate=0.1, best=True),
        Finished(run=1, seconds=3.0, valid_accuracy=0.9, test_accuracy=0.86, probe_accuracy=0.81),
    ]

    def runner(_job: Job, _stop: Stop) -> Iterator[Event]:
        yield from events

    page = TrainPage(runner=runner)
    qtbot.addWidget(page)
    page.set_session(session)
    page.train("standard")
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert page.progress.score.text() == "Score 90 of 100"
    assert "100 is perfect" in page.result.lines.text()
    qtbot.waitUntil(lambda: "It found" in page.result.lines.text())
    assert page.result.score.text() == "Score 94 of 100 on 14 pictures in the test"
    page.shutdown()


def test_the_figures_of_a_class_show_what_it_missed_or_wrongly_found(page: ExplorePage) -> None:
    page.view.choose("enough")
    model = page.thresholds.model
    assert model is not None
    lists = model.samples(page.thresholds.rate() or 0.05)
    lines = [button for button in page.thresholds.classes.findChildren(QPushButton) if not button.isHidden()]
    mistaken = [ids for ids in lists.values() if len(ids)]
    assert len(lines) == len(mistaken) > 0
    lines[0].click()
    assert page.view.current() == "wrong" and len(page.grid.ids()) == len(mistaken[0])
