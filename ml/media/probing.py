"""Open untrusted files in child processes, so that a file that hangs, explodes or crashes affects no other."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import connection, get_context, resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from ml.core.errors import HandlensError, UnreadableError
from ml.core.memory import is_memory_shortage
from ml.core.messages import msg

if sys.platform != "win32":
    import resource

T = TypeVar("T")

MEMORY = 1_000_000_000
"""Bytes that one file may need on top of what the child needs anyway."""
TIMEOUT = 9.0
"""Seconds for a small file; large ones get a second more for every `BYTES_PER_SECOND`."""
BYTES_PER_SECOND = 2_000_000
_START_TIMEOUT = 60.0
_TICK = 0.1
_GRACE = 10.0
_READY = "ready"
_MAX_IDLE_DEATHS = 5
_WORTH_A_CHILD = 16
"""Files per child: fewer are read sooner by the running children than by one more, which has to start."""

_TOO_SLOW = msg("Reading the file took too long, so it was left out.")
_CRASHED = msg("Reading the file made the decoder crash, so it was left out.")
_TOO_MUCH = msg("Reading the file needs too much memory, so it was left out.")


@dataclass(slots=True)
class _Child:
    process: BaseProcess
    pipe: connection.Connection[Any, Any]
    deadline: float
    ready: bool = False
    path: Path | None = None

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()
        self.process.close()


def probe_files(
    paths: Sequence[Path],
    probe: Callable[[Path], T],
    *,
    workers: int | None = None,
    stopped: Callable[[], bool] = lambda: False,
    timeout: float = TIMEOUT,
    memory: int = MEMORY,
) -> Generator[tuple[Path, T | UnreadableError], None, None]:
    """Call `probe(path)` for every path in child processes; pairs come as they are ready, not in order.

    `probe` is a function at the top of a module (the children import it). A file whose probe raises, takes longer
    than `timeout` seconds (more for files over some megabytes), needs more than `memory` bytes (where the system
    can limit that: Linux) or kills its child gives an UnreadableError. Ends early, within a tenth of a second,
    once `stopped()`. Closing the iterator ends the children. Raises HandlensError if no child can be started.
    """
    count = min(math.ceil(len(paths) / _WORTH_A_CHILD), workers or max(1, min(os.cpu_count() or 1, 8)))
    children: list[_Child] = []
    try:
        for _ in range(count):
            try:
                children.append(_start(probe, memory))
            except HandlensError:
                if not children:
                    raise
                break  # the system has no room for more
        yield from _drive(children, paths, lambda: _start(probe, memory), stopped=stopped, timeout=timeout)
    finally:
        for child in children:
            child.end()


def _drive(
    children: list[_Child],
    paths: Sequence[Path],
    start: Callable[[], _Child],
    *,
    stopped: Callable[[], bool],
    timeout: float,
) -> Iterator[tuple[Path, Any]]:
    waiting = iter(paths)
    left = len(paths)
    idle_deaths = 0
    while left and not stopped():
        ready = connection.wait([child.pipe for child in children], timeout=_TICK)
        for place, child in enumerate(children):
            outcome = _receive(child) if child.pipe in ready else None
            late = outcome is None and (child.path is not None or not child.ready) and time.monotonic() > child.deadline
            if outcome is None and not late:
                continue
            path, child.path = child.path, None
            if late or outcome is _LOST:
                if not child.ready and len(children) > 1:  # no room for so many: the others do its work
                    children.remove(child)
                    child.end()
                    break
                idle_deaths += path is None
                _require_start(child, idle_deaths, late=late)
                child.end()
                children[place] = start()
                outcome = UnreadableError(_TOO_SLOW if late else _CRASHED)
            elif path is None:
                child.ready = True
            if children[place].ready:
                _send(children[place], next(waiting, None), timeout)
            if path is not None:
                left -= 1
                yield path, outcome


_LOST = object()


def _receive(child: _Child) -> object:
    try:
        return child.pipe.recv()
    except (EOFError, OSError):
        return _LOST


def _send(child: _Child, path: Path | None, timeout: float) -> None:
    if path is None:
        return
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # the child reports the reason
    seconds = timeout + size / BYTES_PER_SECOND
    child.path = path
    child.deadline = time.monotonic() + seconds
    try:
        child.pipe.send((path, seconds))
    except OSError:
        child.deadline = 0.0  # it died while idle, which its pipe reports


def _require_start(child: _Child, idle_deaths: int, *, late: bool) -> None:
    """Raise HandlensError where children do not begin to work. `late`: this one still tries."""
    if late and not child.ready:
        raise HandlensError(
            msg(
                "The part of the program that opens files had not started after {seconds} seconds, because the "
                "computer is busy. Try again when it has less to do.",
                seconds=round(_START_TIMEOUT),
            )
        )
    if not child.ready or idle_deaths > _MAX_IDLE_DEATHS:
        child.process.join(timeout=1)
        raise HandlensError(
            msg(
                "The part of the program that opens files could not be started, most likely because memory ran short. "
                "Close other programs and try again."
            ),
            details=f"exit code {child.process.exitcode}",
        )


def _start(probe: Callable[[Path], object], memory: int) -> _Child:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_child_main, args=(theirs, probe, memory), daemon=True, name="handlens-reader")
    try:
        with children_ignoring_interrupts():
            process.start()
    except (OSError, AssertionError, ValueError) as error:
        ours.close()
        raise HandlensError(
            msg("The part of the program that opens files could not be started. Close other programs and try again."),
            details=repr(error),
        ) from error
    finally:
        theirs.close()
    return _Child(process=process, pipe=ours, deadline=time.monotonic() + _START_TIMEOUT)


def _child_main(pipe: connection.Connection[Any, Any], probe: Callable[[Path], object], memory: int) -> None:
    """Receive a path and its time limit and send one outcome, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - decoders in C print to stderr
        os.dup2(nowhere.fileno(), 2)
    _limit_memory(memory)
    try:
        pipe.send(_READY)
        while True:
            path, seconds = pipe.recv()
            _end_after(seconds + _GRACE)
            pipe.send(_outcome(probe, path))
            _end_after(0)
    except (EOFError, OSError):
        return  # the parent is gone or wants no more


def _end_after(seconds: float) -> None:
    """Let the system end this child after so many seconds, in case the parent is killed; 0 cancels. Not on Windows."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _outcome(probe: Callable[[Path], object], path: Path) -> object:
    try:
        return probe(path)
    except UnreadableError as error:
        return error
    except Exception as error:  # whatever it is, it concerns this file only
        if is_memory_shortage(error):
            return UnreadableError(_TOO_MUCH)
        return UnreadableError(msg("The file is damaged and cannot be read."), details=repr(error))


def _limit_memory(extra: int) -> None:
    """Cap the address space at what is in use now plus `extra` bytes. Only on Linux."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        _soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = pages * resource.getpagesize() + extra
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


@contextmanager
def children_ignoring_interrupts() -> Iterator[None]:
    """Start child processes inside that never receive Ctrl+C, not even while they are still loading.

    A Ctrl+C in the meantime reaches this process afterwards. Does nothing on Windows, which has no signal masks.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it inside would undo the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
