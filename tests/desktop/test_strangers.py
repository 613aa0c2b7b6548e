"""The window meets a stranger's projects: each is refused in a sentence, and the start page works on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabricate import add_run, image_folder, project_of
from hostile import PROJECT_FAULTS, RUN_FAULTS, hostile_projects
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop import settings
from desktop.dialogs.notice import Notice, Question
from desktop.pages.start import StartPage
from desktop.window.main_window import MainWindow
from desktop.window.opener import ProjectOpener


@pytest.fixture
def base(tmp_path: Path) -> Path:
    made = project_of(image_folder(tmp_path / "fruit", each=5), tmp_path / "Fruit.handlens")
    add_run(made)
    made.close()
    return made.path


@pytest.fixture
def window(studio: QApplication, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(runner=Scan())
    window.show()
    qtbot.waitActive(window)
    yield window
    window.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_the_opener_refuses_every_crafted_project(studio: QApplication, qtbot: QtBot, base: Path) -> None:
    opener = ProjectOpener(studio)
    sentences: list[str] = []
    opener.failed.connect(lambda sentence, _details: sentences.append(sentence))
    opener.damaged.connect(lambda _path, sentence, _details: sentences.append(sentence))
    tried = 0
    for name, crafted in hostile_projects(base):
        tried += 1
        opener.open(crafted)
        qtbot.waitUntil(lambda: bool(sentences), timeout=10_000)
        (sentence,) = sentences
        sentences.clear()
        assert crafted.name in sentence and sentence.endswith("."), name
    opener.close()
    assert tried == len(PROJECT_FAULTS)


def test_the_start_page_keeps_working_beside_crafted_projects(
    studio: QApplication, qtbot: QtBot, base: Path, tmp_path: Path
) -> None:
    crafted = []
    for name in ("class names that are no JSON", "no meta", "noise over all pages", "link for the cache"):
        crafted.append(tmp_path / f"{name}.handlens")
        shutil.copytree(base, crafted[-1])
        PROJECT_FAULTS[name](crafted[-1])
        settings.remember_project(crafted[-1], name)
    settings.remember_project(base, "Fruit")
    page = StartPage()
    qtbot.addWidget(page, before_close_func=lambda widget: widget.shutdown())
    page.show()
    page.refresh()
    qtbot.waitUntil(lambda: not page.waiting, timeout=10_000)
    by_path = {card.toolTip(): card for card in page.cards()}
    good = by_path.pop(str(base))
    assert not good.missing and "3 of 3 correct" in good.accessibleName()
    assert all(card.missing and path.name in sentence for card, path, sentence in _matched(by_path, crafted))
    with qtbot.waitSignal(page.project_chosen):
        qtbot.mouseClick(good, Qt.MouseButton.LeftButton)
    assert sum(card.restore_button.isVisible() for card in by_path.values()) == 3


def _matched(by_sentence: dict[str, object], paths: list[Path]) -> Iterator[tuple[object, Path, str]]:
    for path in paths:
        yield next((card, path, sentence) for sentence, card in by_sentence.items() if path.name in sentence)


def test_a_crafted_run_does_not_lock_the_window(window: MainWindow, qtbot: QtBot, base: Path) -> None:
    RUN_FAULTS["probabilities of 360 GB"](base)
    with qtbot.waitSignal(window.project_opened, timeout=10_000):
        window.open_project(base)
    assert window.close_project()
    assert window.start_page.isEnabled()


def test_a_failure_while_the_pages_are_made_leaves_the_start_page_usable(
    window: MainWindow, qtbot: QtBot, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_words: object) -> None:
        raise TypeError("a value nobody expected")

    with monkeypatch.context() as patched:
        patched.setattr("desktop.window.workspace.Workspace.__init__", fail)
        window.open_project(base)
        qtbot.waitUntil(lambda: any(notice.isVisible() for notice in window.findChildren(Notice)), timeout=10_000)
    (notice,) = window.findChildren(Notice)
    assert base.name in notice.text()
    notice.close()
    assert window.workspace is None and window.start_page.isEnabled()
    with qtbot.waitSignal(window.project_opened, timeout=10_000):  # it is not locked either
        window.open_project(base)


@pytest.mark.parametrize("by_card", [False, True])
def test_a_damaged_project_is_restored_by_a_button(
    window: MainWindow, qtbot: QtBot, base: Path, monkeypatch: pytest.MonkeyPatch, by_card: bool
) -> None:
    (base / "project.db").write_bytes(b"noise" * 4000)
    questions: list[str] = []

    def ask(_parent: object, question: str, **_words: object) -> bool:
        questions.append(question)
        return True

    monkeypatch.setattr(Question, "ask", ask)
    with qtbot.waitSignal(window.project_opened, timeout=10_000):
        if by_card:
            settings.remember_project(base, "Fruit")
            window.start_page.refresh()
            qtbot.waitUntil(lambda: not window.start_page.waiting, timeout=10_000)
            (card,) = window.start_page.cards()
            qtbot.mouseClick(card.restore_button, Qt.MouseButton.LeftButton)
        else:
            window.open_project(base)
    assert window.workspace is not None and len(window.workspace.session.samples) == 15
    assert by_card or (len(questions) == 1 and "project.db" in questions[0] and "backup of" in questions[0])
    assert len(list(base.glob("project-damaged-*.db"))) == 1
