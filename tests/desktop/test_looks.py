"""What the style sheet does to Qt's own controls, seen on the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QSlider,
    QWidget,
)
from pytestqt.qtbot import QtBot

from desktop import style
from desktop.widgets.choice_button import ChoiceButton
from desktop.widgets.confusion_view import ConfusionView

Show = Callable[..., QWidget]
opens_a_popup = pytest.mark.qt_log_ignore("This plugin does not support (raise|grabbing)", extend=True)
"""The platform without a screen says so each time."""


@pytest.fixture
def show(qtbot: QtBot) -> Show:
    """Shows widgets side by side in a window that has the focus, but none of them."""
    kept: list[QWidget] = []

    def show_all(*widgets: QWidget) -> QWidget:
        window = QWidget()
        kept.append(window)
        qtbot.addWidget(window)
        row = QHBoxLayout(window)
        for widget in widgets:
            row.addWidget(widget)
        window.resize(600, 200)
        with qtbot.waitActive(window):
            window.show()
        window.setFocus()
        return window

    return show_all


def seen(widget: QWidget, *, rim: int = 0) -> QImage:
    """Its pixels, without a rim of them."""
    return widget.grab().toImage().copy(widget.rect().adjusted(rim, rim, -rim, -rim))


@pytest.fixture(params=style.THEMES)
def theme(studio: QApplication, request: pytest.FixtureRequest) -> Iterator[None]:
    style.apply(studio, request.param)
    yield
    style.apply(studio, "light")


@opens_a_popup
def test_the_list_of_a_combo_box_shows_all_its_rows(show: Show, studio: QApplication) -> None:
    box = QComboBox()
    box.addItems(["Right and wrong", "Only wrong", "Only right"])
    box.setCurrentIndex(2)
    show(box)
    box.showPopup()
    view = box.view()
    room = view.viewport().rect()
    assert all(room.contains(view.visualRect(view.model().index(row, 0))) for row in range(3))
    box.hidePopup()


@opens_a_popup
def test_the_row_under_the_mouse_is_another_colour(qtbot: QtBot, show: Show, theme: None) -> None:
    box = QComboBox()
    box.addItems(["Right and wrong", "Only wrong", "Only right"])
    show(box)
    box.showPopup()
    view = box.view()
    row = view.visualRect(view.model().index(1, 0))
    qtbot.mouseMove(view.viewport(), row.center())
    assert view.viewport().grab().toImage().pixelColor(row.right() - 3, row.center().y()) == style.current().accent_soft
    box.hidePopup()


@pytest.mark.parametrize("large", [True, False])
def test_the_focus_is_not_painted_over_the_words(qtbot: QtBot, show: Show, theme: None, large: bool) -> None:
    words = "Labels from a table"
    button = ChoiceButton(title=words, words=words, icon="ph.table") if large else QRadioButton(words)
    window = show(button)
    before, inside = seen(button), seen(button, rim=6)
    qtbot.keyClick(window, Qt.Key.Key_Tab)
    assert button.hasFocus() and seen(button) != before
    assert seen(button, rim=6) == inside


def test_a_choice_that_is_made_looks_unlike_one_that_has_the_focus(show: Show, theme: None) -> None:
    made, focused = (ChoiceButton(title="Sounds", words="", icon="ph.speaker-high") for _ in range(2))
    made.setCheckable(True)
    show(made, focused)
    made.setChecked(True)
    focused.setFocus(Qt.FocusReason.TabFocusReason)
    edges = [button.grab().toImage().pixelColor(1, button.height() // 2) for button in (made, focused)]
    assert edges == [style.current().accent, style.current().text]


def test_a_button_that_is_pressed_in_looks_pressed_in(show: Show, theme: None) -> None:
    button = QPushButton("Loop")
    button.setCheckable(True)
    show(button)
    before = seen(button, rim=6)
    button.setChecked(True)
    assert seen(button, rim=6) != before


def test_the_handle_of_a_slider_fits_into_it(show: Show, theme: None) -> None:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setValue(50)
    slider.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    show(slider)
    picture = seen(slider)
    for line in (0, picture.height() - 1):
        colours = {picture.pixelColor(x, line).name() for x in range(picture.width())}
        assert colours == {style.current().page.name()}


def test_the_count_of_a_cell_is_painted_so_that_it_can_be_read(show: Show, theme: None) -> None:
    view = ConfusionView()
    view.set_counts(np.array([[0, 20], [0, 20]]), ("apple", "pear"))
    show(view)
    for row in range(2):
        cell = view.grab(view.cell_rect(row, 1).adjusted(3, 3, -3, -3)).toImage()
        colours = [cell.pixelColor(x, y) for x in range(cell.width()) for y in range(cell.height())]
        assert max(style.contrast(colour, colours[0]) for colour in colours) >= 4.5
