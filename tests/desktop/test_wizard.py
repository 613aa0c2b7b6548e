"""From a folder to a project, with clicks and keys."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabricate import CLASSES, image_folder, sound_folder
from mixtures import mixture_folder
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget, QWizard
from pytestqt.qtbot import QtBot
from scripted import Scan, report_of

from desktop import settings, style
from desktop.dialogs.items import ItemsDialog
from desktop.dialogs.notice import Question
from desktop.pages.wizard import NewProjectWizard
from desktop.pages.wizard_look import chosen_pictures, said
from desktop.workers.job_thread import JobThread
from ml.api import (
    Event,
    Failed,
    Job,
    Looked,
    LookJob,
    Project,
    Runner,
    ScanJob,
    Scanned,
    Stop,
    Stopped,
    Unreadable,
)

Maker = Callable[..., NewProjectWizard]
NEXT, BACK, FINISH = QWizard.WizardButton.NextButton, QWizard.WizardButton.BackButton, QWizard.WizardButton.FinishButton


class Look:
    """A runner for scans and looks. A look says `ending`, and only when it is free to."""

    def __init__(self, ending: Event | None = None, *, hold: bool = False) -> None:
        words = ("daisy", "sea urchin", "pot", "soft-coated wheaten terrier", "", "banana")
        self._ending = ending or Looked(words=words, probabilities=(0.84, 0.4, 0.1, 0.7, 0.0, 0.6))
        self._scan = Scan()
        self.free = threading.Event()
        self.looked_at: list[tuple[Path, ...]] = []
        self.ended_by: list[str] = []
        if not hold:
            self.free.set()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        if not isinstance(job, LookJob):
            yield from self._scan(job, stop)
            return
        self.looked_at.append(job.pictures)
        while not self.free.wait(0.01):
            if stop.requested():
                self.ended_by.append(stop.requested())
                yield Stopped()
                return
        yield self._ending


@pytest.fixture
def make(studio: QApplication) -> Iterator[Maker]:
    made: list[NewProjectWizard] = []

    def make_wizard(runner: Runner | None = None, **known: object) -> NewProjectWizard:
        wizard = NewProjectWizard(runner=runner or Look(), **known)  # type: ignore[arg-type]
        made.append(wizard)
        wizard.open()
        return wizard

    yield make_wizard
    for wizard in made:
        wizard.done(0)
        wizard.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return image_folder(tmp_path / "fruit")


def _click(qtbot: QtBot, wizard: NewProjectWizard, which: QWizard.WizardButton) -> None:
    button = wizard.button(which)
    assert button.isEnabled() and button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _texts(page: QWidget) -> str:
    return " ".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def _drop(target: QWidget, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys)
    target.dropEvent(event)  # the system only sends it after a drag over the screen, which a test cannot make
    assert event.isAccepted()


def test_from_a_folder_to_a_project(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(wizard.source_page.folder_edit, str(folder))
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in _texts(wizard.found_page)
    assert [(row.name, row.count) for row in wizard.found_page.bars.rows()] == [(name, 10) for name in CLASSES]
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.bars.rows()))
    _click(qtbot, wizard, NEXT)
    assert [part.count for part in wizard.split_page.picture.parts()] == [18, 6, 6]
    _click(qtbot, wizard, NEXT)
    wizard.place_page.name_edit.clear()
    qtbot.keyClicks(wizard.place_page.name_edit, "My fruit")
    with qtbot.waitSignal(wizard.created) as created:
        _click(qtbot, wizard, FINISH)
    path = settings.projects_folder() / "My fruit.handlens"
    assert created.args == [path] and not wizard.isVisible()
    with Project.open(path) as project:
        assert project.name == "My fruit"
        assert [item.name for item in project.classes()] == list(CLASSES)
        assert len(project.samples()) == 30


def test_a_dropped_folder_says_what_it_holds(make: Maker, tmp_path: Path) -> None:
    wizard = make()
    _drop(wizard.source_page.drop, sound_folder(tmp_path / "tones"))
    assert wizard.source_page.sounds_button.isChecked()
    assert wizard.source_page.folder_edit.text() == str(tmp_path / "tones")
    assert wizard.button(NEXT).isEnabled()


def test_what_is_known_is_not_asked_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    assert wizard.currentPage() is wizard.found_page
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())


def test_the_way_on_is_drawn_as_the_primary_button(make: Maker, folder: Path) -> None:
    wizard = make(kind="images")
    wizard.source_page.take_folder(folder)
    button = wizard.button(NEXT)
    assert button.isEnabled()
    assert button.grab().toImage().pixelColor(6, button.height() // 2) == style.current().accent


def test_a_folder_that_is_not_there_is_said_on_the_page(make: Maker, qtbot: QtBot) -> None:
    wizard = make()
    qtbot.mouseClick(wizard.source_page.pictures_button, Qt.MouseButton.LeftButton)
    page = wizard.source_page
    below = page.labels.y()
    qtbot.keyClicks(page.folder_edit, "/no/such/folder")
    assert not wizard.button(NEXT).isEnabled()
    assert "no folder with that name" not in _texts(page), "whoever still types has made no mistake yet"
    qtbot.waitUntil(lambda: "no folder with that name" in _texts(page))
    page.grab()
    assert page.labels.y() == below, "nothing jumps"
    qtbot.keyClicks(page.folder_edit, "s")
    assert "no folder with that name" not in _texts(page)
    qtbot.keyClick(page.folder_edit, Qt.Key.Key_Return)
    assert "no folder with that name" in _texts(page)


def test_a_folder_with_one_class_stops_with_a_sentence(make: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    folder = image_folder(tmp_path / "fruit")
    for name in CLASSES[1:]:
        for path in (folder / name).iterdir():
            path.unlink()
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: "only one class" in _texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()


def test_a_scan_that_fails_can_be_tried_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(Scan(ending=Failed(message="The folder went away while it was read.")), folder=folder)
    qtbot.waitUntil(lambda: "went away" in _texts(wizard.found_page))
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(wizard.found_page.again_button, Qt.MouseButton.LeftButton)
    assert wizard.found_page.stop_button.isVisible()
    qtbot.waitUntil(lambda: "went away" in _texts(wizard.found_page))


def test_looking_can_be_stopped(make: Maker, folder: Path, qtbot: QtBot) -> None:
    scan = Scan(hold=True)
    wizard = make(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in _texts(wizard.found_page))
    qtbot.mouseClick(wizard.found_page.stop_button, Qt.MouseButton.LeftButton)
    assert scan.ended_by == ["cancel"]
    assert "was stopped" in _texts(wizard.found_page) and not wizard.button(NEXT).isEnabled()


def test_closing_the_wizard_ends_the_scan(
    make: Maker, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", lambda *_args, **_verbs: True)
    scan = Scan(hold=True)
    wizard = make(scan, folder=folder)
    qtbot.waitUntil(lambda: "5 of 10" in _texts(wizard.found_page))
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert scan.ended_by == ["cancel"] and not wizard.isVisible()


def test_another_folder_is_looked_at_anew(make: Maker, folder: Path, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, BACK)
    wizard.source_page.take_folder(image_folder(tmp_path / "more", each=4))
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "12 pictures" in _texts(wizard.found_page))


def test_unreadable_files_are_listed_with_their_reasons(make: Maker, folder: Path, qtbot: QtBot) -> None:
    broken = Unreadable(path="apple/half.jpg", reason="The picture is cut off.")
    other = Unreadable(path="apple/none.jpg", reason="The file is empty.")
    wizard = make(Scan(unreadable=(broken, other)), folder=folder)
    qtbot.waitUntil(lambda: "2 files could not be read" in _texts(wizard.found_page))
    (show,) = (button for button in wizard.found_page.findChildren(QPushButton) if button.text() == "Show")
    qtbot.mouseClick(show, Qt.MouseButton.LeftButton)
    dialog = wizard.findChild(ItemsDialog)
    assert dialog is not None
    assert dialog.rows() == (("apple/half.jpg", "The picture is cut off."), ("apple/none.jpg", "The file is empty."))
    dialog.close()


def test_the_split_follows_a_part_of_the_file_name(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    page = wizard.split_page
    assert not page.pattern_edit.isVisible()
    qtbot.mouseClick(page.fold.button, Qt.MouseButton.LeftButton)
    page.ways["pattern:"].click()
    assert not wizard.button(NEXT).isEnabled()
    qtbot.keyClicks(page.pattern_edit, "(")
    assert not wizard.button(NEXT).isEnabled() and len(_texts(page)) > 40
    page.pattern_edit.clear()
    qtbot.keyClicks(page.pattern_edit, r" (\d)")
    assert wizard.button(NEXT).isEnabled()
    assert "stay together" in _texts(page)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "taken"])
def test_a_name_that_cannot_be_is_said_before_create(make: Maker, folder: Path, qtbot: QtBot, name: str) -> None:
    (settings.projects_folder() / "taken.handlens").mkdir(parents=True)
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    wizard.place_page.name_edit.clear()
    qtbot.keyClicks(wizard.place_page.name_edit, name)
    assert not wizard.button(FINISH).isEnabled()


def test_the_project_cannot_lie_among_the_originals(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(folder=folder)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    wizard.place_page.place_edit.setText(str(folder / "apple"))
    assert "inside the folder with your files" in _texts(wizard.place_page)
    assert not wizard.button(FINISH).isEnabled()


def _to_the_last_page(qtbot: QtBot, wizard: NewProjectWizard) -> None:
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    assert wizard.currentPage() is wizard.place_page


def _threads(wizard: NewProjectWizard) -> list[JobThread]:
    return [thread for thread in wizard.findChildren(JobThread) if thread.isRunning()]


def test_the_pretrained_network_says_what_it_sees_in_six_pictures(make: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look(hold=True)
    wizard = make(look, folder=folder)
    _to_the_last_page(qtbot, wizard)
    page = wizard.place_page
    assert "thousand everyday things" in _texts(page)
    assert [tile.words() for tile in page.look.tiles] == ["looking…"] * 6
    assert wizard.button(FINISH).isEnabled()
    qtbot.waitUntil(lambda: all(tile.has_picture() for tile in page.look.tiles))
    look.free.set()
    qtbot.waitUntil(lambda: not page.look.looking())
    assert [tile.words() for tile in page.look.tiles] == [
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


def test_words_that_are_there_are_not_asked_for_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look()
    wizard = make(look, folder=folder)
    _to_the_last_page(qtbot, wizard)
    qtbot.waitUntil(lambda: wizard.place_page.look.words() != ())
    for which in (BACK, BACK, NEXT, NEXT):
        _click(qtbot, wizard, which)
    assert len(look.looked_at) == 1 and "daisy" in _texts(wizard.place_page)


def test_a_look_that_fails_leaves_the_page_usable(make: Maker, folder: Path, qtbot: QtBot) -> None:
    wizard = make(Look(Failed(message="The work ended unexpectedly.")), folder=folder)
    _to_the_last_page(qtbot, wizard)
    qtbot.waitUntil(lambda: "It could not say" in _texts(wizard.place_page))
    assert not any(tile.words() for tile in wizard.place_page.look.tiles)
    with qtbot.waitSignal(wizard.created):
        _click(qtbot, wizard, FINISH)


def test_create_does_not_wait_for_the_words(make: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look(hold=True)
    wizard = make(look, folder=folder)
    _to_the_last_page(qtbot, wizard)
    assert _threads(wizard)
    with qtbot.waitSignal(wizard.created):
        _click(qtbot, wizard, FINISH)
    assert look.ended_by == ["cancel"] and not _threads(wizard)


def test_going_back_or_cancelling_ends_the_look(
    make: Maker, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Question, "ask", lambda *_args, **_verbs: True)
    look = Look(hold=True)
    wizard = make(look, folder=folder)
    _to_the_last_page(qtbot, wizard)
    _click(qtbot, wizard, BACK)
    _click(qtbot, wizard, BACK)
    qtbot.waitUntil(lambda: look.ended_by == ["cancel"] and not wizard.place_page.look.looking())
    _click(qtbot, wizard, NEXT)
    assert wizard.place_page.look.looking()
    qtbot.keyClick(wizard, Qt.Key.Key_Escape)
    assert look.ended_by == ["cancel"] * 2 and not _threads(wizard)


def test_after_a_failed_create_the_look_begins_again(make: Maker, folder: Path, qtbot: QtBot) -> None:
    look = Look(hold=True)
    wizard = make(look, folder=folder)
    _to_the_last_page(qtbot, wizard)
    file = folder.parent / "a file"
    file.touch()
    wizard.place_page.place_edit.setText(str(file))
    _click(qtbot, wizard, FINISH)
    qtbot.waitUntil(lambda: len(look.looked_at) == 2)
    look.free.set()
    qtbot.waitUntil(lambda: "daisy" in _texts(wizard.place_page))
    assert wizard.button(FINISH).isEnabled()


def test_sounds_are_not_looked_at(make: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    look = Look()
    wizard = make(look, folder=sound_folder(tmp_path / "tones"))
    _to_the_last_page(qtbot, wizard)
    assert not look.looked_at and not wizard.place_page.look.isVisible()


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


@pytest.fixture
def flat(folder: Path, tmp_path: Path) -> Path:
    """The pictures of fruit in one folder without sub-folders, and their classes in a table among them."""
    place = tmp_path / "flat"
    place.mkdir()
    lines = ["file,fruit"]
    for path in sorted(folder.rglob("*.png")):
        path.rename(place / path.name)
        lines.append(f"{path.name},{path.parent.name}")
    (place / "fruit.csv").write_text("\n".join(lines))
    return place


def test_labels_from_a_table(make: Maker, flat: Path, qtbot: QtBot) -> None:
    wizard = make()
    page = wizard.source_page
    page.take_folder(flat)
    qtbot.waitUntil(page.labels.suggestion_button.isVisible)
    qtbot.mouseClick(page.labels.suggestion_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "30 of 30 pictures get a label, in 3 classes." in _texts(page))
    assert "files in “file”, classes in “fruit”" in _texts(page)
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in _texts(wizard.found_page)
    _click(qtbot, wizard, BACK)
    qtbot.mouseClick(page.labels.folders_button, Qt.MouseButton.LeftButton)
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "3 classes" not in _texts(wizard.found_page))


def test_a_table_that_fits_nothing_stops_with_a_sentence(make: Maker, flat: Path, qtbot: QtBot) -> None:
    (flat / "fruit.csv").write_text("file,fruit\nother.png,fig\n")
    wizard = make()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(flat / "fruit.csv")
    assert not wizard.button(NEXT).isEnabled()
    qtbot.waitUntil(lambda: "names a file in" in _texts(page))
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(page.labels.folders_button, Qt.MouseButton.LeftButton)
    assert wizard.button(NEXT).isEnabled()


def test_a_table_with_several_classes_in_a_row_makes_it_a_project_for_several(
    make: Maker, flat: Path, qtbot: QtBot
) -> None:
    table = flat / "fruit.csv"
    table.write_text(table.read_text().replace("apple\n", "apple|pear\n"))
    wizard = make()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(table)
    qtbot.waitUntil(lambda: "several may be present" in _texts(page))
    _click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "10 pictures show more than one class." in _texts(wizard.found_page))


def test_a_table_is_offered_where_nothing_has_a_label(make: Maker, flat: Path, qtbot: QtBot) -> None:
    unlabelled = [
        dataclasses.replace(file, class_name=None) for file in report_of(ScanJob(folder=flat, kind="images")).files
    ]
    plain = report_of(ScanJob(folder=flat, kind="images"))
    endings = iter([Scanned(report=dataclasses.replace(plain, files=tuple(unlabelled)))])

    def runner(job: Job, stop: Stop) -> Iterator[Event]:
        assert isinstance(job, ScanJob)
        yield next(endings, None) or Scanned(report=report_of(job))

    wizard = make(runner, folder=flat)
    qtbot.waitUntil(lambda: wizard.found_page.use_button is not None)
    said = _texts(wizard.found_page)
    assert "30 pictures, none with a label" in said and "0 classes" not in said
    assert "into a folder of its own, or take a table" in said and "label some" not in said
    assert not wizard.found_page.task.isVisible()
    button = wizard.found_page.use_button
    assert button is not None and button.text() == "Use “fruit.csv”"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in _texts(wizard.found_page)
    assert wizard.source_page.labels.table_button.isChecked()


def test_more_than_one_may_be_present(make: Maker, tmp_path: Path, qtbot: QtBot) -> None:
    wizard = make(kind="images", folder=mixture_folder(tmp_path / "mixed", count=12))
    page = wizard.found_page
    qtbot.waitUntil(page.isComplete)
    assert page.task.single.isChecked()
    assert [row.name for row in page.bars.rows()] == ["bar", "disc", "none", "square"]
    qtbot.mouseClick(page.task.multi, Qt.MouseButton.LeftButton)
    assert [row.name for row in page.bars.rows()] == ["bar", "disc", "square"]
    assert "4 pictures show more than one class." in _texts(page)
    _click(qtbot, wizard, NEXT)
    _click(qtbot, wizard, NEXT)
    with qtbot.waitSignal(wizard.created) as created:
        _click(qtbot, wizard, FINISH)
    with Project.open(created.args[0]) as project:
        assert project.task == "multi"
        assert sum(len(sample.labels) == 2 for sample in project.samples()) == 4
        assert sum(sample.labelled and not sample.labels for sample in project.samples()) == 4
