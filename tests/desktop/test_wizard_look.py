"""What the pretrained network says about six pictures, on the last page of the wizard."""

from __future__ import annotations

from pathlib import Path

import pytest
from fabricate import CLASSES, image_folder, sound_folder
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from scripted import report_of

from desktop.dialogs.notice import Question
from desktop.i18n import msg
from desktop.pages.wizard.preview import NO_GUESSES, chosen_pictures, said
from desktop.pages.wizard.wizard import NewProjectWizard
from desktop.workers.job_thread import JobThread
from ml.api import Failed, ScanJob
from tests.desktop.wizards import BACK, FINISH, NEXT, Look, Maker, click, texts, to_the_last_page


def _threads(wizard: NewProjectWizard) -> list[JobThread]:
    return [thread for thread in wizard.findChildren(JobThread) if thread.isRunning()]


def test_the_pretrained_network_says_what_it_sees_in_six_pictures(
    make_wizard: Maker, folder: Path, qtbot: QtBot
) -> None:
    look = Look(hold=True)
    wizard = make_wizard(look, folder=folder)
    to_the_last_page(qtbot, wizard)
    page = wizard.target_page
    assert "thousand everyday things" in texts(page)
    assert [tile.words() for tile in page.preview.tiles] == ["looking…"] * 6
    assert wizard.button(FINISH).isEnabled()
    qtbot.waitUntil(lambda: all(tile.has_picture() for tile in page.preview.tiles))
    look.free.set()
    qtbot.waitUntil(lambda: not page.preview.looking())
    assert [tile.words() for tile in page.preview.tiles] == [
        "daisy, fairly sure",
        "perhaps: sea urchin",
        "not sure: pot",
        "soft-coated wheaten terrier, fairly sure",
        "could not be read",
        "banana, fairly sure",
    ]
    (pictures,) = look.looked_at
    assert all(path.is_absolute() and path.is_file() for path in pictures)
    assert sorted(path.parent.name for path in pictures) == sorted(CLASSES * 2)


def test_words_that_are_there_are_not_asked_for_again(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look()
    wizard = make_wizard(look, folder=folder)
    to_the_last_page(qtbot, wizard)
    qtbot.waitUntil(lambda: wizard.target_page.preview.words() != ())
    for which in (BACK, BACK, NEXT, NEXT):
        click(qtbot, wizard, which)
    assert len(look.looked_at) == 1 and "daisy" in texts(wizard.target_page)


def test_a_look_that_fails_leaves_the_page_usable(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make_wizard(Look(Failed(message=msg("The work ended unexpectedly."))), folder=folder)
    to_the_last_page(qtbot, wizard)
    qtbot.waitUntil(lambda: str(NO_GUESSES) in texts(wizard.target_page))
    assert not any(tile.words() for tile in wizard.target_page.preview.tiles)
    with qtbot.waitSignal(wizard.created):
        click(qtbot, wizard, FINISH)


def test_create_does_not_wait_for_the_words(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look(hold=True)
    wizard = make_wizard(look, folder=folder)
    to_the_last_page(qtbot, wizard)
    assert _threads(wizard)
    with qtbot.waitSignal(wizard.created):
        click(qtbot, wizard, FINISH)
    assert look.ended_by == ["cancel"] and not _threads(wizard)


def test_going_back_or_cancelling_ends_the_look(
    make_wizard: Maker, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", lambda *_args, **_verbs: True)
    look = Look(hold=True)
    wizard = make_wizard(look, folder=folder)
    to_the_last_page(qtbot, wizard)
    click(qtbot, wizard, BACK)
    click(qtbot, wizard, BACK)
    qtbot.waitUntil(lambda: look.ended_by == ["cancel"] and not wizard.target_page.preview.looking())
    click(qtbot, wizard, NEXT)
    assert wizard.target_page.preview.looking()
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert look.ended_by == ["cancel"] * 2 and not _threads(wizard)


def test_after_a_failed_create_the_look_begins_again(make_wizard: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look(hold=True)
    wizard = make_wizard(look, folder=folder)
    to_the_last_page(qtbot, wizard)
    file = folder.parent / "a file"
    file.touch()
    wizard.target_page.place_edit.setText(str(file))
    click(qtbot, wizard, FINISH)
    qtbot.waitUntil(lambda: len(look.looked_at) == 2)
    look.free.set()
    qtbot.waitUntil(lambda: "daisy" in texts(wizard.target_page))
    assert wizard.button(FINISH).isEnabled()


def test_sounds_are_not_looked_at(make_wizard: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    look = Look()
    wizard = make_wizard(look, folder=sound_folder(tmp_path / "tones"))
    to_the_last_page(qtbot, wizard)
    assert not look.looked_at and not wizard.target_page.preview.isVisible()


def test_the_six_pictures_come_from_many_classes(tmp_path: Path) -> None:
    job = ScanJob(folder=image_folder(tmp_path / "few", each=1), kind="images")
    assert [Path(path).parent.name for path in chosen_pictures(report_of(job))] == list(CLASSES)
    for number in range(9):
        (tmp_path / "many" / f"class {number}").mkdir(parents=True)
        for name in ("a.png", "b.png"):
            (tmp_path / "many" / f"class {number}" / name).touch()
    chosen = chosen_pictures(report_of(ScanJob(folder=tmp_path / "many", kind="images")))
    assert len({Path(path).parent.name for path in chosen}) == 6


@pytest.mark.parametrize(
    ("probability", "words"),
    [(0.99, "pot, fairly sure"), (0.6, "pot, fairly sure"), (0.59, "perhaps: pot"), (0.24, "not sure: pot")],
)
def test_surety_is_said_in_words(probability: float, words: str) -> None:
    assert said("pot", probability) == words
