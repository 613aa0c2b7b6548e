"""The start page: a new project, a recent project or a sample. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from desktop import icons, settings, style
from desktop.i18n import printable, score, things, tr
from desktop.pages.managing import ProjectManager
from desktop.widgets.card import ProjectCard
from desktop.widgets.choice_button import ChoiceButton
from desktop.widgets.elided_label import ElidedLabel
from desktop.widgets.scrolling import scrolling
from desktop.workers.opening_errors import backup_day, why_not_opened
from desktop.workers.recent import RecentFacts, read_recent
from desktop.workers.tasks import Tasks

_COLUMNS = 2
_WIDEST, _HIGHEST = 1320, 900


class StartPage(QWidget):
    """Emits what was chosen; the window does it."""

    new_requested = Signal(str)
    open_requested = Signal()
    project_chosen = Signal(object)
    restore_requested = Signal(object)
    """The path of a damaged project whose backup is to be restored."""
    sample_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tasks = Tasks(self)
        self._tasks.done.connect(self._fill_card)
        self._tasks.failed.connect(self._fail_card)
        self.manager = ProjectManager(self)
        self.manager.progressed.connect(self._show_progress)
        self.manager.finished.connect(self._on_managed)
        self._cards: dict[str, ProjectCard] = {}
        self._requests: dict[int, str] = {}
        look = style.current()
        columns = QHBoxLayout()
        columns.setSpacing(look.xxl + look.xl)
        columns.addLayout(self._left(), 2)
        columns.addLayout(self._right(), 3)
        content = QWidget()
        content.setMaximumSize(_WIDEST, _HIGHEST)
        outside = QHBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        around = scrolling(content)
        around.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        outside.addWidget(around)
        whole = QVBoxLayout(content)
        whole.setContentsMargins(look.xxl, look.xxl, look.xxl, look.xl)
        whole.setSpacing(look.xl)
        whole.addLayout(columns, 1)
        whole.addLayout(self._below())

    # -- built once --------------------------------------------------------------------------------------------

    def _left(self) -> QVBoxLayout:
        look = style.current()
        headline = QLabel(tr("What should it learn?"))
        headline.setProperty("role", "headline")
        headline.setWordWrap(True)
        lead = QLabel(
            tr("Give it a folder of examples. It learns to tell them apart, and shows you what it looked at.")
        )
        lead.setProperty("role", "muted")
        lead.setWordWrap(True)
        self.pictures_button = ChoiceButton(
            title=tr("Teach it your pictures"),
            words=tr("Photographs, scans, camera frames."),
            icon="ph.image",
        )
        self.sounds_button = ChoiceButton(
            title=tr("Teach it your sounds"),
            words=tr("Recordings of any length: calls, machines, voices."),
            icon="ph.speaker-high",
        )
        self.logs_button = ChoiceButton(
            title=tr("Teach it your measurements"),
            words=tr("Logs of sensors: vibration, motion, currents."),
            icon="ph.activity",
        )
        self.open_button = QPushButton(tr("Open a project…"))
        self.open_button.setIconSize(QSize(look.icon + look.s, look.icon))
        icons.set_icon(self.open_button, "ph.folder-open")
        self.pictures_button.clicked.connect(partial(self.new_requested.emit, "images"))
        self.sounds_button.clicked.connect(partial(self.new_requested.emit, "recordings"))
        self.logs_button.clicked.connect(partial(self.new_requested.emit, "sensors"))
        self.open_button.clicked.connect(self.open_requested)
        hint = QLabel(tr("Or drop a folder anywhere in this window."))
        hint.setProperty("role", "caption")
        column = QVBoxLayout()
        column.setSpacing(look.m)
        column.addWidget(headline)
        column.addWidget(lead)
        column.addSpacing(look.m)
        column.addWidget(self.pictures_button)
        column.addWidget(self.sounds_button)
        column.addWidget(self.logs_button)
        column.addSpacing(look.xs)
        column.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(hint)
        column.addStretch(1)
        return column

    def _right(self) -> QVBoxLayout:
        look = style.current()
        head = QLabel(tr("Recent projects"))
        head.setProperty("role", "title")
        self._empty = QLabel(
            tr(
                "Your projects will appear here.\n\n"
                "A project is a folder with your labels and your trained models. "
                "Your own files stay where they are and are never changed."
            )
        )
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        content = QWidget()
        self._grid = QGridLayout()
        self._grid.setSpacing(look.m)
        for place in range(_COLUMNS):
            self._grid.setColumnStretch(place, 1)
        inside = QVBoxLayout(content)
        inside.setContentsMargins(0, 0, look.s, 0)
        inside.addLayout(self._grid)
        inside.addStretch(1)
        self._scroll = scrolling(content)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.more_button = QPushButton(tr("More"))
        self.more_button.setProperty("role", "quiet")
        icons.set_icon(self.more_button, "ph.list")
        self.more_button.clicked.connect(self._open_menu)
        self._menu = QMenu(self)
        first = QHBoxLayout()
        first.addWidget(head, 1)
        first.addWidget(self.more_button)
        column = QVBoxLayout()
        column.setSpacing(look.m)
        self.notice = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.notice.setProperty("role", "good")
        self.notice.hide()
        column.addLayout(first)
        column.addWidget(self.notice)
        column.addWidget(self._empty)
        column.addWidget(self._scroll, 1)
        column.addStretch(0)
        return column

    def _below(self) -> QVBoxLayout:
        look = style.current()
        line, head = QWidget(), QLabel(tr("Nothing at hand? Watch it learn from a sample."))
        line.setFixedHeight(1)
        line.setProperty("role", "hairline")
        head.setProperty("role", "muted")
        self.bricks_button = ChoiceButton(
            title=tr("Try it with bricks"),
            words=tr("600 pictures of toy bricks on a conveyor belt, made on the spot."),
            icon="ph.cube",
        )
        self.forest_button = ChoiceButton(
            title=tr("Try it with forest sounds"),
            words=tr("300 short sounds: chainsaw, rain, birds, frogs and more, made on the spot."),
            icon="ph.tree",
        )
        self.bricks_button.clicked.connect(partial(self.sample_requested.emit, "images"))
        self.forest_button.clicked.connect(partial(self.sample_requested.emit, "recordings"))
        row = QHBoxLayout()
        row.setSpacing(look.m)
        row.addWidget(self.bricks_button)
        row.addWidget(self.forest_button)
        column = QVBoxLayout()
        column.setSpacing(look.m)
        column.addWidget(line)
        column.addWidget(head)
        column.addLayout(row)
        return column

    def offer_more(self, actions: Sequence[QAction]) -> None:
        """Add the actions of the window to the menu "More"."""
        self._menu.addActions(list(actions))

    @Slot()
    def _open_menu(self) -> None:
        corner = self.more_button.mapToGlobal(self.more_button.rect().bottomRight())
        self._menu.popup(corner - QPoint(self._menu.sizeHint().width(), 0))

    # -- recent projects ---------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the recent projects. The contents of the cards are read in the background."""
        self._tasks.forget_all()
        self._requests.clear()
        for card in self._cards.values():
            self._grid.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards.clear()
        recent: list[list[str]] = settings.value(settings.RECENT)
        for place, (path, name) in enumerate(recent[: settings.MOST_RECENT]):
            card = ProjectCard(name=name, caption=tr("Looking…"))
            card.setToolTip(printable(path))
            card.chosen.connect(partial(self.project_chosen.emit, Path(path)))
            card.removed.connect(partial(self._remove, path))
            card.restore_requested.connect(partial(self.restore_requested.emit, Path(path)))
            card.menu_requested.connect(partial(self._open_card_menu, path))
            self._grid.addWidget(card, place // _COLUMNS, place % _COLUMNS)
            self._cards[path] = card
            if _may_be_there(path):
                self._requests[self._tasks.submit(read_recent, Path(path))] = path
            else:
                card.show_missing(tr("Not there any more"))
        self._empty.setVisible(not self._cards)
        self._scroll.setVisible(bool(self._cards))

    def cards(self) -> tuple[ProjectCard, ...]:
        return tuple(self._cards.values())

    @property
    def waiting(self) -> bool:
        """Whether a card is still being read."""
        return bool(self._requests)

    def set_busy(self, busy: bool) -> None:
        """Disable the samples while one is being made."""
        for button in (self.bricks_button, self.forest_button):
            button.setEnabled(not busy)

    def shutdown(self) -> None:
        self.manager.close()
        self._tasks.close()

    def _open_card_menu(self, path: str, point: QPoint) -> None:
        card = self._cards[path]
        menu = self.manager.menu(Path(path), card.name, card)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(point)

    @Slot(str, str)
    def _show_progress(self, path: str, sentence: str) -> None:
        card = self._cards.get(path)
        if card is not None:
            card.show_progress(sentence)

    @Slot(str)
    def _on_managed(self, sentence: str) -> None:
        self.refresh()
        self.notice.setText(sentence)
        self.notice.setVisible(bool(sentence))

    @Slot(int, object)
    def _fill_card(self, number: int, facts: RecentFacts) -> None:
        card = self._cards.get(self._requests.pop(number, ""))
        if card is None:
            return
        card.show_facts(name=facts.name, caption=_caption(facts), images=facts.images)

    @Slot(int, object)
    def _fail_card(self, number: int, error: Exception) -> None:
        path = self._requests.pop(number, "")
        card = self._cards.get(path)
        if card is None:
            return
        card.show_missing(tr("Cannot be opened"))
        card.setToolTip(why_not_opened(error, Path(path)))
        if backup_day(error):
            card.offer_restore()

    def _remove(self, path: str) -> None:
        settings.forget_project(Path(path))
        self.refresh()


def _may_be_there(path: str) -> bool:
    """Whether there is something to read at the path. Where the system cannot tell, reading it gives the reason."""
    try:
        return Path(path).exists()
    except OSError:  # the name is too long, or a folder above it may not be entered
        return True


def _caption(facts: RecentFacts) -> str:
    """Return the line of a card: how good its newest run is, and whether a training is paused."""
    counted = things(facts.kind, facts.samples)
    if not facts.run:
        if facts.paused:
            return tr("{things} · training is paused", things=counted)
        return tr("{things} · not trained yet", things=counted)
    words = score(facts.accuracy, facts.tested, several=facts.several)
    if facts.paused:
        return tr("Run {run} · {score} · run {paused} is paused", run=facts.run, score=words, paused=facts.paused)
    return tr("Run {run} · {score}", run=facts.run, score=words)
