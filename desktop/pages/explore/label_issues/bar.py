"""The row above the suspicious labels: the progress of the search, or its result in a sentence."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from desktop.i18n import tr
from desktop.pages.explore import messages
from desktop.pages.explore.label_issues.model import LabelIssuesModel

STEPS = 100
NARROW = 560
"""Below this width the sentence stands above the buttons."""


class LabelIssuesBar(QWidget):
    """Shows a `LabelIssuesModel`; `again_pressed`, `cancel_pressed` and `everything_toggled` out."""

    again_pressed = Signal()
    cancel_pressed = Signal()
    everything_toggled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sentence = QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(160)
        self.bar.setAccessibleName(tr("How many labels are checked"))
        self.cancel_button = QPushButton(tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancel_pressed)
        self.everything_button = QPushButton(tr("Show less suspicious ones as well"))
        self.everything_button.setToolTip(tr("Labels that do not look wrong come after the others"))
        self.everything_button.setCheckable(True)
        self.everything_button.toggled.connect(self.everything_toggled)
        self.again_button = QPushButton(tr("Search again"))
        self.again_button.setToolTip(tr("Check all labels again, as they are now"))
        self.again_button.clicked.connect(self.again_pressed)
        self._verbs = QWidget()
        row = QHBoxLayout(self._verbs)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (self.bar, self.cancel_button, self.everything_button, self.again_button):
            row.addWidget(widget)
        row.addStretch(1)
        self._whole = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._whole.setContentsMargins(0, 0, 0, 0)
        self._whole.setSpacing(8)
        self._whole.addWidget(self.sentence, 1)
        self._whole.addWidget(self._verbs)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Move the sentence above the buttons where it would break after every word."""
        super().resizeEvent(event)
        beside = event.size().width() >= NARROW
        self._whole.setDirection(QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom)

    def show_state(self, issues: LabelIssuesModel, *, planted: int = 0) -> None:
        """Show the search or its result. `planted`: labels of a built-in sample that are wrong on purpose."""
        searching = issues.state == "searching"
        self.sentence.setText(_sentence(issues, planted))
        self.bar.setVisible(searching)
        self.bar.setValue(round(issues.fraction * STEPS))
        self.cancel_button.setVisible(searching)
        self.everything_button.setVisible(issues.state == "found")
        self.again_button.setVisible(issues.state in ("found", "cancelled", "failed"))

    def everything(self) -> bool:
        """Whether labels that do not look wrong are listed as well."""
        return self.everything_button.isChecked()


def _sentence(issues: LabelIssuesModel, planted: int) -> str:
    if issues.state == "searching":
        return tr("Looking for wrong labels.")
    if issues.state != "found":
        return ""
    found = messages.suspects_found(count=issues.count, flagged=issues.flagged, left=issues.remaining())
    return messages.with_planted(found, planted)
