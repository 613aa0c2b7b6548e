"""Classes with long names: nothing that counts is pushed out of sight."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QLabel, QScrollArea
from pytestqt.qtbot import QtBot

from desktop.pages.explore_enough import EnoughPage
from desktop.pages.explore_side import Details, ExploreSide

LONG = "plastic with a very long class name that a careful biologist would give, including the year 2024"


def test_what_is_too_long_for_the_side_is_in_its_tool_tip(qtbot: QtBot, studio: QApplication) -> None:
    side = ExploreSide()
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
    enough = EnoughPage()
    qtbot.addWidget(enough)
    enough.resize(780, 600)
    enough._show_classes([(f"{LONG} {number}", "from 90 % sure on", "3 of 5 to you") for number in range(6)])
    enough.show()
    enough.grab()
    (marks,) = enough.findChildren(QScrollArea)
    room = marks.viewport().rect()
    labels = enough.classes.findChildren(QLabel)
    for label in labels:
        assert room.contains(label.rect().translated(label.mapTo(marks.viewport(), label.rect().topLeft())))
        assert label.width() >= label.sizeHint().width() or label.toolTip() == label.text()
    assert len(labels) == 4 * 6
