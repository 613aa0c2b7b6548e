"""In the smallest window everything that is said can be read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication, QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from desktop import style
from desktop.pages.explore.detail.panel import DetailPanel, Details
from desktop.pages.explore.grid.filters import ExploreFilters
from desktop.pages.explore.label_issues.bar import LabelIssuesBar
from desktop.pages.explore.page import ExplorePage
from desktop.pages.train.progress import TrainProgress
from desktop.widgets.bar_list import BarList, BarRow
from desktop.widgets.choice_button import ChoiceButton
from desktop.widgets.class_keys import ClassKeys
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.rail import Rail
from desktop.widgets.thumbnail_grid import ThumbnailGrid
from desktop.widgets.tiles import Tile
from desktop.window.main_window import MainWindow


def places(widgets: Sequence[QWidget], inside: QWidget) -> list[QRect]:
    return [widget.rect().translated(widget.mapTo(inside, widget.rect().topLeft())) for widget in widgets]


@pytest.mark.parametrize(("width", "rows"), [(800, 1), (346, 2)])
def test_filters_begin_another_row_instead_of_being_cut(
    qtbot: QtBot, studio: QApplication, width: int, rows: int
) -> None:
    filters = ExploreFilters()
    qtbot.addWidget(filters)
    filters.resize(width, 40)
    filters.show()
    filters.set_choices(("dog_bark", "fire_crackling"), (0, 1, 2))
    filters.sentence.setText("2 of 25 wrong")
    widgets = (filters.class_box, filters.split_box, filters.verdict_box, filters.sentence)
    qtbot.waitUntil(lambda: all(widget.width() >= widget.sizeHint().width() for widget in widgets))
    filters.resize(width, filters.minimumSizeHint().height())
    filters.grab()
    shown = places(widgets, filters)
    assert len({place.center().y() for place in shown}) == rows
    assert all(filters.rect().contains(place) for place in shown)
    assert filters.class_box.geometry().right() < filters.split_box.geometry().left()


def test_bars_are_seen_before_pictures(qtbot: QtBot, studio: QApplication) -> None:
    bars = BarList(row_height=60)
    qtbot.addWidget(bars)
    bars.resize(330, 130)
    colour = QColor("#ff00ff")
    bars.set_rows([BarRow(name="person_sneeze", count=12, colour=colour, words="person_sneeze: 12")] * 2)
    bars.show()
    shot = bars.viewport().grab().toImage()
    assert sum(shot.pixelColor(x, 30) == colour for x in range(shot.width())) >= 60


@pytest.mark.parametrize(("height", "cut"), [(64, True), (120, False)])
def test_a_choice_without_room_for_its_sentence_says_it_in_its_tool_tip(
    qtbot: QtBot, studio: QApplication, height: int, cut: bool
) -> None:
    words = "Recordings of any length: calls, machines, voices."
    button = ChoiceButton(title="Teach it your sounds", words=words, icon="ph.speaker-high")
    qtbot.addWidget(button)
    button.resize(280, height)
    button.show()
    assert button.toolTip() == (words if cut else "")
    picture = button.grab().toImage()
    edge = range(40, picture.width() - 40)
    ground = style.current().surface
    below = picture.height() - 8
    assert all(picture.pixelColor(x, below) == ground for x in edge), "no half lines at the lower edge"


def test_what_it_is_doing_can_be_read_to_its_end(qtbot: QtBot, studio: QApplication) -> None:
    watch = TrainProgress()
    qtbot.addWidget(watch)
    watch.resize(1180, 640)
    watch.begin(kind="images", passes=1.0, curves=True)
    watch.show()
    doing = "Now it is writing the model to a file and checking that the file answers as the network does."
    watch.show_stopping(f"It has stopped learning. {doing}", final=False)
    sentence = watch.sentence
    qtbot.waitUntil(lambda: sentence.height() >= sentence.heightForWidth(sentence.width()))


def test_class_keys_take_the_room_there_is(qtbot: QtBot, studio: QApplication) -> None:
    names = ("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop")
    side = DetailPanel()
    qtbot.addWidget(side)
    side.set_classes((*names, "Residential", "River", "SeaLake"))
    side.show_details(Details(name="a.jpg", labelled="River", predicted="River  75 %", wrong=False))
    side.resize(372, 640)
    side.show()
    buttons = side.keys.findChildren(QToolButton)
    assert len(buttons) == 10
    qtbot.waitUntil(lambda: all(button.visibleRegion().boundingRect() == button.rect() for button in buttons))


def test_many_class_keys_scroll_where_there_is_hardly_room(qtbot: QtBot, studio: QApplication) -> None:
    keys = ClassKeys()
    qtbot.addWidget(keys)
    keys.resize(360, 100)
    keys.set_classes([f"class number {number}" for number in range(60)])
    assert keys.minimumSizeHint().height() < keys.sizeHint().height() < 300


@pytest.mark.parametrize(("width", "across"), [(840, True), (1206, True), (1420, False)])
def test_all_tabs_of_explore_are_seen(qtbot: QtBot, studio: QApplication, width: int, across: bool) -> None:
    page = ExplorePage()
    qtbot.addWidget(page)
    page.resize(width, 560)
    page.show()
    tabs, left, more = page.view.tabs, page.view.left, page.view.more_button
    qtbot.waitUntil(lambda: tabs.width() >= tabs.sizeHint().width())
    tab_row = tabs.parentWidget()
    assert tab_row is not None and more.geometry().right() <= tab_row.width()
    assert (tab_row.geometry().right() > left.geometry().right()) is across
    assert (page.panel.geometry().top() > tab_row.geometry().bottom()) is across
    tabs.setFocus()
    qtbot.keyClick(tabs, Qt.Key.Key_Tab)
    assert page.focusWidget() is more
    qtbot.keyClick(more, Qt.Key.Key_Tab)
    assert page.focusWidget() is page.filters.class_box
    page.shutdown()


@pytest.mark.parametrize(("width", "below"), [(346, True), (720, False)])
def test_what_looks_wrong_is_said_beside_the_buttons_or_above(
    qtbot: QtBot, studio: QApplication, width: int, below: bool
) -> None:
    bar = LabelIssuesBar()
    qtbot.addWidget(bar)
    bar.bar.hide()
    bar.cancel_button.hide()
    bar.sentence.setText("9 of the 1,000 labels look wrong, the most suspicious first.")
    bar.resize(width, 90)
    bar.show()

    def below_it() -> bool:
        sentence, button = places((bar.sentence, bar.everything_button), bar)
        return button.top() > sentence.bottom()

    qtbot.waitUntil(lambda: below_it() is below)
    assert bar.everything_button.width() >= bar.everything_button.sizeHint().width()


@pytest.mark.parametrize(("count", "drawn"), [(3, False), (300, True)])
def test_the_grid_shows_a_scroll_bar_where_there_is_something_to_scroll(
    qtbot: QtBot, studio: QApplication, count: int, drawn: bool
) -> None:
    grid = ThumbnailGrid()
    qtbot.addWidget(grid)
    grid.resize(600, 400)
    grid.show()
    grid.set_tiles(np.arange(count), lambda _id: Tile(caption="oak"))
    qtbot.waitUntil(lambda: (grid.verticalScrollBar().maximum() > 0) is drawn)
    assert grid.verticalScrollBar().isEnabled() is drawn
    bar = grid.verticalScrollBar().grab().toImage()
    colours = {bar.pixelColor(bar.width() // 2, y).rgb() for y in range(4, bar.height() - 4)}
    assert (style.current().outline.rgb() in colours) is drawn


@pytest.mark.parametrize("size", [(960, 1000), (1092, 535)])
def test_half_a_screen_and_an_enlarged_small_one_are_enough(
    qtbot: QtBot, studio: QApplication, size: tuple[int, int]
) -> None:
    """Half of 1920 pixels; 1366 × 768 at 125 %, without the frame and the task bar."""
    window = MainWindow()
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    assert (window.width(), window.height()) == size
    buttons = window.start_page.findChildren(ChoiceButton)
    shown = places(buttons, window.start_page)
    assert len(shown) == 5
    assert not any(one.intersects(other) for one, other in combinations(shown, 2))
    for button in buttons:
        for label in button.findChildren(QLabel):
            assert label.width() >= min(label.sizeHint().width(), label.minimumSizeHint().width())
    window.close()


def test_a_training_can_be_watched_in_a_narrow_window(qtbot: QtBot, studio: QApplication) -> None:
    watch = TrainProgress()
    qtbot.addWidget(watch)
    watch.resize(788, 440)
    watch.begin(kind="images", passes=1.0, curves=True)
    watch.set_stop_state("learning")
    watch.time_left.setText("12 min left")
    watch.show_slow("It is slower than usual, because other programs use 60 % of the processor.")
    watch.show()
    shown = (watch.score, watch.plot, watch.fold, watch.showcase, watch.slow, watch.time_left, watch.stop_button)
    qtbot.waitUntil(lambda: all(watch.rect().contains(place) for place in places(shown, watch)))
    assert watch.minimumSizeHint().width() <= 788 and watch.minimumSizeHint().height() <= 440


def test_the_key_of_a_class_shows_that_it_has_the_focus(qtbot: QtBot, studio: QApplication) -> None:
    keys = ClassKeys()
    qtbot.addWidget(keys)
    keys.resize(360, 100)
    keys.set_classes(["apple", "pear"])
    keys.set_current({0})
    keys.show()
    qtbot.waitActive(keys)
    for button in keys.buttons():
        button.setFocus()
        qtbot.waitUntil(button.hasFocus)
        edge = button.grab().toImage()
        assert edge.pixelColor(edge.width() // 2, 1) == style.current().text


def test_a_long_project_name_can_be_read_under_the_mouse(qtbot: QtBot, studio: QApplication) -> None:
    rail = Rail([("data", "Data", "ph.stack")], [])
    qtbot.addWidget(rail)
    rail.set_name("Quality control of bolts, line 3")
    rail.resize(152, 400)
    rail.show()
    name = rail.findChild(ElidedLabel)
    assert name is not None
    qtbot.waitUntil(lambda: name.toolTip() == "Quality control of bolts, line 3")
