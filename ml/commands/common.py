"""What every verb shares: where words go, how errors read, how a JSON line is written."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console

from ml import ranks
from ml.engine import explain, run
from ml.errors import HandlensError
from ml.events import TERMINAL, Event, Failed, Stopped, as_json
from ml.jobs import Job, NeverStop
from ml.project.project import SUFFIX
from ml.project.room import says_full
from ml.watchdog import Watchdog

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 130
"""Exit code after Ctrl+C, as shells expect it."""


class InterruptedByUserError(HandlensError):
    """Ctrl+C, with a sentence of its own that says how to go on."""


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object per line and nothing else.")]
ProjectArgument = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project's folder.", show_default=False)]


def whole_number(text: str | int) -> int:
    """A number from 0 on; a usage error for anything else."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise typer.BadParameter(f"“{text}” is no whole number; write one such as 3")
    return number


RunOption = Annotated[
    int | None,
    typer.Option("--run", parser=whole_number, metavar="N", help="Which run; the newest finished one if not given."),
]


def rate_named(text: str) -> float:
    """A share written as “1%”, “1 %”, “0.01” or “1/100”; a usage error for anything else."""
    try:
        if "/" in text:
            above, below = text.split("/")
            rate = float(above) / float(below)
        elif text.rstrip().endswith("%"):
            rate = float(text.rstrip()[:-1]) / 100
        else:
            rate = float(text)
    except (ValueError, ZeroDivisionError):
        rate = -1.0
    if not 0.0 < rate < 1.0:
        raise typer.BadParameter("write a share such as 1% or 0.01", param_hint="--wrong-at-most")
    return rate


WrongAtMostOption = Annotated[
    str | None,
    typer.Option(
        "--wrong-at-most",
        metavar="RATE",
        help="Of the answers it accepts, at most this share may be wrong, e.g. 1%; the rest is set aside.",
    ),
]


def words() -> Console:
    """The terminal, for sentences and tables. Made anew each time, so that a replaced stdout is respected."""
    return Console(highlight=False, soft_wrap=True)


def print_json(values: dict[str, Any]) -> None:
    """One JSON object on a line of its own, out at once: whoever reads along wants it now."""
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def complain(sentence: str) -> None:
    """One sentence on stderr."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def fail(sentence: str, *, code: int = 1) -> NoReturn:
    """End the program with one sentence on stderr."""
    complain(sentence)
    raise typer.Exit(code)


def verb(*, interrupted: str = "Interrupted.") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function a verb: whatever goes wrong in it ends as one sentence on stderr and exit code 1.

    `interrupted` is what Ctrl+C answers. With `--json` the sentence is the last event as well.
    """

    def wrap(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            json = kwargs.get("json") is True
            try:
                return function(*args, **kwargs)
            except HandlensError as error:
                sentence = _with_command(error)
                _failed(Failed(message=sentence, details=error.details), json=json)
                fail(sentence, code=INTERRUPTED if isinstance(error, InterruptedByUserError) else 1)
            except KeyboardInterrupt:
                _failed(Failed(message=interrupted), json=json)
                fail(interrupted, code=INTERRUPTED)
            except BrokenPipeError:
                _nobody_reads()
                raise typer.Exit(1) from None
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except Exception as error:
                told = explain(error)
                _failed(told, json=json)
                fail(f"{told.message} (For details rerun with HANDLENS_DEBUG=1.)")

        return guarded

    return wrap


def last_event(job: Job, show: Callable[[Event], None]) -> Event:
    """Run a job in this process, hand every event on, and give back the last; raises HandlensError where it fails."""
    last: Event | None = None
    with Watchdog(show) as watchdog:
        for last in run(job, NeverStop()):
            watchdog.heard(last)
            show(last)
    if isinstance(last, Failed):
        raise HandlensError(last.message, details=last.details)
    if isinstance(last, Stopped):
        raise HandlensError("The work was cancelled and what it had made was discarded.")
    if last is None or not isinstance(last, TERMINAL):
        raise HandlensError("The work ended without a result; try again.")
    return last


def find_project(path: Path) -> Path:
    """The folder the user means: “birds” may be written for “birds.handlens”."""
    with_suffix = path.with_name(path.name + SUFFIX)
    return with_suffix if not path.exists() and with_suffix.is_dir() else path


def wants_details() -> bool:
    """Whether a developer is looking."""
    return os.environ.get("HANDLENS_DEBUG", "") not in ("", "0")


def make_folder(folder: Path) -> None:
    """Make `folder` if it is not there, but none above it: a name that is mistyped there would go unnoticed.

    Raises HandlensError where one above is missing, and OSError.
    """
    above = folder.absolute().parent
    if not above.exists():
        raise HandlensError(f"There is no folder {above}, in which {folder.name} would be made; check the name.")
    folder.mkdir(exist_ok=True)


def unwritable(target: Path, error: OSError) -> HandlensError:
    """What to say of a file that could not be written."""
    if says_full(error):
        told = "the disk is full. Free some space and try again, or choose another disk"
    else:
        told = f"{(error.strerror or str(error)).lower()}. Choose a folder you may write to"
    return HandlensError(f"{target} could not be written: {told}.", details=repr(error))


def _with_command(error: HandlensError) -> str:
    """What happened, and what to type where something would mend it."""
    return f"{error.message.removesuffix('.')}: {error.command}." if error.command else error.message


def _nobody_reads() -> None:
    """Whoever read our output has left, as `head` does; nothing more can be said to them."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(event: Failed, *, json: bool) -> None:
    if json and not ranks.rank():
        try:
            print_json(as_json(event))
        except BrokenPipeError:
            _nobody_reads()
    if event.details and wants_details():
        complain(event.details)
