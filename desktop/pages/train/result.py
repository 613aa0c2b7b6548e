"""After a training: how it went in words, and what to do next. Or why it did not go, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop import style
from desktop.i18n import tr
from desktop.widgets.remark_list import RemarkList, Said
from desktop.widgets.scrolling import scrolling
from desktop.widgets.showcase import ShowcaseView, Shown


class TrainResult(QWidget):
    """`explore_pressed`, `suspicious_pressed` (a finding leads to the labels) and `again_pressed` out."""

    explore_pressed = Signal()
    suspicious_pressed = Signal()
    again_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.score = QLabel()
        self.score.setProperty("role", "number")
        self.score.setWordWrap(True)
        self.lines = QLabel()
        self.lines.setWordWrap(True)
        self.lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.explore_button = QPushButton(tr("Look at the mistakes"))
        self.explore_button.clicked.connect(self.explore_pressed)
        self.again_button = QPushButton(tr("Train again"))
        self.again_button.clicked.connect(self.again_pressed)
        self.fold = QToolButton()
        self.fold.setText(tr("Details"))
        self.fold.setProperty("role", "fold")
        self.fold.setCheckable(True)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName(tr("Details"))
        self.details.hide()
        self.fold.toggled.connect(self.details.setVisible)
        self.remarks_note = QLabel()
        self.remarks_note.setProperty("role", "emphasis")
        self.remarks = RemarkList()
        self.remarks.verb_pressed.connect(self.suspicious_pressed)
        self.mistakes_note = QLabel()
        self.mistakes_note.setProperty("role", "emphasis")
        self.mistakes = ShowcaseView()
        self.mistakes.setAccessibleName(tr("The worst mistakes"))
        # The page scrolls, so they need be no smaller than their names are readable at.
        policy = self.mistakes.sizePolicy()
        policy.setHeightForWidth(True)
        self.mistakes.setSizePolicy(policy)
        self.mistakes.setMinimumHeight(1)
        self._lay_out()
        self.show_mistakes(())
        self.show_remarks(())

    def show_mistakes(self, shown: Sequence[Shown]) -> None:
        """What it is most sure of and wrong about; nothing hides the place."""
        self.mistakes.clear()
        self.mistakes.show_all(shown)
        self.mistakes.setVisible(bool(shown))
        self.mistakes_note.setText(tr("The worst mistakes"))
        self.mistakes_note.setVisible(bool(shown))

    def show_remarks(self, remarks: Sequence[Said]) -> None:
        """What the self-test found; nothing hides the place."""
        self.remarks.set_remarks(remarks)
        self.remarks_note.setVisible(bool(remarks))

    def say(self, *, score: str, lines: list[str], wrong: bool) -> None:
        """`wrong` is whether there is anything it gets wrong."""
        self.score.setText(score)
        self.lines.setText("\n".join(lines))
        self.explore_button.setText(tr("Look at the mistakes") if wrong else tr("Look at the results"))

    def date_remarks(self, *, then: bool) -> None:
        """Whether they speak of labels that are others now."""
        self.remarks_note.setText(tr("Self-test, with the labels of that time") if then else tr("Self-test"))

    def show_finished(self, *, again: str, remarks: Sequence[Said] = ()) -> None:
        """Another run, of which `say` and `show_mistakes` tell; `again` are the words of the button that leads back."""
        self.show_remarks(remarks)
        self.show_mistakes(())
        self.again_button.setText(again)
        self._set_primary(self.explore_button)
        self.scroll_area.verticalScrollBar().setValue(0)
        self.explore_button.show()
        self.explore_button.setFocus()
        self.fold.hide()
        self.fold.setChecked(False)

    def show_failed(self, *, title: str, message: str, details: str) -> None:
        self.show_mistakes(())
        self.show_remarks(())
        self.score.setText(title)
        self.lines.setText(message)
        self.explore_button.hide()
        self.again_button.setText(tr("Train again"))
        self._set_primary(self.again_button)
        self.scroll_area.verticalScrollBar().setValue(0)
        self.again_button.setFocus()
        self.details.setPlainText(details)
        self.fold.setChecked(False)
        self.fold.setVisible(bool(details))

    def _set_primary(self, button: QPushButton) -> None:
        for each in (self.explore_button, self.again_button):
            style.set_role(each, "primary" if each is button else "")

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self.explore_button)
        buttons.addWidget(self.again_button)
        buttons.addWidget(self.fold)
        buttons.addStretch(1)
        content = QWidget()
        self.scroll_area = scrolling(content)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.scroll_area)
        column = QVBoxLayout(content)
        column.setContentsMargins(24, 8, 24, 24)
        column.setSpacing(12)
        column.addWidget(self.score)
        column.addWidget(self.lines)
        column.addLayout(buttons)
        column.addWidget(self.details, 1)
        column.addSpacing(4)
        column.addWidget(self.remarks_note)
        column.addWidget(self.remarks)
        column.addSpacing(4)
        column.addWidget(self.mistakes_note)
        column.addWidget(self.mistakes, 100)
        column.addStretch(1)
