"""Labels from a table, chosen in the wizard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from scripted import report_of

from desktop.pages.wizard.label_files import SEVERAL
from ml.api import Event, Job, ScanJob, Scanned, Stop
from tests.desktop.wizards import BACK, NEXT, Maker, click, texts


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


def test_labels_from_a_table(make_wizard: Maker, flat: Path, qtbot: QtBot) -> None:
    wizard = make_wizard()
    page = wizard.source_page
    page.take_folder(flat)
    qtbot.waitUntil(page.labels.suggestion_button.isVisible)
    qtbot.mouseClick(page.labels.suggestion_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "30 of 30 pictures get a label, in 3 classes." in texts(page))
    assert "files in “file” and classes in “fruit”" in texts(page)
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "3 classes, 30 pictures" in texts(wizard.found_page))
    assert "3 classes, 30 pictures" in texts(wizard.found_page)
    click(qtbot, wizard, BACK)
    qtbot.mouseClick(page.labels.folders_button, Qt.MouseButton.LeftButton)
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "3 classes" not in texts(wizard.found_page))


def test_a_table_that_fits_nothing_stops_with_a_sentence(make_wizard: Maker, flat: Path, qtbot: QtBot) -> None:
    (flat / "fruit.csv").write_text("file,fruit\nother.png,fig\n")
    wizard = make_wizard()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(flat / "fruit.csv")
    assert not wizard.button(NEXT).isEnabled()
    qtbot.waitUntil(lambda: "names a file in" in texts(page))
    assert not wizard.button(NEXT).isEnabled()
    qtbot.mouseClick(page.labels.folders_button, Qt.MouseButton.LeftButton)
    assert wizard.button(NEXT).isEnabled()


def test_a_table_that_is_nearly_understood_is_asked_about(make_wizard: Maker, flat: Path, qtbot: QtBot) -> None:
    rows = [line.split(",") for line in (flat / "fruit.csv").read_text().splitlines()[1:]]
    lines = [f"{name},{place % 7},{fruit},{len(name)} cm" for place, (name, fruit) in enumerate(rows)]
    (flat / "fruit.csv").write_text("\n".join(["snapshot,shelf,verdict,length", *lines]))
    wizard = make_wizard()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(flat / "fruit.csv")
    question = page.labels.question
    qtbot.waitUntil(question.isVisible)
    assert [question.table.item(0, place).text() for place in range(3)] == [rows[0][0], "0", rows[0][1]]
    assert not wizard.button(NEXT).isEnabled()
    assert (question.file_box.currentText(), question.label_box.currentText()) == ("snapshot", "")
    question.label_box.setCurrentText("verdict")
    question.label_box.activated.emit(question.label_box.currentIndex())
    qtbot.waitUntil(lambda: "30 of 30 pictures get a label, in 3 classes." in texts(page))
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "3 classes, 30 pictures" in texts(wizard.found_page))
    assert wizard.button(NEXT).isEnabled()


def test_a_newly_typed_table_is_read_once_the_typing_pauses(make_wizard: Maker, flat: Path, qtbot: QtBot) -> None:
    (flat / "other.csv").write_text("file,fruit\nother.png,fig\n")
    wizard = make_wizard()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(flat / "other.csv")
    qtbot.waitUntil(lambda: "names a file in" in texts(page))
    page.labels.edit.clear()
    qtbot.keyClicks(page.labels.edit, str(flat / "fruit.csv"))
    assert "names a file in" not in texts(page), "that was said of the table before"
    assert not wizard.button(NEXT).isEnabled()
    qtbot.waitUntil(lambda: "30 of 30 pictures get a label" in texts(page))
    click(qtbot, wizard, NEXT)
    assert wizard.currentPage() is wizard.found_page
    click(qtbot, wizard, BACK)
    qtbot.keyClick(page.labels.edit, Qt.Key.Key_Backspace)
    assert "30 of 30 pictures" not in texts(page) and not wizard.button(NEXT).isEnabled()


def test_a_table_with_several_classes_in_a_row_makes_it_a_project_for_several(
    make_wizard: Maker, flat: Path, qtbot: QtBot
) -> None:
    table = flat / "fruit.csv"
    table.write_text(table.read_text().replace("apple\n", "apple|pear\n"))
    wizard = make_wizard()
    page = wizard.source_page
    page.take_folder(flat)
    page.labels.take(table)
    qtbot.waitUntil(lambda: str(SEVERAL) in texts(page))
    click(qtbot, wizard, NEXT)
    qtbot.waitUntil(lambda: "10 of the pictures show more than one class." in texts(wizard.found_page))


def test_a_table_is_offered_where_nothing_has_a_label(make_wizard: Maker, flat: Path, qtbot: QtBot) -> None:
    unlabelled = [
        dataclasses.replace(file, class_name=None) for file in report_of(ScanJob(folder=flat, kind="images")).files
    ]
    plain = report_of(ScanJob(folder=flat, kind="images"))
    endings = iter([Scanned(report=dataclasses.replace(plain, files=tuple(unlabelled)))])

    def runner(job: Job, stop: Stop) -> Iterator[Event]:
        assert isinstance(job, ScanJob)
        yield next(endings, None) or Scanned(report=report_of(job))

    wizard = make_wizard(runner, folder=flat)
    qtbot.waitUntil(lambda: wizard.found_page.result.findings.table_button is not None)
    said = texts(wizard.found_page)
    assert "30 pictures, none with a label" in said and "0 classes" not in said
    assert "You will name the classes as you go" in said
    assert wizard.button(NEXT).isEnabled(), "labels can come later"
    button = wizard.found_page.result.findings.table_button
    assert button is not None and button.text() == "Use “fruit.csv”"
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: wizard.button(NEXT).isEnabled())
    assert "3 classes, 30 pictures" in texts(wizard.found_page)
    assert wizard.source_page.labels.table_button.isChecked()
