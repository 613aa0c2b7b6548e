"""A training in a few lines, in place of the child process, and the Train page that shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
from fabricate import MAP, add_run
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from desktop.pages.train.page import TrainPage
from desktop.session import Session
from ml.api import (
    BatchDone,
    EpochDone,
    Event,
    Finished,
    FirstModel,
    Job,
    ProbeDone,
    Progress,
    Runner,
    RunStarted,
    Showcase,
    StageStarted,
    Stop,
    Stopped,
    TrainJob,
)

EPOCHS, STEPS = 2, 10


class Script:
    """A job in a few lines. `hold` holds it back after the first model, `silent` before it; `go_on` lets it continue.

    `first`: the event of a first model of run 1 that can be explored from then on.

    `seen` is what it was asked to do.
    """

    def __init__(
        self,
        session: Session,
        *,
        ending: Event | None = None,
        hold: bool = False,
        silent: bool = False,
        first: FirstModel | None = None,
    ) -> None:
        self._session = session
        self._ending = ending
        self._first = first
        self._free = threading.Event()
        self._answers = threading.Event()
        if not hold:
            self._free.set()
        if not silent:
            self._answers.set()
        self.seen: list[TrainJob] = []

    def go_on(self) -> None:
        self._free.set()
        self._answers.set()

    def __call__(self, job: Job, stop: Stop) -> Iterator[Event]:
        assert isinstance(job, TrainJob)
        self.seen.append(job)
        samples = [sample.id for sample in self._session.samples if sample.split == "valid"]
        yield StageStarted(stage="features")
        names = tuple(item.name for item in self._session.classes)
        yield RunStarted(
            run=1, resumed=job.resume, train=18, valid=6, test=6, class_names=names, showcase=tuple(samples)
        )
        while not self._answers.wait(0.02):
            if stop.requested():
                break
        yield Progress(stage="features", done=30, total=30)
        yield ProbeDone(seconds=1.0, train_loss=0.4, valid_loss=0.5, valid_accuracy=4 / 6)
        yield showcase(samples, epoch=0, right=False)
        if self._first is not None:
            wrong = [sample.id for sample in self._session.samples if sample.split == "test"][:2]
            add_run(self._session.project, wrong=tuple(wrong), accuracy=4 / 6)
            yield self._first
        yield StageStarted(stage="finetune")
        while not self._free.wait(0.02):
            if stop.requested():
                break
        if stop.requested() == "cancel":
            yield Stopped()
            return
        yield from learn(samples)
        if self._ending is not None:
            yield self._ending
            return
        wrong = [sample.id for sample in self._session.samples if sample.split == "test"][:1]
        run = add_run(self._session.project, wrong=tuple(wrong), accuracy=5 / 6)
        early = stop.requested() == "stop"
        yield Finished(
            run=run.number, seconds=75.0, valid_accuracy=1.0, test_accuracy=5 / 6, probe_accuracy=4 / 6, early=early
        )


def showcase(sample_ids: list[int], *, epoch: int, right: bool) -> Showcase:
    probabilities = np.full((len(sample_ids), 3), 0.1, dtype=np.float32)
    probabilities[:, 0] = 0.8
    if right:
        probabilities = probabilities[:, ::-1].copy()
    maps = np.random.default_rng(epoch).random((len(sample_ids), 3, *MAP)).astype(np.float32)
    return Showcase(epoch=epoch, sample_ids=tuple(sample_ids), probabilities=probabilities, maps=maps)


def learn(sample_ids: list[int]) -> Iterator[Event]:
    for epoch in range(1, EPOCHS + 1):
        for step in range(1, STEPS + 1):
            yield BatchDone(
                epoch=epoch,
                epochs=EPOCHS,
                step=step,
                steps=STEPS,
                loss=1 / (epoch + step),
                rate=0.001 * step,
                samples_per_second=40.0,
                seconds_left=90.0,
            )
        yield EpochDone(
            epoch=epoch,
            epochs=EPOCHS,
            train_loss=0.3,
            valid_loss=0.4 / epoch,
            valid_accuracy=(4 + epoch) / 6,
            rate=0.001,
            best=True,
        )
        yield showcase(sample_ids, epoch=epoch, right=True)


def shown(qtbot: QtBot, session: Session, runner: Runner | None) -> TrainPage:
    page = TrainPage(runner=runner)
    qtbot.addWidget(page)
    page.resize(1100, 640)
    page.set_session(session)
    with qtbot.waitExposed(page):
        page.show()
    page.opened()
    page.setup.train_button.setFocus()
    return page


def press_train(qtbot: QtBot, page: TrainPage) -> None:
    qtbot.mouseClick(page.setup.train_button, Qt.MouseButton.LeftButton)
