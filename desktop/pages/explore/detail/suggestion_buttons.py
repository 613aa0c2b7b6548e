"""Two buttons below a suspicious label: keep it, or change it to the suggested one. Each names its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from desktop.actions import with_key
from desktop.i18n import msg, text, tr
from desktop.pages.explore.label_issues.model import SuggestedLabel
from desktop.pages.explore.messages import named
from desktop.widgets.class_keys import DIGITS, shortened
from desktop.widgets.flow_box import FlowBox
from ml.api import TaskName, task_named


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """The words of both buttons. `class_index` is what the second one adds or removes; None hides it."""

    keep: str
    change: str = ""
    class_index: int | None = None


def suggestion_for(suggested: SuggestedLabel, names: Sequence[str], *, task: TaskName) -> Suggestion:
    """Ask about one sample: keep its labels, or change one of them."""
    labels, class_index = suggested
    name = shortened(names[class_index])
    if task_named(task).exclusive:
        change = msg("Change to “{name}”", name=name)
    elif class_index in labels:
        change = msg("Remove “{name}”", name=name)
    else:
        change = msg("Add “{name}”", name=name)
    if class_index < DIGITS:
        change = msg("{words} ({key})", words=change, key=str(class_index + 1))
    keep = with_key(tr("Keep “{name}”", name=shortened(named(labels, names))), "right")
    return Suggestion(keep=keep, change=text(change), class_index=class_index)


def suggestion_for_many(count: int) -> Suggestion:
    """Ask about several samples. Their suggested classes differ, so the only choice is to keep the labels."""
    return Suggestion(keep=with_key(tr("Keep the labels of these {n}", n=count), "right"))


class SuggestionButtons(QWidget):
    """Hidden without a suggestion. Emits `keep_pressed` and `change_pressed(class index)`."""

    keep_pressed = Signal()
    change_pressed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._class_index: int | None = None
        self.keep_button, self.change_button = QPushButton(), QPushButton()
        self.keep_button.setToolTip(tr("The label is right. It leaves the list for good."))
        self.change_button.setToolTip(tr("The label is wrong. It is fixed and leaves the list."))
        self.keep_button.clicked.connect(self.keep_pressed)
        self.change_button.clicked.connect(self._on_change)
        # Long names wrap instead of being cut.
        flow = FlowBox()
        flow.set_items((self.keep_button, self.change_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(flow)
        self.hide()

    def show_suggestion(self, suggestion: Suggestion | None) -> None:
        self.setVisible(suggestion is not None)
        if suggestion is None:
            return
        self._class_index = suggestion.class_index
        self.keep_button.setText(suggestion.keep)
        self.change_button.setText(suggestion.change)
        self.change_button.setVisible(suggestion.class_index is not None)

    def _on_change(self) -> None:
        if self._class_index is not None:
            self.change_pressed.emit(self._class_index)
