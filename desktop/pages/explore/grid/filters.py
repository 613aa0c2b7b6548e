"""The row of filters above the grid: class, split, right or wrong, and how many samples pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QWidget

from desktop.i18n import tr
from desktop.models.prediction_table import Filter, Verdict
from desktop.plain_text import button_text
from desktop.widgets.flow_box import FlowBox
from desktop.widgets.text_field import TextField
from ml.api import SPLIT_CODES


class FilterState(NamedTuple):
    """Class, split and verdict; a cell of the confusion matrix or a list of samples; the words of that."""

    boxes: tuple[int, int | None, int]
    cell: tuple[int, int] | None
    only: tuple[int, ...] | None
    words: str


class ExploreFilters(QWidget):
    """Emits `filter_changed` when the user chooses. A chosen confusion cell becomes a button that removes it."""

    filter_changed = Signal()
    search_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cell: tuple[int, int] | None = None
        self._only: tuple[int, ...] | None = None
        self._in_that_order = False
        self._split_before = 0
        self.class_box, self.split_box, self.verdict_box = QComboBox(), QComboBox(), QComboBox()
        for box, name in (
            (self.class_box, tr("Class")),
            (self.split_box, tr("Split")),
            (self.verdict_box, tr("Right or wrong")),
        ):
            box.setAccessibleName(name)
            box.activated.connect(self._on_changed)
        for text, verdict in (
            (tr("Right and wrong"), "all"),
            (tr("Only wrong"), "wrong"),
            (tr("Only right"), "right"),
        ):
            self.verdict_box.addItem(text, verdict)
        self.class_box.setMaximumWidth(200)
        self.cell_button = QPushButton()
        self.cell_button.setToolTip(tr("Show all of them again"))
        self.cell_button.clicked.connect(self.clear_cell)
        self.search = TextField()
        self.search.setPlaceholderText(tr("Search"))
        self.search.setAccessibleName(tr("Search by names, colours or what is seen"))
        self.search.setToolTip(tr("Names of classes, files and folders, notes, colours, or what is seen: brown dog"))
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(180)
        self.search.returnPressed.connect(self._on_search)
        self.sentence = QPushButton()
        self.sentence.setProperty("role", "link")
        self.sentence.setToolTip(tr("Show only the wrong ones, or all of them"))
        # Wraps into two rows in a narrow window.
        flow = FlowBox(gap=8)
        flow.set_items((self.class_box, self.split_box, self.verdict_box, self.cell_button, self.sentence, self.search))
        self.cell_button.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(flow)

    def set_choices(self, class_names: Sequence[str], splits: Sequence[int], *, several: bool = False) -> None:
        """Start with all classes and the test split, if there is one. `several`: offer "none of them" as well."""
        self._cell = self._only = None
        self.cell_button.hide()
        with QSignalBlocker(self.class_box), QSignalBlocker(self.split_box), QSignalBlocker(self.verdict_box):
            self.class_box.clear()
            self.class_box.addItem(tr("All classes"), None)
            for index, name in enumerate(class_names):
                self.class_box.addItem(name, index)
            if several:
                self.class_box.addItem(tr("None of them"), -1)
            self.split_box.clear()
            self.split_box.addItem(tr("Everything"), None)
            for code in splits:
                self.split_box.addItem(self._split_name(code), code)
            best = [place for name in ("test", "valid") if (place := self._place_of(name)) >= 0]
            self.split_box.setCurrentIndex(best[0] if best else 0)
            self.verdict_box.setCurrentIndex(0)

    def offer_verdict(self, offered: bool) -> None:
        """Show the choice of right or wrong. While it is hidden it does not filter."""
        self.verdict_box.setVisible(offered)

    def set_sentence(self, sentence: str) -> None:
        """How many samples pass the filters."""
        self.sentence.setText(sentence)

    def toggle_wrong(self) -> None:
        """Show only what is wrong, or everything again. Without the choice of right or wrong: do nothing."""
        if self.verdict_box.isHidden():
            return
        wrong = self.verdict_box.findData("wrong")
        self.verdict_box.setCurrentIndex(0 if self.verdict_box.currentIndex() == wrong else wrong)
        self.filter_changed.emit()

    def set_cell(self, label: int, predicted: int, words: str) -> None:
        """Filter by one cell of the confusion matrix."""
        if self._only is not None:
            self.split_box.setCurrentIndex(self._split_before)
        self._cell, self._only = (label, predicted), None
        self.cell_button.setText(button_text(f"{words}  ✕"))
        self.cell_button.show()
        self.class_box.setCurrentIndex(0)
        self.verdict_box.setCurrentIndex(0)
        self.filter_changed.emit()

    def set_only(self, ids: tuple[int, ...], words: str, *, in_that_order: bool = False) -> None:
        """Choose from these samples alone, of all splits and classes."""
        self._in_that_order = in_that_order
        if self._only is None:
            self._split_before = self.split_box.currentIndex()
        self._cell, self._only = None, ids
        self.cell_button.setText(button_text(f"{words}  ✕"))
        self.cell_button.show()
        for box in (self.class_box, self.split_box, self.verdict_box):
            box.setCurrentIndex(0)
        self.filter_changed.emit()

    def only(self) -> tuple[int, ...] | None:
        """Return the samples that `set_only` chose; None for all."""
        return self._only

    def clear_cell(self) -> None:
        """Show all samples again."""
        if self._only is not None:
            self.split_box.setCurrentIndex(self._split_before)
        self._cell = self._only = None
        self.cell_button.hide()
        self.filter_changed.emit()

    def filter(self) -> Filter:
        split = self.split_box.currentData()
        if self._cell is not None:
            return Filter(split=split, label=self._cell[0], predicted=self._cell[1])
        verdict: Verdict = "all" if self.verdict_box.isHidden() else self.verdict_box.currentData()
        return Filter(
            split=split,
            label=self.class_box.currentData(),
            verdict=verdict,
            only=self._only,
            in_that_order=self._in_that_order,
        )

    def _on_search(self) -> None:
        words = self.search.text().strip()
        if words:
            self.search_requested.emit(words)
        elif self._only is not None:
            self.clear_cell()

    def state(self) -> FilterState:
        """Return what is chosen, for `restore`."""
        boxes = (self.class_box.currentIndex(), self.split_box.currentData(), self.verdict_box.currentIndex())
        return FilterState(boxes, self._cell, self._only, self.cell_button.text())

    def restore(self, state: FilterState) -> None:
        """Choose the same again, after the choices were made anew."""
        self._split_before = self.split_box.currentIndex()
        with QSignalBlocker(self.class_box), QSignalBlocker(self.split_box), QSignalBlocker(self.verdict_box):
            self.class_box.setCurrentIndex(min(state.boxes[0], self.class_box.count() - 1))
            self.split_box.setCurrentIndex(max(0, self.split_box.findData(state.boxes[1])))
            self.verdict_box.setCurrentIndex(state.boxes[2])
        self._cell, self._only = state.cell, state.only
        self.cell_button.setText(state.words)
        self.cell_button.setVisible(self._cell is not None or self._only is not None)

    def _on_changed(self) -> None:
        if self.sender() is not self.split_box and self._cell is not None:
            self._cell = None
            self.cell_button.hide()
        self.filter_changed.emit()

    def _place_of(self, split: str) -> int:
        return self.split_box.findData(SPLIT_CODES.index(split))

    def _split_name(self, code: int) -> str:
        names = (tr("Training"), tr("Validation"), tr("Test"), tr("Not labelled"))
        return names[code]
