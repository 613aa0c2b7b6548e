"""Finds what a window shows that went past the translation: in the pseudo-locale every translated letter has a mark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, QModelIndex, Qt
from PySide6.QtGui import QAction, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QDialogButtonBox,
    QDoubleSpinBox,
    QGraphicsScene,
    QGraphicsTextItem,
    QGraphicsView,
    QGroupBox,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QProgressBar,
    QSpinBox,
    QTabBar,
    QWidget,
)

_PLAIN = re.compile(r"[aceinorsuyzACEINORSUY]")
"""Letters that the pseudo-locale replaces; the others look alike before and after."""
_TAG = re.compile(r"<[^<>]*>|&[a-z]+;")
_SCIENTIFIC = re.compile(r"(?<=\d)e[-+]?\d+")
_KEYS = re.compile(r"\((?:[A-Z]|Backspace|Space)\)|\(?(?:(?:Ctrl|Shift|Alt)\+)+\w+\)?")
"""Keys are data: the person may have changed them."""
_TAB_ARROWS = ("ScrollLeftButton", "ScrollRightButton")
_ROLES = (
    Qt.ItemDataRole.DisplayRole,
    Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.AccessibleTextRole,
    Qt.ItemDataRole.AccessibleDescriptionRole,
)
_MOST_ROWS = 60

Text = tuple[str, str]
"""Where it stands, and what stands there."""


@contextmanager
def painted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Everything that widgets written in Python paint as text meanwhile."""
    found: list[str] = []
    draw = QPainter.drawText

    def remember(painter: QPainter, *given: object) -> object:
        found.extend(part for part in given if isinstance(part, str))
        return draw(painter, *given)  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr(QPainter, "drawText", remember)
        yield found


def untranslated(shown: Iterable[Text], data: Iterable[str]) -> list[str]:
    """Those with a letter of English in them that is not part of `data`: names, units and the like."""
    names = sorted({name for name in data if name}, key=len, reverse=True)
    allowed = re.compile("|".join(re.escape(name) for name in names), re.IGNORECASE) if names else None
    found = []
    for where, words in shown:
        rest = _KEYS.sub("", _SCIENTIFIC.sub("", _TAG.sub("", words.replace("\u200b", ""))))
        if allowed is not None:
            rest = allowed.sub("", rest)
        if _PLAIN.search(rest) and not _cut(words, names):
            found.append(f"{where}: {words!r}")
    return sorted(set(found))


def _cut(words: str, names: list[str]) -> bool:
    """Whether it is one of the names, shortened to the room there is."""
    parts = [part.strip() for part in words.split("…")]
    return len(parts) > 1 and any(all(part in name for part in parts) for name in names)


def shown_by(root: QWidget) -> Iterator[Text]:
    """Every text of `root` and of all that is in it, whether it is visible now or not."""
    for widget in [root, *root.findChildren(QWidget)]:
        if not _of_qt(widget):
            name = f"{type(widget).__name__} {widget.objectName()}".strip()
            yield from ((f"{name} {part}", words) for part, words in _texts(widget) if words)
    for action in root.findChildren(QAction):
        if not isinstance(action.parent(), QLineEdit | QGraphicsScene):  # menus of Qt and of pyqtgraph, never shown
            yield f"action {action.objectName()}", action.text()
            yield f"action {action.objectName()} tool tip", _without_keys(action)


def _of_qt(widget: QWidget) -> bool:
    """Words of Qt itself, for which it has its own catalogues."""
    parent = widget.parent()
    if isinstance(parent, QTabBar) and widget.objectName() in _TAB_ARROWS:
        return True
    if isinstance(widget, QAbstractButton) and isinstance(parent, QDialogButtonBox):
        return parent.standardButton(widget) != QDialogButtonBox.StandardButton.NoButton or isinstance(
            parent.parent(), QMessageBox
        )
    # The wizard makes all the buttons it could have; those without a place are never seen.
    return widget.objectName().startswith("qt_wizard_") and not widget.isVisible()


def _without_keys(action: QAction) -> str:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    return action.toolTip().replace(f"({keys})", "")


def _texts(widget: QWidget) -> Iterator[Text]:
    yield "title", widget.windowTitle()
    yield "tool tip", widget.toolTip()
    yield "status tip", widget.statusTip()
    yield "what's this", widget.whatsThis()
    yield "accessible name", widget.accessibleName()
    yield "accessible description", widget.accessibleDescription()
    match widget:
        case QLabel() | QAbstractButton():
            yield "text", widget.text()
        case QLineEdit():
            yield "placeholder", widget.placeholderText()
        case QComboBox():
            yield from _of_model(widget.model())
        case QTabBar():
            for place in range(widget.count()):
                yield "tab", widget.tabText(place)
                yield "tab's tool tip", widget.tabToolTip(place)
        case QGroupBox() | QMenu():
            yield "title", widget.title()
        case QProgressBar():
            yield "format", widget.format() if widget.isTextVisible() else ""
        case QSpinBox() | QDoubleSpinBox():
            yield "parts", f"{widget.prefix()}{widget.suffix()}{widget.specialValueText()}"
        case QAbstractSpinBox():
            yield "special value", widget.specialValueText()
        case QAbstractItemView():
            yield from _of_model(widget.model())
        case QGraphicsView() if widget.scene() is not None:
            for item in widget.scene().items():
                if isinstance(item, QGraphicsTextItem):
                    yield "drawing", item.toPlainText()
        case _:
            return


def _of_model(model: QAbstractItemModel | None) -> Iterator[Text]:
    if model is None:
        return
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(QModelIndex())
    for column in range(columns):
        for orientation in (Qt.Orientation.Horizontal, Qt.Orientation.Vertical):
            yield "head", _string(model.headerData(column, orientation))
        for row in range(min(model.rowCount(QModelIndex()), _MOST_ROWS)):
            for role in _ROLES:
                yield "item", _string(model.data(model.index(row, column), role))


def _string(found: object) -> str:
    return found if isinstance(found, str) and found != "separator" else ""  # Qt's own mark in lists
