"""What every verb shares: where words go, how errors read, how a JSON line is written."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ml.commands.usage import WrongUsageError
from ml.core import ranks
from ml.core.errors import ChangedWeightsError, HandlensError
from ml.core.events import TERMINAL, Event, Failed, Stopped, as_json
from ml.core.jobs import Job, NeverStop
from ml.core.messages import Message, msg, text, tr
from ml.core.printable import printable, printable_json
from ml.pipeline.dispatch import explain, run
from ml.pipeline.watchdog import Watchdog
from ml.project.project import SUFFIX

_log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

_INTERRUPTED = msg("Interrupted.")
DEBUG_SETTING = "HANDLENS_DEBUG=1"
ACCEPT_CHANGED_WEIGHTS = "--accept-changed-weights"
INTERRUPTED = 130
"""Exit code after Ctrl+C, as shells expect it."""


class InterruptedByUserError(HandlensError):
    """Ctrl+C, with a sentence of its own that says how to go on."""


JsonOption = Annotated[
    bool, typer.Option("--json", help=tr("Print one JSON object per line, in English, and nothing else."))
]
ProjectArgument = Annotated[
    Path, typer.Argument(metavar="PROJECT", help=tr("The folder of the project."), show_default=False)
]


def whole_number(given: str | int) -> int:
    """A number from 0 on; a usage error for anything else."""
    try:
        number = int(given)
    except ValueError:
        number = -1
    if number < 0:
        raise WrongUsageError(msg("“{given}” is not a whole number. Write one such as 3.", given=str(given)))
    return number


RunOption = Annotated[
    int | None,
    typer.Option(
        "--run", parser=whole_number, metavar="N", help=tr("Which run. If not given, the newest finished one.")
    ),
]

UsedRunOption = Annotated[
    int | None,
    typer.Option(
        "--run",
        parser=whole_number,
        metavar="N",
        help=tr("Which run. If not given, the released one, else the newest finished one."),
    ),
]


def rate_named(given: str) -> float:
    """A share written as “1%”, “1 %”, “0.01” or “1/100”; a usage error for anything else."""
    try:
        if "/" in given:
            above, below = given.split("/")
            rate = float(above) / float(below)
        elif given.rstrip().endswith("%"):
            rate = float(given.rstrip()[:-1]) / 100
        else:
            rate = float(given)
    except (ValueError, ZeroDivisionError):
        rate = -1.0
    if not 0.0 < rate < 1.0:
        raise WrongUsageError(msg("Write a share such as 1% or 0.01."), option="--wrong-at-most")
    return rate


WrongAtMostOption = Annotated[
    str | None,
    typer.Option(
        "--wrong-at-most",
        metavar="RATE",
        help=tr(
            "At most this share of the accepted answers may be wrong, e.g. 1%. Answers that are not certain enough "
            "are set aside."
        ),
    ),
]


class PlainConsole(Console):
    """A console that obeys its own styles only: control characters in whatever is printed are shown as text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text, keep="\n"))


class PlainTable(Table):
    """A table that takes names: `add_words` knows no markup, and each cell has one line."""

    def add_words(self, *cells: str | Text) -> None:
        """Add a row."""
        self.add_row(*(Text(printable(cell)) if isinstance(cell, str) else cell for cell in cells))


def make_console() -> Console:
    """The terminal, for sentences and tables. Made anew each time, so that a replaced stdout is respected."""
    return PlainConsole(highlight=False, soft_wrap=True)


def make_table(*headers: str, header_style: str = "table.header") -> PlainTable:
    """A table without lines around it."""
    return PlainTable(
        *map(escape, headers), box=None, pad_edge=False, show_header=bool(headers), header_style=header_style
    )


def print_json(values: dict[str, Any]) -> None:
    """One JSON object on a line of its own, out at once: whoever reads along wants it now."""
    sys.stdout.write(printable_json(json.dumps(values, ensure_ascii=False)) + "\n")
    sys.stdout.flush()


def say(console: Console, sentence: Message | str) -> None:
    """Print a sentence as it is, whatever brackets are in it."""
    console.print(text(sentence), markup=False)


def print_error(sentence: Message | str) -> None:
    """One sentence on stderr."""
    sys.stderr.write(printable(text(sentence), keep="\n") + "\n")
    sys.stderr.flush()


def fail(sentence: Message | str, *, code: int = 1) -> NoReturn:
    """End the program with one sentence on stderr."""
    print_error(sentence)
    raise typer.Exit(code)


def command(*, interrupted: Message = _INTERRUPTED) -> Callable[[Callable[P, R]], Callable[P, R]]:
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
                _failed(Failed(message=sentence, details=error.details, reason=error.reason), json=json)
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
                _log.error("the command failed", exc_info=error)
                failure = explain(error)
                _failed(failure, json=json)
                fail(
                    msg("{what} For details, run it again with {setting}.", what=failure.message, setting=DEBUG_SETTING)
                )

        return guarded

    return wrap


def run_to_end(job: Job, show: Callable[[Event], None]) -> Event:
    """Run a job in this process, hand every event on, and give back the last; raises HandlensError where it fails."""
    last: Event | None = None
    with Watchdog(show) as watchdog:
        for last in run(job, NeverStop()):
            watchdog.notify(last)
            show(last)
    if isinstance(last, Failed) and last.reason == "changed_weights":
        message = msg("{what} To use them, add {option}.", what=last.message, option=ACCEPT_CHANGED_WEIGHTS)
        raise ChangedWeightsError(message, details=last.details)
    if isinstance(last, Failed):
        raise HandlensError(last.message, details=last.details)
    if isinstance(last, Stopped):
        raise HandlensError(msg("The work was cancelled and its unfinished results were removed."))
    if last is None or not isinstance(last, TERMINAL):
        raise HandlensError(msg("The work ended without a result. Try again."))
    return last


def find_project(path: Path) -> Path:
    """The folder the user means: “birds” may be written for “birds.handlens”."""
    with_suffix = path.with_name(path.name + SUFFIX)
    return with_suffix if not path.exists() and with_suffix.is_dir() else path


def wants_details() -> bool:
    """Whether a developer is looking."""
    return os.environ.get("HANDLENS_DEBUG", "") not in ("", "0")


def _with_command(error: HandlensError) -> Message:
    """What happened, and what to type if that would fix it."""
    if not error.command:
        return error.message
    return msg("{what} The command: {command}", what=error.message, command=error.command)


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
        print_error(event.details)
