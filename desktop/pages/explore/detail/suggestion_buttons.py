"""Keep the label, or change it to what it looks like: two verbs below a suspicious label, each with its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from desktop.i18n import msg, text, tr
from desktop.pages.explore.messages import named
from desktop.widgets.class_keys import DIGITS, shortened
from desktop.widgets.flow_box import FlowBox
from ml.api import Task, task_named


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The words of both buttons. `class_index` is what the second one gives or takes away; None hides it."""

    keep: str
    change: str = ""
    class_index: int | None = None


def verdict_on(judged: tuple[tuple[int, ...], int], names: Sequence[str], *, task: Task) -> Verdict:
    """On one sample, by what it was labelled and the class that this is about."""
    labels, suggested = judged
    name = shortened(names[suggested])
    if task_named(task).exclusive:
        change = msg("Change to “{name}”", name=name)
    elif suggested in labels:
        change = msg("Remove “{name}”", name=name)
    else:
        change = msg("Add “{name}”", name=name)
    if suggested < DIGITS:
        change = msg("{words} ({key})", words=change, key=str(suggested + 1))
    keep = tr("Keep “{name}” (R)", name=shortened(named(labels, names)))
    return Verdict(keep=keep, change=text(change), class_index=suggested)


def verdict_on_many(count: int) -> Verdict:
    """On several at once: their labels differ, and what they look like does, too."""
    return Verdict(keep=tr("Keep the labels of these {n} (R)", n=count))


class SuggestionButtons(QWidget):
    """Hidden while there is nothing to decide. `keep_pressed` and `change_pressed(class index)` out."""

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
        # Long names stand below each other instead of being cut.
        flow = FlowBox()
        flow.set_items((self.keep_button, self.change_button))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(flow)
        self.hide()

    def ask(self, verdict: Verdict | None) -> None:
        """What there is to decide now; None: nothing."""
        self.setVisible(verdict is not None)
        if verdict is None:
            return
        self._class_index = verdict.class_index
        self.keep_button.setText(verdict.keep)
        self.change_button.setText(verdict.change)
        self.change_button.setVisible(verdict.class_index is not None)

    def _on_change(self) -> None:
        if self._class_index is not None:
            self.change_pressed.emit(self._class_index)
