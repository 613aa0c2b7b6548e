"""The keys in force: bind them, show them in tool tips, find conflicts, change them. All follow a change at once."""

from __future__ import annotations

from collections.abc import Callable, Collection

from PySide6.QtCore import QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

from desktop import settings
from desktop.actions import ACTIONS, Action, action_named, key_of, sequences, with_key

_NEEDED = frozenset(
    QKeySequence(f"{shift}{key}").toString()
    for key in ("Esc", "Tab", "Backtab", "Left", "Right", "Up", "Down", "Home", "End", "PgUp", "PgDown", "Menu")
    for shift in ("", "Shift+", "Ctrl+", "Ctrl+Shift+")
) | {"Alt+F4", "F10", "Ctrl+C", "Ctrl+X", "Ctrl+A"}
"""Without these, nothing can be reached or copied by keyboard."""
_PRESSING = frozenset(("Space", "Return", "Enter", "Backspace", "Del", "Ins"))
"""They press the button that has the focus, or delete a letter."""
_DIGITS = frozenset("0123456789")
_MODIFIERS = (
    Qt.Key.Key_Shift,
    Qt.Key.Key_Control,
    Qt.Key.Key_Meta,
    Qt.Key.Key_Alt,
    Qt.Key.Key_AltGr,
    Qt.Key.Key_CapsLock,
    Qt.Key.Key_NumLock,
    Qt.Key.Key_unknown,
)


class _News(QObject):
    changed = Signal()


NEWS = _News()
"""Its `changed` says that other keys are in force."""


# -- what is bound and shown -----------------------------------------------------------------------------------------


def bind(
    owner: QWidget,
    action_id: str,
    act: Callable[[], object],
    *,
    within: Qt.ShortcutContext = Qt.ShortcutContext.WidgetWithChildrenShortcut,
    extending: bool = False,
) -> QShortcut:
    """Bind the key of an action on `owner`. `extending`: the key with Shift."""
    shortcut = QShortcut(owner)
    shortcut.setContext(within)
    shortcut.setProperty("action_id", action_id)
    shortcut.setProperty("extending", extending)
    _set_keys(shortcut)
    shortcut.activated.connect(act)
    return shortcut


def set_key_tip(owner: QWidget, words: str, action_id: str) -> None:
    """Set a tool tip that ends with the key of an action, also after it has changed."""
    owner.setProperty("key_words", words)
    owner.setProperty("key_action", action_id)
    owner.setToolTip(with_key(words, action_id))


def _follow() -> None:
    """Bind and show the keys that are in force now."""
    for widget in QApplication.allWidgets():
        for shortcut in widget.findChildren(QShortcut, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if shortcut.property("action_id"):
                _set_keys(shortcut)
        action_id = widget.property("key_action")
        if action_id:
            widget.setToolTip(with_key(str(widget.property("key_words")), str(action_id)))
    NEWS.changed.emit()


def _set_keys(shortcut: QShortcut) -> None:
    keys = sequences(action_named(str(shortcut.property("action_id"))))
    if shortcut.property("extending"):
        keys = _with_shift(keys)
    shortcut.setKeys([QKeySequence(key) for key in keys])


def _with_shift(keys: Collection[str]) -> tuple[str, ...]:
    return tuple(f"Shift+{key}" for key in keys if "Shift+" not in key)


# -- what may be pressed ---------------------------------------------------------------------------------------------


def pressed_key(event: QKeyEvent) -> str:
    """Return what is pressed in Qt's portable notation; "" as long as it is only Shift or its like."""
    if event.key() in _MODIFIERS or not event.key():
        return ""
    key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if 0x20 < key < 0xFF and not chr(key).isalnum():  # Shift was needed to type it, as in "?"
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier
    return QKeySequence(QKeyCombination(modifiers, Qt.Key(key))).toString(QKeySequence.SequenceFormat.PortableText)


def taken_by(key: str, action: Action) -> bool:
    """Return whether the action has this key, alone or with Shift."""
    keys = sequences(action)
    wanted = {QKeySequence(each).toString() for each in (*keys, *(_with_shift(keys) if action.extends else ()))}
    return QKeySequence(key).toString() in wanted


def reserved(key: str, action: Action) -> bool:
    """Return whether this key can never be that of the action: the window needs it, or it gives a class."""
    if key in _NEEDED:
        return True
    plain = key.removeprefix("Shift+")
    if plain in _PRESSING and not action.in_list:
        return True
    return key in _DIGITS and action.where in ("everywhere", "project", "label", "explore")


def conflicts(key: str, action: Action) -> tuple[Action, ...]:
    """Return the other actions with this key in the same place."""
    keys = [key, *(_with_shift((key,)) if action.extends else ())]
    return tuple(
        other
        for other in ACTIONS
        if other.id != action.id and _meet(action, other) and any(taken_by(each, other) for each in keys)
    )


def _meet(one: Action, other: Action) -> bool:
    window = ("everywhere", "project")
    return one.where == other.where or one.where in window or other.where in window


def taken_letters(where: str) -> frozenset[str]:
    """Return the keys that mean something on a page without a further key, so that no class can have them."""
    near = [action for action in ACTIONS if action.where in (where, "everywhere", "project")]
    return frozenset(key for action in near for key in sequences(action) if len(key) == 1)


# -- what is changed -------------------------------------------------------------------------------------------------


def changed(action: Action) -> bool:
    """Return whether the key is not as delivered."""
    return key_of(action) != action.shortcut


def set_keys(wanted: dict[str, str]) -> None:
    """Give actions, by their ids, these keys; "" for none."""
    kept = settings.value(settings.KEYS) | wanted
    settings.set_value(
        settings.KEYS, {name: key for name, key in kept.items() if name in _ids() and _delivered(name) != key}
    )
    _follow()


def reset_all() -> None:
    """Give every action the key as delivered."""
    settings.set_value(settings.KEYS, {})
    _follow()


def _ids() -> frozenset[str]:
    return frozenset(action.id for action in ACTIONS if not action.fixed)


def _delivered(action_id: str) -> str:
    return action_named(action_id).shortcut
