"""Names are text in the window: none becomes HTML, a key, a second line, or turns the reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabricate import add_run, project_of
from hostile_names import BOLD, FORGED, IMAGE, NAMES, hostile_folder
from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QGraphicsTextItem,
    QGraphicsView,
    QLabel,
    QMessageBox,
    QToolTip,
    QWidget,
)
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop import settings
from desktop.dialogs.cancel_training import CancelTraining
from desktop.dialogs.items import ItemsDialog
from desktop.dialogs.notice import Notice, Question
from desktop.i18n import msg, printable
from desktop.pages.explore.page import ExplorePage
from desktop.pages.explore.view import VIEWS, View
from desktop.pages.ids import DATA, EXPLORE, TRAIN
from desktop.session import Session, open_session
from desktop.window.main_window import MainWindow
from ml.api import Unreadable
from tests.desktop.scripted_training import Script, press_train, shown
from tests.desktop.test_suspicious import Judge
from tests.desktop.untranslated import painted, shown_by
from tests.desktop.wizards import NEXT, Maker, click

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support raise", extend=True)  # for tool tips

Check = Callable[..., None]
PIECES = ("<img", "<b>", "gpj")
REPLACED = "\ufffc"
"""Stands in a text document for an image."""


@pytest.fixture
def check(studio: QApplication, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Fails unless the widget shows all names as text; with `named`, also where it shows none."""

    def look(widget: QWidget, *, named: bool = True) -> None:
        with painted(monkeypatch) as drawn:
            widget.grab()
        found = [*shown_by(widget), *(("painted", words) for words in drawn)]
        obeyed = [(where, words) for where, words in found if printable(words, keep="\n") != words or FORGED in words]
        assert not obeyed, "obeyed:\n" + "\n".join(map(repr, obeyed))
        for where, words in found:
            if "tip" in where or where == "item":
                assert tip_is_plain(widget, words), f"{where} is HTML: {words!r}"
        for part in [widget, *widget.findChildren(QWidget)]:
            assert shows_plain_text(part), f"{type(part).__name__} {part.objectName()}: {part!r}"
        assert not named or any(piece in words for _, words in found for piece in PIECES), "no name to be seen"

    return look


def tip_is_plain(widget: QWidget, words: str) -> bool:
    """Whether Qt, asked to show this as a tool tip, shows it as plain text."""
    if not Qt.mightBeRichText(words):
        return True
    QToolTip.showText(widget.mapToGlobal(widget.rect().center()), words, widget, QRect(), 10)
    (tip,) = (top for top in QApplication.topLevelWidgets() if top.metaObject().className() == "QTipLabel")
    assert isinstance(tip, QLabel) and tip.text() == words
    QToolTip.hideText()
    return tip.textFormat() == Qt.TextFormat.PlainText


def shows_plain_text(widget: QWidget) -> bool:
    if isinstance(widget, QLabel):
        plain = widget.textFormat() == Qt.TextFormat.PlainText
        return plain or not Qt.mightBeRichText(widget.text()) or not widget.testAttribute(_POLISHED)
    if isinstance(widget, QAbstractButton):
        hostile = any(piece in widget.text() for piece in PIECES)
        return not hostile or QKeySequence.mnemonic(widget.text()).isEmpty()
    if isinstance(widget, QGraphicsView) and widget.scene() is not None:
        texts = [item.toPlainText() for item in widget.scene().items() if isinstance(item, QGraphicsTextItem)]
        return not any(REPLACED in words for words in texts)
    return True


_POLISHED = Qt.WidgetAttribute.WA_WState_Polished


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose folder, files, classes and own name are hostile, with a finished run that has mistakes."""
    made = project_of(hostile_folder(tmp_path / f"folder {IMAGE}"), tmp_path / f"{FORGED}{BOLD}.handlens")
    tested = [sample.id for sample in made.samples() if sample.split == "test"]
    add_run(made, wrong=tuple(tested[:3]), accuracy=1 - 3 / len(tested))
    made.close()
    return made.path


@pytest.fixture
def session(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr("getpass.getuser", lambda: IMAGE)
    opened = open_session(project)
    yield opened
    opened.close()


@pytest.fixture
def window(studio: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=Scan())
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_the_start_page_and_an_open_project(
    window: MainWindow, check: Check, project: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    settings.remember_project(tmp_path / f"gone {IMAGE}.handlens", IMAGE)
    settings.remember_project(project, FORGED)
    window.start_page.refresh()
    qtbot.waitUntil(lambda: not window.start_page.waiting)
    check(window)
    with qtbot.waitSignal(window.project_opened):
        window.open_project(project)
    assert window.workspace is not None
    rows = window.workspace.page(DATA).bars
    for place in (DATA, TRAIN, EXPLORE):
        window.workspace.show_page(place)
        qtbot.waitUntil(lambda place=place: place != DATA or all(len(row.images) == 3 for row in rows.rows()))
        check(window)


def test_originals_that_are_gone(window: MainWindow, check: Check, project: Path, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / f"folder {IMAGE}").rename(tmp_path / "moved")
    with qtbot.waitSignal(window.project_opened):
        window.open_project(project)
    assert window.workspace is not None
    for place in (DATA, TRAIN, EXPLORE):
        window.workspace.show_page(place)
        check(window)


@pytest.mark.parametrize("view", VIEWS)
def test_exploring(check: Check, session: Session, qtbot: QtBot, view: View) -> None:
    page = ExplorePage(runner=Judge(session.project.path))
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    try:
        page.show_view(view)
        if view == "suspicious":
            qtbot.waitUntil(lambda: page.issues.state == "found")
        for sample_id in page.grid.ids()[:30:6]:
            page.grid.choose(int(sample_id))
            check(page)
        page.filters.set_cell(0, 1, f"{BOLD} → {IMAGE}")
        check(page)
    finally:
        page.shutdown()


def test_a_training(check: Check, session: Session, qtbot: QtBot) -> None:
    script = Script(session, hold=True)
    page = shown(qtbot, session, script)
    try:
        check(page, named=False)
        page.setup.network.file_button.setText(IMAGE)
        page.setup.network.set_file(Path(BOLD))
        check(page)
        press_train(qtbot, page)
        qtbot.waitUntil(lambda: len(page.progress.showcase.shown()) > 0)
        check(page)
        script.go_on()
        qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
        check(page)
    finally:
        page.shutdown()


def test_the_wizard(make_wizard: Maker, check: Check, tmp_path: Path, qtbot: QtBot) -> None:
    broken = Unreadable(path=f"{FORGED}/half.jpg", reason=msg("{path} cannot be read.", path=IMAGE))
    folder = hostile_folder(tmp_path / IMAGE)
    wizard = make_wizard(Scan(unreadable=(broken,)), kind="images", folder=folder)
    qtbot.waitUntil(wizard.found_page.isComplete)
    qtbot.waitUntil(lambda: all(len(row.images) == 3 for row in wizard.found_page.result.bars.rows()))
    check(wizard)
    click(qtbot, wizard, NEXT)
    check(wizard)
    click(qtbot, wizard, NEXT)
    check(wizard)
    for name in (IMAGE, f"{BOLD}/..", FORGED):
        wizard.target_page.name_edit.setText(name)
        check(wizard)


def test_dialogs(check: Check, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(NAMES.values())
    monkeypatch.setattr(QMessageBox, "exec", check)
    Question.ask(None, msg("Leave {name}?", name=IMAGE), yes="Leave", no="Stay")
    rows = [(name, name) for name in names]
    items = ItemsDialog(title="Files", sentence=msg("{names}", names=names).template, heads=("File", "Why"), rows=rows)
    notice = Notice.tell(None, msg("{names} cannot be read.", names=names), details=IMAGE)
    cancel = CancelTraining.ask(None, alternative=msg("{names} would stay.", names=names), keep="Stay")
    for dialog in (items, notice, cancel):
        qtbot.addWidget(dialog)
        dialog.show()
        check(dialog)


def test_a_label_that_somebody_adds_is_plain_text(check: Check, qtbot: QtBot, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    image = QImage(200, 200, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    assert image.save(str(picture))
    label = QLabel(f"<img src='{picture}'>")
    qtbot.addWidget(label)
    label.setToolTip(label.text())
    label.show()
    seen = label.grab().toImage()
    assert seen.height() < 100, "the picture was opened"
    check(label)


def test_the_check_finds_html_and_control_characters(check: Check, qtbot: QtBot) -> None:
    for words in ("<b>bold</b>", "a\x1bb"):
        label = QLabel(words)
        qtbot.addWidget(label)
        label.show()
        if "<" in words:
            label.setTextFormat(Qt.TextFormat.RichText)
        with pytest.raises(AssertionError):
            check(label, named=False)
