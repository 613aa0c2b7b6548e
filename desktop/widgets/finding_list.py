"""A list of findings: those that need action first, those that are fine folded away below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.i18n import Message, text, tr, trn
from desktop.widgets.collapsible import Collapsible

Level = Literal["warning", "note", "good"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingRow:
    """One finding. `verb`: the words of a button beside it, if there is one; `key` identifies the button."""

    level: Level
    sentence: Message | str
    verb: str = ""
    key: str = ""


class FindingList(QWidget):
    """Shows findings and emits `verb_pressed(key)`. Hidden without findings."""

    verb_pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[FindingRow, ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(style.current().s)
        self.fold: Collapsible | None = None
        self.hide()

    def set_findings(self, remarks: Sequence[FindingRow]) -> None:
        """Show findings in their order, good ones below the rest."""
        self._shown = tuple(remarks)
        while (item := self._column.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                old.hide()
                old.deleteLater()
        self.fold = None
        for finding in remarks:
            if finding.level != "good":
                self._column.addWidget(self._row(finding))
        good = [finding for finding in remarks if finding.level == "good"]
        if good:
            self._column.addWidget(self._folded(good))
        self.setVisible(bool(remarks))

    def remarks(self) -> tuple[FindingRow, ...]:
        return self._shown

    def _folded(self, good: Sequence[FindingRow]) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(style.current().l, 0, 0, 0)
        column.setSpacing(style.current().s)
        for finding in good:
            column.addWidget(self._row(finding))
        self.fold = Collapsible(trn("{count} thing is fine", "{count} things are fine", len(good)), content)
        return self.fold

    def _row(self, finding: FindingRow) -> QWidget:
        row = QWidget()
        look = style.current()
        sign = QToolButton()
        name, colour, word = {
            "warning": ("ph.warning", "warn", tr("Warning")),
            "note": ("ph.info", "muted", tr("Note")),
            "good": ("ph.check", "good", tr("Fine")),
        }[finding.level]
        icons.set_icon(sign, name, colour=colour)
        sign.setProperty("role", "sign")
        sign.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        sign.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        sign.setAccessibleName(word)
        words = QLabel(text(finding.sentence))
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(look.s)
        line.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(words, 1)
        if finding.verb:
            button = QPushButton(finding.verb)
            button.setProperty("role", "link")
            button.setProperty("key", finding.key)
            button.clicked.connect(self._on_verb)
            line.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _on_verb(self) -> None:
        self.verb_pressed.emit(str(self.sender().property("key")))
