"""The Label page: give labels with the keys, name classes as you go, let the rest be guessed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QItemSelectionModel, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from desktop.i18n import msg, tr
from desktop.pages.changes import Flip
from desktop.pages.ids import LABEL, TRAIN
from desktop.pages.label import messages
from desktop.pages.label.classes_dialog import ClassesDialog
from desktop.pages.label.exchange import Exchange
from desktop.pages.label.keys import class_keys
from desktop.pages.label.model import LabelModel
from desktop.pages.label.panel import PanelController
from desktop.pages.label.view import LabelView
from desktop.session import Session
from desktop.shortcuts import NEWS, bind, taken_letters
from desktop.widgets.class_keys import NONE
from desktop.widgets.thumbnail_grid import Ids
from desktop.workers.player import Player
from desktop.workers.sample_renderer import load_tile
from desktop.workers.tile_loader import TileLoader
from ml.api import HandlensError, RunInfo, Runner, kind_named

SOUND_ASPECT = 0.75
SHAPES = 6
MOST_SIMILAR = 60
SENTENCE_MS = 60
"""So long after a label the counts are told again: in a large project that takes longer than a key press may."""


class LabelPage(QWidget):
    """Wires the widgets to the model. `player` and `runner` are replaced in tests."""

    page_id = LABEL
    title = msg("Label")
    icon = "ph.tag"
    sentence_changed = Signal(str)
    job_progress = Signal(str, float)
    page_requested = Signal(str, str)

    def __init__(
        self, parent: QWidget | None = None, *, player: Player | None = None, runner: Runner | None = None
    ) -> None:
        super().__init__(parent)
        self.model = LabelModel(self, runner=runner)
        self.view = LabelView(self.model.undo_stack)
        self.grid, self.panel = self.view.grid, self.view.panel
        self.player = player or Player(self)
        self.detail = PanelController(self.panel, self.model, player=self.player, parent=self)
        self.exchange = Exchange(self, self.model, self.view.labels_button)
        self.train_button = QPushButton(tr("Continue to training"))
        self.train_button.setProperty("role", "primary")
        self.train_button.clicked.connect(self._request_train)
        self._loader = TileLoader(self)
        self._keys: list[QShortcut] = []
        self._shapes: list[float] = []
        self._fraction = -1.0
        self._news = ""
        self._before: RunInfo | None = None
        """The run that was the newest when a training was begun on this page."""
        self._notice = ""
        self._sentence_timer = QTimer(self, interval=SENTENCE_MS, singleShot=True)
        self._sentence_timer.timeout.connect(self._say_progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect()
        self._make_keys()

    def _connect(self) -> None:
        model, view = self.model, self.view
        model.labels_changed.connect(self._on_labels_changed)
        model.classes_changed.connect(self._show_classes)
        model.guesses_changed.connect(self._on_guesses)
        model.samples_changed.connect(self._on_samples)
        model.remarks_changed.connect(self.grid.refresh)
        model.originals_found.connect(self._on_originals_found)
        model.problem_changed.connect(view.say_problem)
        model.suggester.progressed.connect(self._on_progress)
        self.grid.chosen.connect(self._on_chosen)
        self.grid.selectionModel().selectionChanged.connect(self._sentence_timer.start)
        self.grid.doubleClicked.connect(self._toggle_large)
        self.grid.pictures_wanted.connect(self._loader.want)
        self._loader.picture_ready.connect(self._on_picture)
        self._loader.failed.connect(self._on_failed)
        view.keys.class_chosen.connect(self.label)
        view.field.named.connect(self._on_named)
        view.field.left.connect(view.close_field)
        view.show_box.activated.connect(self._arrange)
        view.class_box.activated.connect(self._arrange)
        view.filters.changed.connect(self._arrange)
        view.filter_button.toggled.connect(self._show_filters)
        view.changes_bar.flip_chosen.connect(self._show_flipped)
        view.changes_bar.closed.connect(self._forget_changes)
        self.exchange.notice.connect(self._tell)
        self.exchange.progressed.connect(self.job_progress)
        for button, act in (
            (view.new_button, view.open_field),
            (view.edit_button, self._edit_classes),
            (view.useful_button, self.show_useful),
            (view.similar_button, self.show_similar),
            (view.alike_button, self.select_alike),
            (view.undo_button, self.undo),
            (view.redo_button, self.model.redo),
        ):
            button.clicked.connect(act)
        self.panel.accept_pressed.connect(self.accept)
        self.panel.ignore_pressed.connect(self.ignore)
        self.panel.flag_pressed.connect(self.flag)
        self.panel.note_left.connect(self.grid.setFocus)

    def _make_keys(self) -> None:
        handlers: dict[str, Callable[[], object]] = {
            "accept": self.accept,
            "new": self.view.open_field,
            "ignore": self.ignore,
            "next": partial(self.step, 1),
            "previous": partial(self.step, -1),
            "useful": self.show_useful,
            "similar": self.show_similar,
            "alike": self.select_alike,
            "retrain": self.retrain,
            "flag": self.flag,
            "note": self.panel.note_field.setFocus,
            "accept_span": self.detail.spans.accept_ghost,
            "reject_span": self.detail.spans.reject_ghost,
            "next_span": self.detail.spans.next_ghost,
            "band": self.panel.toggle_band,
            "undo": self.undo,
            "redo": self.model.redo,
        }
        for name, act in handlers.items():
            # A key that is held moves on, but it labels one sample.
            bind(self.view, f"label_{name}", act).setAutoRepeat(name in ("next", "previous", "next_span", "undo"))
        for name, step in (("next", 1), ("previous", -1)):
            bind(self.view, f"label_{name}", partial(self.step, step, extend=True), extending=True)
        # Only in the grid: elsewhere these press the button that has the focus, or delete a letter.
        for name, act in (("play", self._on_space), ("large", self._on_return), ("back", self.undo)):
            shortcut = bind(self.grid, f"label_{name}", act, within=Qt.ShortcutContext.WidgetShortcut)
            shortcut.setAutoRepeat(name == "back")
        leave = QShortcut(QKeySequence("Escape"), self.grid, context=Qt.ShortcutContext.WidgetShortcut)
        leave.activated.connect(self._leave)
        NEWS.changed.connect(self._show_classes)  # their keys are those that are free

    def _bind_class(self, key: str, class_index: int) -> QShortcut:
        shortcut = QShortcut(QKeySequence(key), self.view, context=Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(partial(self.label, class_index))
        return shortcut

    # -- what the window calls -----------------------------------------------------------------------------------

    def widget(self) -> QWidget:
        return self

    def title_widget(self) -> QWidget:
        return self.train_button

    def set_session(self, session: Session) -> None:
        self.model.set_session(session)
        session.training_changed.connect(self._on_training)
        session.training_refused.connect(self._on_refused)
        session.run_changed.connect(self._on_run)
        kind = session.project.kind
        self.panel.set_kind(kind)
        self.exchange.set_kind(kind)
        self._offer_folders()
        self.grid.set_aspect(1.0 if kind_named(kind).input_name == "pixels" else SOUND_ASPECT)
        self._loader.set_makers(picture=self._make_picture, overlay=lambda _sample_id: None)
        self._show_classes()
        self._arrange()

    def opened(self) -> None:
        """Take the keys, and begin to prepare suggestions."""
        session = self.model.session
        if session is not None:
            session.missing_originals()  # emits `originals_found` if they are back
            if not session.training:
                self.model.suggester.start()
        self._say_progress()
        self.grid.setFocus()

    def show_view(self, view: str) -> None:
        """Do nothing: there is one view."""

    def show_job(self) -> None:
        """Do nothing: there is one view."""

    def can_close(self) -> bool:
        return True

    def shutdown(self) -> None:
        """End all background work."""
        self._sentence_timer.stop()
        if self.model.session is not None:
            self.model.session.training_changed.disconnect(self._on_training)
            self.model.session.training_refused.disconnect(self._on_refused)
            self.model.session.run_changed.disconnect(self._on_run)
        self._loader.close()
        self.exchange.close()
        self.detail.close()
        self.model.close()

    # -- what it shows -------------------------------------------------------------------------------------------

    @Slot()
    def _arrange(self) -> None:
        """Show the samples that the filters ask for, in the order of the files."""
        self._show(self.model.ids(self.view.shown(), self.view.class_filter(), self.view.filters.filters()))

    @Slot(bool)
    def _show_filters(self, wanted: bool) -> None:
        """Show the filters; hiding them clears them, so that none is in force unseen."""
        self.view.filters.setVisible(wanted)
        if wanted:
            self.view.filters.folder_box.setFocus()
        else:
            self.view.filters.clear()

    def _offer_folders(self) -> None:
        session = self.model.session
        if session is not None:
            pixels = kind_named(session.project.kind).input_name == "pixels"
            self.view.filters.set_folders((sample.path for sample in session.samples), pixels=pixels)

    @Slot(str)
    def _tell(self, sentence: str) -> None:
        """Say what became of an export or a merge, until the next change."""
        self._notice = sentence
        self._say_progress()

    def _show(self, ids: Ids) -> None:
        self.grid.set_tiles(ids, self.model.tile)
        self.view.show_grid(explanation="" if len(ids) else tr("Nothing matches these filters. Choose others above."))
        if not len(ids):
            self.detail.clear(tr("Choose a tile in the grid to see it large."))
        elif self.isVisible():
            self.grid.setFocus()

    @Slot()
    def show_useful(self) -> None:
        """Show the samples without a label, those first that are most useful to label."""
        self.view.choose_shown("unlabelled")
        self._show(self.model.useful())

    @Slot()
    def show_similar(self) -> None:
        """Show the samples most similar to the selected ones."""
        found = self.model.suggester.similar(self.grid.selected_ids(), count=MOST_SIMILAR)
        if found:
            self._show(np.array(found, dtype=np.int64))
            self.view.choose_shown("all")
        else:
            self._say_waiting()

    @Slot()
    def select_alike(self) -> None:
        """Show and select the samples of one sort with this one: one key then labels them all."""
        current = self.grid.current_id()
        found = [] if current is None else self.model.suggester.alike(current, count=MOST_SIMILAR)
        if found:
            self._show(np.array(found, dtype=np.int64))
            self.view.choose_shown("all")
            self.grid.selectAll()
        else:
            self._say_waiting()

    def _say_waiting(self) -> None:
        suggester = self.model.suggester
        self.model.set_problem(suggester.problem or tr("Wait until every sample has been looked at once."))

    @Slot()
    def _show_classes(self) -> None:
        model, session = self.model, self.model.session
        if session is None:
            return
        classes = model.classes()
        letters = class_keys(len(classes), several=model.several, taken=taken_letters("label"))
        named = [(item.index, session.class_names[item.index], key) for item, key in zip(classes, letters, strict=True)]
        self.view.show_classes(named, several=model.several)
        for shortcut in self._keys:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._keys = [self._bind_class(key, index) for index, _name, key in named if key]
        if model.several:
            self._keys.append(self._bind_class("0", NONE))
        self._refresh()

    @Slot()
    def _on_labels_changed(self) -> None:
        self._notice = ""
        self._refresh()

    @Slot()
    def _on_samples(self) -> None:
        self._offer_folders()
        self._show_classes()
        self._arrange()
        if self.isVisible() and self.model.session is not None and not self.model.session.training:
            self.model.suggester.start()

    @Slot()
    def _on_guesses(self) -> None:
        self._refresh()

    def _refresh(self) -> None:
        self.grid.refresh()
        self.detail.refresh()
        self._mark_keys()
        self._sentence_timer.start()

    @Slot(int)
    def _on_chosen(self, sample_id: int) -> None:
        self.detail.show(sample_id)
        self._mark_keys()

    def _mark_keys(self) -> None:
        session, current = self.model.session, self.grid.current_id()
        if session is None or current is None:
            self.view.keys.set_current(())
            return
        sample = session.sample(current)
        self.view.keys.set_current(sample.labels or (NONE,) if sample.labelled else ())

    @Slot()
    def _say_progress(self) -> None:
        session = self.model.session
        if session is None:
            return
        self.sentence_changed.emit(self.model.progress())
        missing = self.model.missing()
        self.train_button.setEnabled(not missing)
        self.train_button.setToolTip(missing)
        count = self.grid.selected_count()
        if self._notice:
            hint = self._notice
        elif not self.model.classes():
            hint = messages.name_first_class(session.project.kind, len(session.samples))
        elif count > 1:
            hint = messages.selected(count)
        else:
            now = messages.preparing(self._fraction) if self._fraction >= 0 else self.model.suggester.problem
            hint = tr("{first} {second}", first=missing, second=now) if missing and now else missing or now
            hint = self._news or hint
        self.view.say_hint(hint)

    @Slot(float)
    def _on_progress(self, fraction: float) -> None:
        self._fraction = fraction
        self.job_progress.emit(messages.preparing(fraction) if fraction >= 0 else "", fraction)
        if not self._sentence_timer.isActive():
            self._sentence_timer.start()

    @Slot(bool)
    def _on_training(self, training: bool) -> None:
        """Leave the machine to a training."""
        if training:
            self.model.suggester.stop()
        elif self.isVisible():
            self.model.suggester.start()

    @Slot()
    def retrain(self) -> None:
        """Train again as the last time, and stay here."""
        session = self.model.session
        if session is not None:
            self.model.set_problem("")
            self._before = session.run
            self.model.remember_run()
            self._show_changes()
            session.request_training()
            if session.training:
                self.sentence_changed.emit(tr("Training again. This page stays, and then marks what changed."))

    @Slot(str)
    def _on_refused(self, sentence: str) -> None:
        if self.isVisible():
            self._forget_changes()
            self.model.set_problem(sentence)

    @Slot(object)
    def _on_run(self, run: RunInfo | None) -> None:
        """Say and mark what the training that was begun here has changed."""
        before, session = self._before, self.model.session
        if session is None or before is None or run is None or run.number <= before.number:
            if run is None or (before is not None and run.number < before.number):
                self._forget_changes()
            return
        self._news = messages.trained_again(session, before, run)
        self.model.follow_run(run)
        self._show_changes()
        self._say_progress()

    def _show_changes(self) -> None:
        """Mark on the tiles what changed; the grid stays where it is."""
        session = self.model.session
        number = None if session is None or session.run is None else session.run.number
        self.view.changes_bar.show_changes(self.model.changes, number, None)
        self.grid.refresh()

    @Slot()
    def _forget_changes(self) -> None:
        """Stop comparing with the run before."""
        self.model.changes.forget()
        self._show_changes()

    @Slot(str)
    def _show_flipped(self, flip: Flip) -> None:
        """Show what changed in this way; Escape returns."""
        ids = self.model.changes.flipped(None).get(flip)
        if ids is not None and len(ids):
            self.view.choose_shown("all")
            self._show(ids)

    @Slot()
    def _request_train(self) -> None:
        self.page_requested.emit(TRAIN, "")

    # -- pictures ------------------------------------------------------------------------------------------------

    def _make_picture(self, sample_id: int) -> QImage | None:
        """Runs in a background thread."""
        session = self.model.session
        return None if session is None else load_tile(session.project, session.sample(sample_id))

    @Slot(int, object)
    def _on_picture(self, sample_id: int, picture: QImage) -> None:
        self.grid.set_picture(sample_id, picture)
        if len(self._shapes) < SHAPES and not picture.isNull():
            # The first few pictures decide which shape wastes the least room; later ones do not move the tiles.
            self._shapes.append(min(1.0, max(0.66, picture.height() / picture.width())))
            if len(self._shapes) == SHAPES:
                self.grid.set_aspect(sorted(self._shapes)[SHAPES // 2])

    @Slot(int, object)
    def _on_failed(self, _sample_id: int, error: Exception) -> None:
        if isinstance(error, HandlensError) and self.model.session is not None:
            self.model.set_problem(messages.cannot_show(self.model.session, error))

    @Slot()
    def _on_originals_found(self) -> None:
        self.model.set_problem("")
        self.grid.forget_pictures()
        self.detail.load_again()

    # -- keys ----------------------------------------------------------------------------------------------------

    @Slot(int)
    def label(self, class_index: int) -> None:
        """Label the selected part of a recording, else the selected samples. Where each shows one thing, go on."""
        chosen = self.grid.selected_ids()
        if not chosen:
            return
        self._news = ""
        if class_index != NONE and len(chosen) == 1 and self.detail.spans.label_selection(class_index):
            return
        self.model.label(chosen, class_index)
        if not self.model.several:
            self.advance()

    @Slot()
    def accept(self) -> None:
        """Accept what is guessed of the selected samples, and go on."""
        chosen = self.grid.selected_ids()
        if any(self.model.needs_label(each) and self.model.guess(each) is not None for each in chosen):
            self.model.accept(chosen)
            self.advance()

    @Slot()
    def ignore(self) -> None:
        """Do not use the selected samples, and go on."""
        chosen = self.grid.selected_ids()
        if chosen:
            self.model.ignore(chosen)
            self.advance()

    @Slot()
    def flag(self) -> None:
        """Flag the selected samples, or take their flags away."""
        self.model.flag(self.grid.selected_ids())

    @Slot()
    def undo(self) -> None:
        """Take back the last step, and return to what it changed."""
        changed = self.model.undo()
        if changed:
            self.grid.choose(changed[0])

    def advance(self) -> None:
        """Choose the next sample without a label, or the next one where all of the rest have one."""
        ids, after = self.grid.ids(), self.grid.last_selected_row() + 1
        if after >= len(ids):
            return
        free = next((row for row in range(after, len(ids)) if self.model.needs_label(int(ids[row]))), after)
        self.grid.choose_row(free)

    def step(self, step: int, *, extend: bool = False) -> None:
        """Move the cursor by `step` tiles."""
        index, count = self.grid.currentIndex(), len(self.grid.ids())
        row = min(max(0, index.row() + step), count - 1)
        if extend and count:
            self.grid.selectionModel().setCurrentIndex(
                self.grid.model().index(row, 0), QItemSelectionModel.SelectionFlag.Select
            )
        elif count:
            self.grid.choose_row(row)

    def _on_space(self) -> None:
        session = self.model.session
        if session is not None and kind_named(session.project.kind).audible:
            self.detail.toggle_playing()
        else:
            self.accept()

    def _on_return(self) -> None:
        if self.model.several:
            self.advance()
        else:
            self._toggle_large()

    def _leave(self) -> None:
        """Leave the large view, or return from similar samples to what the filters ask for."""
        if self.panel.selection() is not None:
            self.detail.spans.select_nothing()
        elif self.view.is_large():
            self.view.set_large(False)
        else:
            self._arrange()

    @Slot()
    def _toggle_large(self) -> None:
        self.view.set_large(not self.view.is_large())

    # -- classes -------------------------------------------------------------------------------------------------

    @Slot(str)
    def _on_named(self, name: str) -> None:
        """Use the class of that name, which may be a new one, for the selected samples."""
        index = self.model.add_class(name)
        self.view.close_field()
        if index is not None:
            self.label(index)

    @Slot()
    def _edit_classes(self) -> None:
        ClassesDialog.show_classes(self, self.model)
