"""Buttons for the classes with their digit keys: "1 daisy 2 rose 3 tulip". A click does the same as the key."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import printable, tr
from desktop.plain_text import button_text
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.scrolling import scrolling

DIGITS = 9
NONE = -1
"""The index of "none of the classes"; its key is 0."""
LONGEST_NAME = 22
TALLEST = 242
SHORTEST = 62
"""The least height; lower than needed, the buttons scroll."""
HEIGHT = 26


class ClassKeys(QWidget):
    """Shows class names and emits `class_chosen(index)`. The present labels are pressed in.

    Multi-label projects have one more button, “0  none of them”, with the index `NONE`.
    """

    class_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Classes"))
        self._buttons: list[QToolButton] = []
        self._names: tuple[str, ...] = ()
        self._several = False
        self._flow = FlowBox()
        self._scroll = scrolling(self._flow)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._scroll)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def set_classes(self, names: Sequence[str], *, several: bool = False) -> None:
        if (tuple(names), several) == (self._names, self._several):
            return
        self._names, self._several = tuple(names), several
        keys = [str(index + 1) if index < DIGITS else "" for index in range(len(names))]
        self._show([*zip(range(len(names)), names, keys, strict=True)])

    def set_keys(self, classes: Sequence[tuple[int, str, str]], *, several: bool = False) -> None:
        """Show these classes, by index, name and key; "" for no key."""
        self._names, self._several = (), several
        self._show(classes)

    def _show(self, classes: Sequence[tuple[int, str, str]]) -> None:
        self._buttons = [self._make(index, name, key) for index, name, key in classes]
        if self._several:
            self._buttons.append(self._make(NONE, tr("none of them"), "0"))
        self._flow.set_items(self._buttons)
        self.updateGeometry()

    def buttons(self) -> tuple[QToolButton, ...]:
        """Return the buttons in the order of the classes."""
        return tuple(self._buttons)

    def set_current(self, indices: Collection[int]) -> None:
        for button in self._buttons:
            button.setChecked(int(button.property("class_index")) in indices)

    def sizeHint(self) -> QSize:
        """Ask for the height of all rows, up to `TALLEST`; more rows scroll."""
        return QSize(240, min(self._wanted(), TALLEST))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, min(self._wanted(), SHORTEST))

    def _wanted(self) -> int:
        return self._flow.height_for(max(120, self.width() - 12)) + 2

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def _make(self, index: int, name: str, key: str) -> QToolButton:
        button = QToolButton()
        shown = shortened(name)
        button.setText(f"{key}  {shown}" if key else shown)
        button.setToolTip(printable(name))
        button.setAccessibleName(tr("Label as {name}", name=name))
        if index != NONE:
            button.setIcon(_dot(style.class_colour(index)))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setProperty("role", "class_key")
        button.setCheckable(True)
        button.setFixedHeight(HEIGHT)
        button.clicked.connect(self._on_clicked)
        button.setProperty("class_index", index)
        return button

    def _on_clicked(self) -> None:
        button = self.sender()
        if isinstance(button, QToolButton):
            button.setChecked(not button.isChecked())  # the label decides which button is pressed in, not the click
            self.class_chosen.emit(int(button.property("class_index")))


def shortened(name: str) -> str:
    """Shorten a name for a button, and escape Qt's mark for a key."""
    name = printable(name)
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return button_text(short)


def _dot(colour: QColor) -> QPixmap:
    picture = QPixmap(32, 32)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(7, 7, 18, 18)
    painter.end()
    return picture
