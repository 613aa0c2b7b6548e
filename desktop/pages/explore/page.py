"""The Explore page: browse the predictions of a run, see its heatmaps, and correct wrong labels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop import settings
from desktop.dialogs.release import RunHandOver
from desktop.i18n import error_text, msg, tr
from desktop.models.prediction_table import Order, PredictionTable
from desktop.pages.changes import ChangesBar, Flip, flip_words
from desktop.pages.explore import messages
from desktop.pages.explore.data_map import DataMapController, DataMapPage
from desktop.pages.explore.detail.controller import DetailController
from desktop.pages.explore.detail.panel import DetailPanel
from desktop.pages.explore.duplicates import DuplicatesBar, DuplicatesController
from desktop.pages.explore.grid.filters import ExploreFilters
from desktop.pages.explore.grid.tiles import GridController
from desktop.pages.explore.label_issues.bar import LabelIssuesBar
from desktop.pages.explore.label_issues.controller import LabelIssuesController
from desktop.pages.explore.label_issues.model import LabelIssuesModel
from desktop.pages.explore.model import ExploreModel
from desktop.pages.explore.runs import RunChooser
from desktop.pages.explore.search import SearchResult, search
from desktop.pages.explore.thresholds.page import ThresholdController, ThresholdPage
from desktop.pages.explore.view import ORDERS, ConfusionPage, ExploreView, NoRunPage, View, ViewParts
from desktop.pages.ids import EXPLORE, RUNS, TRAIN, USE
from desktop.session import Session
from desktop.shortcuts import NEWS, bind
from desktop.widgets.class_keys import DIGITS
from desktop.widgets.thumbnail_grid import ThumbnailGrid
from desktop.workers.player import Player
from desktop.workers.tasks import Tasks
from ml.api import LabelChange, Runner, task_named

PREPARE_MS = 400
"""So long after the page is opened, the slowest part of its other tabs is made."""


class ExplorePage(QWidget):
    """Makes the widgets and gives each controller the one that it drives. Decides what the chosen tab shows.

    `player` and `runner` are replaced in tests.
    """

    page_id = EXPLORE
    title = msg("Explore")
    icon = "ph.magnifying-glass"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(
        self, parent: QWidget | None = None, *, player: Player | None = None, runner: Runner | None = None
    ) -> None:
        super().__init__(parent)
        self._session: Session | None = None
        self._training = False
        self.model = ExploreModel(self)
        self.player = player or Player(self)
        self.grid, self.filters, self.panel = ThumbnailGrid(), ExploreFilters(), DetailPanel()
        self.confusion, self.thresholds, self.issues_bar = ConfusionPage(), ThresholdPage(), LabelIssuesBar()
        self.duplicates_bar, self.changes_bar = DuplicatesBar(), ChangesBar()
        self.map = DataMapPage()
        parts = ViewParts(
            filters=self.filters,
            issues_bar=self.issues_bar,
            duplicates_bar=self.duplicates_bar,
            changes_bar=self.changes_bar,
            grid=self.grid,
            confusion=self.confusion,
            thresholds=self.thresholds,
            map=self.map,
            panel=self.panel,
        )
        self.view = ExploreView(self.model.undo_stack, parts)
        self.issues = LabelIssuesModel(self, runner=runner)
        self.detail = DetailController(self.panel, self.model, self.issues, player=self.player, parent=self)
        self.tiles = GridController(self.grid, self.model, self)
        self.runs = RunChooser(self.model, self)
        self.label_issues = LabelIssuesController(self.issues_bar, self.issues, self)
        self.duplicates = DuplicatesController(self.duplicates_bar, self.model, self)
        self.data_map = DataMapController(self.map, self.model, self, runner=runner)
        self.threshold_choice = ThresholdController(self.thresholds, self.model, self)
        self._searches = Tasks(self, threads=1)
        self._searched = ""
        self._refresh_timer = QTimer(self, interval=0, singleShot=True)
        self._refresh_timer.timeout.connect(self._refresh)
        self._prepare_timer = QTimer(self, interval=PREPARE_MS, singleShot=True)
        self._prepare_timer.timeout.connect(self.thresholds.plot.prepare)
        self.hand_over = RunHandOver(self, runner=runner)
        self.empty = NoRunPage()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.view)
        self.pages.addWidget(self.empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.pages)
        self.panel.set_opacity(settings.value(settings.OVERLAY_OPACITY))
        self._connect()
        self._make_keys()

    def _connect(self) -> None:
        self.model.run_changed.connect(self._on_run_changed)
        self.model.labels_changed.connect(self._on_labels_changed)
        self.model.originals_found.connect(self._arrange)
        self.model.problem_changed.connect(self.view.show_problem)
        self.view.view_chosen.connect(self._arrange)
        self.view.undo_pressed.connect(self.model.undo)
        self.view.redo_pressed.connect(self.model.redo)
        self.filters.filter_changed.connect(self._arrange)
        self.confusion.cell_chosen.connect(self._on_cell)
        self.grid.chosen.connect(self.detail.show)
        self.grid.selectionModel().selectionChanged.connect(self._on_selection)
        self.panel.label_chosen.connect(self.relabel)
        self.panel.label_confirmed.connect(self.confirm)
        self.label_issues.list_changed.connect(self._on_issues_changed)
        self.label_issues.search_changed.connect(self._on_search_changed)
        self.duplicates.changed.connect(self._on_duplicates)
        self.data_map.pointed.connect(self.detail.show)
        self.data_map.samples_chosen.connect(self._on_samples_chosen)
        self.data_map.progress.connect(self.job_progress)
        self.changes_bar.flip_chosen.connect(self._show_flipped)
        self.changes_bar.closed.connect(self._forget_changes)
        self.filters.search_requested.connect(self._search)
        self._searches.done.connect(self._on_found)
        self._searches.failed.connect(self._on_search_failed)
        self.filters.sentence.clicked.connect(self._toggle_verdict)
        self.thresholds.samples_chosen.connect(self._on_samples_chosen)
        self.label_issues.progress.connect(self.job_progress)
        self.empty.train_pressed.connect(self._on_train)
        self.runs.use_action.triggered.connect(self._request_use)
        self.runs.release_action.triggered.connect(self._release)
        self.runs.export_action.triggered.connect(self._export)
        self.runs.compare_action.triggered.connect(self._request_runs)
        self.hand_over.notice.connect(self._say)

    def _make_keys(self) -> None:
        within = Qt.ShortcutContext.WidgetWithChildrenShortcut
        for digit in range(DIGITS + 1):
            key = QShortcut(QKeySequence(str(digit)), self.view, context=within)
            key.setProperty("class_index", digit - 1)
            key.activated.connect(self._on_digit)
        for action_id, act in (
            ("right", self.confirm),
            ("find_samples", self.filters.search.setFocus),
            ("retrain", self.retrain),
            ("overlay", self.tiles.next_map),
            ("side_by_side", self.panel.beside_button.click),
            ("network_input", self.panel.input_button.click),
            ("play_attended", self.detail.play_attended),
            ("undo", self.model.undo),
            ("redo", self.model.redo),
        ):
            bind(self.view, action_id, act)
        # Only in the grid: elsewhere the space bar presses the button that has the focus.
        bind(self.grid, "play", self.detail.toggle_playing, within=Qt.ShortcutContext.WidgetShortcut)
        NEWS.changed.connect(self._suggest)

    # -- what the window calls -----------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> QWidget:
        return self.runs

    def set_session(self, session: Session) -> None:
        self._disconnect_session()
        self._session = session
        session.training_changed.connect(self._on_training_changed)
        session.training_refused.connect(self._on_refused)
        self.label_issues.set_source(None, None)
        self.model.set_session(session)

    def show_view(self, view: str) -> None:
        """Choose a tab by its name in `VIEWS`; "samples" shows those that another page requested."""
        requested = None if self._session is None else self._session.take_requested()
        if view == "samples" and requested is not None:
            self.show_only(requested.ids, requested.words)
        elif view != "samples":
            self.view.choose(cast("View", view))

    def show_only(self, ids: Sequence[int], words: str, *, in_that_order: bool = False) -> None:
        """Show these samples alone in the grid, the most wrong first. `words` name them above it."""
        self.view.choose_silently("wrong")
        self.filters.set_only(tuple(ids), words, in_that_order=in_that_order)
        self.grid.setFocus()

    def show_job(self) -> None:
        self.view.choose("suspicious")

    def opened(self) -> None:
        """Look for missing files, count scores again, and give the keys to the grid."""
        if self._session is not None:
            self._session.missing_originals()  # emits `originals_found` if they are back
            self.runs.refresh()
            self._prepare_timer.start()
        self.grid.setFocus()

    def can_close(self) -> bool:
        return True

    def shutdown(self) -> None:
        """End what runs in the background without another signal."""
        settings.set_value(settings.OVERLAY_OPACITY, self.panel.chosen_opacity())
        self._prepare_timer.stop()
        self._refresh_timer.stop()
        if self._session is not None:
            self._session.finish_writing()
        self._disconnect_session()
        self.label_issues.set_source(None, None)
        self.model.set_session(None)
        self.runs.close_scores()
        self.hand_over.close()
        self.label_issues.close()
        self.duplicates.close()
        self.data_map.close()
        self._searches.close()
        self.tiles.close()
        self.detail.close()

    def _disconnect_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.training_changed.disconnect(self._on_training_changed)
            session.training_refused.disconnect(self._on_refused)

    # -- the run -------------------------------------------------------------------------------------------------

    @Slot()
    def _on_run_changed(self) -> None:
        model = self.model
        if model.session is None:
            return
        self.label_issues.set_source(model.session, model.run_number)
        if model.table is None:
            self._show_empty()
            return
        # A training that was begun here must not lead the person away from what they look at.
        kept = (self.filters.state(), self.grid.current_id()) if model.changes.active else None
        several = not task_named(model.session.project.task).exclusive
        self.filters.set_choices(model.names, model.table.splits_present(), several=several)
        if kept is not None:
            self.filters.restore(kept[0])
        came = self.pages.currentWidget() is not self.view
        self.pages.setCurrentWidget(self.view)
        self._arrange()
        if kept is not None and kept[1] is not None:
            self.grid.choose(kept[1])
        if came:
            self.view.take_focus()

    @Slot(bool)
    def _on_training_changed(self, training: bool) -> None:
        self._training = training
        if self.model.table is None and not self.model.load_error:
            self._show_empty()

    def _show_empty(self) -> None:
        session = self.model.session
        if session is None:
            return
        sentence = self.model.load_error or messages.no_run(session.project.kind, training=self._training)
        self.empty.set_words(sentence, verb=messages.train_verb(training=self._training))
        self.pages.setCurrentWidget(self.empty)
        self.sentence_changed.emit("")

    @Slot()
    def _on_train(self) -> None:
        self.page_requested.emit(TRAIN, "")

    @Slot()
    def _request_use(self) -> None:
        self.page_requested.emit(USE, str(self.model.run_number or ""))

    @Slot()
    def retrain(self) -> None:
        """Train again as the last time. The page stays as it is and then marks what changed."""
        session, table, number = self._session, self.model.table, self.model.run_number
        if session is None or table is None or number is None:
            return
        self.model.set_problem("")
        self.model.changes.remember(number, table)
        self.changes_bar.hide()
        session.request_training()
        if session.training:
            self.sentence_changed.emit(tr("Training again. This page stays, and then marks what changed."))

    @Slot(str)
    def _on_refused(self, sentence: str) -> None:
        if self.isVisible():
            self._forget_changes()
            self.model.set_problem(sentence)

    @Slot()
    def _forget_changes(self) -> None:
        """Stop comparing with the run before."""
        self.model.changes.forget()
        self.changes_bar.hide()
        self.grid.refresh()

    @Slot(str)
    def _show_flipped(self, flip: Flip) -> None:
        ids = self.model.changes.flipped(self.filters.filter().split).get(flip)
        if ids is not None and len(ids):
            self.show_only(ids.tolist(), flip_words(flip))
            self._arrange()

    @Slot()
    def _request_runs(self) -> None:
        self.page_requested.emit(RUNS, str(self.model.run_number or ""))

    @Slot()
    def _release(self) -> None:
        if self._session is not None and self.model.run_number is not None:
            self.hand_over.release(self._session, self.model.run_number)

    @Slot()
    def _export(self) -> None:
        if self._session is not None and self.model.run_number is not None:
            self.hand_over.export(self._session, self.model.run_number)

    @Slot(str, bool)
    def _say(self, sentence: str, good: bool) -> None:
        self.model.set_problem("" if good else sentence)
        if good:
            self.sentence_changed.emit(sentence)

    # -- what a tab shows ----------------------------------------------------------------------------------------

    @Slot()
    def _arrange(self) -> None:
        """Show the chosen tab with the chosen filters."""
        table, view = self.model.table, self.view.current()
        if table is None:
            return
        self.filters.offer_verdict(view != "right")
        self._show_counts(table)
        self.detail.set_context(prompt=messages.prompt(view), suggesting=view == "suspicious")
        match view:
            case "suspicious":
                self._show_issues()
            case "duplicates":
                self._show_duplicates()
            case "map":
                self.detail.refresh()
                self.view.show_map()
                self.data_map.show(self.filters.filter())
            case "confusion":
                self._show_confusion(table)
            case "enough":
                self.threshold_choice.show_run()
                self.view.show_thresholds()
                self.detail.clear()
            case _:
                self._show_predictions(ORDERS[view])

    def _show_predictions(self, order: Order) -> None:
        self.detail.reset()
        if self.tiles.show_predictions(order, self.filters.filter()):
            self.view.show_grid()
        else:
            self.view.show_grid(explanation=tr("Nothing matches these filters. Choose others above."))
            self._show_no_sample()

    @Slot()
    def _on_duplicates(self) -> None:
        if self.view.current() == "duplicates":
            self._show_duplicates()

    def _show_duplicates(self) -> None:
        """Show near-duplicates group by group. They are looked for when their tab is chosen for the first time."""
        if self._session is None:
            return
        self.duplicates.start()
        ids = self.duplicates.ids()
        self.detail.reset()
        self.view.show_grid(explanation=self.duplicates.explanation())
        self.duplicates.show_sentence(self._session.project.kind)
        self.tiles.show_samples(ids, self.duplicates.tile)
        if not len(ids):
            self._show_no_sample()

    @Slot(str)
    def _search(self, words: str) -> None:
        session, table = self._session, self.model.table
        if session is None or table is None:
            return
        self._searches.forget_all()
        self._searched = words
        look = partial(
            search,
            names=self.model.names,
            kind=session.project.kind,
            cache=session.project.path / "cache",
            notes={each: remark.note for each, remark in session.remarks().items() if remark.note},
        )
        self._searches.submit_stoppable(look, words, table, session.samples)

    @Slot(int, object)
    def _on_found(self, _number: int, found: SearchResult) -> None:
        self.model.set_problem("")
        if found.ids:
            self.show_only(found.ids, f"“{self._searched}”", in_that_order=True)
        elif found.no_colours:
            self.model.set_problem(tr("Colours are known after the first training. Train, then search again."))
        elif found.unseen:
            self.model.set_problem(
                tr(
                    "Nothing was found for “{words}”. What pictures show can be searched after the next training.",
                    words=self._searched,
                )
            )
        else:
            self.model.set_problem(tr("Nothing was found for “{words}”. Try another word.", words=self._searched))

    @Slot(int, object)
    def _on_search_failed(self, _number: int, error: Exception) -> None:
        self.model.set_problem(error_text(error))

    @Slot()
    def _toggle_verdict(self) -> None:
        """Show only what the number in the sentence counts, or all of it again."""
        self.filters.toggle_wrong()

    @Slot(object, str)
    def _on_samples_chosen(self, ids: tuple[int, ...], words: str) -> None:
        self.show_only(ids, words)
        self._arrange()

    def _show_confusion(self, table: PredictionTable) -> None:
        chosen = self.filters.filter()
        self.confusion.set_counts(table.confusion(chosen), self.model.names[: table.classes], table.totals(chosen))
        self.view.show_confusion()
        self.detail.refresh()

    def _show_issues(self, *, keep_place: bool = False) -> None:
        """Show the suspicious labels. The search starts when its tab is chosen for the first time."""
        if self.label_issues.start_if_new():
            return  # `list_changed` follows
        self.label_issues.show_state()
        ids = self.label_issues.ids()
        self.view.show_grid(explanation=self.label_issues.explanation())
        self.detail.set_context(prompt=messages.prompt("suspicious", empty=not len(ids)), suggesting=True)
        if not keep_place:
            self.detail.reset()
        self.tiles.show_samples(ids, self.label_issues.tile, keep_place=keep_place)
        self._suggest()
        if not len(ids):
            self.detail.clear()

    def _show_no_sample(self) -> None:
        self.detail.set_context(prompt=messages.prompt(self.view.current(), empty=True))
        self.detail.clear()

    def _show_counts(self, table: PredictionTable) -> None:
        if self._session is None:
            return
        wrong, labelled = table.counts(self.filters.filter())
        count = messages.right_of if self.view.current() == "right" else messages.wrong_of
        sentence = count(wrong, labelled)
        if self.view.current() == "unsure" and not table.exclusive:
            sentence = messages.nearest_first(sentence)
        self.filters.set_sentence(sentence)
        self.changes_bar.show_changes(self.model.changes, self.model.run_number, self.filters.filter().split)
        project = self._session.project
        counts = table.counts(messages.TEST_ONLY)
        self.sentence_changed.emit(messages.page_sentence(project.kind, *counts, task=project.task))

    @Slot()
    def _on_issues_changed(self) -> None:
        if self.view.current() == "suspicious":
            self._show_issues()

    @Slot()
    def _on_search_changed(self) -> None:
        """Take the focus back from a button that was hidden."""
        if self.view.current() == "suspicious":
            self.view.take_focus()

    @Slot(int, int)
    def _on_cell(self, label: int, predicted: int) -> None:
        self.view.choose_silently("wrong")
        names = self.model.names
        words = f"{names[label]} → {names[predicted]}" if label != predicted else names[label]
        self.filters.set_cell(label, predicted, words)
        self.grid.setFocus()

    @Slot()
    def _on_selection(self) -> None:
        count = self.grid.selected_count()
        self.panel.say_selected(messages.selected(count) if count > 1 else "")
        self._suggest()

    @Slot()
    def _suggest(self) -> None:
        if self.view.current() == "suspicious":
            self.detail.suggest(self.grid.selected_ids())

    # -- labels --------------------------------------------------------------------------------------------------

    @Slot()
    def _on_digit(self) -> None:
        key: QObject = self.sender()
        self.relabel(int(key.property("class_index")))

    @Slot(int)
    def relabel(self, class_index: int) -> None:
        """Label the selected samples as this class, see `ExploreModel.relabel`."""
        if self.view.current() not in ("enough", "map"):  # where the selection is not visible
            self.model.relabel(self.grid.selected_ids(), class_index)

    @Slot()
    def confirm(self) -> None:
        """Confirm the labels of the selected suspicious samples."""
        if self.view.current() == "suspicious":
            self.model.confirm(self.grid.selected_ids())

    @Slot(object)
    def _on_labels_changed(self, changes: tuple[LabelChange, ...]) -> None:
        if self.model.table is None:
            return
        self.issues.update(changes)
        if self.view.current() == "suspicious":
            # At once: the next key is for the sample that comes next.
            self._show_counts(self.model.table)
            self._update_issues(changes)
        else:
            self._refresh_timer.start()

    @Slot()
    def _refresh(self) -> None:
        """Show the new labels, once for many changes that follow each other."""
        table = self.model.table
        if table is None:
            return
        if self.view.current() in ORDERS:
            self._show_counts(table)
            self.grid.refresh()
            self.detail.refresh()
        elif self.view.current() == "map":
            self._show_counts(table)
            self.data_map.refresh()
            self.detail.refresh()
        elif self.view.current() == "duplicates":
            self.grid.refresh()
            self.detail.refresh()
        elif self.view.current() != "suspicious":
            self._arrange()

    def _update_issues(self, changes: tuple[LabelChange, ...]) -> None:
        """Remove what was decided from the list and move on to the next; bring back what was undone."""
        shown, listed = set(self.grid.ids().tolist()), set(self.label_issues.ids().tolist())
        if listed == shown:
            self.label_issues.show_state()
            self.grid.refresh()
            self.detail.refresh()
            self._suggest()
            return
        self._show_issues(keep_place=True)
        undone = [change.sample_id for change in changes if change.sample_id in listed - shown]
        if undone:
            self.grid.choose(undone[0])
