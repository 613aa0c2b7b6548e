"""The suspicious labels: looked for when asked for, called right or labelled anew, on disk at once, and undone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate_several import add_run_of_several, mixed_project
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from desktop.i18n import text
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS
from desktop.session import Session, open_session
from desktop.widgets.tiles import Tile
from ml.api import (
    Event,
    Failed,
    HandlensError,
    Job,
    Progress,
    Project,
    Sample,
    StageStarted,
    Stop,
    Stopped,
    Suspected,
    SuspectJob,
    msg,
    stage_message,
)
from tests.desktop.conftest import Opener

TAB = VIEWS.index("suspicious")


class Judge:
    """A runner that takes the first labels for wrong: each looks like the next class. Waits where it is told to."""

    def __init__(self, project: Path, *, flagged: int = 3, hold: bool = False, ending: Event | None = None) -> None:
        self.project, self.flagged, self.ending = project, flagged, ending
        self.asked: list[Job] = []
        self.cancelled = False
        self._free = threading.Event()
        if not hold:
            self._free.set()

    def go_on(self) -> None:
        self._free.set()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        self.asked.append(job)
        yield StageStarted(stage="predict")
        yield Progress(stage="predict", done=2, total=5)
        while not self._free.wait(0.01):
            if stop.requested():
                self.cancelled = True
                yield Stopped()
                return
        yield self.ending or self._found()

    def _found(self) -> Suspected:
        with Project.open(self.project) as project:
            every = project.samples()
        samples = [sample for sample in every if sample.set_by != "confirmed"]
        return Suspected(
            run=1,
            sample_ids=tuple(sample.id for sample in samples),
            labels=tuple(sample.labels for sample in samples),
            suggested=tuple((sample.labels[0] + 1) % 3 for sample in samples),
            scores=tuple(1.0 - place / len(samples) for place in range(len(samples))),
            flagged=self.flagged,
            confirmed=len(every) - len(samples),
        )


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project()


def opened(qtbot: QtBot, session: Session, judge: Judge) -> ExplorePage:
    page = ExplorePage(runner=judge)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.grid.setFocus()
    return page


def choose_tab(qtbot: QtBot, page: ExplorePage, place: int = TAB) -> None:
    tabs = page.view.tabs
    qtbot.mouseClick(tabs, Qt.MouseButton.LeftButton, pos=tabs.tabRect(place).center())


def click(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[ExplorePage]:
    page = opened(qtbot, session, Judge(session.project.path))
    choose_tab(qtbot, page)
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 3)
    page.grid.setFocus()
    yield page
    page.shutdown()


def on_disk(session: Session, sample_id: int) -> Sample:
    with Project.open(session.project.path) as again:
        return next(sample for sample in again.samples() if sample.id == sample_id)


def tile_at(page: ExplorePage, place: int) -> Tile:
    tile = page.grid.model().index(place, 0).data(Qt.ItemDataRole.UserRole + 1)
    assert isinstance(tile, Tile)
    return tile


def test_the_list_has_the_keys_when_it_arrives(qtbot: QtBot, session: Session) -> None:
    judge = Judge(session.project.path, hold=True)
    page = opened(qtbot, session, judge)
    page.filters.class_box.setFocus()
    choose_tab(qtbot, page)
    assert page.focusWidget() is page.view.explanation, "not a button that a key would press"
    judge.go_on()
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 3)
    assert page.focusWidget() is page.grid
    page.shutdown()


@pytest.mark.parametrize("ends", ["found", "another run"])
def test_other_pages_hear_of_the_search_and_of_its_end(qtbot: QtBot, session: Session, ends: str) -> None:
    judge = Judge(session.project.path, hold=True)
    page = opened(qtbot, session, judge)
    told: list[float] = []
    page.job_progress.connect(lambda _said, fraction: told.append(fraction))
    choose_tab(qtbot, page)
    qtbot.waitUntil(lambda: told[-1:] == [0.4])
    if ends == "found":
        judge.go_on()
        qtbot.waitUntil(lambda: page.issues.state == "found")
    else:
        choose_tab(qtbot, page, 0)
        page.label_issues.set_source(session, 2)
    assert told[-1] < 0
    page.shutdown()


def test_they_are_looked_for_when_the_tab_is_chosen_and_only_then(qtbot: QtBot, session: Session) -> None:
    judge = Judge(session.project.path, hold=True)
    page = opened(qtbot, session, judge)
    assert judge.asked == []
    choose_tab(qtbot, page)
    bar = page.issues_bar
    qtbot.waitUntil(lambda: bar.bar.value() == 40)
    assert judge.asked == [SuspectJob(project=session.project.path, run=1)]
    assert bar.bar.isVisible() and bar.cancel_button.isVisible() and not bar.again_button.isVisible()
    assert page.view.explanation.text() == text(stage_message("label_issues"))
    assert not page.panel.suggestion.keep_button.isVisible()
    judge.go_on()
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 3)
    assert bar.sentence.text() == "3 of the 30 labels look wrong, the most suspicious first."
    assert not bar.bar.isVisible()
    choose_tab(qtbot, page, 0)
    assert page.filters.isVisible() and not bar.isVisible()
    choose_tab(qtbot, page)
    assert len(judge.asked) == 1, "what was found is kept"
    page.shutdown()


def test_a_tile_says_what_it_is_labelled_and_what_it_looks_like(page: ExplorePage) -> None:
    assert tile_at(page, 0).caption == "labelled apple → pear?"
    assert page.panel.note.text() == "A model that was not trained on this sample predicts “pear”."
    assert page.panel.suggestion.keep_button.text() == "Keep “apple” (R)"
    assert page.panel.suggestion.change_button.text() == "Change to “pear” (2)"


def test_a_digit_and_r_both_move_on_to_the_next(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    first, second, third = (int(sample_id) for sample_id in page.grid.ids())
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    assert (page.grid.current_id(), list(page.grid.ids())) == (second, [second, third])
    qtbot.keyClick(page.grid, Qt.Key.Key_R)
    assert (page.grid.current_id(), list(page.grid.ids())) == (third, [third])
    click(qtbot, page.panel.suggestion.change_button)
    assert on_disk(session, third).labels == (1,)
    assert page.view.explanation.isVisible() and not page.panel.suggestion.isVisible()
    for back in (third, second, first):
        click(qtbot, page.view.undo_button)
        assert page.grid.current_id() == back
    assert [on_disk(session, sample_id).labels for sample_id in (first, second, third)] == [(0,)] * 3


def test_where_several_are_selected_no_single_label_is_named(qtbot: QtBot, page: ExplorePage) -> None:
    page.grid.selectAll()
    assert page.panel.suggestion.keep_button.text() == "Keep the labels of these 3 (R)"
    assert not page.panel.suggestion.change_button.isVisible()
    page.grid.choose(int(page.grid.ids()[1]))
    assert page.panel.suggestion.change_button.isVisible()


def test_calling_it_right_takes_it_away_for_good(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    first, second, third = (int(sample_id) for sample_id in page.grid.ids())
    qtbot.keyClick(page.grid, Qt.Key.Key_R)
    assert list(page.grid.ids()) == [second, third]
    assert page.grid.current_id() == second, "the next one is at hand"
    kept = on_disk(session, first)
    assert (kept.labels, kept.set_by) == ((0,), "confirmed")
    click(qtbot, page.panel.suggestion.keep_button)
    assert list(page.grid.ids()) == [third]
    assert page.issues_bar.sentence.text().endswith("1 left to check.")
    click(qtbot, page.issues_bar.again_button)
    qtbot.waitUntil(lambda: page.issues.state == "found")
    assert not {first, second} & set(page.grid.ids().tolist())
    assert page.issues.count == 30


def test_calling_it_right_can_be_undone(qtbot: QtBot, page: ExplorePage, session: Session) -> None:
    before = list(page.grid.ids())
    page.grid.selectAll()
    qtbot.keyClick(page.grid, Qt.Key.Key_R)
    assert page.view.stack.currentWidget() is page.view.explanation
    assert page.view.explanation.text().startswith("You have checked all labels that look wrong.")
    assert page.detail.sample_id() is None
    click(qtbot, page.view.undo_button)
    assert list(page.grid.ids()) == before
    assert on_disk(session, int(before[0])).set_by == "import"
    click(qtbot, page.view.redo_button)
    assert on_disk(session, int(before[0])).set_by == "confirmed"


def test_a_digit_labels_it_anew_and_undo_brings_back_what_was_said(
    qtbot: QtBot, page: ExplorePage, session: Session
) -> None:
    grid = page.grid
    first = int(grid.ids()[0])
    qtbot.keyClick(grid, Qt.Key.Key_2)
    assert on_disk(session, first).labels == (1,)
    assert first not in grid.ids()
    assert page.issues_bar.sentence.text().endswith("2 left to check.")
    qtbot.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert on_disk(session, first).labels == (0,)
    qtbot.keyClick(grid, Qt.Key.Key_R)
    choose_tab(qtbot, page, 0)
    page.filters.split_box.setCurrentIndex(0)
    page.filters.split_box.activated.emit(0)
    assert grid.choose(first)
    qtbot.keyClick(grid, Qt.Key.Key_3)
    assert on_disk(session, first).set_by == "person"
    qtbot.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (on_disk(session, first).labels, on_disk(session, first).set_by) == ((0,), "confirmed")


def test_the_less_suspicious_can_be_seen_too(qtbot: QtBot, page: ExplorePage) -> None:
    click(qtbot, page.issues_bar.everything_button)
    assert len(page.grid.ids()) == 30


def test_r_says_nothing_on_other_tabs(qtbot: QtBot, page: ExplorePage) -> None:
    choose_tab(qtbot, page, 0)
    qtbot.keyClick(page.grid, Qt.Key.Key_R)
    assert page.model.undo_stack.count() == 0
    assert not page.panel.suggestion.keep_button.isVisible()
    choose_tab(qtbot, page)
    assert "was not trained on this sample" in page.panel.note.text()
    choose_tab(qtbot, page, VIEWS.index("enough"))
    assert "was not trained on this sample" not in page.panel.note.text()


def test_looking_can_be_cancelled_and_begun_again(qtbot: QtBot, session: Session) -> None:
    judge = Judge(session.project.path, hold=True)
    page = opened(qtbot, session, judge)
    choose_tab(qtbot, page)
    click(qtbot, page.issues_bar.cancel_button)
    qtbot.waitUntil(lambda: page.issues.state == "cancelled")
    assert judge.cancelled
    assert page.view.explanation.text() == "The search was stopped before all labels were checked."
    judge.go_on()
    click(qtbot, page.issues_bar.again_button)
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 3)
    page.shutdown()


@pytest.mark.parametrize(
    ("flagged", "ending", "said"),
    [
        (0, None, "No label looks wrong. Each was checked"),
        (0, Failed(message=msg("There are too few labels to find wrong ones among them.")), "There are too few labels"),
    ],
)
def test_where_there_is_nothing_to_show_it_says_why(
    qtbot: QtBot, session: Session, flagged: int, ending: Event | None, said: str
) -> None:
    page = opened(qtbot, session, Judge(session.project.path, flagged=flagged, ending=ending))
    choose_tab(qtbot, page)
    qtbot.waitUntil(page.view.explanation.isVisible)
    qtbot.waitUntil(lambda: page.view.explanation.text().startswith(said))
    page.shutdown()


def test_leaving_while_it_looks_ends_the_child(qtbot: QtBot, session: Session) -> None:
    judge = Judge(session.project.path, hold=True)
    page = opened(qtbot, session, judge)
    choose_tab(qtbot, page)
    qtbot.waitUntil(lambda: len(judge.asked) == 1)
    page.shutdown()
    assert judge.cancelled


def test_where_several_classes_may_be_present_it_says_what_is_missing_and_what_is_not_there(
    qtbot: QtBot, tmp_path: Path
) -> None:
    project = mixed_project(tmp_path / "mixed.handlens")
    add_run_of_several(project)
    held = {sample.id: sample.labels for sample in project.samples()}
    project.close()
    one = next(sample_id for sample_id, labels in held.items() if labels == (0,))
    two = next(sample_id for sample_id, labels in held.items() if labels == (0, 1))
    ending = Suspected(
        run=1, sample_ids=(one, two), labels=((0,), (0, 1)), suggested=(2, 1), scores=(0.9, 0.8), flagged=2
    )
    session = open_session(tmp_path / "mixed.handlens")
    page = opened(qtbot, session, Judge(session.project.path, ending=ending))
    choose_tab(qtbot, page)
    qtbot.waitUntil(lambda: len(page.grid.ids()) == 2)
    page.grid.setFocus()
    assert tile_at(page, 0).caption == "labelled apple → plum, too?"
    assert page.panel.note.text() == "A model that was not trained on this sample also predicts “plum”."
    assert tile_at(page, 1).caption == "labelled apple, pear → no pear?"
    assert page.grid.choose(two)
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    assert on_disk(session, two).labels == (0,)
    assert list(page.grid.ids()) == [one]
    assert page.panel.suggestion.change_button.text() == "Add “plum” (3)"
    qtbot.keyClick(page.grid, Qt.Key.Key_2)
    assert list(page.grid.ids()) == [one], "it was about another class"
    assert page.issues_bar.sentence.text().endswith("1 left to check.")
    page.shutdown()
    session.close()


def test_what_cannot_be_written_is_said_and_the_tile_stays(
    qtbot: QtBot, page: ExplorePage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise HandlensError(msg("The disk is full. Free some space and try again."))

    monkeypatch.setattr(session.project, "restore_in_pieces", full)
    qtbot.keyClick(page.grid, Qt.Key.Key_R)
    assert page.view.problem.text().startswith("The disk is full")
    assert len(page.grid.ids()) == 3
    assert page.model.undo_stack.count() == 0
