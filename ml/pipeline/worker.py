"""Run a job in a spawned child process, so that a crash, a CUDA fault or the OOM killer cannot end the caller."""

from __future__ import annotations

import contextlib
import importlib
import logging
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

import psutil

from ml.core.errors import HandlensError
from ml.core.events import TERMINAL, Event, Failed, Finished, FirstModel, ProbeDone, RunStarted, Stopped
from ml.core.jobs import Job, Stop, StopRequest, TrainJob
from ml.core.logs import start_logging
from ml.core.memory import (
    MEMORY_RAN_OUT,
    TRAINING_KILLED,
    WORK_KILLED,
    is_memory_shortage,
    killed_for_memory,
)
from ml.core.messages import Message, msg
from ml.pipeline.first_model_stays import end_as_recorded
from ml.pipeline.watchdog import STALL_SECONDS, Watch
from ml.project.project import Project

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.05
GRACE_SECONDS = 1.5
"""Seconds a child has to act on a request before it is killed, so that a stop takes two seconds at most."""


@dataclass(frozen=True, slots=True)
class _StopMessage:
    """The only message from parent to child."""

    request: StopRequest


@dataclass(frozen=True, slots=True)
class _Heartbeat:
    """Sent by the child between its events."""


HEARTBEAT_SECONDS = 2.0
UNRESPONSIVE_SECONDS = 3 * HEARTBEAT_SECONDS
MEMORY_TO_PREPARE = 3 << 30
"""Bytes that must be free for a child that only waits: it takes a tenth of that."""


@dataclass(frozen=True, slots=True)
class _Child:
    process: BaseProcess
    pipe: Connection

    def end(self) -> None:
        if self.process.is_alive():
            self.process.join(0.2)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


class Worker:
    """Runs jobs in child processes. `run` has the signature of `ml.pipeline.dispatch.run`.

    `grace`: seconds a child has to act on a cancel before it is killed; 0 for jobs that leave nothing behind. The same
    holds for a stop while there is nothing to keep: before a training has its first model, and for any other job.
    After that a stopped training may take its time to finish the model.
    `stall_seconds`: seconds without an event until an `events.Stalled`.
    """

    def __init__(self, *, grace: float = GRACE_SECONDS, stall_seconds: float = STALL_SECONDS) -> None:
        self._grace = grace
        self._stall_seconds = stall_seconds
        self._prepared: _Child | None = None

    def prepare(self) -> None:
        """Start a child that loads the libraries of a first model and waits, so that the next job begins seconds
        sooner. Does nothing where memory is short. Call `close` in the end."""
        if self._prepared is not None and self._prepared.process.is_alive():
            return
        self.close()
        if psutil.virtual_memory().available > MEMORY_TO_PREPARE:
            with contextlib.suppress(OSError):
                self._prepared = _start_child()

    def close(self) -> None:
        """End the child that waits for a job, if there is one."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.process.kill()
            prepared.end()

    def run(self, job: Job, stop: Stop) -> Iterator[Event]:
        """Yield the events of the child, ending with exactly one of `events.TERMINAL` whatever happens to the child.

        On the request "leave" it ends without one.
        """
        try:
            child = self._child_for(job)
        except OSError as error:
            refused = msg(
                "The work could not start: the system refused to start another process. "
                "Close other programs and try again."
            )
            yield Failed(message=MEMORY_RAN_OUT if is_memory_shortage(error) else refused, details=repr(error))
            return
        try:
            yield from _supervise(
                child.process, child.pipe, job, stop, grace=self._grace, watch=Watch(stall_seconds=self._stall_seconds)
            )
        finally:
            child.end()

    def _child_for(self, job: Job) -> _Child:
        """The prepared child if it is still there, else a new one; it has got the job."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            try:
                prepared.pipe.send(job)
            except OSError:  # it was killed meanwhile
                prepared.end()
            else:
                return prepared
        child = _start_child()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which `_supervise` will find
            child.pipe.send(job)
        return child


def _start_child() -> _Child:
    """Start a process that waits for its job. Raises OSError."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=True)
    process = context.Process(target=_run_job, args=(theirs,), daemon=False)
    try:
        process.start()
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return _Child(process, ours)


def _supervise(
    process: BaseProcess, pipe: Connection, job: Job, stop: Stop, *, grace: float, watch: Watch
) -> Iterator[Event]:
    run: int | None = None
    model = False
    sent: StopRequest = ""
    sent_at = 0.0
    last_message_at = time.monotonic()
    while True:
        request = stop.requested()
        if request == "leave":
            return
        if request and sent not in (request, "cancel"):
            sent, sent_at = request, time.monotonic()
            with contextlib.suppress(OSError):  # the child has ended; its last message is in the pipe
                pipe.send(_StopMessage(request))
        if sent and not (sent == "stop" and model) and time.monotonic() - sent_at > grace:
            process.kill()
            process.join()
            yield _record_end(job, run, sent)
            return
        try:
            if not pipe.poll(POLL_SECONDS):
                stalled = watch.check(answers=time.monotonic() - last_message_at < UNRESPONSIVE_SECONDS)
                if stalled is not None:
                    yield stalled
                continue
            event: Event | _Heartbeat = pipe.recv()
        except (EOFError, OSError):
            process.join(GRACE_SECONDS)
            if sent in ("first", "cancel"):
                yield _record_end(job, run, sent)
            else:
                _log.error("the child process of %s ended with code %s", type(job).__name__, process.exitcode)
                yield Failed(message=_exit_message(process.exitcode, job))
            return
        last_message_at = time.monotonic()
        if isinstance(event, _Heartbeat):
            continue
        watch.notify(event)
        if isinstance(event, RunStarted):
            run = event.run
        model = model or isinstance(event, ProbeDone | FirstModel)
        yield event
        if isinstance(event, TERMINAL):
            return


def _record_end(job: Job, run: int | None, request: StopRequest) -> Stopped | Finished:
    """Discard or interrupt the run in place of the child, which was killed; or end it with its first model."""
    if run is None or not isinstance(job, TrainJob):
        return Stopped()
    with contextlib.suppress(HandlensError), Project.open(job.project) as project:
        if request == "cancel":
            project.runs.discard(run)
        elif (ended := end_as_recorded(project, run)) is not None:
            return ended
        else:
            project.runs.update(run, state="interrupted")
    return Stopped(resumable=request == "stop")


def _exit_message(code: int | None, job: Job) -> Message:
    if code is None:
        return msg("The work stopped responding and was ended. Try again.")
    if killed_for_memory(code):
        return TRAINING_KILLED if isinstance(job, TrainJob) else WORK_KILLED
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
    """The stop button in the child: the last request of the parent. Ends the process if the parent is gone."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._last: StopRequest = ""
        self._lock = threading.Lock()

    def requested(self) -> StopRequest:
        with self._lock:
            try:
                while self._pipe.poll(0):
                    message = self._pipe.recv()
                    if isinstance(message, _StopMessage):
                        self._last = message.request
            except (EOFError, OSError):
                # The parent is gone, but nobody cancelled: leave the run resumable.
                os._exit(1)
            return self._last


def _run_job(pipe: Connection) -> None:
    """Receive a job and send its events. While there is none, load what a first model needs."""
    # Ctrl+C reaches the whole process group; only the parent acts on it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ensure_stdout()
    start_logging("worker")
    _lower_priority()
    try:
        if not pipe.poll():
            with contextlib.suppress(Exception):  # it will fail again with the job, and be reported
                importlib.import_module("ml.pipeline.first_model")
                importlib.import_module("ml.runtime.spread_session")
        job: Job = pipe.recv()
    except (EOFError, OSError):
        return  # the parent needs this child no longer
    ended = False
    sender = _EventSender(pipe)
    try:
        sender.start()
        from ml.pipeline.dispatch import run  # only the child may load torch

        for event in run(job, _PipeStop(pipe)):
            sender.send(event)
            ended = isinstance(event, TERMINAL)
        if not ended:
            sender.send(
                Failed(message=msg("The work ended without a result. This is an error in Handlens; please report it."))
            )
    except (BrokenPipeError, ConnectionResetError):
        os._exit(1)  # the parent is gone
    except BaseException as error:
        _log.error("the child process failed", exc_info=error)
        internal = msg("An internal error in Handlens ended the work. Your labels and finished runs are unchanged.")
        message = MEMORY_RAN_OUT if is_memory_shortage(error) else internal
        with contextlib.suppress(OSError):
            sender.send(Failed(message=message, details=traceback.format_exc()))
    finally:
        sender.stop()
        pipe.close()


class _EventSender:
    """Send events, and heartbeats from a thread: a child that waits for a disk still sends them."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._sending = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def send(self, message: Event | _Heartbeat) -> None:
        with self._sending:
            self._pipe.send(message)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            try:
                self.send(_Heartbeat())
            except OSError:
                return  # the pipe is closed, which the job itself will notice


def _lower_priority() -> None:
    """Keep the window responsive while a training uses every core."""
    if hasattr(os, "nice"):
        os.nice(5)


def _ensure_stdout() -> None:
    """Open stdout and stderr: a windowed build has none, and libraries that print would fail."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - lives as long as the process
