"""Work beside the window: what arrives, what never does, and that nothing is left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QThread
from pytestqt.qtbot import QtBot
from scripted import Scan

from desktop.i18n import msg
from desktop.workers.job_thread import JobThread
from desktop.workers.tasks import Tasks
from ml.api import Event, Failed, Job, Progress, ScanJob, Stop, Stopped

JOB = ScanJob(folder=Path("nowhere"), kind="images")


def _broken(_job: Job, _stop: Stop) -> Iterator[Event]:
    yield Progress(stage="scan", done=1, total=2)
    raise RuntimeError("the cable came loose")


def _silent(_job: Job, _stop: Stop) -> Iterator[Event]:
    yield Progress(stage="scan", done=1, total=2)


def test_every_event_arrives_in_order_in_the_windows_thread(qtbot: QtBot) -> None:
    seen: list[tuple[str, bool]] = []
    here = QThread.currentThread()
    thread = JobThread(JOB, Scan(ending=Failed(message=msg("No luck."))))
    thread.happened.connect(lambda event: seen.append((type(event).__name__, QThread.currentThread() is here)))
    with qtbot.waitSignal(thread.ended) as ended:
        thread.start()
    thread.wait()
    assert seen == [("StageStarted", True), ("Progress", True)]
    assert ended.args == [Failed(message=msg("No luck."))]


def test_an_exception_ends_the_job_with_a_sentence(qtbot: QtBot) -> None:
    thread = JobThread(JOB, _broken)
    with qtbot.waitSignal(thread.ended) as ended:
        thread.start()
    thread.wait()
    assert ended.args is not None and isinstance(ended.args[0], Failed)
    assert "cable" in ended.args[0].details and "cable" not in str(ended.args[0].message)


def test_a_job_without_an_end_is_ended(qtbot: QtBot) -> None:
    thread = JobThread(JOB, _silent)
    with qtbot.waitSignal(thread.ended) as ended:
        thread.start()
    thread.wait()
    assert ended.args is not None and isinstance(ended.args[0], Failed)


def test_after_cancel_only_the_end_is_heard(qtbot: QtBot) -> None:
    scan, seen = Scan(hold=True), []
    thread = JobThread(JOB, scan)
    thread.happened.connect(seen.append)
    thread.start()
    qtbot.waitUntil(lambda: len(seen) == 2)
    with qtbot.waitSignal(thread.ended) as ended:
        thread.cancel()
    thread.wait()
    assert ended.args == [Stopped()] and scan.ended_by == ["cancel"] and len(seen) == 2


def test_after_shutdown_nothing_is_heard(qtbot: QtBot) -> None:
    seen: list[Event] = []
    thread = JobThread(JOB, Scan(hold=True))
    thread.happened.connect(seen.append)
    thread.ended.connect(seen.append)
    thread.start()
    thread.shutdown()
    qtbot.wait(20)
    assert not thread.isRunning() and not seen


def test_an_answer_arrives_under_its_number(qtbot: QtBot) -> None:
    tasks = Tasks()
    with qtbot.waitSignal(tasks.done) as done:
        number = tasks.submit(sum, (1, 2))
    assert done.args == [number, 3]
    tasks.close()


def test_a_failure_arrives_under_its_number(qtbot: QtBot) -> None:
    tasks = Tasks()
    with qtbot.waitSignal(tasks.failed) as failed:
        number = tasks.submit(int, "x")
    assert failed.args is not None and failed.args[0] == number and isinstance(failed.args[1], ValueError)
    tasks.close()


def test_an_answer_that_is_no_longer_wanted_never_arrives(qtbot: QtBot) -> None:
    tasks, gate, seen = Tasks(threads=1), threading.Event(), []
    tasks.done.connect(lambda number, _result: seen.append(number))
    begun = tasks.submit(gate.wait)
    waiting = tasks.submit(int)
    tasks.forget(begun)
    tasks.forget(waiting)
    gate.set()
    with qtbot.waitSignal(tasks.done) as done:
        last = tasks.submit(int)
    assert done.args == [last, 0] and seen == [last]
    tasks.close()


def test_closing_waits_and_delivers_nothing(qtbot: QtBot) -> None:
    tasks, gate, seen = Tasks(), threading.Event(), []
    tasks.done.connect(lambda number, _result: seen.append(number))
    tasks.submit(gate.wait)
    gate.set()
    tasks.close()
    qtbot.wait(20)
    assert not seen
