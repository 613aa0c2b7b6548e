"""Sure enough? How often an answer may be wrong, and what that costs: in sentences, on a curve, and by class."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSlider, QVBoxLayout, QWidget

from desktop import style
from desktop.pages import enough_words
from desktop.pages.enough_figures import RATES, ClassFigures, Weighing, nearest_rate
from desktop.widgets.trade_off_plot import TradeOffPlot
from ml.api import Kind


class EnoughPage(QWidget):
    """`set_weighing` says of which run; `rate_chosen(share)` when the person wants that rate from now on."""

    rate_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._weighing: Weighing | None = None
        self._kind: Kind = "images"
        self._used = RATES[0]
        self.headline = _label("emphasis")
        self.promise = _label("muted")
        self.seen = _label("")
        self.asked = _label("")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, len(RATES) - 1)
        self.slider.setPageStep(1)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.slider.setTickInterval(1)
        self.slider.setAccessibleName(self.tr("How many of the answers it gives may be wrong"))
        self.slider.valueChanged.connect(self._show_rate)
        self.use_button = QPushButton(self.tr("Use this"))
        self.use_button.clicked.connect(self._on_use)
        self.used = _label("caption")
        self.plot = TradeOffPlot()
        self.plot.setMinimumHeight(160)
        self.unlike = _label("caption")
        self.unlike.setText(
            self.tr(
                "Dashed: what you allow. Shaded: what chance leaves open. "
                "What is unlike anything it was shown is handed to you as well."
            )
        )
        self.classes = QWidget()
        self._rows = QGridLayout(self.classes)
        self._rows.setContentsMargins(0, 0, 8, 0)
        self._rows.setHorizontalSpacing(12)
        self._rows.setVerticalSpacing(6)
        self.choice = QWidget()
        self._lay_out()

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_weighing(self, weighing: Weighing, *, kind: Kind, used: float) -> None:
        """Of another run, or after labels have changed. `used` is the share that is in use."""
        self._weighing, self._kind, self._used = weighing, kind, used
        if not weighing.count:
            self._say_only(enough_words.nothing(kind))
            return
        self.choice.show()
        curve = weighing.curve()
        self.plot.set_curve(curve.rejected, curve.error, curve.limit)
        with QSignalBlocker(self.slider):
            self.slider.setValue(nearest_rate(used))
        self._show_rate()

    def set_several(self, names: tuple[str, ...]) -> None:
        """More than one class may be present: there is nothing to choose."""
        self._weighing = None
        self._say_only(enough_words.several(names))

    def set_used(self, share: float) -> None:
        """That share is in use from now on."""
        self._used = share
        self._say_used()

    def rate(self) -> float:
        """The share the slider stands at."""
        # A share from elsewhere may lie between two steps: until the slider is moved it stays what it is.
        place = self.slider.value()
        return self._used if place == nearest_rate(self._used) else RATES[place]

    @Slot()
    def _show_rate(self) -> None:
        if self._weighing is None:
            return
        told = self._weighing.figures(self.rate())
        self.asked.setText(enough_words.asked(self.rate()))
        self.headline.setText(enough_words.headline(self._kind, told))
        self.promise.setText(enough_words.promise(self._kind, told))
        self.seen.setText(enough_words.seen(self._kind, told))
        self.plot.set_here(wanted=self.rate(), rejected=told.price.rejected_share, error=told.price.error)
        self._show_classes(told.classes)
        self._say_used()

    def _say_used(self) -> None:
        same = self.rate() == self._used
        self.used.setText(enough_words.in_use(self._used, shown=same))
        self.use_button.setEnabled(not same)
        style.set_role(self.use_button, "" if same else "primary")

    def _say_only(self, sentence: str) -> None:
        self.headline.setText(sentence)
        self.choice.hide()

    def _show_classes(self, classes: tuple[ClassFigures, ...]) -> None:
        for old in self.classes.findChildren(QLabel, options=Qt.FindChildOption.FindDirectChildrenOnly):
            self._rows.removeWidget(old)
            old.hide()
            old.deleteLater()
        for row, told in enumerate(classes):
            name = QLabel(told.name)
            name.setTextFormat(Qt.TextFormat.PlainText)
            dot = QLabel("●")
            dot.setStyleSheet(f"color: {style.class_colour(row).name()}")
            begin, rest = enough_words.class_line(told)
            costs = QLabel(rest)
            costs.setProperty("role", "muted")
            for column, widget in enumerate((dot, name, QLabel(begin), costs)):
                self._rows.addWidget(widget, row, column)
        self._rows.setColumnStretch(3, 1)
        self._rows.setRowStretch(len(classes), 1)

    @Slot()
    def _on_use(self) -> None:
        self.rate_chosen.emit(self.rate())

    def _lay_out(self) -> None:
        using = QHBoxLayout()
        using.setSpacing(12)
        using.addWidget(self.use_button)
        using.addWidget(self.used, 1)
        title = QLabel(self.tr("How sure it has to be of each class, and how many it hands to you"))
        title.setProperty("role", "caption")
        title.setWordWrap(True)
        marks = QScrollArea()
        marks.setWidgetResizable(True)
        marks.setWidget(self.classes)
        self.classes.setProperty("role", "scrolled")
        marks.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        below = QHBoxLayout()
        below.setSpacing(16)
        below.addWidget(self.plot, 5)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(title)
        right.addWidget(marks, 1)
        below.addLayout(right, 5)
        inner = QVBoxLayout(self.choice)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(8)
        for widget in (self.promise, self.seen):
            inner.addWidget(widget)
        inner.addSpacing(8)
        inner.addWidget(self.asked)
        inner.addWidget(self.slider)
        inner.addLayout(using)
        inner.addSpacing(8)
        inner.addLayout(below, 1)
        inner.addWidget(self.unlike)
        column = QVBoxLayout(self)
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
