"""Show names as text: Qt takes whatever looks like HTML for HTML, and an image in it opens any file or host."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QLabel, QProxyStyle, QWidget

from desktop.i18n import printable


class PlainTextStyle(QProxyStyle):
    """Fusion in which labels are plain text unless they ask for rich text; tool tips and message boxes are labels, too.

    Qt polishes a label before it asks for its size or paints it, so no label is ever laid out as HTML.
    """

    def __init__(self) -> None:
        super().__init__("Fusion")

    def polish(self, target: QWidget | QApplication | QPalette) -> None:  # type: ignore[override]
        super().polish(target)
        if isinstance(target, QLabel) and target.textFormat() == Qt.TextFormat.AutoText:
            target.setTextFormat(Qt.TextFormat.PlainText)


def button_text(words: str) -> str:
    """Return `words` for a button or a menu: "&" would mark a key there and disappear."""
    return printable(words).replace("&", "&&")
