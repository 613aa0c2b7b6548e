"""Sure enough? How often an answer may be wrong, and what that costs: in sentences, on a curve, and by class.

Where more than one class may be present there is no curve: nothing is handed over, a class is named or not.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import tr
from desktop.pages.explore.thresholds import messages as enough_words
from desktop.pages.explore.thresholds.model import (
    RATES,
    PresenceThresholdModel,
    PresenceThresholdReport,
    ThresholdModel,
    ThresholdReport,
    nearest_rate,
)
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.scrolling import PassWheel, scrolling
from desktop.widgets.trade_off_plot import TradeOffPlot
from ml.api import WRONG_AT_MOST, Kind

SHORTEST_NAME = 72
"""So much of the name of a class is left, whatever stands beside it."""
NARROW = 640
"""Below this the classes stand under the curve instead of beside it."""


class ThresholdPage(QWidget):
    """`set_weighing` or `set_presence_model` says of which run; `rate_chosen(share)` when the person wants that rate
    from now on, with None to take the choice back."""

    rate_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._weighing: ThresholdModel | PresenceThresholdModel | None = None
        self._kind: Kind = "images"
        self._used: float | None = RATES[0]
        self._own = False
        """Whether what is shown are the marks that the run was made with, and no rate."""
        self.headline = _label("emphasis")
        self.promise = _label("muted")
        self.expected = _label("")
        self.stuck = _label("warn")
        self.asked = _label("")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(RATES) - 1)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        self.slider.setAccessibleName(tr("How many accepted answers may be wrong"))
        self.slider.valueChanged.connect(self._on_moved)
        self.use_button = QPushButton(tr("Use this"))
        self.use_button.clicked.connect(self._on_use)
        self.back_button = QPushButton(tr("Back to the thresholds from training"))
        self.back_button.clicked.connect(self._on_back)
        self.used = _label("caption")
        self.plot = TradeOffPlot()
        self.plot.setMinimumHeight(240)
        self.unlike = _label("caption")
        self.title = _label("caption")
        self.classes = QWidget()
        self._cells: list[tuple[QLabel, ElidedLabel, QLabel, QLabel]] = []
        self._rows = QGridLayout(self.classes)
        self._rows.setContentsMargins(0, 0, 8, 0)
        self._rows.setHorizontalSpacing(12)
        self._rows.setVerticalSpacing(6)
        self.choice = QWidget()
        self._lay_out()
        self._pass_wheel = PassWheel(self, self.slider, self.plot.canvas())

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_weighing(self, weighing: ThresholdModel, *, kind: Kind, used: float) -> None:
        """Of another run, or after labels have changed. `used` is the share that is in use."""
        self._weighing, self._kind, self._used, self._own = weighing, kind, used, False
        if not weighing.count:
            self._say_only(enough_words.nothing(kind, unlabelled=weighing.unlabelled))
            return
        curve = weighing.curve()
        self.plot.set_curve(curve.rejected, curve.error, curve.limit)
        self._begin(used)

    def set_presence_model(self, weighing: PresenceThresholdModel, *, kind: Kind, used: float | None) -> None:
        """The same where more than one class may be present. `used`: None for the marks the run was made with."""
        self._weighing, self._kind, self._used, self._own = weighing, kind, used, used is None
        if not weighing.count:
            self._say_only(enough_words.nothing(kind, unlabelled=weighing.unlabelled))
            return
        self._begin(WRONG_AT_MOST if used is None else used)

    def set_used(self, share: float | None) -> None:
        """That share is in use from now on."""
        self._used, self._own = share, share is None
        self._show_rate()

    def rate(self) -> float | None:
        """The share the slider stands at; None while the run's own marks are shown."""
        if self._own:
            return None
        # A share from elsewhere may lie between two steps: until the slider is moved it stays what it is.
        place = self.slider.value()
        return RATES[place] if self._used is None or place != nearest_rate(self._used) else self._used

    def _begin(self, share: float) -> None:
        presence = isinstance(self._weighing, PresenceThresholdModel)
        for widget in (self.expected, self.plot, self.unlike):
            widget.setVisible(not presence)
        self.back_button.setVisible(presence)
        self.title.setText(
            tr("Each class: its threshold, and what it finds")
            if presence
            else tr("Each class: its threshold, and how many are left to you")
        )
        stuck = isinstance(self._weighing, ThresholdModel) and self._weighing.stuck
        self.stuck.setVisible(stuck)
        if isinstance(self._weighing, ThresholdModel):
            self.stuck.setText(enough_words.stuck(self._kind, self._weighing.chosen_by))
        self.choice.show()
        with QSignalBlocker(self.slider):
            self.slider.setValue(nearest_rate(share))
        self._show_rate()

    @Slot()
    def _on_moved(self) -> None:
        self._own = False
        self._show_rate()

    def _show_rate(self) -> None:
        rate = self.rate()
        if isinstance(self._weighing, PresenceThresholdModel):
            self._show_presence(self._weighing.figures(rate))
        elif self._weighing is not None and rate is not None:
            self._show_single(self._weighing.figures(rate))
        self._say_used()

    def _show_single(self, told: ThresholdReport) -> None:
        self.asked.setText(enough_words.asked(told.chosen.wanted))
        self.headline.setText(enough_words.headline(self._kind, told))
        self.promise.setText(enough_words.promise(self._kind, told))
        self.expected.setText(enough_words.expected(self._kind, told))
        self.plot.set_here(wanted=told.chosen.wanted, rejected=told.price.rejected_share, error=told.price.error)
        self.unlike.setText(enough_words.below_curve(told))
        self._show_classes([(each.name, *enough_words.class_line(each)) for each in told.classes])

    def _show_presence(self, told: PresenceThresholdReport) -> None:
        self.asked.setText(enough_words.presence_asked(told.wanted))
        self.headline.setText(enough_words.presence_headline(self._kind, told))
        self.promise.setText(enough_words.presence_promise(self._kind, told))
        self._show_classes([(each.name, *enough_words.presence_line(each)) for each in told.classes])

    def _say_used(self) -> None:
        same = self.rate() == self._used
        self.used.setText(enough_words.presence_in_use(self._used, shown=same))
        self.back_button.setEnabled(not self._own)
        self.use_button.setEnabled(not same)
        style.set_role(self.use_button, "" if same else "primary")

    def _say_only(self, sentence: str) -> None:
        self.headline.setText(sentence)
        self.choice.hide()

    def _show_classes(self, classes: Sequence[tuple[str, str, str]]) -> None:
        """Of each class its name, from where on it counts, and what that costs."""
        for old in self.classes.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly):
            self._rows.removeWidget(old)
            old.hide()
            old.deleteLater()
        self._cells = []
        for row, (called, begin, rest) in enumerate(classes):
            # Of a long name both ends are left, as names often differ in their last letter.
            name = ElidedLabel(called, mode=Qt.TextElideMode.ElideMiddle)
            name.among = tuple(each[0] for each in classes)
            name.setMinimumWidth(min(SHORTEST_NAME, name.sizeHint().width()))
            dot = QLabel("●")
            dot.setStyleSheet(f"color: {style.class_colour(row).name()}")
            bound, costs = QLabel(begin), QLabel(rest)
            costs.setProperty("role", "muted")
            self._cells.append((dot, name, bound, costs))
        self._place_classes()

    def _place_classes(self) -> None:
        """Each class in one row; in a narrow window its numbers stand below its name."""
        narrow = self._below.direction() == QBoxLayout.Direction.TopToBottom
        for place, (dot, name, bound, costs) in enumerate(self._cells):
            first, second = (2 * place, 2 * place + 1) if narrow else (place, place)
            self._rows.addWidget(dot, first, 0)
            self._rows.addWidget(name, first, 1, 1, 3 if narrow else 1)
            self._rows.addWidget(bound, second, 1 if narrow else 2, 1, 2 if narrow else 1)
            self._rows.addWidget(costs, second, 3)
        self._rows.setColumnStretch(3, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        directions = QBoxLayout.Direction
        wanted = directions.TopToBottom if event.size().width() < NARROW else directions.LeftToRight
        if wanted != self._below.direction():
            self._below.setDirection(wanted)
            self._place_classes()

    @Slot()
    def _on_use(self) -> None:
        self.rate_chosen.emit(self.rate())

    @Slot()
    def _on_back(self) -> None:
        self.rate_chosen.emit(None)

    def _lay_out(self) -> None:
        using = QHBoxLayout()
        using.setSpacing(12)
        using.addWidget(self.use_button)
        using.addWidget(self.back_button)
        using.addWidget(self.used, 1)
        self._below = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._below.setSpacing(16)
        curve = QVBoxLayout()
        curve.setSpacing(8)
        curve.addWidget(self.plot, 1)
        curve.addWidget(self.unlike)
        self._below.addLayout(curve, 4)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(self.title)
        right.addWidget(self.classes)
        right.addStretch(1)
        self._below.addLayout(right, 6)
        inner = QVBoxLayout(self.choice)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        for widget in (self.expected, self.promise):
            inner.addWidget(widget)
        inner.addSpacing(8)
        inner.addWidget(self.asked)
        inner.addWidget(self.slider)
        inner.addWidget(self.stuck)
        inner.addLayout(using)
        inner.addSpacing(8)
        inner.addLayout(self._below, 1)
        # The page scrolls as a whole: parts that scroll by themselves are too small to read where it is small.
        content = QWidget()
        self.scroll_area = scrolling(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.scroll_area)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 8, 8, 0)
        column.setSpacing(8)
        column.addWidget(self.headline)
        column.addWidget(self.choice, 1)
        column.addStretch(0)


def _label(role: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
