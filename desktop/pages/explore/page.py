"""The Explore page: look at every prediction, at where the network looked, and correct the labels it trips over."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut, QShowEvent, QUndoStack
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop import settings
from desktop.i18n import msg, text, tr
from desktop.models import undo as explore_labels
from desktop.models.prediction_table import PredictionTable, table_of
from desktop.models.undo import Relabel
from desktop.pages.explore import messages as explore_words
from desktop.pages.explore.detail.controller import DetailController
from desktop.pages.explore.detail.panel import DetailPanel
from desktop.pages.explore.grid.tiles import ExploreTiles
from desktop.pages.explore.label_issues.controller import LabelIssuesController
from desktop.pages.explore.runs import RunChooser
from desktop.pages.explore.thresholds.model import PresenceThresholdModel, ThresholdModel
from desktop.pages.explore.view import VIEWS, ExploreFrame, ExploreView, NothingYet, View
from desktop.session import Session
from desktop.widgets.class_keys import DIGITS
from desktop.widgets.tiles import Tile
from desktop.workers.player import Player
from ml.api import HandlensError, LabelChange, RunInfo, Runner, task_named


class ExplorePage(QWidget):
    """A grid of predictions, one of them large beside it. `player` and `runner` are replaced in tests."""

    title = msg("Explore")
    sentence_changed = Signal(str)
    train_requested = Signal()

    def __init__(
        self, parent: QWidget | None = None, *, player: Player | None = None, runner: Runner | None = None
    ) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._table: PredictionTable | None = None
        self._names: tuple[str, ...] = ()
        self._learning = False
        self.undo_stack = QUndoStack(self)
        self.player = player or Player(self)
        self.board = ExploreView(self.undo_stack)
        self.side = DetailPanel()
        self.spot = DetailController(self.side, self.player, self)
        self.tiles = ExploreTiles(self.board, self.spot, self)
        self.runs = RunChooser(self.board, self)
        self.judged = LabelIssuesController(self.board, self.side, self.spot, runner=runner, parent=self)
        self.empty = NothingYet()
        self.content = ExploreFrame(self.board, self.side)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.content)
        self.pages.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.side.opacity.setValue(round(100 * settings.value(settings.OVERLAY_OPACITY)))
        self._connect()
        self._make_keys()

    def _connect(self) -> None:
        self.board.arrangement_changed.connect(self._arrange)
        self.board.confusion.cell_chosen.connect(self._on_cell)
        self.empty.train_pressed.connect(self.train_requested)
        self.board.grid.chosen.connect(self.spot.show)
        self.board.grid.selectionModel().selectionChanged.connect(self._say_selected)
        self.side.label_chosen.connect(self.relabel)
        self.side.right_pressed.connect(self.confirm)
        self.judged.wanted.connect(self._on_judged)
        self.judged.suspects.changed.connect(self._on_search)
        self.board.enough.rate_chosen.connect(self._on_rate_chosen)

    def _make_keys(self) -> None:
        within = Qt.ShortcutContext.WidgetWithChildrenShortcut
        for digit in range(DIGITS + 1):
            key = QShortcut(QKeySequence(str(digit)), self.content, context=within)
            key.setProperty("class_index", digit - 1)
            key.activated.connect(self._on_digit)
        QShortcut(QKeySequence("R"), self.content, context=within).activated.connect(self.confirm)
        QShortcut(QKeySequence("H"), self.content, context=within).activated.connect(self.tiles.next_map)
        undo, redo = QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo
        QShortcut(QKeySequence(undo), self.content, context=within).activated.connect(self.undo_stack.undo)
        QShortcut(QKeySequence(redo), self.content, context=within).activated.connect(self.undo_stack.redo)
        # Only in the grid: elsewhere the space bar presses the button that has the focus.
        space = QShortcut(QKeySequence("Space"), self.board.grid, context=Qt.ShortcutContext.WidgetShortcut)
        space.activated.connect(self.spot.toggle_playing)

    # -- what the window asks ------------------------------------------------------------------------------------

    def set_session(self, session: Session) -> None:
        self._let_go()
        self._session = session
        self.undo_stack.clear()
        session.labels_changed.connect(self._on_labels_changed)
        session.run_changed.connect(self._on_run_changed)
        session.originals_found.connect(self._on_originals_found)
        self.tiles.set_session(session)
        self.runs.set_session(session)
        self._on_run_changed(session.run)

    def set_learning(self, learning: bool) -> None:
        """Whether a run is going on: there is something to wait for where there is nothing to look at."""
        if learning == self._learning:
            return
        self._learning = learning
        if self._session is not None and self._session.run is None:
            self._say_no_run(self._session)

    def show_view(self, view: View) -> None:
        """Choose a tab."""
        self.board.tabs.setCurrentIndex(VIEWS.index(view))

    def showEvent(self, event: QShowEvent) -> None:
        """The grid has the keys from the start: arrows to move, digits to relabel."""
        super().showEvent(event)
        if self._session is not None:
            self._session.missing_originals()  # if they are back, `_on_originals_found` follows
            self.runs.run_scores.refresh()
        self.board.grid.setFocus()

    def shutdown(self) -> None:
        """End what runs in the background; nothing reports back afterwards."""
        settings.set_value(settings.OVERLAY_OPACITY, self.side.opacity.value() / 100)
        self._let_go()
        self.runs.run_scores.close()
        self.judged.close()
        self.tiles.close()
        self.spot.close()

    def _let_go(self) -> None:
        session, self._session, self._table = self._session, None, None
        if session is not None:
            session.labels_changed.disconnect(self._on_labels_changed)
            session.run_changed.disconnect(self._on_run_changed)
            session.originals_found.disconnect(self._on_originals_found)
        self.judged.set_source(None, None)
        self.tiles.set_session(None)
        self.runs.set_session(None)
        self.board.grid.set_tiles(np.zeros(0, dtype=np.int64), self._describe)
        self.board.grid.forget_pictures()

    # -- the run -------------------------------------------------------------------------------------------------

    @Slot(object)
    def _on_run_changed(self, run: RunInfo | None) -> None:
        session = self._session
        if session is None:
            return
        self._table = None
        self.judged.set_source(session, None if run is None else run.number)
        self.board.say_problem("")
        try:
            predictions = session.predictions()
        except HandlensError as error:
            self._show_empty(text(error.message))
            return
        if run is None or predictions is None or len(predictions) == 0:
            self._say_no_run(session)
            return
        self._names = tuple(item.name for item in session.classes)
        self._table = table_of(predictions, session.samples)
        self.spot.set_source(session, self._table)
        self.tiles.begin()
        self.board.filters.set_choices(
            self._names, self._table.splits_present(), several=not task_named(session.project.task).exclusive
        )
        self.runs.show_run(run.number)
        came = self.pages.currentWidget() is not self.content
        self.pages.setCurrentWidget(self.content)
        self._arrange()
        if came:
            self.board.take_focus()

    def _say_no_run(self, session: Session) -> None:
        self._show_empty(explore_words.no_run(session.project.kind, learning=self._learning))

    def _show_empty(self, sentence: str) -> None:
        self.spot.set_source(self._session, None)
        self.empty.say(sentence, verb=explore_words.to_train(learning=self._learning))
        self.pages.setCurrentWidget(self.empty)
        self.sentence_changed.emit("")

    # -- the grid ------------------------------------------------------------------------------------------------

    @Slot()
    def _arrange(self) -> None:
        """Put the tiles in order by the tab and the filters, and say what there is."""
        table, board = self._table, self.board
        if table is None:
            return
        board.filters.offer_verdict(board.view() != "right")
        self._say_counts()
        chosen, order = board.filters.filter(), board.order()
        self.spot.invitation = explore_words.invitation(board.view())
        self.side.verdict.ask(None)
        if board.view() == "suspicious":
            self.judged.show(table)
            return
        if board.view() == "enough":
            self._weigh(table)
            self.spot.forget()  # nothing that stands beside it would be about what is said here
            return
        if order is None:
            totals = table.totals(chosen)
            board.confusion.set_counts(table.confusion(chosen), self._names[: table.classes], totals)
            board.show_confusion(several=totals is not None)
            self.spot.refresh()
            return
        rows = table.sort(table.select(chosen), order)
        board.show_grid(empty="" if len(rows) else tr("Nothing matches these filters. Choose others above."))
        self.spot.invitation = explore_words.invitation(board.view(), empty=not len(rows))
        self.spot.set_source(self._session, table)
        board.grid.set_tiles(table.ids[rows], self._describe)

    def _weigh(self, table: PredictionTable) -> None:
        """What it costs to be sure enough."""
        session, enough = self._session, self.board.enough
        if session is None:
            return
        kind = session.project.kind
        if not table.exclusive:
            used = session.project.wrong_at_most
            enough.set_presence_model(PresenceThresholdModel(table, self._names), kind=kind, used=used)
        else:
            enough.set_weighing(ThresholdModel(table, self._names), kind=kind, used=session.rate_in_use())
        self.board.show_enough()

    @Slot(object)
    def _on_rate_chosen(self, share: float | None) -> None:
        if self._session is None:
            return
        try:
            self._session.project.set_wrong_at_most(share)
        except HandlensError as error:
            self.board.say_problem(text(error.message))
            return
        self.board.enough.set_used(share)

    @Slot()
    def _on_judged(self) -> None:
        if self.board.view() == "suspicious":
            self.judged.show(self._table)

    @Slot()
    def _on_search(self) -> None:
        """Its buttons come and go, and with them whatever had the focus."""
        if self.board.view() == "suspicious":
            self.board.take_focus()

    def _say_counts(self) -> None:
        if self._table is None or self._session is None:
            return
        wrong, labelled = self._table.counts(self.board.filters.filter())
        said = explore_words.right_of if self.board.view() == "right" else explore_words.wrong_of
        sentence = said(wrong, labelled)
        if self.board.view() == "unsure" and not self._table.exclusive:
            sentence = explore_words.nearest_first(sentence)
        self.board.filters.sentence.setText(sentence)
        self.sentence_changed.emit(
            explore_words.page_sentence(
                self._session.project.kind,
                *self._table.counts(explore_words.TEST_ONLY),
                task=self._session.project.task,
            )
        )

    def _describe(self, sample_id: int) -> Tile:
        row = self._table.row(sample_id) if self._table is not None else None
        if self._table is None or self._session is None or row is None:
            return Tile(caption="")
        return explore_words.tile(self._table, row, self._session.sample(sample_id), self._names)

    @Slot()
    def _on_originals_found(self) -> None:
        """Ask again for the pictures that could not be had."""
        self.board.say_problem("")
        self.board.grid.forget_pictures()
        self._arrange()

    @Slot(int, int)
    def _on_cell(self, label: int, predicted: int) -> None:
        with QSignalBlocker(self.board.tabs):
            self.board.tabs.setCurrentIndex(0)
        said = f"{self._names[label]} → {self._names[predicted]}" if label != predicted else self._names[label]
        self.board.filters.set_cell(label, predicted, said)
        self.board.grid.setFocus()

    @Slot()
    def _say_selected(self) -> None:
        ranges = self.board.grid.selectionModel().selection()
        count = sum(ranges.at(place).height() for place in range(ranges.count()))
        self.side.say_selected(explore_words.selected(count) if count > 1 else "")

    # -- labels --------------------------------------------------------------------------------------------------

    @Slot()
    def _on_digit(self) -> None:
        key: QObject = self.sender()
        self.relabel(int(key.property("class_index")))

    @Slot(int)
    def relabel(self, class_index: int) -> None:
        """Label what is selected as this class; on disk before the next key is handled.

        Where more than one may be present: give it this class too, or take it away from all if all have it.
        """
        session = self._session
        if session is None or class_index >= len(self._names) or self.board.view() == "enough":
            return  # there the grid is not seen, and what is selected in it neither
        chosen = [session.sample(sample_id) for sample_id in self.board.grid.selected_ids()]
        self._do(explore_labels.relabelling(session, chosen, class_index, self._names))

    @Slot()
    def confirm(self) -> None:
        """Say that the labels of what is selected among the suspicious are right: they are not asked about again."""
        session = self._session
        if session is not None and self.board.view() == "suspicious":
            chosen = [session.sample(sample_id) for sample_id in self.board.grid.selected_ids()]
            self._do(explore_labels.confirming(session, chosen))

    def _do(self, command: Relabel | None) -> None:
        if command is not None:
            self.board.say_problem("")
            command.on_problem = self.board.say_problem
            self.undo_stack.push(command)

    @Slot(object)
    def _on_labels_changed(self, changes: tuple[LabelChange, ...]) -> None:
        if self._table is None or self._session is None:
            return
        self._table.update(self._session.sample(change.sample_id) for change in changes)
        self.tiles.take({change.sample_id for change in changes})
        self._say_counts()
        if self.board.view() == "suspicious":
            self.judged.take(changes, self._table)
        elif self.board.order() is None:
            self._arrange()
        else:
            self.board.grid.refresh()
            self.spot.refresh()
