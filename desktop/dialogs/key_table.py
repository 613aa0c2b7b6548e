"""The keys in the settings: click one and press another, or return to those as delivered."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from desktop import icons, style
from desktop.actions import ACTIONS, PLACES, Action, key_of, keys_of, native, text_of
from desktop.dialogs.notice import Question
from desktop.i18n import text, tr
from desktop.plain_text import button_text
from desktop.shortcuts import NEWS, changed, conflicts, pressed_key, reserved, reset_all, set_keys
from desktop.widgets.scrolling import scrolling

_WIDEST = 640


class KeyButton(QPushButton):
    """Shows a key. Once clicked, it takes the next key that is pressed; Escape leaves everything as it was."""

    key_pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.waiting = False
        self._key = ""
        self.setAutoDefault(False)
        self.clicked.connect(self._wait)

    def show_key(self, keys: str) -> None:
        self._key = keys
        self.waiting = False
        self.setText(button_text(keys or tr("none")))

    @Slot()
    def _wait(self) -> None:
        self.waiting = True
        self.setText(tr("Press a key…"))
        self.setFocus()

    def event(self, event: QEvent) -> bool:
        if self.waiting and isinstance(event, QKeyEvent):
            # Before shortcuts of the window, Tab and the button itself can take it.
            event.accept()
            if event.type() == QEvent.Type.KeyPress and not event.isAutoRepeat():
                self._take(event)
            return True
        return super().event(event)

    def _take(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.show_key(self._key)
            return
        key = pressed_key(event)
        if key:
            self.key_pressed.emit(key)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if self.waiting:
            self.show_key(self._key)
        super().focusOutEvent(event)


class KeyTable(QWidget):
    """All actions with their keys. What is changed is in force and remembered at once."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        look = style.current()
        self.key_buttons: dict[str, KeyButton] = {}
        self.reset_buttons: dict[str, QPushButton] = {}
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("role", "muted")
        self.reset_all_button = QPushButton(tr("All keys as delivered"))
        self.reset_all_button.setAutoDefault(False)
        self.reset_all_button.clicked.connect(self._reset_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, look.l, 0, 0)
        column.setSpacing(look.m)
        column.addWidget(scrolling(self._make_sheet()), 1)
        column.addWidget(self.note)
        column.addWidget(self.reset_all_button, 0, Qt.AlignmentFlag.AlignLeft)
        NEWS.changed.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(_WIDEST, super().sizeHint().height())

    def _make_sheet(self) -> QWidget:
        look, sheet = style.current(), QWidget()
        grid = QGridLayout(sheet)
        grid.setContentsMargins(0, 0, look.m, 0)
        grid.setHorizontalSpacing(look.s)
        grid.setVerticalSpacing(look.xs)
        grid.setColumnStretch(0, 1)
        row = 0
        for where, name in PLACES:
            head = QLabel(text(name))
            head.setProperty("role", "emphasis")
            head.setContentsMargins(0, look.m if row else 0, 0, look.xs)
            grid.addWidget(head, row, 0, 1, 3)
            for action in (item for item in ACTIONS if item.where == where):
                row += 1
                self._add_row(grid, row, action)
            row += 1
        return sheet

    def _add_row(self, grid: QGridLayout, row: int, action: Action) -> None:
        words = QLabel(text_of(action).removesuffix("…"))
        words.setWordWrap(True)
        grid.addWidget(words, row, 0)
        if action.fixed:
            keys = QLabel(keys_of(action))
            keys.setProperty("role", "muted")
            keys.setToolTip(tr("These keys cannot be changed."))
            grid.addWidget(keys, row, 1, Qt.AlignmentFlag.AlignCenter)
            return
        button, reset = KeyButton(), QPushButton()
        button.setAccessibleName(tr("Key of “{action}”", action=words.text()))
        button.setMinimumWidth(130)
        button.key_pressed.connect(partial(self._on_key, action))
        reset.setProperty("role", "quiet")
        reset.setAutoDefault(False)
        reset.setAccessibleName(tr("“{action}” as delivered", action=words.text()))
        reset.setToolTip(tr("As delivered"))
        icons.set_icon(reset, "ph.arrow-u-up-left")
        policy = reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        reset.setSizePolicy(policy)
        reset.clicked.connect(partial(self._reset, action))
        self.key_buttons[action.id], self.reset_buttons[action.id] = button, reset
        grid.addWidget(button, row, 1)
        grid.addWidget(reset, row, 2)

    @Slot()
    def _show(self) -> None:
        for action in ACTIONS:
            if action.id in self.key_buttons:
                self.key_buttons[action.id].show_key(keys_of(action))
                self.reset_buttons[action.id].setVisible(changed(action))
        self.reset_all_button.setEnabled(any(changed(action) for action in ACTIONS))
        self.note.setText(tr("Click a key, then press the new one."))

    def _on_key(self, action: Action, key: str) -> None:
        if reserved(key, action):
            self.note.setText(tr("{key} is needed for something else. Press another key.", key=native(key)))
            return
        self.give(action, key)

    def _reset(self, action: Action) -> None:
        self.give(action, action.shortcut)
        self.key_buttons[action.id].setFocus()

    @Slot()
    def _reset_all(self) -> None:
        reset_all()
        self.note.setText(tr("All keys are as delivered."))

    def give(self, action: Action, key: str) -> None:
        """Give the action this key. If others have it, the person decides."""
        others = conflicts(key, action) if key else ()
        if not others:
            set_keys({action.id: key})
            return
        use, swap = tr("Use it here"), tr("Swap the keys")
        named = ", ".join(map(_named, others))
        question = tr(
            "{key} is already the key of {actions}. If you use it here, it is taken away there.",
            key=native(key),
            actions=named,
        )
        verbs = (use, swap) if _can_swap(action, key, others) else (use,)
        chosen = Question.choose(self, question, verbs, no=tr("Cancel"))
        if chosen == use:
            set_keys({action.id: key} | {each.id: "" for each in others})
        elif chosen == swap:
            set_keys({action.id: key, others[0].id: key_of(action)})
        else:
            self._show()


def _place(action: Action) -> str:
    return next(text(name) for where, name in PLACES if where == action.where)


def _can_swap(action: Action, key: str, others: tuple[Action, ...]) -> bool:
    """Return whether the one other action can have the key of this one."""
    own, other = key_of(action), others[0]
    if len(others) > 1 or not own or key_of(other) != key or reserved(own, other):
        return False
    return all(each.id == action.id for each in conflicts(own, other))


def _named(action: Action) -> str:
    return tr("“{action}” ({place})", action=text_of(action).removesuffix("…"), place=_place(action))
