"""Classes with long names: nothing that counts is pushed out of sight."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QFontMetrics, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QScrollArea, QTableView
from pytestqt.qtbot import QtBot

from desktop.dialogs.items import ItemsDialog
from desktop.pages.explore.detail.panel import DetailPanel, Details
from desktop.pages.explore.thresholds.page import ThresholdPage
from desktop.pages.train.result import TrainResult
from desktop.widgets.elide_distinct import cut_apart
from desktop.widgets.finding_list import FindingRow
from desktop.widgets.showcase import ShowcaseView, Shown
from desktop.widgets.tiles import caption_lines

LONG = "plastic with a very long class name that a careful biologist would give, including the year 2024"


def test_what_is_too_long_for_the_side_is_in_its_tool_tip(qtbot: QtBot, studio: QApplication) -> None:
    side = DetailPanel()
    qtbot.addWidget(side)
    side.resize(372, 700)
    side.show()
    side.show_details(Details(name="a.jpg", labelled=LONG, predicted=f"{LONG}  75 %", wrong=True))
    side.grab()
    assert (side.labelled.toolTip(), side.predicted.toolTip()) == (LONG, f"{LONG}  75 %")
    side.show_details(Details(name="a.jpg", labelled="pear", predicted="plum  75 %", wrong=True))
    side.grab()
    assert (side.labelled.toolTip(), side.predicted.toolTip()) == ("", "")


def test_long_names_leave_room_for_the_numbers_of_each_class(qtbot: QtBot, studio: QApplication) -> None:
    enough = ThresholdPage()
    qtbot.addWidget(enough)
    enough.resize(780, 600)
    enough.show_classes([(f"{LONG} {number}", "accepts at 90 % or more", "3 of 5 left to you") for number in range(6)])
    enough.show()
    enough.grab()
    (marks,) = enough.findChildren(QScrollArea)
    room = marks.viewport().rect()
    labels = enough.classes.findChildren(QLabel)
    for label in labels:
        assert room.contains(label.rect().translated(label.mapTo(marks.viewport(), label.rect().topLeft())))
        assert label.width() >= label.sizeHint().width() or label.toolTip() == label.text()
    assert len(labels) == 4 * 6


def mistakes() -> list[Shown]:
    colour = QColor("red")
    return [
        Shown(sample_id=number, predicted="plastic", fraction=0.79, colour=colour, right=False, label="glass")
        for number in range(8)
    ]


@pytest.mark.parametrize(("width", "height"), [(1200, 680), (840, 560)])
def test_after_a_training_every_sentence_can_be_read_to_its_end(
    qtbot: QtBot, studio: QApplication, width: int, height: int
) -> None:
    result = TrainResult()
    qtbot.addWidget(result)
    result.resize(width, height)
    result.show()
    said = [FindingRow(level="note", sentence=f"Too few to judge by: {LONG}, {LONG}, {LONG} and 1 more.")] * 4
    result.show_finished(again="Train again", remarks=said)
    result.show_score(score="Right on 6 of 9", lines=["It took 1 min."], wrong=True)
    result.show_mistakes(mistakes())
    labels = result.remarks.findChildren(QLabel)
    assert len(labels) == 4
    qtbot.waitUntil(lambda: all(label.height() >= label.heightForWidth(label.width()) for label in labels))
    bar = result.scroll_area.verticalScrollBar()
    bar.setValue(bar.maximum())
    assert result.mistakes.visibleRegion().boundingRect().bottom() == result.mistakes.rect().bottom()


def test_a_mistake_says_what_it_is_under_the_mouse(qtbot: QtBot, studio: QApplication) -> None:
    view = ShowcaseView()
    qtbot.addWidget(view)
    view.resize(900, 400)
    view.show_all(mistakes())
    view.show()
    qtbot.waitExposed(view)

    def says_it() -> None:
        qtbot.mouseMove(view, QPoint(30, 30))
        qtbot.mouseMove(view, QPoint(31, 31))
        assert view.toolTip() == "Labelled glass, predicted plastic, confidence 79 %"

    qtbot.waitUntil(says_it)


def test_names_that_differ_in_their_last_letters_can_be_told_apart(studio: QApplication) -> None:
    metrics = QFontMetrics(studio.font())
    room = metrics.horizontalAdvance("fan_0_med_0_weight") + 2
    assert caption_lines("fan", metrics, width=room, last=room // 2) == ["fan"]
    names = [f"fan_0_med_{number}_weight" for number in range(2)]
    shown = [caption_lines(name, metrics, width=room, last=room // 2)[0] for name in names]
    assert shown == names, "the first line is free for the name"
    narrow = metrics.horizontalAdvance("fan_0_med_0_we")
    assert caption_lines(names[0], metrics, width=narrow, last=narrow // 2) == ["fan_0_med_0_", "weight"]
    longer = [caption_lines(f"{LONG} {name}", metrics, width=room, last=room) for name in "ab"]
    assert longer[0] != longer[1] and "…" in longer[0][1]
    crop = metrics.horizontalAdvance("HerbaceousVegetat")
    assert caption_lines("HerbaceousVegetation", metrics, width=crop, last=crop) == ["Herbaceous", "Vegetation"]
    plain = "electroencephalography"
    for width in range(40, metrics.horizontalAdvance(plain)):
        first, rest = caption_lines(plain, metrics, width=width, last=width)
        assert metrics.elidedText(first, Qt.TextElideMode.ElideMiddle, width) == first, "broken or shortened, not both"
        assert "…" in rest or first + rest == plain
    assert caption_lines("glass → plastic", metrics, width=room // 2, last=room // 2) == ["glass", "→ plastic"]


def test_a_name_that_fits_only_below_the_mark_goes_there(studio: QApplication) -> None:
    metrics = QFontMetrics(studio.font())
    needed = metrics.horizontalAdvance("Pasture → Forest")
    assert caption_lines("Pasture → Forest", metrics, width=needed, last=needed, single=needed - 1) == [
        "Pasture",
        "→ Forest",
    ]


def test_long_file_names_are_listed_whole(qtbot: QtBot, studio: QApplication) -> None:
    name = "odd/" + "a_file_name_that_nothing_parts" * 4 + ".bmp"
    said, heads = "Two files could not be read.", ("File", "Why")
    dialog = ItemsDialog(title="Left out", sentence=said, heads=heads, rows=((name, "Cut off."),))
    qtbot.addWidget(dialog)
    dialog.show()
    (table,) = dialog.findChildren(QTableView)
    metrics = table.fontMetrics()
    lines = -(-metrics.horizontalAdvance(name) // table.columnWidth(0))
    assert table.rowHeight(0) >= lines * metrics.height()
    text = table.model().index(0, 0).data()
    cut = metrics.boundingRect(QRect(0, 0, table.columnWidth(0), 1000), Qt.TextFlag.TextWordWrap, text)
    assert cut.width() <= table.columnWidth(0), "every line can break"
    dialog.findChildren(QPushButton)[-1].click()
    assert QGuiApplication.clipboard().text() == f"{name}\tCut off."


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_names_that_begin_alike_are_told_apart_however_little_room_there_is(studio: QApplication, width: int) -> None:
    metrics = QFontMetrics(studio.font())
    names = ("fan_0_high_0_weight", "fan_0_high_1_weight", "fan_0_low_0_weight", "fan")
    cut = cut_apart(names, studio.font(), width)
    assert len(set(cut.values())) == 4 and cut["fan"] == "fan"
    assert all(metrics.horizontalAdvance(text) <= width for text in cut.values())


def test_names_with_room_for_them_are_not_cut(studio: QApplication) -> None:
    assert cut_apart(("oak leaf", "oak bark"), studio.font(), 400) == {
        "oak leaf": "oak leaf",
        "oak bark": "oak bark",
    }
