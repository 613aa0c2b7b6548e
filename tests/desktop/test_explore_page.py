"""Looking at predictions: orders, filters, maps, the confusion matrix, sounds, and what an empty page says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate import add_run, image_folder, project_of, sound_folder
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS
from desktop.pages.ids import TRAIN
from desktop.session import Session, open_session
from desktop.workers.player import Player

PLACE = "fruit.handlens"


class SilentPlayer(Player):
    """Remembers what it was asked to play: there is no loudspeaker here."""

    def __init__(self, problem: str = "") -> None:
        super().__init__()
        self.trouble = problem
        self.sound: NDArray[np.float32] | None = None
        self.started: list[float] = []

    def problem(self) -> str:
        return self.trouble

    def set_sound(self, waveform: NDArray[np.float32] | None, rate: int, *, time_expansion: int = 1) -> None:
        self.sound = waveform

    def play(self, start: float = 0.0) -> None:
        self.started.append(start)


def opened(tmp_path: Path, *, sounds: bool = False, run: bool = True, mistakes: int = 3) -> Session:
    make = sound_folder if sounds else image_folder
    project = project_of(make(tmp_path / "fruit"), tmp_path / PLACE, kind="recordings" if sounds else "images")
    if run:
        test = [sample.id for sample in project.samples() if sample.split == "test"]
        add_run(project, wrong=tuple(test[:mistakes]), accuracy=1 - mistakes / len(test))
    project.close()
    return open_session(tmp_path / PLACE)


def shown(qtbot: QtBot, session: Session, player: Player | None = None) -> ExplorePage:
    page = ExplorePage(player=player)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    return page


@pytest.fixture
def page(qtbot: QtBot, tmp_path: Path) -> Iterator[ExplorePage]:
    session = opened(tmp_path)
    page = shown(qtbot, session)
    yield page
    page.shutdown()
    session.close()


def captions(page: ExplorePage) -> list[str]:
    return [page.model.tile(int(sample_id)).caption for sample_id in page.grid.ids()]


def test_it_opens_on_the_most_wrong_of_the_test_split(page: ExplorePage) -> None:
    assert page.filters.split_box.currentText() == "Test"
    assert page.filters.sentence.text() == "3 of 6 wrong"
    assert [" → " in caption for caption in captions(page)] == [True, True, True, False, False, False]
    table = page.model.table
    assert table is not None
    rows = [table.row(int(sample_id)) for sample_id in page.grid.ids()]
    assert all(np.diff(table.own[rows]) >= 0)


def test_the_page_says_in_a_sentence_how_it_stands(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path, mistakes=1)
    page = ExplorePage()
    qtbot.addWidget(page)
    with qtbot.waitSignal(page.sentence_changed) as said:
        page.set_session(session)
    assert said.args == ["The model is wrong on 1 of the 6 pictures in the test set."]
    assert page.runs.box.currentText() == "run 1 · 5 of 6 right"
    page.shutdown()
    session.close()


def test_least_sure_and_most_right(page: ExplorePage) -> None:
    table = page.model.table
    assert table is not None
    page.view.tabs.setCurrentIndex(1)
    rows = [table.row(int(sample_id)) for sample_id in page.grid.ids()]
    assert all(np.diff(table.top[rows]) >= 0) and len(rows) == 6, "in the order of the numbers on the tiles"
    tiles = [page.grid.model().index(place, 0).data(Qt.ItemDataRole.UserRole + 1) for place in range(6)]
    numbers = [int(tile.number.strip("<> %")) for tile in tiles]
    assert numbers == sorted(numbers)
    page.view.tabs.setCurrentIndex(2)
    rows = [table.row(int(sample_id)) for sample_id in page.grid.ids()]
    assert all(np.diff(table.own[rows]) <= 0)
    assert not any(" → " in caption for caption in captions(page))


def test_filters_leave_what_they_say(qtbot: QtBot, page: ExplorePage) -> None:
    filters = page.filters
    filters.verdict_box.setFocus()
    qtbot.keyClick(filters.verdict_box, Qt.Key.Key_Down)
    assert filters.verdict_box.currentText() == "Only wrong"
    assert len(page.grid.ids()) == 3
    filters.split_box.setCurrentIndex(0)
    filters.split_box.activated.emit(0)
    filters.verdict_box.setCurrentIndex(0)
    filters.verdict_box.activated.emit(0)
    assert len(page.grid.ids()) == 30
    filters.class_box.setCurrentIndex(2)
    filters.class_box.activated.emit(2)
    assert len(page.grid.ids()) == 10
    assert all(caption.startswith("pear") for caption in captions(page))


def test_what_is_most_right_is_never_asked_for_what_is_wrong(qtbot: QtBot, page: ExplorePage) -> None:
    filters = page.filters
    filters.verdict_box.setFocus()
    qtbot.keyClick(filters.verdict_box, Qt.Key.Key_Down)
    page.view.tabs.setCurrentIndex(VIEWS.index("right"))
    assert filters.sentence.text() == "3 of 6 right" and len(page.grid.ids()) == 3
    assert not filters.verdict_box.isVisible()
    page.view.tabs.setCurrentIndex(VIEWS.index("wrong"))
    assert filters.sentence.text() == "3 of 3 wrong" and filters.verdict_box.currentText() == "Only wrong"


def test_beside_sure_enough_nothing_can_be_labelled_or_laid_over(qtbot: QtBot, page: ExplorePage) -> None:
    page.view.tabs.setCurrentIndex(VIEWS.index("enough"))
    assert not any(widget.isEnabled() for widget in (page.panel.map_box, page.panel.opacity, page.panel.keys))
    assert not page.panel.labelled.isVisible()
    page.relabel(2)
    assert page.model.undo_stack.count() == 0
    page.view.tabs.setCurrentIndex(VIEWS.index("wrong"))
    assert page.panel.map_box.isEnabled() and page.panel.keys.isEnabled() and page.panel.labelled.isVisible()


def test_a_click_on_a_tab_gives_the_keys_to_what_it_shows(qtbot: QtBot, page: ExplorePage) -> None:
    tabs = page.view.tabs
    page.filters.verdict_box.setFocus()
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(1).center())
    qtbot.keyClick(page.focusWidget(), Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(page.grid.selected_ids()) == 6
    page.filters.verdict_box.setFocus()
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(VIEWS.index("confusion")).center())
    assert page.focusWidget() is page.confusion
    assert page.confusion.sentence.text().startswith("Rows are your labels")


def test_with_the_keys_one_goes_on_from_tab_to_tab(qtbot: QtBot, page: ExplorePage) -> None:
    page.view.tabs.setFocus()
    qtbot.keyClick(page.view.tabs, Qt.Key.Key_Right)
    qtbot.keyClick(page.view.tabs, Qt.Key.Key_Right)
    assert page.view.current() == "right" and page.view.tabs.hasFocus()


def test_filters_that_leave_nothing_say_so(page: ExplorePage) -> None:
    page.filters.set_cell(0, 0, "apple")
    page.filters.set_cell(2, 1, "plum → pear")
    assert page.view.stack.currentWidget() is page.view.explanation
    assert page.view.explanation.text() == "Nothing matches these filters. Choose others above."
    assert page.panel.picture.message() == "Nothing selected."


def test_h_cycles_predicted_labelled_nothing(qtbot: QtBot, page: ExplorePage) -> None:
    view = page.panel.picture
    qtbot.waitUntil(lambda: view.has_overlay() and view.has_picture())
    seen = []
    for _ in range(3):
        qtbot.keyClick(page.grid, Qt.Key.Key_H)
        seen.append((page.panel.map_box.currentText(), view.has_overlay()))
    assert seen == [("the predicted class", True), ("the labelled class", True), ("nothing", False)]
    qtbot.keyClick(page.grid, Qt.Key.Key_H)
    assert page.panel.map_box.currentText() == "the predicted class" and view.has_overlay()


def test_h_lays_maps_over_the_tiles(qtbot: QtBot, page: ExplorePage) -> None:
    grid = page.grid
    qtbot.waitUntil(lambda: grid.loaded_pictures() == 6)
    assert not grid.overlays_shown()
    qtbot.keyClick(page.grid, Qt.Key.Key_H)
    qtbot.waitUntil(lambda: grid.loaded_overlays() == 6)
    assert page.model.map_of == "predicted", "first what is seen large already"
    qtbot.keyClick(page.grid, Qt.Key.Key_H)
    qtbot.keyClick(page.grid, Qt.Key.Key_H)
    assert not grid.overlays_shown()


def test_the_map_of_a_label_follows_the_label_on_the_tile_too(qtbot: QtBot, page: ExplorePage) -> None:
    grid = page.grid
    page.model.set_map_of("labelled")
    qtbot.keyClick(grid, Qt.Key.Key_H)
    qtbot.waitUntil(lambda: grid.loaded_overlays() == 6)
    sample_id = grid.current_id()
    assert sample_id is not None
    before, other = grid.overlay(sample_id), grid.overlay(int(grid.ids()[1]))
    qtbot.keyClick(grid, Qt.Key.Key_3)
    qtbot.waitUntil(lambda: grid.overlay(sample_id) is not None)
    assert grid.overlay(sample_id) == page.model.overlay(sample_id) != before
    assert grid.overlay(int(grid.ids()[1])) is other, "the others are not made again"


def test_the_map_of_any_class_can_be_chosen(qtbot: QtBot, page: ExplorePage) -> None:
    box = page.panel.map_box
    qtbot.waitUntil(page.panel.picture.has_overlay)
    predicted = page.panel.picture.overlay()
    other = next(name for name in ("apple", "pear", "plum") if name not in page.panel.predicted.text())
    box.setCurrentIndex(box.findText(other))
    box.activated.emit(box.currentIndex())
    assert page.model.map_of == ("apple", "pear", "plum").index(other)
    assert page.panel.picture.overlay() != predicted
    page.panel.opacity.setValue(20)
    assert page.panel.picture.opacity() == pytest.approx(0.2)


def test_how_strongly_the_map_covers_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path)
    kept = []  # Qt deletes them when the test ends; let go before, Python would, part by part, and that can crash
    for asked in (35, 80):
        page = shown(qtbot, session)
        page.panel.opacity.setValue(asked)
        page.shutdown()
        again = shown(qtbot, session)
        kept += [page, again]
        assert again.panel.opacity.value() == asked
        assert again.panel.picture.opacity() == pytest.approx(asked / 100)
        again.shutdown()
    session.close()


def test_where_there_is_no_grid_the_large_view_names_none(qtbot: QtBot, page: ExplorePage) -> None:
    session = page.model.session
    assert session is not None
    for view, said in (("confusion", "Choose a cell"), ("enough", "on another tab")):
        page.view.tabs.setCurrentIndex(VIEWS.index(view))  # type: ignore[arg-type]
        session.set_run(1)
        assert said in page.panel.picture.message()
    page.view.tabs.setCurrentIndex(0)
    qtbot.waitUntil(page.panel.picture.has_overlay)


def test_arrow_keys_move_and_the_side_follows(qtbot: QtBot, page: ExplorePage) -> None:
    first = page.detail.sample_id()
    qtbot.keyClick(page.grid, Qt.Key.Key_Right)
    assert page.detail.sample_id() == int(page.grid.ids()[1]) != first
    assert page.panel.bars.bars()[0].name in page.panel.predicted.text()
    assert any(bar.labelled for bar in page.panel.bars.bars())


def test_a_confusion_cell_filters_the_grid(qtbot: QtBot, page: ExplorePage) -> None:
    page.view.tabs.setCurrentIndex(VIEWS.index("confusion"))
    view = page.confusion.matrix
    assert view.counts().sum() == 6
    label, predicted = next((int(i), int(j)) for i, j in zip(*np.nonzero(view.counts()), strict=True) if i != j)
    count = int(view.counts()[label, predicted])
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=view.cell_rect(label, predicted).center())
    assert page.view.current() == "wrong"
    names = ("apple", "pear", "plum")
    assert captions(page) == [f"{names[label]} → {names[predicted]}"] * count
    assert page.filters.cell_button.isVisible()
    qtbot.mouseClick(page.filters.cell_button, Qt.MouseButton.LeftButton)
    assert len(page.grid.ids()) == 6


def test_another_run_can_be_looked_at(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path)
    second = add_run(session.project, wrong=())
    page = shown(qtbot, session)
    session.refresh_runs(show=second.number)
    assert page.runs.box.count() == 2
    assert page.filters.sentence.text() == "0 of 6 wrong"
    page.runs.box.setCurrentIndex(1)
    page.runs.box.activated.emit(1)
    assert session.run is not None and session.run.number == 1
    assert page.filters.sentence.text() == "3 of 6 wrong"
    page.shutdown()
    session.close()


def test_no_run_yet_offers_to_train(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path, run=False)
    page = shown(qtbot, session)
    assert page.pages.currentWidget() is page.empty
    assert "No predictions yet" in page.empty.sentence.text()
    with qtbot.waitSignal(page.page_requested) as asked:
        qtbot.mouseClick(page.empty.button, Qt.MouseButton.LeftButton)
    assert asked.args == [TRAIN, ""]
    page.shutdown()
    session.close()


def test_a_vanished_source_folder_is_said_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path)
    (tmp_path / "fruit").rename(tmp_path / "moved")
    page = shown(qtbot, session)
    qtbot.waitUntil(page.view.problem.isVisible)
    assert "is missing" in page.view.problem.text()
    qtbot.waitUntil(lambda: "on the page “Data”" in page.panel.picture.message())
    assert len(page.grid.ids()) == 6
    page.shutdown()
    session.close()


def test_thumbnails_are_kept_in_the_project(qtbot: QtBot, page: ExplorePage, tmp_path: Path) -> None:
    qtbot.waitUntil(lambda: page.grid.loaded_pictures() == 6)
    kept = list((tmp_path / PLACE / "cache" / "thumbnails").rglob("*.jpg"))
    assert len(kept) == 6
    assert not [path for path in kept if path.name.startswith(".")]


def test_a_sound_is_shown_with_axes_and_played(qtbot: QtBot, tmp_path: Path) -> None:
    session, player = opened(tmp_path, sounds=True, mistakes=1), SilentPlayer()
    page = shown(qtbot, session, player)
    qtbot.waitUntil(lambda: player.sound is not None)
    assert player.sound is not None and player.sound.shape == (16_000,)
    view = page.panel.sound
    assert page.panel.view() is view and view.has_overlay()
    qtbot.mouseClick(page.panel.play_button, Qt.MouseButton.LeftButton)
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_Space)
    assert player.started == [0.0, 0.0]
    player.position_changed.emit(0.25)
    assert view.cursor_seconds() == pytest.approx(0.25)
    plot = view.plot_rect()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=plot.center().toPoint())
    assert player.started[-1] == pytest.approx(0.5, abs=0.02)
    page.shutdown()
    session.close()


def test_where_no_sound_can_be_played_it_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path, sounds=True, mistakes=1)
    page = shown(qtbot, session, SilentPlayer("Sounds cannot be played here. “handlens doctor” says what to install."))
    assert not page.panel.play_button.isEnabled()
    assert "handlens doctor" in page.panel.sound_note.text()
    assert page.panel.sound_note.isVisible()
    qtbot.waitUntil(page.panel.sound.has_picture)
    page.shutdown()
    session.close()


def test_an_empty_map_is_said_to_be_empty(qtbot: QtBot, tmp_path: Path) -> None:
    session = opened(tmp_path)
    page = ExplorePage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.resize(1100, 640)
    page.show()
    sample = next(sample for sample in session.samples if sample.labels == (0,))
    predictions = session.predictions()
    assert predictions is not None
    maps = np.array(predictions.maps)
    maps[int(np.flatnonzero(predictions.sample_ids == sample.id)[0]), 2] = -1.0
    np.save(session.project.runs.folder(1) / "predictions" / "maps.npy", maps)
    session.set_run(1)
    page.model.set_map_of("labelled")
    page.detail.show(sample.id)
    assert page.panel.legend.isVisible() and not page.panel.no_map.isVisible()
    session.restore_labels([(sample.id, (2,))])
    QApplication.processEvents()  # the words follow in the next round of the event loop
    assert page.panel.no_map.text() == "No part of it points to plum."
    assert page.panel.no_map.isVisible() and not page.panel.legend.isVisible()
    page.model.set_map_of("predicted")
    assert page.panel.legend.isVisible() and not page.panel.no_map.isVisible()
    page.shutdown()
    session.close()
