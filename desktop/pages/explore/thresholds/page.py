"""The tab "Sure enough?": choose an error rate and see its cost in sentences, as a curve, and by class.

Multi-label runs have no curve: no sample is left to the user, a class is predicted or not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal, Slot
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
from desktop.i18n import text, tr
from desktop.models.prediction_table import PredictionTable
from desktop.pages.explore.model import ExploreModel
from desktop.pages.explore.thresholds import messages
from desktop.pages.explore.thresholds.model import (
    RATES,
    PresenceThresholdModel,
    PresenceThresholdReport,
    ThresholdModel,
    ThresholdReport,
    nearest_rate,
)
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.scrolling import PassWheel, scrolling
from desktop.widgets.trade_off_plot import TradeOffPlot
from ml.api import WRONG_AT_MOST, HandlensError, KindName, Sample

SHORTEST_NAME = 72
"""The least width of a class name."""
NARROW = 640
"""Below this width the classes stand under the curve."""


class ThresholdPage(QWidget):
    """Shows a threshold model. Emits `rate_chosen(error rate)`; None means the thresholds from training."""

    rate_chosen = Signal(object)
    samples_chosen = Signal(object, str)
    """Ids of samples that a number on the page counts, and words for them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ThresholdModel | PresenceThresholdModel | None = None
        self._kind: KindName = "images"
        self._used: float | None = RATES[0]
        self._from_training = False
        """Whether the thresholds from training are shown, and no rate."""
        self.headline = _label("emphasis")
        self.lists = {name: _link() for name in ("accepted", "wrong", "rejected")}
        for name, button in self.lists.items():
            button.clicked.connect(lambda _checked=False, name=name: self._choose_samples(name))
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
        self._cells: list[tuple[QLabel, ElidedLabel, QLabel, QWidget]] = []
        self._rows = QGridLayout(self.classes)
        self._rows.setContentsMargins(0, 0, 8, 0)
        self._rows.setHorizontalSpacing(12)
        self._rows.setVerticalSpacing(6)
        self.choice = QWidget()
        self._lay_out()
        self._pass_wheel = PassWheel(self, self.slider)

    @property
    def model(self) -> ThresholdModel | PresenceThresholdModel | None:
        return self._model

    # -- what it shows -------------------------------------------------------------------------------------------

    def set_model(self, model: ThresholdModel, *, kind: KindName, used: float) -> None:
        """Show another run, or the same run after labels have changed. `used`: the error rate in use."""
        self._model, self._kind, self._used, self._from_training = model, kind, used, False
        if not model.count:
            self._show_only(messages.nothing(kind, unlabelled=model.unlabelled))
            return
        curve = model.curve()
        self.plot.set_curve(curve.rejected, curve.error, curve.limit)
        self._begin(used)

    def set_presence_model(self, model: PresenceThresholdModel, *, kind: KindName, used: float | None) -> None:
        """Show a multi-label run. `used`: None for the thresholds from training."""
        self._model, self._kind, self._used, self._from_training = model, kind, used, used is None
        if not model.count:
            self._show_only(messages.nothing(kind, unlabelled=model.unlabelled))
            return
        self._begin(WRONG_AT_MOST if used is None else used)

    def show_used_rate(self, rate: float | None) -> None:
        """Show the same run again, with the error rate in use."""
        if self._model is None or not self._model.count:
            return
        self._used, self._from_training = rate, rate is None
        self._begin(WRONG_AT_MOST if rate is None else rate)

    def set_used(self, rate: float | None) -> None:
        """Show that this error rate is in use now."""
        self._used, self._from_training = rate, rate is None
        self._show_rate()

    def rate(self) -> float | None:
        """The chosen error rate; None while the thresholds from training are shown."""
        if self._from_training:
            return None
        # A rate from the command line may lie between two steps: keep it until the slider moves.
        place = self.slider.value()
        return RATES[place] if self._used is None or place != nearest_rate(self._used) else self._used

    def _begin(self, rate: float) -> None:
        presence = isinstance(self._model, PresenceThresholdModel)
        for widget in (self.expected, self.plot, self.unlike, *self.lists.values()):
            widget.setVisible(not presence)
        self.back_button.setVisible(presence)
        self.title.setText(
            tr("Each class: its threshold, and what it finds")
            if presence
            else tr("Each class: its threshold, and how many are left to you")
        )
        stuck = isinstance(self._model, ThresholdModel) and self._model.stuck
        self.stuck.setVisible(stuck)
        if isinstance(self._model, ThresholdModel):
            self.stuck.setText(messages.stuck(self._kind, self._model.chosen_by))
        self.choice.show()
        with QSignalBlocker(self.slider):
            self.slider.setValue(nearest_rate(rate))
        self._show_rate()

    @Slot()
    def _on_moved(self) -> None:
        self._from_training = False
        self._show_rate()

    def _show_rate(self) -> None:
        rate = self.rate()
        if isinstance(self._model, PresenceThresholdModel):
            self._show_presence(self._model.figures(rate))
        elif self._model is not None and rate is not None:
            self._show_single(self._model.figures(rate))
        self._show_used()

    def _choose_samples(self, which: str) -> None:
        """Ask for the samples behind a number."""
        rate = self.rate()
        if isinstance(self._model, PresenceThresholdModel):
            ids = self._model.samples(rate)[which]
            if len(ids):
                self.samples_chosen.emit(tuple(ids.tolist()), tr("missed or wrong"))
        elif isinstance(self._model, ThresholdModel) and rate is not None:
            words = {
                "accepted": tr("accepted"),
                "wrong": tr("accepted and wrong"),
            }.get(which, tr("left to you"))
            ids = self._model.samples(rate)[which]
            if len(ids):
                self.samples_chosen.emit(tuple(ids.tolist()), words)

    def _show_lists(self, report: ThresholdReport) -> None:
        price = report.price
        for name, words, count in (
            ("accepted", messages.accepted(price.accepted), price.accepted),
            ("wrong", messages.accepted_wrong(price.wrong), price.wrong),
            ("rejected", messages.left(price.n - price.accepted), price.n - price.accepted),
        ):
            self.lists[name].setText(words)
            self.lists[name].setEnabled(bool(count))

    def _show_single(self, report: ThresholdReport) -> None:
        self._show_lists(report)
        self.asked.setText(messages.asked(report.chosen.wanted))
        self.headline.setText(messages.headline(self._kind, report))
        self.promise.setText(messages.promise(self._kind, report))
        self.expected.setText(messages.expected(self._kind, report))
        self.plot.set_here(wanted=report.chosen.wanted, rejected=report.price.rejected_share, error=report.price.error)
        self.unlike.setText(messages.below_curve(report))
        self.show_classes(
            [(each.name, *messages.class_line(each)) for each in report.classes],
            buttons={place for place, each in enumerate(report.classes) if each.rejected},
        )

    def _show_presence(self, report: PresenceThresholdReport) -> None:
        self.asked.setText(messages.presence_asked(report.wanted))
        self.headline.setText(messages.presence_headline(self._kind, report))
        self.promise.setText(messages.presence_promise(self._kind, report))
        self.show_classes(
            [(each.name, *messages.presence_line(each)) for each in report.classes],
            buttons={place for place, each in enumerate(report.classes) if each.wrongly or each.found < each.there},
        )

    def _show_used(self) -> None:
        same = self.rate() == self._used
        self.used.setText(messages.presence_in_use(self._used, shown=same))
        self.back_button.setEnabled(not self._from_training)
        self.use_button.setEnabled(not same)
        style.set_role(self.use_button, "" if same else "primary")

    def _show_only(self, sentence: str) -> None:
        self.headline.setText(sentence)
        self.choice.hide()

    def show_classes(self, classes: Sequence[tuple[str, str, str]], *, buttons: Collection[int] = frozenset()) -> None:
        """For each class: its name, its threshold and its cost, in words. A click on those of `buttons` lists it."""
        for old in self.classes.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            self._rows.removeWidget(old)
            old.hide()
            old.deleteLater()
        self._cells = []
        for row, (called, begin, rest) in enumerate(classes):
            # Elided in the middle, because names often differ in their last letter.
            name = ElidedLabel(called, mode=Qt.TextElideMode.ElideMiddle)
            name.among = tuple(each[0] for each in classes)
            name.setMinimumWidth(min(SHORTEST_NAME, name.sizeHint().width()))
            dot = QLabel("●")
            dot.setStyleSheet(f"color: {style.class_colour(row).name()}")
            bound = QLabel(begin)
            costs: QWidget = QLabel(rest)
            costs.setProperty("role", "muted")
            if row in buttons:
                costs = _link(rest)
                costs.setAccessibleName(f"{called}: {rest}")
                costs.clicked.connect(lambda _checked=False, row=row: self._choose_samples(f"class {row}"))
            self._cells.append((dot, name, bound, costs))
        self._place_classes()

    def _place_classes(self) -> None:
        """Put each class into one row, or in a narrow window into two."""
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
        lists = FlowBox(gap=16)
        lists.set_items(tuple(self.lists.values()))
        for widget in (lists, self.expected, self.promise):
            inner.addWidget(widget)
        inner.addSpacing(8)
        inner.addWidget(self.asked)
        inner.addWidget(self.slider)
        inner.addWidget(self.stuck)
        inner.addLayout(using)
        inner.addSpacing(8)
        inner.addLayout(self._below, 1)
        # The page scrolls as a whole: in a small window, parts that scroll alone are too small to read.
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


def _link(words: str = "") -> QPushButton:
    button = QPushButton(words)
    button.setProperty("role", "link")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setToolTip(tr("Show these samples"))
    return button


class ThresholdController(QObject):
    """Drives a `ThresholdPage`: shows the thresholds of the run, and writes the chosen error rate to the project."""

    def __init__(self, page: ThresholdPage, model: ExploreModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._page, self._model = page, model
        self._shown: tuple[PredictionTable, tuple[Sample, ...]] | None = None
        """What the page shows: computing it again takes long."""
        page.rate_chosen.connect(self._on_rate_chosen)

    def show_run(self) -> None:
        session, table = self._model.session, self._model.table
        if session is None or table is None:
            return
        kind, names = session.project.kind, self._model.names
        known, self._shown = self._shown, (table, session.samples)
        if known is not None and known[0] is table and known[1] is session.samples:
            self._page.show_used_rate(session.project.wrong_at_most if not table.exclusive else session.rate_in_use())
        elif not table.exclusive:
            used = session.project.wrong_at_most
            self._page.set_presence_model(PresenceThresholdModel(table, names), kind=kind, used=used)
        else:
            self._page.set_model(ThresholdModel(table, names), kind=kind, used=session.rate_in_use())

    @Slot(object)
    def _on_rate_chosen(self, rate: float | None) -> None:
        if self._model.session is None:
            return
        try:
            self._model.session.project.set_wrong_at_most(rate)
        except HandlensError as error:
            self._model.set_problem(text(error.message))
            return
        self._page.set_used(rate)
