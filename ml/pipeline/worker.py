"""Runs a job in a spawned child: a crash, a CUDA fault or the out-of-memory killer cannot take the caller along."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ml.core.errors import HandlensError
from ml.core.events import TERMINAL, Event, Failed, ProbeDone, RunStarted, Stopped
from ml.core.jobs import Job, Stop, StopRequest, TrainJob
from ml.core.messages import Message, msg
from ml.pipeline.watchdog import STALL_SECONDS, Watch
from ml.project.project import Project

POLL_SECONDS = 0.05
GRACE_SECONDS = 1.5
"""How long a child usually may take to act before it is killed, so that all has ended within two seconds."""

KILLED = msg(
    "The system ended the work, most likely because memory ran short. "
    "Close other programs or choose a smaller preset, then resume the training."
)


@dataclass(frozen=True, slots=True)
class _Ask:
    """The only message from parent to child."""

    request: StopRequest


@dataclass(frozen=True, slots=True)
class _Beat:
    """A sign of life from the child, between its events."""


BEAT_SECONDS = 2.0
LIFELESS_AFTER = 3 * BEAT_SECONDS


class Worker:
    """`run` has the signature of `ml.pipeline.dispatch.run`; the job is done elsewhere.

    `grace`: seconds that a child may take to act on a cancel before it is killed; 0 for work that leaves nothing. The
    same holds for a stop as long as there is nothing to keep: before a training has its first model, and for any other
    job. After that a stopped training may take the time to finish its model.
    `quiet`: seconds without an event after which an `events.Stalled` says so.
    """

    def __init__(self, *, grace: float = GRACE_SECONDS, quiet: float = STALL_SECONDS) -> None:
        self._grace = grace
        self._quiet = quiet

    def run(self, job: Job, stop: Stop) -> Iterator[Event]:
        """Yields the child's events; ends with exactly one of `events.TERMINAL`, whatever happens to the child, or with
        none where it is asked to leave."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=True)
        process = context.Process(target=_child, args=(theirs, job), daemon=False)
        try:
            process.start()
        except OSError as error:
            yield Failed(
                message=msg(
                    "The work could not start: the system refused to start another process. "
                    "Close other programs and try again."
                ),
                details=repr(error),
            )
            return
        theirs.close()
        try:
            yield from _supervise(process, ours, job, stop, grace=self._grace, watch=Watch(quiet=self._quiet))
        finally:
            _end(process)
            ours.close()


def _supervise(
    process: BaseProcess, pipe: Connection, job: Job, stop: Stop, *, grace: float, watch: Watch
) -> Iterator[Event]:
    run: int | None = None
    model = False
    asked: StopRequest = ""
    asked_at = 0.0
    alive_at = time.monotonic()
    while True:
        request = stop.requested()
        if request == "leave":
            return
        if request and asked not in (request, "cancel"):
            asked, asked_at = request, time.monotonic()
            with contextlib.suppress(OSError):  # the child has just ended; its last message is still in the pipe
                pipe.send(_Ask(request))
        if asked and not (asked == "stop" and model) and time.monotonic() - asked_at > grace:
            process.kill()
            process.join()
            yield _left(job, run, asked)
            return
        try:
            if not pipe.poll(POLL_SECONDS):
                stalled = watch.check(answers=time.monotonic() - alive_at < LIFELESS_AFTER)
                if stalled is not None:
                    yield stalled
                continue
            event: Event | _Beat = pipe.recv()
        except (EOFError, OSError):
            process.join(GRACE_SECONDS)
            if asked == "cancel":
                yield _left(job, run, asked)
            else:
                yield Failed(message=_how_it_ended(process.exitcode))
            return
        alive_at = time.monotonic()
        if isinstance(event, _Beat):
            continue
        watch.notify(event)
        if isinstance(event, RunStarted):
            run = event.run
        model = model or isinstance(event, ProbeDone)
        yield event
        if isinstance(event, TERMINAL):
            return


def _left(job: Job, run: int | None, asked: StopRequest) -> Stopped:
    """Do what the child would have done with a run that was ended, had it still been able to."""
    if run is None or not isinstance(job, TrainJob):
        return Stopped()
    with contextlib.suppress(HandlensError), Project.open(job.project) as project:
        if asked == "cancel":
            project.runs.discard(run)
        else:
            project.runs.update(run, state="interrupted")
    return Stopped(resumable=asked == "stop")


def _end(process: BaseProcess) -> None:
    if process.is_alive():
        process.join(0.2)
    if process.is_alive():
        process.kill()
    process.join()
    process.close()


def _how_it_ended(code: int | None) -> Message:
    if code is None:
        return msg("The work stopped responding and was ended. Try again.")
    if code == -getattr(signal, "SIGKILL", 9):
        return KILLED
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = str(-code)
        return msg(
            "The work was ended from outside ({signal}). "
            "Everything up to the last finished pass is kept: resume the training.",
            signal=name,
        )
    return msg(
        "The work ended unexpectedly with code {code}. "
        "Everything up to the last finished pass is kept: resume the training.",
        code=str(code),
    )


class _PipeStop:
    """The child's view of the parent: what was asked last. Ends the process when the parent is gone."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._last: StopRequest = ""
        self._lock = threading.Lock()

    def requested(self) -> StopRequest:
        with self._lock:
            try:
                while self._pipe.poll(0):
                    message = self._pipe.recv()
                    if isinstance(message, _Ask):
                        self._last = message.request
            except (EOFError, OSError):
                # Nobody wants the result any more, but nobody cancelled either: leave the run to be resumed.
                os._exit(1)
            return self._last


def _child(pipe: Connection, job: Job) -> None:
    # Ctrl+C goes to the whole group; the parent decides and tells us through the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _give_a_stdout()
    _give_way()
    ended = False
    heart = _Heart(pipe)
    try:
        heart.start()
        from ml.pipeline.dispatch import run  # only the child may load torch

        for event in run(job, _PipeStop(pipe)):
            heart.send(event)
            ended = isinstance(event, TERMINAL)
        if not ended:
            heart.send(
                Failed(message=msg("The work ended without a result. This is an error in Handlens; please report it."))
            )
    except (BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the parent is gone: nobody is left to tell
    except BaseException:
        with contextlib.suppress(OSError):
            heart.send(
                Failed(
                    message=msg(
                        "An internal error in Handlens ended the work. Your labels and finished runs are unchanged."
                    ),
                    details=traceback.format_exc(),
                )
            )
    finally:
        heart.stop()
        pipe.close()


class _Heart:
    """Sends events, and in between, from a thread, signs of life: a child that waits for a disk still beats."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heart", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def send(self, message: Event | _Beat) -> None:
        with self._sending:
            self._pipe.send(message)

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self.send(_Beat())
            except OSError:
                return  # nobody listens any more, which the job itself will notice


def _give_way() -> None:
    """The window comes first: a training that takes every core must not make it stutter."""
    if hasattr(os, "nice"):
        os.nice(5)


def _give_a_stdout() -> None:
    """A windowed build has no stdout; libraries that print would fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - lives as long as the process
