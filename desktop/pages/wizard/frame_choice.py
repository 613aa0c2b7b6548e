"""How far apart the pictures are that are taken from videos."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from desktop import style
from desktop.i18n import tr
from desktop.widgets.collapsible import Collapsible
from ml.api import ScanReport

_LEAST, _MOST = 0.1, 3600.0


class FrameChoice(QWidget):
    """A field under “Details”, shown where there are videos. Emits `chosen(seconds)`."""

    chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.box = QDoubleSpinBox()
        self.box.setRange(_LEAST, _MOST)
        self.box.setDecimals(1)
        self.box.setKeyboardTracking(False)
        self.box.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach inside
        self.box.setMinimumWidth(110)
        self.box.valueChanged.connect(self._on_value)
        name = QLabel(tr("&Seconds from one picture of a video to the next"))
        name.setBuddy(self.box)
        inside = QWidget()
        line = QHBoxLayout(inside)
        line.setContentsMargins(look.xl, 0, 0, 0)
        line.setSpacing(look.s)
        line.addWidget(name)
        line.addWidget(self.box)
        line.addStretch(1)
        self.fold = Collapsible(tr("Details"), inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.fold)

    def show_report(self, report: ScanReport) -> None:
        """Show what was chosen; nothing where there are no videos."""
        self.setVisible(report.frames is not None)
        if report.frames is not None:
            with QSignalBlocker(self.box):
                self.box.setValue(report.frames.every)

    @Slot(float)
    def _on_value(self, seconds: float) -> None:
        self.chosen.emit(seconds)
