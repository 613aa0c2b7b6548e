"""A large picture under its map of classes: legend with areas, opacity, tile, exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QProgressBar,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop import icons, style
from desktop.i18n import tr
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.overlay_view import OverlayView
from ml.api import SMALLEST_TILE

_STEPS = 1000
_SWATCH = 14
_WIDTH = 320
_LARGEST_TILE = 10_000
OPACITY = 55


@dataclass(frozen=True, kw_only=True, slots=True)
class LegendLine:
    """A colour and what it stands for."""

    colour: QColor
    words: str


class ScenePanel(QWidget):
    """Shows plain values. Emits what the person chooses and presses."""

    back_pressed = Signal()
    again_pressed = Signal(int)
    """Answer again with a tile of so many pixels."""
    stop_pressed = Signal()
    export_pressed = Signal(str)
    """The ending of the file to write."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.back_button = QPushButton(tr("Back to the answers"))
        icons.set_icon(self.back_button, "ph.arrow-left")
        self.file_name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.file_name.setProperty("role", "emphasis")
        self.view = OverlayView()
        self.size_line, self.saved, self.problem = _wrapped("muted"), _wrapped("good"), _wrapped("error")
        self.legend = QListWidget()
        self.legend.setAccessibleName(tr("Classes and their areas"))
        self.legend.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.legend.setWordWrap(True)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setAccessibleName(tr("Opacity of the map"))
        self.opacity.valueChanged.connect(self._on_opacity)
        self.opacity.setValue(OPACITY)
        self.tile_box = QSpinBox()
        self.tile_box.setRange(SMALLEST_TILE, _LARGEST_TILE)
        self.tile_box.setSuffix(tr(" pixels"))
        self.tile_box.setAccessibleName(tr("Width of a tile"))
        self.tile_box.setToolTip(tr("A tile should show as much as a training picture does."))
        self.again_button = QPushButton(tr("Answer again"))
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.progress_words = _wrapped("muted")
        self.stop_button = QPushButton(tr("Stop"))
        self.export_button = QPushButton(tr("Export the map…"))
        self.export_button.setMenu(self._exports())
        self._lay_out()
        self.back_button.clicked.connect(self.back_pressed)
        self.stop_button.clicked.connect(self.stop_pressed)
        self.again_button.clicked.connect(lambda: self.again_pressed.emit(self.tile_box.value()))
        self.show_problem("")
        self.show_saved("")

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_legend(self, lines: Sequence[LegendLine]) -> None:
        self.legend.clear()
        for line in lines:
            item = QListWidgetItem(QIcon(_swatch(line.colour)), line.words)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.legend.addItem(item)
        self.legend.setVisible(bool(lines))

    def set_tile(self, pixels: int) -> None:
        with QSignalBlocker(self.tile_box):
            self.tile_box.setValue(pixels)

    def set_ready(self, ready: bool) -> None:
        """`ready`: there is a map to export."""
        self.export_button.setEnabled(ready)

    def show_progress(self, words: str, fraction: float) -> None:
        """A negative fraction means that nothing is running."""
        running = fraction >= 0
        for part in (self.bar, self.progress_words, self.stop_button):
            part.setVisible(running)
        self.again_button.setEnabled(not running)
        self.tile_box.setEnabled(not running)
        self.progress_words.setText(words)
        self.bar.setValue(round(max(fraction, 0.0) * _STEPS))

    def show_problem(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))

    def show_saved(self, sentence: str, *, good: bool = True) -> None:
        self.saved.setText(sentence)
        style.set_role(self.saved, "good" if good else "error")
        self.saved.setVisible(bool(sentence))

    # -- parts ---------------------------------------------------------------------------------------------------

    def _exports(self) -> QMenu:
        menu = QMenu(self)
        for words, suffix in (
            (tr("Picture with legend (.png)"), ".png"),
            (tr("Classes as a GeoTIFF (.tif)"), ".tif"),
            (tr("Table of areas (.csv)"), ".csv"),
        ):
            menu.addAction(words).triggered.connect(
                lambda _checked=False, suffix=suffix: self.export_pressed.emit(suffix)
            )
        return menu

    def _lay_out(self) -> None:
        look = style.current()
        head = QHBoxLayout()
        head.setSpacing(look.m)
        head.addWidget(self.back_button)
        head.addWidget(self.file_name, 1)
        running = QHBoxLayout()
        running.addWidget(self.bar, 1)
        running.addWidget(self.stop_button)
        tile = QHBoxLayout()
        tile.setSpacing(look.s)
        tile.addWidget(QLabel(tr("Tile")))
        tile.addWidget(self.tile_box, 1)
        tile.addWidget(self.again_button)
        strength = QHBoxLayout()
        strength.setSpacing(look.s)
        strength.addWidget(QLabel(tr("Map")))
        strength.addWidget(self.opacity, 1)
        side = QWidget()
        side.setFixedWidth(_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(look.s)
        for part in (self.size_line, self.problem, self.progress_words):
            column.addWidget(part)
        column.addLayout(running)
        column.addWidget(self.legend, 1)
        column.addLayout(strength)
        column.addLayout(tile)
        column.addWidget(self.export_button)
        column.addWidget(self.saved)
        column.addStretch(0)
        body = QHBoxLayout()
        body.setSpacing(look.l)
        body.addWidget(self.view, 1)
        body.addWidget(side)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(look.xl, 0, look.xl, look.l)
        whole.setSpacing(look.m)
        whole.addLayout(head)
        whole.addLayout(body, 1)

    def _on_opacity(self, value: int) -> None:
        self.view.set_opacity(value / 100)


def _swatch(colour: QColor) -> QPixmap:
    swatch = QPixmap(_SWATCH, _SWATCH)
    swatch.fill(colour)
    painter = QPainter(swatch)
    painter.setPen(style.current().outline)
    painter.drawRect(0, 0, _SWATCH - 1, _SWATCH - 1)
    painter.end()
    return swatch


def _wrapped(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
