"""Jobs in a child process: the same events, and an end whatever happens to the child."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from small import create, picture_folder, sound_folder

from ml.core.events import TERMINAL, BatchDone, Event, Failed, Finished, RunStarted, Scanned, Stalled, Stopped
from ml.core.jobs import LookJob, NeverStop, ScanJob, StopRequest, TrainJob
from ml.core.memory import TRAINING_KILLED
from ml.core.messages import english
from ml.pipeline.watchdog import HANGING
from ml.pipeline.worker import Worker
from ml.project.project import Project


class Asked:
    """A stop that is pressed by the test."""

    def __init__(self) -> None:
        self.request: StopRequest = ""

    def requested(self) -> StopRequest:
        return self.request


@pytest.fixture
def place(tmp_path: Path) -> Path:
    create(picture_folder(tmp_path / "pictures", each=10), tmp_path / "shapes.handlens").close()
    return tmp_path / "shapes.handlens"


def test_a_scan_in_a_child_reports_what_is_there(tmp_path: Path) -> None:
    events = list(Worker().run(ScanJob(folder=picture_folder(tmp_path / "p"), kind="images"), NeverStop()))
    assert [type(e) for e in events if isinstance(e, TERMINAL)] == [Scanned]
    assert isinstance(events[-1], Scanned)
    assert events[-1].report.class_counts == {"disc": 8, "square": 8}


@pytest.mark.slow
def test_a_training_in_a_child_leaves_a_finished_run(tmp_path: Path) -> None:
    place = tmp_path / "sounds.handlens"
    create(sound_folder(tmp_path / "sounds"), place, kind="recordings").close()
    events = list(Worker().run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop()))
    assert [type(e) for e in events if isinstance(e, TERMINAL)] == [Finished], events[-1]
    assert not multiprocessing.active_children()
    with Project.open(place) as project:
        assert project.runs.finished().number == 1
        assert (project.runs.folder(1) / "card.md").read_text(encoding="utf-8").startswith("# sounds, run 1")


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    asked = Asked()
    asked.request = "cancel"  # while the child still loads, it hears nothing
    events = list(Worker(grace=0.0).run(LookJob(pictures=(tmp_path / "none.png",)), asked))
    assert events == [Stopped()]
    assert not multiprocessing.active_children()


def test_a_prepared_child_takes_the_next_job_and_its_death_costs_nothing(place: Path) -> None:
    worker = Worker()
    for killed in (False, True):
        worker.prepare()
        (waiting,) = multiprocessing.active_children()
        if killed:
            waiting.kill()
            waiting.join()
        events = worker.run(ScanJob(folder=place.parent / "pictures", kind="images"), NeverStop())
        next(events)
        assert (waiting in multiprocessing.active_children()) is not killed
        *_, last = events
        assert isinstance(last, Scanned)
    worker.prepare()
    worker.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("stop", Finished),
        pytest.param("first", Finished, marks=pytest.mark.slow),
        pytest.param("cancel", Stopped, marks=pytest.mark.slow),
    ],
)
def test_stop_keeps_the_best_and_cancel_discards(place: Path, request_: StopRequest, expected: type) -> None:
    asked, at_request, last = Asked(), 0, 0
    events: list[Event] = []
    for event in Worker().run(TrainJob(project=place, epochs=500, device="cpu"), asked):
        events.append(event)
        if isinstance(event, BatchDone):
            last = event.epoch
            if not asked.request:
                asked.request, at_request = request_, event.epoch
    assert isinstance(events[-1], expected), events[-1]
    assert last - at_request < 10, "an epoch takes a fraction of a second, and it did not end soon"
    run = next(event.run for event in events if isinstance(event, RunStarted))
    with Project.open(place) as project:
        kept = [info.number for info in project.runs.all() if info.state == "finished"]
        assert (run in kept) == (request_ != "cancel")
        assert project.runs.folder(run).exists() == (request_ != "cancel")
        assert request_ == "cancel" or project.runs.results(run) == project.runs.folder(run)
    if isinstance(events[-1], Finished):
        assert events[-1].early


@pytest.mark.slow
def test_a_child_that_is_killed_is_a_failure_in_words(place: Path) -> None:
    events: list[Event] = []
    for event in Worker().run(TrainJob(project=place, epochs=500, device="cpu"), NeverStop()):
        events.append(event)
        if isinstance(event, BatchDone) and not isinstance(events[-2], BatchDone):
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
    assert isinstance(events[-1], Failed)
    assert events[-1].message == TRAINING_KILLED
    assert sum(isinstance(event, TERMINAL) for event in events) == 1
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        assert project.runs.unfinished() is not None and len(project.predictions(1)), "it has its first model"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot hold a process")
def test_a_child_that_is_held_is_reported_and_not_killed(place: Path) -> None:
    asked, child, held_at, woken = Asked(), None, 0, False
    events: list[Event] = []
    for event in Worker(stall_seconds=8.0).run(TrainJob(project=place, epochs=500, device="cpu"), asked):
        events.append(event)
        if isinstance(event, BatchDone) and not held_at:
            held_at = len(events)
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGSTOP)
        elif isinstance(event, Stalled) and held_at and not woken:
            woken = True
            assert child is not None and child.is_alive() and child.pid is not None
            os.kill(child.pid, signal.SIGCONT)
        elif isinstance(event, BatchDone) and woken:
            asked.request = "cancel"
    assert isinstance(events[-1], Stopped), events[-1]
    stalled = next(event for event in events[held_at:] if isinstance(event, Stalled) and not event.answers)
    assert english(stalled.sentence).endswith(f"while adjusting the network. {english(HANGING)}")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows cannot hold a process")
def test_leaving_does_not_wait_for_a_child_that_says_nothing(place: Path) -> None:
    asked = Asked()
    last: Event | None = None
    for last in Worker().run(TrainJob(project=place, epochs=500, device="cpu"), asked):
        if isinstance(last, BatchDone):
            (child,) = multiprocessing.active_children()
            assert child.pid is not None
            os.kill(child.pid, signal.SIGSTOP)
            asked.request = "leave"
    assert isinstance(last, BatchDone), "neither a terminal event nor one that it stalled"
    assert not multiprocessing.active_children()
    with Project.open(place) as project:
        project.runs.mark_interrupted()
        assert project.runs.unfinished() is not None, "it can be resumed"


@pytest.mark.slow
def test_giving_up_on_the_events_ends_the_child(place: Path) -> None:
    events = Worker().run(TrainJob(project=place, epochs=500, device="cpu"), NeverStop())
    next(events)
    assert multiprocessing.active_children()
    events.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda place: (place.parent / "pictures").rename(place.parent / "gone"), "is (not there|missing)"),
        (lambda place: (place / "project.db").write_bytes(b"x" * 9000), "damaged"),
        (
            lambda place: (place / "runs").write_text("in the way"),
            "could not read|no longer exists|no permission",
        ),
    ],
    ids=["sources vanished", "corrupt project", "runs folder in the way"],
)
def test_what_cannot_work_fails_in_one_sentence(place: Path, break_it: object, words: str) -> None:
    import re

    break_it(place)
    last = list(Worker().run(TrainJob(project=place, preset="quick", device="cpu"), NeverStop()))[-1]
    assert isinstance(last, Failed), last
    said = english(last.message)
    assert re.search(words, said), said
    assert "Traceback" not in said
    assert said.count("\n") == 0
