"""A job that says nothing any more: one sentence, at the right time, with what it was doing."""

from __future__ import annotations

import threading

from ml.events import Progress, StageStarted, Stalled
from ml.watchdog import Watch, Watchdog


def test_silence_is_told_once_for_each_doubling() -> None:
    now = 0.0
    watch = Watch(quiet=60, clock=lambda: now)
    watch.heard(StageStarted(stage="decode"))
    told = []
    for now in range(300):
        stalled = watch.overdue()
        if stalled is not None:
            told.append((now, stalled.sentence))
    assert [when for when, _ in told] == [60, 120, 240]
    assert told[0][1].startswith("Nothing has happened for 60 seconds while it was opening the files")
    watch.heard(Progress(stage="probe", done=1, total=5))
    assert watch.overdue() is None
    now = 400.0
    lifeless = watch.overdue(answers=False)
    assert lifeless is not None
    assert "learning a first model, and it does not answer" in lifeless.sentence


def test_a_job_in_this_process_is_watched_from_a_thread() -> None:
    said: list[Stalled] = []
    heard = threading.Event()

    def say(stalled: Stalled) -> None:
        said.append(stalled)
        heard.set()

    with Watchdog(say, quiet=0.05) as watchdog:
        watchdog.heard(StageStarted(stage="export"))
        assert heard.wait(10)
    assert said[0].answers
    assert "writing the model" in said[0].sentence
