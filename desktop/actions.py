"""One table of all actions with keys or menu entries. The "?" sheet is made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from desktop import icons, settings
from desktop.i18n import Message, msg, text

Where = Literal["everywhere", "project", "label", "explore", "use", "runs"]
Handler = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One action. `shortcut` is the key as delivered, in Qt's portable notation.

    A page binds those `bound_by_page` itself.
    """

    id: str
    text: Message
    shortcut: str = ""
    icon: str = ""
    where: Where = "everywhere"
    bound_by_page: bool = False
    fixed: bool = False
    """Several keys, in words; nobody can change them."""
    also: tuple[str, ...] = ()
    """Further keys, as long as the first one is as delivered."""
    in_list: bool = False
    """Works only in the grid or table, so its key may be one that elsewhere presses a button or deletes a letter."""
    extends: bool = False
    """With Shift it selects, too."""


_ALSO = {"large": ("Enter",), "redo": ("Ctrl+Y",)}
ACTIONS: tuple[Action, ...] = (
    Action(
        id="new_images",
        text=msg("Teach it your pictures…"),
        shortcut="Ctrl+N",
        icon="ph.image",
    ),
    Action(
        id="new_recordings",
        text=msg("Teach it your sounds…"),
        shortcut="Ctrl+Shift+N",
        icon="ph.speaker-high",
    ),
    Action(
        id="new_sensors",
        text=msg("Teach it your measurements…"),
        shortcut="Ctrl+Alt+N",
        icon="ph.activity",
    ),
    Action(id="open", text=msg("Open…"), shortcut="Ctrl+O", icon="ph.folder-open"),
    Action(id="new_window", text=msg("New window"), shortcut="Ctrl+Alt+W", icon="ph.copy"),
    Action(id="open_model", text=msg("Open a model…"), shortcut="Ctrl+Shift+O", icon="ph.lightning"),
    Action(id="settings", text=msg("Settings…"), shortcut="Ctrl+,", icon="ph.sliders-horizontal"),
    Action(
        id="theme",
        text=msg("Switch between light and dark"),
        shortcut="Ctrl+Shift+L",
        icon="ph.circle-half",
    ),
    Action(id="shortcuts", text=msg("Keys…"), shortcut="?", icon="ph.keyboard"),
    Action(id="learn", text=msg("How it learns…"), shortcut="Ctrl+F1", icon="ph.graduation-cap"),
    Action(id="logs", text=msg("Open log folder"), icon="ph.file-text"),
    Action(id="about", text=msg("About Handlens…"), shortcut="F1", icon="ph.info"),
    Action(id="quit", text=msg("Quit"), shortcut="Ctrl+Q", icon="ph.sign-out"),
    Action(
        id="close_project",
        text=msg("Back to the start page"),
        shortcut="Ctrl+W",
        icon="ph.house",
        where="project",
    ),
    Action(id="go_data", text=msg("Data"), shortcut="Ctrl+1", icon="ph.stack", where="project"),
    Action(id="go_label", text=msg("Label"), shortcut="Ctrl+2", icon="ph.tag", where="project"),
    Action(
        id="go_train",
        text=msg("Train"),
        shortcut="Ctrl+3",
        icon="ph.chart-line-up",
        where="project",
    ),
    Action(
        id="go_explore",
        text=msg("Explore"),
        shortcut="Ctrl+4",
        icon="ph.magnifying-glass",
        where="project",
    ),
    Action(id="go_use", text=msg("Use"), shortcut="Ctrl+5", icon="ph.lightning", where="project"),
    Action(id="go_runs", text=msg("Runs"), shortcut="Ctrl+6", icon="ph.git-branch", where="project"),
    *(
        Action(
            id=f"label_{name}",
            text=words,
            shortcut=keys,
            where="label",
            bound_by_page=True,
            fixed=name == "class",
            also=_ALSO.get(name, ()),
            in_list=name in ("play", "large", "back"),
            extends=name in ("next", "previous"),
        )
        for name, words, keys in (
            ("class", msg("Give the selected samples the class of that key, and go on"), "1…9, 0, B…Z"),
            ("accept", msg("Accept the suggestion; Space does the same where nothing can be played"), "A"),
            ("play", msg("Play or pause the sound"), "Space"),
            ("band", msg("Hear only a band of frequencies, or all of them"), "Shift+B"),
            ("new", msg("Type the name of a class, or of a new one"), "/"),
            ("ignore", msg("Do not use the selected samples"), "X"),
            ("next", msg("Next sample; with Shift also select it"), "J"),
            ("previous", msg("Previous sample; with Shift also select it"), "K"),
            ("large", msg("Show the sample large; where more than one class may be present: go on"), "Return"),
            ("useful", msg("Show the samples first that are most useful to label"), "N"),
            ("similar", msg("Show similar samples"), "F"),
            ("alike", msg("Select all samples like this"), "G"),
            ("retrain", msg("Train again as the last time, and mark what changed"), "T"),
            ("flag", msg("Flag the selected samples, or remove the flags"), "."),
            ("note", msg("Write a note on the sample"), ","),
            ("accept_span", msg("Accept the suggested span"), "Shift+A"),
            ("reject_span", msg("Reject the suggested span"), "Shift+X"),
            ("next_span", msg("Choose the next suggested span"), "Shift+G"),
            ("back", msg("Undo"), "Backspace"),
            ("undo", msg("Undo"), "Ctrl+Z"),
            ("redo", msg("Redo"), "Ctrl+Shift+Z"),
        )
    ),
    Action(
        id="relabel",
        text=msg("Give the selected samples the class of that digit"),
        shortcut="1…9",
        where="explore",
        bound_by_page=True,
        fixed=True,
    ),
    Action(
        id="right",
        text=msg("Keep the label of a suspicious sample"),
        shortcut="R",
        where="explore",
        bound_by_page=True,
    ),
    Action(id="undo", text=msg("Undo"), shortcut="Ctrl+Z", where="explore", bound_by_page=True),
    Action(
        id="redo",
        text=msg("Redo"),
        shortcut="Ctrl+Shift+Z",
        where="explore",
        bound_by_page=True,
        also=_ALSO["redo"],
    ),
    Action(
        id="find_samples",
        text=msg("Search by names, colours or what is seen"),
        shortcut="Ctrl+F",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="retrain",
        text=msg("Train again as the last time, and mark what changed"),
        shortcut="T",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="overlay",
        text=msg("Show the next map of where it looked, or hide it"),
        shortcut="H",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="side_by_side",
        text=msg("Show the plain picture beside the map"),
        shortcut="S",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="network_input",
        text=msg("Show exactly what the network gets"),
        shortcut="I",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="play",
        text=msg("Play or pause the sound"),
        shortcut="Space",
        where="explore",
        bound_by_page=True,
        in_list=True,
    ),
    Action(
        id="play_attended",
        text=msg("Play only what the network attended to"),
        shortcut="P",
        where="explore",
        bound_by_page=True,
    ),
    Action(
        id="paste",
        text=msg("Use the model on the copied picture or files"),
        shortcut="Ctrl+V",
        where="use",
        bound_by_page=True,
        also=("Shift+Ins",),
    ),
    Action(id="find", text=msg("Search in the answers"), shortcut="Ctrl+F", where="use", bound_by_page=True),
    Action(
        id="use_map",
        text=msg("Show or hide the map of where it looked"),
        shortcut="H",
        where="use",
        bound_by_page=True,
        in_list=True,
    ),
    Action(
        id="use_play",
        text=msg("Play or pause the sound"),
        shortcut="Space",
        where="use",
        bound_by_page=True,
        in_list=True,
    ),
    Action(
        id="step_detection",
        text=msg("Go to the next or the previous detection of a long recording"),
        shortcut="←/→",
        where="use",
        bound_by_page=True,
        fixed=True,
    ),
    Action(
        id="answer_detection",
        text=msg("Say that a detection is right or wrong"),
        shortcut="Y/N",
        where="use",
        bound_by_page=True,
        fixed=True,
    ),
    *(
        Action(
            id=f"runs_{name}",
            text=words,
            shortcut=keys,
            where="runs",
            bound_by_page=True,
            also=_ALSO.get(name, ()) if name == "redo" else (),
            in_list=True,
        )
        for name, words, keys in (
            ("look", msg("Look at the predictions of the selected run"), "Return"),
            ("note", msg("Write a note about the run"), "N"),
            ("delete", msg("Delete the selected runs"), "Del"),
            ("undo", msg("Undo"), "Ctrl+Z"),
            ("redo", msg("Redo"), "Ctrl+Shift+Z"),
        )
    ),
)
PLACES: tuple[tuple[Where, Message], ...] = (
    ("everywhere", msg("Everywhere")),
    ("project", msg("In a project")),
    ("label", msg("On the Label page")),
    ("explore", msg("On the Explore page")),
    ("use", msg("On the Use page")),
    ("runs", msg("On the Runs page")),
)


def text_of(action: Action) -> str:
    return text(action.text)


@cache
def _by_id() -> dict[str, Action]:
    return {action.id: action for action in ACTIONS}


def action_named(action_id: str) -> Action:
    return _by_id()[action_id]


def key_of(action: Action) -> str:
    """Return the key that the person wants in Qt's portable notation, or the one as delivered; "" for none."""
    chosen = None if action.fixed else settings.value(settings.KEYS).get(action.id)
    # The settings are a file that anybody can edit.
    usable = chosen is not None and QKeySequence(chosen).toString() == chosen
    return chosen if usable and chosen is not None else action.shortcut


def sequences(action: Action) -> tuple[str, ...]:
    """Return all keys of an action in Qt's portable notation, those that also select not among them."""
    key = key_of(action)
    if action.fixed or not key:
        return ()
    return (key, *action.also) if key == action.shortcut else (key,)


def keys_of(action: Action) -> str:
    """Return the key in force in the notation of this system."""
    if action.fixed:
        return action.shortcut
    return native(key_of(action))


def native(key: str) -> str:
    """Return a key in the notation of this system."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def with_key(words: str, action_id: str) -> str:
    """Return the words with the key of the action in brackets, if it has one."""
    keys = keys_of(action_named(action_id))
    return f"{words} ({keys})" if keys else words


def page_ids() -> tuple[str, ...]:
    """Return the ids of the pages that an action opens."""
    return tuple(action.id.removeprefix("go_") for action in ACTIONS if action.id.startswith("go_"))


def build(owner: QWidget, handlers: Mapping[str, Handler]) -> dict[str, QAction]:
    """Create the QActions of the table on `owner`. Every action needs a handler."""
    made: dict[str, QAction] = {}
    for action in ACTIONS:
        if action.bound_by_page:
            continue
        item = QAction(text_of(action), owner)
        item.setObjectName(action.id)
        item.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        icons.set_icon(item, action.icon)
        item.triggered.connect(handlers[action.id])
        owner.addAction(item)
        made[action.id] = item
    show_keys(made)
    return made


def show_keys(made: Mapping[str, QAction]) -> None:
    """Give the QActions, and with them the menus, the keys that are in force."""
    for action_id, item in made.items():
        action = action_named(action_id)
        item.setShortcuts([QKeySequence(key) for key in sequences(action)])
        item.setToolTip(with_key(text_of(action), action_id))
