"""What a finished run says about itself: what to expect, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fabricate import add_run
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from desktop.pages.ids import DATA, EXPLORE, TRAIN
from desktop.pages.train.page import TrainPage
from desktop.session import Session
from desktop.window.workspace import Workspace
from ml.api import Event, Failed, Finished, Job, Note, RunStarted, Stop, SuspectJob, english, msg
from tests.desktop.conftest import Opener

SURE = Note(
    about="sure and wrong", level="warning", sentence=msg("It is sure of another class for 3. Look at the labels.")
)
FEW = Note(about="small", level="note", sentence=msg("Too few to judge by: plum (2)."))
FINE = Note(about="nonsense", level="good", sentence=msg("It is not sure of nonsense."))
NEW = Note(about="new source", level="good", sentence=msg("Pictures of new sources: {n} of 100 right.", n=90))
BUSY = Note(sentence=msg("The batch was halved: memory is short."))


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(run=False)


class Script:
    """Trains at once, saying these notes; labels are never judged."""

    def __init__(self, session: Session, *notes: Note) -> None:
        self._session, self._notes = session, notes
        self.seen: list[Job] = []

    def __call__(self, job: Job, _stop: Stop) -> Iterator[Event]:
        self.seen.append(job)
        if isinstance(job, SuspectJob):
            yield Failed(message=msg("Nothing can be judged here."))
            return
        names = tuple(item.name for item in self._session.classes)
        yield RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=names)
        yield from self._notes
        wrong = next(sample.id for sample in self._session.samples if sample.split == "test")
        run = add_run(self._session.project, wrong=(wrong,), accuracy=5 / 6)
        yield Finished(
            run=run.number,
            seconds=7.0,
            valid_accuracy=1.0,
            test_accuracy=5 / 6,
            probe_accuracy=None,
            valid_interval=(0.6, 1.0),
            test_interval=(0.44, 0.97),
        )


def finished(qtbot: QtBot, session: Session, script: Script) -> TrainPage:
    page = TrainPage(runner=script)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    page.show()
    with qtbot.waitExposed(page):
        page.train("quick")
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    return page


def test_the_score_says_what_to_expect_of_new_ones(qtbot: QtBot, session: Session) -> None:
    page = finished(qtbot, session, Script(session))
    said = "Of 100 new pictures like these, expect between 44 and 97 right answers."
    assert page.result.lines.text().splitlines()[0] == said
    assert not page.result.remarks.isVisible() and not page.result.remarks_note.isVisible()
    page.shutdown()


def test_what_it_found_out_stands_there_in_sentences(qtbot: QtBot, session: Session) -> None:
    page = finished(qtbot, session, Script(session, BUSY, SURE, FEW, FINE, NEW))
    remarks = page.result.remarks
    assert [said.sentence for said in remarks.remarks()] == [english(note.sentence) for note in (SURE, FEW, FINE, NEW)]
    assert [said.level for said in remarks.remarks()] == ["warning", "note", "good", "note"]
    assert page.progress.note.text() == english(BUSY.sentence), "what was found does not flash by while it works"
    assert remarks.fold is not None and remarks.fold.button.text() == "1 thing is fine"
    fine = next(
        label for label in remarks.fold.findChildren(type(page.result.lines)) if label.text() == english(FINE.sentence)
    )
    assert not fine.isVisible()
    qtbot.mouseClick(remarks.fold.button, Qt.MouseButton.LeftButton)
    assert fine.isVisible()
    page.shutdown()


def test_a_failed_run_does_not_keep_the_findings_of_the_one_before(qtbot: QtBot, session: Session) -> None:
    page = finished(qtbot, session, Script(session, SURE))
    assert page.result.remarks.isVisible()
    page.result.show_failed(title="The training failed", message="The disk is full.", details="")
    assert not page.result.remarks.isVisible()
    page.shutdown()


def test_sure_and_wrong_leads_to_the_suspicious_labels(qtbot: QtBot, session: Session) -> None:
    script = Script(session, SURE)
    workspace = Workspace(session, [], runner=script)
    for _ in workspace.steps():
        pass
    qtbot.addWidget(workspace)
    workspace.resize(1366, 768)
    workspace.show()
    workspace.page(TRAIN).train("quick")
    result = workspace.page(TRAIN).result
    qtbot.waitUntil(result.remarks.isVisible)
    button = next(item for item in result.remarks.findChildren(QPushButton) if item.text() == "Show them")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert workspace.current_page == EXPLORE
    assert workspace.page(EXPLORE).view.current() == "suspicious"
    qtbot.waitUntil(lambda: isinstance(script.seen[-1], SuspectJob))
    qtbot.waitUntil(lambda: workspace.page(EXPLORE).issues.state == "failed")
    assert workspace.page(EXPLORE).runs.box.isVisible()
    workspace.page(TRAIN).shutdown()
    workspace.page(EXPLORE).shutdown()
    workspace.page(DATA).shutdown()
