"""A job that says nothing any more: one sentence, at the right time, with what it was doing."""

from __future__ import annotations

import threading
from typing import get_args

import pytest

from ml.core.events import Progress, StageStarted, Stalled
from ml.core.messages import english
from ml.core.stages import Stage
from ml.pipeline.watchdog import HANGING, SLOW, Watch, Watchdog


def test_silence_is_told_once_for_each_doubling() -> None:
    now = 0.0
    watch = Watch(stall_seconds=60, clock=lambda: now)
    watch.notify(StageStarted(stage="decode"))
    told = []
    for now in range(300):
        stalled = watch.check()
        if stalled is not None:
            told.append((now, stalled.sentence))
    assert [when for when, _ in told] == [60, 120, 240]
    assert english(told[0][1]) == f"No progress for 60 s while opening the files. {english(SLOW)}"
    watch.notify(Progress(stage="probe", done=1, total=5))
    assert watch.check() is None
    now = 400.0
    lifeless = watch.check(answers=False)
    assert lifeless is not None
    assert english(lifeless.sentence) == f"No progress for 2 min while training the first model. {english(HANGING)}"


@pytest.mark.parametrize("stage", get_args(Stage))
def test_every_stage_has_a_sentence(stage: Stage) -> None:
    now = 0.0
    watch = Watch(stall_seconds=60, clock=lambda: now)
    watch.notify(StageStarted(stage=stage))
    now = 90.0
    stalled = watch.check()
    assert stalled is not None and english(stalled.sentence).startswith("No progress for 2 min ")


def test_a_job_in_this_process_is_watched_from_a_thread() -> None:
    said: list[Stalled] = []
    heard = threading.Event()

    def say(stalled: Stalled) -> None:
        said.append(stalled)
        heard.set()

    with Watchdog(say, stall_seconds=0.05) as watchdog:
        watchdog.notify(StageStarted(stage="export"))
        assert heard.wait(10)
    assert said[0].answers
    assert "writing the model" in english(said[0].sentence)
