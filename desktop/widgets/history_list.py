"""Who gave a sample which label, when: the newest changes in lines, the rest behind a link."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from desktop.i18n import current_language, printable, tr, trn
from ml.api import LabelChange

SHOWN = 2


class HistoryList(QWidget):
    """Shows the newest changes of one sample. Emits `all_wanted` for the rest."""

    all_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines = QLabel()
        self.lines.setTextFormat(Qt.TextFormat.PlainText)
        self.lines.setProperty("role", "caption")
        self.lines.setWordWrap(True)
        self.lines.setAccessibleName(tr("History of the label"))
        self.more_button = QPushButton()
        self.more_button.setProperty("role", "link")
        self.more_button.clicked.connect(self.all_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.lines)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.set_changes((), ())

    def set_changes(self, changes: Sequence[LabelChange], names: Sequence[str]) -> None:
        """Show changes, given the oldest first."""
        newest = [history_line(change, names) for change in reversed(changes)]
        self.lines.setText("\n".join(newest[:SHOWN]))
        self.more_button.setText(
            trn("{count} earlier change…", "{count} earlier changes…", max(1, len(newest) - SHOWN))
        )
        self.more_button.setVisible(len(newest) > SHOWN)
        self.setVisible(bool(newest))


def moment(at: str) -> str:
    """Return an ISO time in the local time and notation."""
    parsed = QDateTime.fromString(at, Qt.DateFormat.ISODateWithMs)
    return QLocale().toString(parsed.toLocalTime(), QLocale.FormatType.ShortFormat) if parsed.isValid() else at


def history_line(change: LabelChange, names: Sequence[str]) -> str:
    """Say in one line who changed what."""
    when, who = moment(change.at), printable(change.annotator)
    old, new = _classes(change.old, names), _classes(change.new, names)
    if change.origin == "ignored":
        return tr("{when}, {who}: not to be used", when=when, who=who)
    if change.origin == "confirmed":
        return tr("{when}, {who}: confirmed {new}", when=when, who=who, new=new)
    if change.origin == "import" and not change.old:
        return tr("{when}, {who}: {new}, from a folder or table", when=when, who=who, new=new)
    return tr("{when}, {who}: {old} → {new}", when=when, who=who, old=old, new=new)


def _classes(indices: Sequence[int], names: Sequence[str]) -> str:
    return current_language().join([names[index] for index in indices]) if indices else tr("no label")
