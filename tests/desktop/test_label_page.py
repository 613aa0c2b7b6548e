"""The Label page with real keys: a folder without labels, classes named as one goes, suggestions, a first training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fabricate import CLASSES, image_folder
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from desktop.actions import ACTIONS
from desktop.pages.label.classes_dialog import ClassesDialog
from desktop.pages.label.keys import DIGITS, LETTERS, class_keys
from desktop.pages.label.page import LabelPage
from desktop.session import Session
from desktop.widgets.tiles import TILE_ROLE, Tile
from ml.api import (
    Event,
    FeaturesJob,
    Finished,
    Job,
    NeverStop,
    Project,
    ScanJob,
    Scanned,
    Stop,
    Stopped,
    add_files,
    for_task,
    plan_split,
)
from ml.pipeline.dispatch import run
from tests.desktop.conftest import Opener


@pytest.fixture
def session(tmp_path: Path, open_project: Opener) -> Session:
    """Thirty pictures of fruits in one folder, none with a label."""
    folder, flat = image_folder(tmp_path / "fruit"), tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*.png"):
        path.rename(flat / f"{path.stem.split()[1]} {path.parent.name}.png")
    *_, last = run(ScanJob(folder=flat, kind="images", new=True), NeverStop())
    assert isinstance(last, Scanned)
    made = Project.create(tmp_path / "p.handlens", name="p", report=last.report, plan=plan_split(last.report))
    return open_project(made)


def no_features(_job: Job, _stop: Stop) -> Iterator[Event]:
    """A runner for tests that need no suggestions."""
    yield Stopped()


@pytest.fixture
def make_page(qtbot: QtBot, session: Session) -> Iterator[type[LabelPage] | object]:
    made: list[LabelPage] = []

    def make(*, real: bool = False) -> LabelPage:
        page = LabelPage(runner=run if real else no_features)
        made.append(page)
        qtbot.addWidget(page)
        page.resize(1100, 640)
        page.set_session(session)
        page.show()
        with qtbot.waitExposed(page):
            page.opened()
        return page

    yield make
    for page in made:
        page.shutdown()


@pytest.fixture
def page(make_page) -> LabelPage:  # type: ignore[no-untyped-def]
    return make_page()  # type: ignore[no-any-return]


def on_disk(session: Session) -> dict[int, tuple[int, ...]]:
    """What another program would read at this moment."""
    with Project.open(session.project.path) as again:
        return {sample.id: sample.labels for sample in again.samples()}


def name_class(qtbot: QtBot, page: LabelPage, name: str) -> None:
    """Press / and type the name, as a person does."""
    qtbot.keyClick(page.grid, Qt.Key.Key_Slash)
    assert page.view.field.isVisible()
    qtbot.keyClicks(page.view.field, name)
    qtbot.keyClick(page.view.field, Qt.Key.Key_Return)


def truth(session: Session, sample_id: int) -> str:
    return session.sample(sample_id).path.split(" ")[1].removesuffix(".png")


def tile(page: LabelPage, row: int) -> Tile:
    found: Tile = page.grid.model().index(row, 0).data(TILE_ROLE)
    return found


def test_classes_are_named_as_one_goes_and_digits_go_on(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    grid = page.grid
    first, second, third = (int(each) for each in grid.ids()[:3])
    name_class(qtbot, page, "apple")
    assert on_disk(session)[first] == (0,) and grid.current_id() == second
    name_class(qtbot, page, "1. pear")  # letters and digits go into the name
    assert [item.name for item in session.classes] == ["apple", "1. pear"]
    qtbot.keyClick(grid, Qt.Key.Key_2)
    assert on_disk(session)[third] == (1,), "on disk before the next key"
    assert tile(page, 2).caption == "1. pear"
    page._say_progress()
    assert page.model.progress() == "3 of 30 labelled."


def test_keys_undo_ignore_and_extend(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    grid = page.grid
    ids = [int(each) for each in grid.ids()]
    name_class(qtbot, page, "apple")
    qtbot.keyClick(grid, Qt.Key.Key_X)
    assert session.sample(ids[1]).ignored and tile(page, 1).faded
    qtbot.keyClick(grid, Qt.Key.Key_J, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(grid, Qt.Key.Key_J, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(grid, Qt.Key.Key_1)
    assert [on_disk(session)[each] for each in ids[:6]] == [(0,), (), (0,), (0,), (0,), ()]
    qtbot.keyClick(grid, Qt.Key.Key_Backspace)
    assert on_disk(session)[ids[3]] == () and grid.current_id() == ids[2]
    qtbot.keyClick(grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert not session.sample(ids[1]).ignored
    assert not any(on_disk(session)[each] for each in ids[1:])
    qtbot.keyClick(grid, Qt.Key.Key_K)
    assert grid.current_id() == ids[0]


def test_without_enough_labels_one_sentence_says_how_many_are_missing(
    qtbot: QtBot, page: LabelPage, session: Session
) -> None:
    assert page.model.missing() == "Training needs two classes with 3 labels each. There are none yet."
    name_class(qtbot, page, "apple")
    assert page.model.missing() == "Training needs 2 more labels of “apple” and 3 of a second class."
    for _ in range(2):
        qtbot.keyClick(page.grid, Qt.Key.Key_1)
    name_class(qtbot, page, "pear")
    assert page.model.missing() == "Training needs 2 more labels of “pear”."
    page._say_progress()
    assert not page.train_button.isEnabled()
    for _ in range(2):
        qtbot.keyClick(page.grid, Qt.Key.Key_2)
    page._say_progress()
    assert page.train_button.isEnabled() and page.model.missing() == ""


def test_from_no_labels_to_a_model(qtbot: QtBot, make_page, session: Session) -> None:  # type: ignore[no-untyped-def]
    page: LabelPage = make_page(real=True)
    grid, keys = page.grid, dict[str, int]()
    qtbot.waitUntil(lambda: page.model.suggester.guesses is not None, timeout=60_000)
    while not page.model.suggester.enough() or len(keys) < 3:
        current = grid.current_id()
        assert current is not None
        name = truth(session, current)
        if name in keys:
            qtbot.keyClicks(grid, str(keys[name]))
        else:
            name_class(qtbot, page, name)
            keys[name] = len(keys) + 1
    labelled = sum(sample.labelled for sample in session.samples)
    qtbot.waitUntil(lambda: page.model.guess(int(grid.ids()[-1])) is not None)
    assert f"{labelled} of 30 labelled, the rest guessed" in page.model.progress()
    assert tile(page, 29).guessed and tile(page, 29).caption.endswith("?")

    qtbot.keyClick(grid, Qt.Key.Key_N)
    first = int(grid.ids()[0])
    assert first in page.model.suggester.useful() and len(grid.ids()) == 30 - labelled
    guess = page.model.guess(first)
    assert guess is not None
    qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert on_disk(session)[first] == guess[0], "Space accepts"

    qtbot.keyClick(grid, Qt.Key.Key_G)
    assert len(grid.selected_ids()) >= 1
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    page.view.choose_shown("all")
    page._arrange()
    for row, sample_id in enumerate(int(each) for each in grid.ids()):
        grid.choose_row(row)
        qtbot.keyClicks(grid, str(keys[truth(session, sample_id)]))
    assert page.model.progress() == "All 30 labelled."
    *_, last = run(session.train_job("quick"), NeverStop())
    assert isinstance(last, Finished)
    session.refresh_runs(show=last.run)
    assert session.split_counts() == {"train": 18, "valid": 6, "test": 6}, "the window knows the new split"
    assert last.test_accuracy is not None and last.test_accuracy > 0.6


def test_the_rest_of_a_cluster_is_found(qtbot: QtBot, make_page, session: Session) -> None:  # type: ignore[no-untyped-def]
    page: LabelPage = make_page(real=True)
    qtbot.waitUntil(lambda: page.model.suggester.guesses is not None, timeout=60_000)
    current = page.grid.current_id()
    assert current is not None
    qtbot.keyClick(page.grid, Qt.Key.Key_F)
    nearest = [truth(session, int(each)) for each in page.grid.ids()[:6]]
    assert nearest.count(truth(session, current)) >= 4
    assert int(page.grid.ids()[0]) == current


def test_classes_are_edited_and_each_edit_is_undone(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    for name in ("apple", "pear", "plum"):
        name_class(qtbot, page, name)
    before = on_disk(session)
    dialog = ClassesDialog.show_classes(page, page.model)
    dialog.names[0].setText("quince")
    dialog.names[0].editingFinished.emit()
    page.model.recolour_class(1, "#123456")
    page.model.merge_class(2, 0)
    assert [item.name for item in session.active_classes()] == ["quince", "pear"]
    assert sorted(on_disk(session).values())[-3:] == [(0,), (0,), (1,)]
    page.model.remove_class(1)
    assert [item.name for item in session.active_classes()] == ["quince"]
    assert sorted(on_disk(session).values())[-3:] == [(), (0,), (0,)]
    dialog.reject()
    for _ in range(4):
        qtbot.keyClick(page.grid, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert [(item.name, item.colour) for item in session.active_classes()] == [
        (name, "") for name in ("apple", "pear", "plum")
    ]
    assert on_disk(session) == before


def test_filters_show_what_they_say(qtbot: QtBot, page: LabelPage, session: Session) -> None:
    name_class(qtbot, page, "apple")
    qtbot.keyClick(page.grid, Qt.Key.Key_X)
    shown = {show: len(page.model.ids(show)) for show in ("all", "unlabelled", "labelled", "ignored", "look")}
    assert shown == {"all": 30, "unlabelled": 28, "labelled": 1, "ignored": 1, "look": 0}
    assert len(page.model.ids("all", 0)) == 1


@pytest.mark.parametrize("several", [False, True])
def test_the_first_classes_have_digits_and_further_ones_free_letters(several: bool) -> None:
    keys = class_keys(40, several=several)
    assert keys[:9] == list("123456789") and keys[9] == ("B" if several else "0")
    assert len({key for key in keys if key}) == len([key for key in keys if key])
    taken = {action.shortcut for action in ACTIONS if action.where == "label"}
    assert not taken & set(LETTERS.upper()) and set(DIGITS) == set("0123456789")


def test_where_more_than_one_may_be_present_keys_toggle_and_enter_goes_on(
    qtbot: QtBot, tmp_path: Path, open_project: Opener
) -> None:
    *_, last = run(ScanJob(folder=image_folder(tmp_path / "f"), kind="images", unlabelled=True), NeverStop())
    assert isinstance(last, Scanned)
    report = for_task(last.report, "multi")
    session = open_project(Project.create(tmp_path / "m.handlens", name="m", report=report, plan=plan_split(report)))
    page = LabelPage(runner=no_features)
    qtbot.addWidget(page)
    page.set_session(session)
    page.resize(1100, 640)
    page.show()
    with qtbot.waitExposed(page):
        page.opened()
    first = int(page.grid.ids()[0])
    for name in CLASSES[:2]:
        name_class(qtbot, page, name)
    assert on_disk(session)[first] == (0, 1)
    qtbot.keyClick(page.grid, Qt.Key.Key_1)
    assert on_disk(session)[first] == (1,) and page.grid.current_id() == first
    qtbot.keyClick(page.grid, Qt.Key.Key_0)
    assert session.sample(first).labelled and on_disk(session)[first] == ()
    qtbot.keyClick(page.grid, Qt.Key.Key_Return)
    assert page.grid.current_id() == int(page.grid.ids()[1])
    page.shutdown()
    QApplication.processEvents()


def test_suggestions_take_in_files_that_were_added_later(
    make_page,
    session: Session,
    qtbot: QtBot,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    page: LabelPage = make_page(real=True)
    for place, name in enumerate(CLASSES):
        session.add_class(name)
        session.set_labels([s.id for s in session.samples if truth(session, s.id) == name][:4], [place])
    qtbot.waitUntil(lambda: page.model.suggester.guesses is not None, timeout=30_000)
    first = next(sample.id for sample in session.samples if not sample.labelled)
    qtbot.waitUntil(lambda: page.model.guess(first) is not None)
    old = {sample.id for sample in session.samples}
    (tmp_path / "later").mkdir()
    for path in image_folder(tmp_path / "more", each=1).rglob("*.png"):
        brighter = np.asarray(Image.open(path)) // 2 * 2 + 1
        Image.fromarray(brighter).save(tmp_path / "later" / f"1 {path.parent.name}.png")
    add_files(session.project, sorted((tmp_path / "later").iterdir()))
    session.reload()
    assert page.model.guess(first) is not None, "what was guessed stays meanwhile"
    new = {sample.id: sample.path for sample in session.samples if sample.id not in old}
    assert len(new) == len(CLASSES) and set(new) <= set(page.grid.ids().tolist())
    qtbot.waitUntil(lambda: all(page.model.guess(each) is not None for each in new), timeout=30_000)
    for each, path in new.items():
        guess = page.model.guess(each)
        assert guess is not None and CLASSES[guess[0][0]] in path
    session.set_labels([next(iter(new))], [0])
    qtbot.waitUntil(lambda: not page.model.suggester._request)
    assert page.model.suggester.guesses is not None


def test_features_are_where_a_training_looks_for_them(session: Session) -> None:
    first = list(run(FeaturesJob(project=session.project.path), NeverStop()))
    caches = {path.name for path in (session.project.path / "cache").glob("embeddings-*")}
    for place, name in enumerate(CLASSES):
        session.add_class(name)
        session.set_labels([s.id for s in session.samples if truth(session, s.id) == name], [place])
    session.add_class("a class without samples")
    *_, last = run(session.train_job("quick"), NeverStop())
    assert isinstance(last, Finished)
    assert {path.name for path in (session.project.path / "cache").glob("embeddings-*")} == caches
    assert np.array_equal(np.sort(first[-1].sample_ids), [sample.id for sample in session.samples])  # type: ignore[union-attr]
