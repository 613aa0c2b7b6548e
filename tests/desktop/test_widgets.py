"""The widgets of Train and Explore on their own: plain values in, signals out."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage
from pytestqt.qtbot import QtBot

from desktop import style
from desktop.pages.train import messages as train_words
from desktop.widgets.class_keys import ClassKeys
from desktop.widgets.confusion_view import ConfusionView, cell_colour, ink_on
from desktop.widgets.live_plot import MOST_POINTS, LivePlot
from desktop.widgets.overlay_view import OverlayView
from desktop.widgets.probability_bars import Bar, ProbabilityBars, percent
from desktop.widgets.spectrogram_view import SpectrogramView
from desktop.widgets.thumbnail_grid import ImageCache, ThumbnailGrid
from desktop.widgets.tiles import Tile
from desktop.widgets.trade_off_plot import TradeOffPlot


def picture(colour: str, width: int = 60, height: int = 40) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


def grid_of(qtbot: QtBot, count: int) -> tuple[ThumbnailGrid, list[int]]:
    """A grid with ids 1…count and the list of ids whose tiles were asked for."""
    asked: list[int] = []

    def describe(sample_id: int) -> Tile:
        asked.append(sample_id)
        return Tile(caption=f"sample {sample_id}", wrong=sample_id % 2 == 0)

    grid = ThumbnailGrid()
    qtbot.addWidget(grid)
    grid.resize(800, 600)
    grid.set_tiles(np.arange(1, count + 1), describe)
    grid.show()
    with qtbot.waitExposed(grid):
        grid.setFocus()
    return grid, asked


def test_the_grid_asks_only_for_what_is_near(qtbot: QtBot) -> None:
    grid, asked = grid_of(qtbot, 100_000)
    with qtbot.waitSignal(grid.pictures_wanted) as wanted:
        grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum() // 2)
    pictures, overlays = wanted.args
    assert 0 < len(pictures) < 100 and overlays == ()
    assert max(pictures) - min(pictures) < 200
    assert 49_000 < min(pictures) < 51_000
    assert len(set(asked)) < 300


def test_scrolling_a_hundred_thousand_is_smooth(qtbot: QtBot) -> None:
    grid, _asked = grid_of(qtbot, 100_000)
    for sample_id in range(1, 400):
        grid.set_picture(sample_id, picture("#884422", 224, 160))
    bar, frames = grid.verticalScrollBar(), []
    for step in range(40):
        bar.setValue(step * 48)
        began = time.process_time()
        grid.viewport().repaint()
        frames.append(time.process_time() - began)
    assert np.median(frames) < 0.033


def test_arrow_keys_and_selection(qtbot: QtBot) -> None:
    grid, _asked = grid_of(qtbot, 50)
    with qtbot.waitSignal(grid.chosen) as chosen:
        qtbot.keyClick(grid, Qt.Key.Key_Right)
    assert chosen.args == [2]
    qtbot.keyClick(grid, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert grid.selected_ids() == (2, 3)
    assert grid.choose(40) and grid.current_id() == 40
    assert not grid.choose(999)


def test_the_cache_forgets_the_oldest_within_its_limit() -> None:
    one = picture("red")
    cache = ImageCache(limit=3 * one.sizeInBytes())
    for key in range(5):
        cache.put(key, picture("red"))
        cache.get(0)
    assert 0 in cache and 4 in cache and 1 not in cache
    assert len(cache) == 3


def test_a_wrong_tile_has_a_mark_beside_its_colour(qtbot: QtBot) -> None:
    grid, _asked = grid_of(qtbot, 2)
    grid.clearSelection()
    for sample_id in (1, 2):
        grid.set_picture(sample_id, picture("#808080", 200, 200))
    shot = grid.viewport().grab().toImage()
    cell = grid.gridSize()
    right, wrong = (shot.copy(place * cell.width(), 0, cell.width(), cell.height()) for place in (0, 1))
    assert right != wrong
    corner = wrong.pixelColor(cell.width() - 7 - 10, 7 + 10)
    assert corner.red() > 200, "the middle of the cross is light on the red badge"


def test_class_keys_show_digits_and_say_what_was_chosen(qtbot: QtBot) -> None:
    keys = ClassKeys()
    qtbot.addWidget(keys)
    keys.set_classes([f"class {number}" for number in range(12)])
    assert [button.text()[0] for button in keys.buttons()[:9]] == list("123456789")
    assert keys.buttons()[9].text() == "class 9"
    with qtbot.waitSignal(keys.class_chosen) as chosen:
        keys.buttons()[10].click()
    assert chosen.args == [10]
    keys.set_current({3})
    assert [button.isChecked() for button in keys.buttons()].index(True) == 3


def confusion(qtbot: QtBot) -> ConfusionView:
    view = ConfusionView()
    qtbot.addWidget(view)
    view.resize(600, 500)
    view.set_counts(np.array([[38, 3, 0], [0, 20, 0], [1, 0, 9]]), ("apple", "pear", "plum"))
    view.show()
    with qtbot.waitExposed(view):
        view.setFocus()
    return view


def test_confusion_says_its_cells_in_words(qtbot: QtBot) -> None:
    view = confusion(qtbot)
    with qtbot.waitSignal(view.cell_pointed) as said:
        qtbot.mouseMove(view, view.cell_rect(0, 1).center())
        qtbot.mouseMove(view, view.cell_rect(0, 1).center() + QPoint(1, 1))
    assert said.args == ["3 of 41 labelled “apple” were predicted as “pear”."]
    assert view.sentence(1, 1) == "20 of 20 labelled “pear” were predicted correctly."


def test_confusion_is_reached_with_keys(qtbot: QtBot) -> None:
    view = confusion(qtbot)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(view, key)
    assert view.accessibleDescription() == "1 of 10 labelled “plum” was predicted as “apple”."
    with qtbot.waitSignal(view.cell_chosen) as chosen:
        qtbot.keyClick(view, Qt.Key.Key_Return)
    assert chosen.args == [2, 0]


@pytest.mark.parametrize("theme", style.THEMES)
@pytest.mark.parametrize("right", [True, False])
def test_counts_can_be_read_on_cells_of_every_strength(theme: style.Theme, right: bool) -> None:
    look = style.tokens(theme)
    assert style.contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert style.contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.01)
    for share in np.linspace(0, 1, 101):
        cell = cell_colour(float(share), right=right, look=look)
        assert style.contrast(ink_on(cell, look), cell) >= 4.5


def test_the_plot_keeps_few_points_however_many_come(qtbot: QtBot) -> None:
    plot = LivePlot()
    qtbot.addWidget(plot)
    plot.clear(passes=10)
    for step in range(20_000):
        plot.add_batch(step / 2000, loss=1.0, rate=0.01)
    assert plot.points()["train"] <= MOST_POINTS
    plot.clear()
    assert plot.points() == {"train": 0, "rate": 0, "valid": 0, "score": 0}


def test_the_overlay_is_laid_over_the_picture_at_its_opacity(qtbot: QtBot) -> None:
    view = OverlayView()
    qtbot.addWidget(view)
    view.resize(200, 200)
    view.set_picture(picture("#000000", 100, 100))
    white = QImage(8, 8, QImage.Format.Format_ARGB32_Premultiplied)
    white.fill(QColor("#ffffff"))
    view.set_overlay(white)
    seen = []
    for opacity in (0.0, 0.5, 1.0):
        view.set_opacity(opacity)
        seen.append(view.grab().toImage().pixelColor(100, 100).red())
    assert seen[0] == 0 and 120 <= seen[1] <= 135 and seen[2] == 255


def test_a_click_into_a_spectrogram_is_a_time(qtbot: QtBot) -> None:
    view = SpectrogramView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.set_picture(picture("#333333", 224, 128))
    view.set_axes(start=5.0, seconds=4.0, f_min=20.0, f_max=16_000.0)
    plot = view.plot_rect()
    with qtbot.waitSignal(view.position_chosen) as chosen:
        quarter = QPoint(round(plot.left() + plot.width() / 4), round(plot.center().y()))
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=quarter)
    assert chosen.args[0] == pytest.approx(1.0, abs=0.02)


def test_the_cursor_is_seen_where_it_plays(qtbot: QtBot) -> None:
    view = SpectrogramView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.set_picture(picture("#333333", 224, 128))
    view.set_axes(start=0.0, seconds=2.0, f_min=20.0, f_max=8000.0)
    view.set_cursor(1.0)
    shot, plot = view.grab().toImage(), view.plot_rect()
    row = [shot.pixelColor(x, round(plot.center().y())).lightness() for x in range(400)]
    assert abs(int(np.argmax(row)) - plot.center().x()) <= 2


def test_bars_say_their_numbers(qtbot: QtBot) -> None:
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    bars.set_bars(
        [
            Bar(name="rose", fraction=0.97, colour=QColor("red")),
            Bar(name="tulip", fraction=0.001, colour=QColor("blue")),
        ]
    )
    assert bars.accessibleDescription() == "rose 97 % and tulip < 1 %"
    assert percent(0.999) == percent(0.99999) == "> 99 %" and percent(1.0) == "100 %"


def test_the_longest_number_beside_a_bar_is_whole(qtbot: QtBot) -> None:
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    font = bars.font()
    font.setPixelSize(18)
    bars.setFont(font)
    bars.resize(300, 24)
    bars.set_bars([Bar(name="", fraction=0.997, colour=QColor("red"), labelled=True)])
    shot = bars.grab().toImage()
    inked = [x for x in range(300) if any(shot.pixelColor(x, y).lightness() < 90 for y in range(24))]
    font.setBold(True)
    assert max(inked) - min(inked) + 1 >= QFontMetrics(font).tightBoundingRect("> 99 %").width() - 2


def test_no_more_than_a_hundred_of_a_hundred_can_be_wrong(qtbot: QtBot) -> None:
    plot = TradeOffPlot()
    qtbot.addWidget(plot)
    plot.set_curve([0.0, 0.5, 0.9], [0.8, 0.9, 1.0], [0.9, 1.0, 1.0])
    plot.set_here(wanted=0.05, rejected=0.5, error=0.9)
    _lowest, highest = plot.error_range()
    assert 100 <= highest < 103, "a little more than 100, so that the line is whole"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (4, "a few seconds"),
        (21, "about 20 s"),
        (75, "about 1 min"),
        (366, "about 6 min"),
        (1480, "about 25 min"),
        (5700, "about 1.5 h"),
        (60_000, "about 17 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert train_words.duration(seconds) == words
