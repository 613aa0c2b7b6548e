"""Training seen from the window: a scripted job stands in for the child process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from fabricate import add_run
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from desktop.dialogs.cancel_training import CancelTraining
from desktop.dialogs.notice import Question
from desktop.i18n import use_language
from desktop.pages.ids import EXPLORE
from desktop.pages.train import messages as train_words
from desktop.pages.train import state as train_state
from desktop.pages.train.page import TrainPage
from desktop.pages.train.state import ResumableRun
from desktop.session import Session
from ml.api import (
    DEFAULT_BACKBONE,
    OFFERED,
    BatchDone,
    Event,
    Failed,
    Finished,
    FirstModel,
    Job,
    ProbeDone,
    Progress,
    RunComparison,
    RunScore,
    RunStarted,
    StageStarted,
    Stop,
    Stopped,
    TrainJob,
    english,
    msg,
    plan_time,
    stage_message,
)
from ml.core.messages import PSEUDO
from tests.desktop.conftest import Opener
from tests.desktop.scripted_training import Script, press_train, shown


@pytest.fixture
def session(open_project: Opener) -> Session:
    return open_project(run=False)


def test_a_score_names_its_samples_and_the_test() -> None:
    for task, said in (("single", "9 of 10 {} right in the test"), ("multi", "Score 90 of 100 on 10 {} in the test")):
        for kind, things in (("recordings", "sounds"), ("images", "pictures")):
            score = train_words.finished_score(kind, 1, RunScore(0.9, 10, tested=True), task)  # type: ignore[arg-type]
            assert score == said.format(things)


def test_what_was_not_tested_is_not_called_a_test() -> None:
    score = train_words.finished_score("sensors", 1, RunScore(0.9, 10, tested=False))
    assert score == "9 of 10 measurements right in validation"
    score = train_words.finished_score("sensors", 1, RunScore(0.9, 10, tested=False), "multi")
    assert score == "Score 90 of 100 on 10 measurements in validation"


def test_comparisons_count_in_singular_and_plural() -> None:
    def compared(mended: int, spoilt: int) -> str:
        looked = RunComparison(score=RunScore(0.5, 10, tested=True), fixed=mended, broken=spoilt)
        return train_words.comparison_text("images", looked, first=False)

    assert compared(1, 0) == "1 more right answer than in the run before."
    assert compared(4, 1) == "3 more right answers than in the run before."
    assert compared(0, 1) == "1 right answer fewer than in the run before."
    assert compared(2, 2) == "As many right answers as in the run before."


def test_the_whole_page_speaks_another_language() -> None:
    """Nothing is glued from pieces that nobody can translate."""
    use_language(PSEUDO)
    try:
        told = train_words.RunSummary(run=1, first=True, seconds=30.0, early=True, watched=True)
        looked = RunComparison(score=RunScore(0.5, 10, tested=True, interval=(0.2, 0.8)), fixed=1, broken=2)
        lines = train_words.result_lines("images", told, looked)
        lines.append(train_words.score_note("images", 0.9, 0.5, 10))
        lines += [train_words.network_words(offered) for offered in OFFERED]
        for failed in (True, False):
            lines.append(train_state.resume_offer(ResumableRun(run=1, failed=failed, has_checkpoint=True)))
        assert all(line.startswith("⟦") and line.endswith("⟧") for line in lines)
    finally:
        use_language("en")


def test_the_presets_say_how_long_they_take_here(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session))
    cards = page.setup.cards
    qtbot.waitUntil(lambda: "measuring" not in cards["thorough"].time_label.text())
    assert all("about" in card.time_label.text() or "few" in card.time_label.text() for card in cards.values())
    assert page.setup.headline.text() == "Ready for training: 30 pictures in 3 classes."
    assert not page.setup.epochs.isVisible()
    qtbot.mouseClick(page.setup.fold, Qt.MouseButton.LeftButton)
    assert page.setup.epochs.isVisible()
    page.shutdown()


def test_a_training_from_button_to_result(qtbot: QtBot, session: Session) -> None:
    script = Script(session)
    page = shown(qtbot, session, script)
    heard: list[tuple[str, float]] = []
    page.job_progress.connect(lambda words, fraction: heard.append((words, fraction)))
    qtbot.mouseClick(page.setup.fold, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(page.setup.cards["thorough"].button, Qt.MouseButton.LeftButton)
    press_train(qtbot, page)
    assert page.stack.currentWidget() is page.progress
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen == [TrainJob(project=session.project.path, preset="thorough", backbone=DEFAULT_BACKBONE)]
    assert page.result.score.text() == "5 of 6 pictures right in the test"
    assert "This is the first run" in page.result.lines.text()
    assert "During training you saw the validation score. This one is from the test." in page.result.lines.text()
    assert "It took about 1 min." in page.result.lines.text()
    assert page.progress.plot.points() == {"train": 20, "rate": 20, "valid": 3, "score": 3}
    assert session.run is not None and session.run.number == 1
    assert heard[-1] == ("Run 1 is ready", -1.0)
    with qtbot.waitSignal(page.page_requested) as asked:
        qtbot.mouseClick(page.result.explore_button, Qt.MouseButton.LeftButton)
    assert asked.args == [EXPLORE, "wrong"]
    page.shutdown()


FIRST = FirstModel(
    run=1,
    seconds=4.0,
    valid_accuracy=4 / 6,
    test_accuracy=4 / 6,
    probe_accuracy=4 / 6,
    gain=(1.0, 4.0),
    advice=msg("Adjusting the network is expected to get {low} to {high} more of 100 right.", low=1, high=4),
)


def test_the_first_model_can_be_explored_while_the_network_is_adjusted(qtbot: QtBot, session: Session) -> None:
    better = Finished(
        run=1,
        seconds=75.0,
        valid_accuracy=1.0,
        test_accuracy=5 / 6,
        probe_accuracy=4 / 6,
        more_right=2,
        more_wrong=0,
    )
    script = Script(session, hold=True, first=FIRST, ending=better)
    page = shown(qtbot, session, script)
    reports: list[str] = []
    page.job_progress.connect(lambda words, _fraction: reports.append(words))
    press_train(qtbot, page)
    qtbot.waitUntil(page.progress.look_button.isVisible)
    assert "4 of 6 pictures right in the test" in page.progress.first_label.text()
    assert "1 to 4 more of 100" in page.progress.first_label.text()
    assert session.run is not None and session.run.number == 1 and page.training()
    qtbot.waitUntil(lambda: "expected gain 1 to 4 of 100 · you can look meanwhile" in reports[-1])
    assert reports[-1].startswith("Adjusting the network of run 1")
    with qtbot.waitSignal(page.page_requested) as asked:
        qtbot.mouseClick(page.progress.look_button, Qt.MouseButton.LeftButton)
    assert asked.args == [EXPLORE, "wrong"]
    with qtbot.waitSignal(session.run_changed, timeout=5000):  # the better model is loaded in place of the first
        script.go_on()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert "A better model is ready: 2 more right, 0 more wrong." in page.result.lines.text()
    assert reports[-1] == "A better model is ready: 2 more right, 0 more wrong."
    page.shutdown()


def test_cancelling_keeps_the_first_model(qtbot: QtBot, session: Session) -> None:
    requests: list[str] = []

    def runner(job: Job, stop: Stop) -> Iterator[Event]:
        script = Script(session, hold=True, first=FIRST)
        for event in script(job, stop):
            if stop.requested():
                break
            yield event
        requests.append(stop.requested())
        facts = {"valid_accuracy": 4 / 6, "test_accuracy": 4 / 6, "probe_accuracy": 4 / 6}
        yield Finished(run=1, seconds=4.0, early=True, first_model_kept=True, **facts)

    page = shown(qtbot, session, runner)
    press_train(qtbot, page)
    qtbot.waitUntil(page.progress.first_button.isVisible)
    qtbot.mouseClick(page.progress.first_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert requests == ["first"]
    assert "You ended the adjusting. The first model stays." in page.result.lines.text()
    page.shutdown()


def test_discarding_takes_the_first_model_away_again(qtbot: QtBot, session: Session) -> None:
    def runner(job: Job, stop: Stop) -> Iterator[Event]:
        for event in Script(session, hold=True, first=FIRST)(job, stop):
            if stop.requested() == "cancel":
                break
            yield event
        session.project.runs.discard(1)
        yield Stopped()

    page = shown(qtbot, session, runner)
    press_train(qtbot, page)
    qtbot.waitUntil(page.progress.look_button.isVisible)
    assert session.run is not None
    qtbot.mouseClick(page.progress.cancel_button, Qt.MouseButton.LeftButton)
    question = page.findChild(CancelTraining)
    assert question is not None
    question.discard_chosen.emit()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
    assert session.run is None and session.predictions() is None
    page.shutdown()


def test_without_the_engine_the_button_gives_the_first_model(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop.pages.train.setup.can_finetune", lambda: False)
    script = Script(session)
    page = shown(qtbot, session, script)
    assert "Trains a first model only." in page.setup.plan_label.text()
    assert "pip install" in page.setup.plan_label.text()
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen[0].preset == "quick"
    page.shutdown()


def test_recordings_offer_a_choice_of_networks_for_sound(qtbot: QtBot, open_project: Opener) -> None:
    session = open_project(kind="recordings", run=False)
    script = Script(session)
    page = shown(qtbot, session, script)
    qtbot.mouseClick(page.setup.fold, Qt.MouseButton.LeftButton)
    assert page.setup.ear.isVisible() and not page.setup.front.isVisible()
    page.setup.ear.setCurrentIndex(page.setup.ear.findData("speech"))
    assert "voices" in page.setup.ear_note.text()
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen[0].ear == "speech"
    with_one, with_both = (
        plan_time(session.project, "quick", ear=ear).per_sample["features"] for ear in ("picture", "both")
    )
    assert with_both > 1.3 * with_one
    page.shutdown()


def test_the_pictures_are_there_before_the_answers(qtbot: QtBot, session: Session) -> None:
    script = Script(session, silent=True)
    page = shown(qtbot, session, script)
    press_train(qtbot, page)
    showcase = page.progress.showcase
    qtbot.waitUntil(lambda: len(showcase.shown()) == 6 and not showcase.missing_pictures())
    assert not any(item.words() for item in showcase.shown()), "nothing is predicted yet"
    script.go_on()
    qtbot.waitUntil(lambda: all(item.predicted for item in showcase.shown()))
    wrong = next(item for item in showcase.shown() if item.right is False)
    assert wrong.label and wrong.words().startswith(f"Labelled {wrong.label}, predicted {wrong.predicted}")
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    page.shutdown()


def test_loss_and_learning_rate_are_behind_details(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session, hold=True))
    press_train(qtbot, page)
    plot = page.progress.plot

    def titles() -> list[str]:
        return [item.titleLabel.text for item in plot.plots_shown()]

    assert titles() == ["Correct, of 100 validation samples"]
    qtbot.mouseClick(page.progress.fold, Qt.MouseButton.LeftButton)
    assert len(titles()) == 3 and titles()[2] == "Learning rate"
    qtbot.mouseClick(page.progress.fold, Qt.MouseButton.LeftButton)
    assert len(titles()) == 1
    page.shutdown()


def test_what_is_wrong_is_shown_when_it_is_done(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: len(page.result.mistakes.shown()) == 1)
    assert page.result.mistakes.shown()[0].right is False
    assert page.result.mistakes.shown()[0].label
    qtbot.waitUntil(lambda: not page.result.mistakes.missing_pictures())
    page.shutdown()


def test_the_score_is_said_in_words_while_it_learns(qtbot: QtBot, session: Session) -> None:
    script = Script(session, hold=True)
    page = shown(qtbot, session, script)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.score.text() == "4 of 6 right")
    qtbot.waitUntil(lambda: page.progress.sentence.text() == english(stage_message("finetune")))
    assert len(page.progress.showcase.shown()) == 6
    qtbot.waitUntil(lambda: not page.progress.showcase.missing_pictures())
    before = [item.predicted for item in page.progress.showcase.shown()]
    script.go_on()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert [item.predicted for item in page.progress.showcase.shown()] != before
    assert page.progress.score.text() == "6 of 6 right"
    note = "These are validation pictures, for checking while it learns. 2 more are right than with the first model."
    assert page.progress.score_note.text() == note
    page.shutdown()


def test_the_second_run_is_compared_with_the_first(qtbot: QtBot, session: Session) -> None:
    wrong = [sample.id for sample in session.samples if sample.split == "test"][1:4]
    add_run(session.project, wrong=tuple(wrong), accuracy=3 / 6)
    page = shown(qtbot, session, Script(session))
    assert page.setup.runs.isVisible()
    press_train(qtbot, page)
    change = "Newly right: 3. Newly wrong: 1."
    qtbot.waitUntil(lambda: change in page.result.lines.text())
    assert "2 more right answers than in the run before." in page.result.lines.text()
    page.shutdown()


def test_a_mended_test_label_does_not_make_a_run_better_than_the_one_before(qtbot: QtBot, session: Session) -> None:
    first = next(sample for sample in session.samples if sample.split == "test")
    add_run(session.project, wrong=(first.id,), accuracy=5 / 6)
    page = shown(qtbot, session, Script(session))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    session.restore_labels([(first.id, ((first.labels[0] + 1) % 3,))])  # what both runs said of it all along
    page.opened()
    qtbot.waitUntil(lambda: page.result.score.text() == "6 of 6 pictures right in the test")
    assert page.result.lines.text().count("As many right answers as in the run before.") == 1
    assert not page.result.mistakes.isVisible(), "it is wrong about none any more"
    page.shutdown()


def test_the_runs_so_far_are_counted_by_the_labels_as_they_are_now(qtbot: QtBot, session: Session) -> None:
    first = next(sample for sample in session.samples if sample.split == "test")
    add_run(session.project, wrong=(first.id,), accuracy=5 / 6)
    page = shown(qtbot, session, Script(session))

    def cells() -> str:
        return " · ".join(label.text() for label in page.setup.runs.findChildren(QLabel) if label.isVisible())

    assert "5 of 6 right" in cells()
    session.restore_labels([(first.id, ((first.labels[0] + 1) % 3,))])
    qtbot.waitUntil(lambda: "6 of 6 right" in cells())
    page.shutdown()


@pytest.mark.parametrize("by_key", [True, False])
def test_the_result_of_a_run_can_be_opened_again_from_the_list(qtbot: QtBot, session: Session, by_key: bool) -> None:
    for wrong in (2, 1):
        tested = [sample.id for sample in session.samples if sample.split == "test"][:wrong]
        run = add_run(session.project, wrong=tuple(tested), accuracy=(6 - wrong) / 6)
    found = [{"about": "small", "level": "note", "sentence": "Too few to judge by: plum (2)."}]
    (session.project.runs.folder(run.number) / "findings.json").write_text(json.dumps(found), encoding="utf-8")
    page = shown(qtbot, session, Script(session))
    runs = page.setup.runs
    if by_key:
        runs.buttons[2].setFocus()
        qtbot.keyClick(runs.buttons[2], Qt.Key.Key_Space)
    else:
        score = next(label for label in runs.findChildren(QLabel) if label.text() == "5 of 6 right")
        qtbot.mouseClick(score, Qt.MouseButton.LeftButton)
    assert page.stack.currentWidget() is page.result
    assert page.result.score.text() == "5 of 6 pictures right in the test"
    assert page.result.remarks_note.isVisible()
    qtbot.waitUntil(lambda: len(page.result.mistakes.shown()) == 1)
    assert "1 more right answer than in the run before." in page.result.lines.text()
    session.set_run(1)
    qtbot.mouseClick(page.result.explore_button, Qt.MouseButton.LeftButton)
    assert session.run is not None and session.run.number == 2, "it is this run that is looked at"
    assert page.result.again_button.text() == "Back"
    assert page.result.remarks_note.text() == "Self-test"
    mended = next(sample for sample in session.samples if sample.split == "test")
    session.restore_labels([(mended.id, ((mended.labels[0] + 1) % 3,))])
    page.opened()
    qtbot.waitUntil(lambda: page.result.remarks_note.text().endswith("the labels of that time"))
    qtbot.mouseClick(page.result.again_button, Qt.MouseButton.LeftButton)
    assert page.stack.currentWidget() is page.setup
    page.shutdown()


def test_a_stop_before_there_is_a_model_can_be_gone_on_with(qtbot: QtBot, session: Session) -> None:
    def looking(job: Job, stop: Stop) -> Iterator[Event]:
        session.project.runs.begin(preset="standard", seed=0, class_names=("apple", "pear", "plum"))
        yield RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=("apple", "pear", "plum"))
        yield StageStarted(stage="features")
        pause = threading.Event()
        while not stop.requested():
            pause.wait(0.02)
        session.project.runs.update(1, state="interrupted")
        yield Stopped(resumable=True)

    page = shown(qtbot, session, looking)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.sentence.text() == english(stage_message("features")))
    assert page.progress.stop_button.text() == "Pause"  # there is nothing to keep
    qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
    assert "There is no model to keep yet" in page.progress.sentence.text()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
    assert page.setup.resume_label.text().startswith("Run 1 is paused. It has no model yet")
    assert page.setup.resume_button.text() == "Resume run 1"
    assert page.setup.resume_button.property("role") == "primary" != page.setup.train_button.property("role")
    assert page.focusWidget() is page.setup.resume_button
    page.shutdown()


class Finishing:
    """A run that learns until it is stopped and then asks about every sample until it is `free` to end."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        yield RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=("apple", "pear", "plum"))
        yield ProbeDone(seconds=1.0, train_loss=0.4, valid_loss=0.5, valid_accuracy=4 / 6)
        while not stop.requested():
            self.free.wait(0.02)
        yield StageStarted(stage="predict")
        yield Progress(stage="predict", done=1, total=30, seconds_left=25.0)
        self.free.wait(10)
        yield Stopped()


def test_a_stopped_training_says_that_it_only_finishes(qtbot: QtBot, session: Session) -> None:
    finishing = Finishing()
    page = shown(qtbot, session, finishing)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.stop_button.text() == "Stop and keep the best so far")
    qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.progress.sentence.text() == f"Training has ended. {stage_message('predict')}")
    assert not page.progress.stop_button.isEnabled()
    assert page.progress.cancel_button.isEnabled() and page.focusWidget() is page.progress.sentence
    qtbot.waitUntil(lambda: page.progress.time_left.text().endswith(" left"))
    finishing.free.set()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
    page.shutdown()


def test_the_focus_is_on_stop_and_never_comes_to_cancel_by_itself(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session, hold=True))
    for _ in range(2):
        press_train(qtbot, page)
        assert page.focusWidget() is page.progress.stop_button
        qtbot.waitUntil(lambda: page.progress.score.text() == "4 of 6 right")
        page.progress.set_stop_state("finishing")  # as it is said when the learning is over
        assert page.focusWidget() is page.progress.sentence
        page.progress.set_stop_state("learning")
        qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
        assert page.focusWidget() is page.progress.sentence
        qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
        qtbot.mouseClick(page.result.again_button, Qt.MouseButton.LeftButton)
    page.shutdown()


def test_stop_and_keep(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session, hold=True))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.score.text() == "4 of 6 right")
    qtbot.mouseClick(page.progress.stop_button, Qt.MouseButton.LeftButton)
    assert page.progress.sentence.text() == "Stopping. The best model so far is kept."
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert "You stopped it early. The best model so far is kept." in page.result.lines.text()
    page.shutdown()


@pytest.mark.parametrize("sure", [True, False])
def test_cancel_asks_first(qtbot: QtBot, session: Session, sure: bool) -> None:
    script = Script(session, hold=True)
    page = shown(qtbot, session, script)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.score.text() == "4 of 6 right")
    qtbot.mouseClick(page.progress.cancel_button, Qt.MouseButton.LeftButton)
    question = page.findChild(CancelTraining)
    assert question is not None and question.defaultButton().text() == "Continue training"
    assert "“Stop and keep the best so far” also ends the training" in question.informativeText()
    assert page.progress.cancel_button.text() == "Discard this training…"
    discard = next(button for button in question.buttons() if button is not question.defaultButton())
    qtbot.mouseClick(discard if sure else question.defaultButton(), Qt.MouseButton.LeftButton)
    if sure:
        qtbot.waitUntil(lambda: page.stack.currentWidget() is page.setup)
        assert not page.training()
        assert session.project.runs.all() == ()
    else:
        assert page.training()
        script.go_on()
        qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    page.shutdown()


def test_the_question_follows_the_run_and_goes_with_it(qtbot: QtBot, session: Session) -> None:
    finishing = Finishing()
    page = shown(qtbot, session, finishing)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.stop_button.text() == "Stop and keep the best so far")
    qtbot.mouseClick(page.progress.cancel_button, Qt.MouseButton.LeftButton)
    question = page.findChild(CancelTraining)
    assert question is not None
    page.progress.stop_pressed.emit()
    assert question.defaultButton().text() == "Let it finish"
    qtbot.waitUntil(lambda: "Training has ended." in question.informativeText())
    assert "Stop and keep" not in question.informativeText()
    with qtbot.waitSignal(question.destroyed):
        finishing.free.set()
    assert page.stack.currentWidget() is page.setup
    page.shutdown()


def test_a_failure_is_one_sentence_and_its_details_a_click_away(qtbot: QtBot, session: Session) -> None:
    ending = Failed(message=msg("Memory ran out. Close other programs."), details="Traceback")
    page = shown(qtbot, session, Script(session, ending=ending))
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert page.result.lines.text() == english(ending.message)
    assert not page.result.details.isVisible()
    qtbot.mouseClick(page.result.fold, Qt.MouseButton.LeftButton)
    assert page.result.details.isVisible() and page.result.details.toPlainText() == "Traceback"
    qtbot.mouseClick(page.result.again_button, Qt.MouseButton.LeftButton)
    assert page.stack.currentWidget() is page.setup
    page.shutdown()


@pytest.mark.parametrize("agrees", [True, False])
def test_changed_weights_are_used_only_if_the_user_agrees(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch, agrees: bool
) -> None:
    jobs: list[TrainJob] = []

    def runner(job: TrainJob, stop: Stop) -> Iterator[Event]:
        jobs.append(job)
        changed = Failed(message=msg("The weights are not those of the first time."), reason="changed_weights")
        yield Stopped() if job.accept_changed_weights else changed

    asked: list[str] = []
    monkeypatch.setattr(Question, "ask", lambda _parent, question, **_: asked.append(english(question)) or agrees)
    page = shown(qtbot, session, runner)  # type: ignore[arg-type]
    press_train(qtbot, page)
    expected = page.setup if agrees else page.result
    qtbot.waitUntil(lambda: bool(asked) and page.stack.currentWidget() is expected)
    assert asked == ["The weights are not those of the first time."]
    assert [job.accept_changed_weights for job in jobs] == ([False, True] if agrees else [False])
    page.shutdown()


def test_an_interrupted_run_can_be_resumed(qtbot: QtBot, session: Session) -> None:
    run = session.project.runs.begin(preset="standard", seed=7, class_names=("apple", "pear", "plum"))
    session.project.runs.update(run.number, state="interrupted")
    script = Script(session)
    page = shown(qtbot, session, script)
    assert page.setup.resume_button.text() == "Resume run 1"
    qtbot.mouseClick(page.setup.resume_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.result)
    assert script.seen[0].resume and script.seen[0].seed == 7
    page.shutdown()


def test_one_class_only_cannot_be_trained(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, Script(session))
    session.set_labels([sample.id for sample in session.samples], (0,))
    assert not page.setup.train_button.isEnabled()
    assert page.setup.headline.text() == "Training needs 3 labels of a second class."
    page.shutdown()


def test_closing_while_it_trains_ends_the_thread(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, endless)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.plot.points()["train"] > 3)
    page.shutdown()
    assert not page.training()


def endless(job: Job, stop: Stop) -> Iterator[Event]:
    """Fifty batches a second until nobody listens."""
    yield RunStarted(run=1, resumed=False, train=18, valid=6, test=6, class_names=("apple", "pear", "plum"))
    step = 0
    pause = threading.Event()
    while not stop.requested():
        step += 1
        yield BatchDone(
            epoch=1 + step // 100,
            epochs=50,
            step=step % 100 + 1,
            steps=100,
            loss=1.0 / step,
            rate=0.001,
            samples_per_second=50.0,
            seconds_left=100.0,
        )
        pause.wait(0.02)
    yield Stopped()


def test_the_window_stays_quick_while_batches_pour_in(qtbot: QtBot, session: Session) -> None:
    page = shown(qtbot, session, endless)
    press_train(qtbot, page)
    qtbot.waitUntil(lambda: page.progress.plot.points()["train"] > 10)
    gaps = Gaps()
    qtbot.waitUntil(lambda: gaps.count() > 150, timeout=20_000)
    # The target is 50 ms at the worst; a machine that is busy with other things must not fail the test.
    assert gaps.typical() < 0.05
    page.shutdown()


class Gaps:
    """The times between the ticks of a 10 ms timer."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._last = clock()
        self._gaps: list[float] = []
        self._timer = QTimer(interval=10, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def count(self) -> int:
        return len(self._gaps)

    def typical(self) -> float:
        """What three of four gaps stay below, in seconds."""
        return float(np.percentile(self._gaps, 75))

    def _tick(self) -> None:
        now = self._clock()
        self._gaps.append(now - self._last)
        self._last = now


def test_a_job_that_says_nothing_any_more_is_said_until_it_wakes_up(qtbot: QtBot, session: Session) -> None:
    page = TrainPage()
    qtbot.addWidget(page)
    page.set_session(session)
    page.progress.begin(kind="images", passes=1.0, curves=True)
    page.progress.show_note(msg("Memory ran short."))
    page.progress.show_stall(msg("Nothing has happened for {n} seconds while it was opening the files.", n=60))
    assert "opening the files" in page.progress.note.text()
    assert page.progress.cancel_button.isEnabled()
    assert page.progress.cancel_button.property("role") != "quiet"
    page.progress.clear_stall()
    assert page.progress.note.text() == "Memory ran short."
    assert page.progress.cancel_button.property("role") == "quiet"
    page.shutdown()
