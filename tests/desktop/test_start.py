"""The start page as a person meets it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QMenu
from pytestqt.qtbot import QtBot

from desktop import settings
from desktop.dialogs.folder import FileSaver
from desktop.dialogs.notice import Notice, Question
from desktop.pages.managing import NameDialog
from desktop.pages.start import StartPage


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a finished run that is right on 5 of the 6 it was tested on."""
    made = project_of(image_folder(tmp_path / "fruit"), tmp_path / "Fruit.handlens")
    add_run(made)
    made.close()
    settings.remember_project(made.path, "Fruit")
    return made.path


@pytest.fixture
def page(studio: QApplication, qtbot: QtBot) -> StartPage:
    page = StartPage()
    qtbot.addWidget(page, before_close_func=lambda widget: widget.shutdown())
    page.resize(1366, 768)
    page.show()
    return page


def _texts(page: StartPage) -> str:
    return " ".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_without_projects_it_says_what_a_project_is(page: StartPage) -> None:
    page.refresh()
    assert not page.cards()
    assert "never changed" in _texts(page)


def test_a_card_shows_pictures_and_the_score_and_opens_the_project(
    page: StartPage, project: Path, qtbot: QtBot
) -> None:
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    (card,) = page.cards()
    assert "Run 1 · 5 of 6 correct" in card.accessibleName()
    assert len(card.pictures.images()) == 4
    with qtbot.waitSignal(page.project_chosen) as chosen:
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert chosen.args == [project]
    with qtbot.waitSignal(page.project_chosen):
        qtbot.keyClick(card, Qt.Key.Key_Return)


def test_a_missing_project_is_shown_as_missing_and_can_be_removed(page: StartPage, project: Path, qtbot: QtBot) -> None:
    shutil.rmtree(project)
    page.refresh()
    (card,) = page.cards()
    assert card.missing and "Not there any more" in card.accessibleName()
    with qtbot.assertNotEmitted(page.project_chosen):
        qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(card.remove_button, Qt.MouseButton.LeftButton)
    assert not page.cards() and not settings.value(settings.RECENT)


def test_a_damaged_project_says_so_on_its_card(page: StartPage, project: Path, qtbot: QtBot) -> None:
    (project / "project.db").write_bytes(b"nonsense" * 500)
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    (card,) = page.cards()
    assert card.missing and "damaged" in card.toolTip()


def test_projects_at_impossible_paths_are_named_and_the_others_still_open(
    page: StartPage, project: Path, qtbot: QtBot
) -> None:
    impossible = ["/" + "x" * 5000, "", "a\0b", "\ud800", "/dev/null/x", "/dev/zero"]
    settings.set_value(settings.RECENT, [*([path, "odd"] for path in impossible), [str(project), "Fruit"]])
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    *odd, fruit = page.cards()
    assert len(odd) == len(impossible) and all(card.missing for card in odd)
    assert "Run 1" in fruit.accessibleName()


@pytest.mark.parametrize(
    "stored", ["{", "[" * 200_000, "[1]", '[["a"]]', '[["a", null]]', "null", "9" * 5000, '[["a", "b"]]]', "\udcff"]
)
def test_a_broken_list_of_recent_projects_is_an_empty_one(page: StartPage, stored: str) -> None:
    store = settings._store()
    store.setValue(settings.RECENT.key, stored)
    store.sync()
    page.refresh()
    assert not page.cards()


def test_an_endless_list_of_recent_projects_shows_the_newest(page: StartPage) -> None:
    settings.set_value(settings.RECENT, [[f"/gone/{number}", "gone"] for number in range(500)])
    page.refresh()
    assert len(page.cards()) == settings.MOST_RECENT


def test_speeds_that_nothing_can_have_are_forgotten(studio: QApplication) -> None:
    store = settings._store()
    for number in ("1e999", "9" * 400, "NaN", "-1", "true"):
        store.setValue(settings.SPEEDS.key, f'{{"images x": {{"probe": {number}}}}}')
        store.sync()
        assert settings.speeds("images", "x") == {}


def test_a_project_whose_originals_are_gone_still_has_a_card(page: StartPage, project: Path, qtbot: QtBot) -> None:
    shutil.rmtree(project.parent / "fruit")
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    (card,) = page.cards()
    assert not card.missing and not card.pictures.images()


def test_every_way_to_begin_can_be_reached_with_the_tab_key(page: StartPage, qtbot: QtBot) -> None:
    page.refresh()
    qtbot.waitActive(page)
    page.pictures_button.setFocus()
    met = set()
    for _press in range(8):
        met.add(page.focusWidget())
        qtbot.keyClick(page.focusWidget(), Qt.Key.Key_Tab)
    assert {page.sounds_button, page.open_button, page.bricks_button, page.forest_button} <= met
    with qtbot.waitSignal(page.sample_requested) as asked:
        qtbot.keyClick(page.forest_button, Qt.Key.Key_Space)
    assert asked.args == ["recordings"]


def test_the_first_window_loads_neither_the_core_nor_sound_nor_plots() -> None:
    code = (
        "import sys, desktop.app; "
        "print([name for name in ('ml.api', 'torch', 'sqlalchemy', 'pyqtgraph', 'PySide6.QtMultimedia') "
        "if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there a window can always be opened")
def test_without_a_screen_it_says_so() -> None:
    named = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in named}
    ended = subprocess.run(
        [sys.executable, "-m", "desktop"], capture_output=True, text=True, timeout=60, env=kept, check=False
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("There is no screen to open a window on")


def test_a_project_is_renamed_duplicated_and_archived_from_its_card(
    page: StartPage, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    (card,) = page.cards()
    asked: list[object] = []
    monkeypatch.setattr(QMenu, "popup", lambda *_a: None)  # the platform of the tests has no popups
    with qtbot.waitSignal(card.menu_requested) as wanted:
        qtbot.mouseClick(card.menu_button, Qt.MouseButton.LeftButton)
    assert card.menu_button.accessibleName() == "What to do with Fruit" and wanted.args
    menu = page.manager.menu(project, card.name, card)
    assert [action.text() for action in menu.actions()][:2] == ["Rename…", "Duplicate"]
    monkeypatch.setattr(NameDialog, "ask", lambda *_a, **_k: "Harvest")
    with qtbot.waitSignal(page.manager.finished):
        menu.actions()[0].trigger()
        assert "Renaming" in card.accessibleName() and not card.isEnabled()
    moved = project.with_name("Harvest.handlens")
    assert moved.is_dir() and not project.exists()
    with qtbot.waitSignal(page.manager.finished):
        page.manager.duplicate(moved, "Harvest")
    qtbot.waitUntil(lambda: not page.waiting)
    assert {card.name for card in page.cards()} == {"Harvest", "Harvest 2"}
    monkeypatch.setattr(FileSaver, "ask", lambda *_a, **_k: asked.append(1) or tmp_path / "all.zip")
    with qtbot.waitSignal(page.manager.finished) as ended:
        page.manager.archive_with_sources(moved, "Harvest")
    assert asked and (tmp_path / "all.zip").is_file() and str(tmp_path / "all.zip") in ended.args[0]
    assert page.notice.isVisible()


def test_a_project_goes_to_the_bin_and_its_originals_stay(
    page: StartPage, project: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting)
    monkeypatch.setattr(Question, "ask", lambda *_a, **_k: False)
    page.manager.delete(project, "Fruit")
    assert project.exists() and not page.manager.busy()
    monkeypatch.setattr(Question, "ask", lambda *_a, **_k: True)
    told: list[str] = []
    monkeypatch.setattr(Notice, "tell", lambda _p, sentence, **_k: told.append(sentence))
    with qtbot.waitSignal(page.manager.finished):
        page.manager.delete(project, "Fruit")
    assert not told
    assert not project.exists() and not page.cards()
    assert list((tmp_path / "data").rglob("project.db")), "it can be brought back from the bin"
    assert len(list((tmp_path / "fruit").rglob("*.png"))) == 30
