"""The command line: every verb that needs no window.

`python -m ml.cli …` works without Qt, and without torch except to train.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ml import __version__
from ml.core.memory import MEMORY_RAN_OUT, is_memory_shortage
from ml.core.messages import text, tr, use_language

if TYPE_CHECKING:
    from ml.core.logs import Program


def build_app() -> typer.Typer:
    """The commands, with their help in the language of the moment; the window adds its own to them."""
    # Typer loads its panels here and not above: child processes import this module again and need none of them.
    from ml.commands.usage import Verb, Verbs, translate_help

    translate_help()
    app = typer.Typer(
        name="handlens",
        cls=Verbs,
        help=_what_it_is(),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb, help_text in _verbs():
        app.command(cls=Verb, help=help_text)(verb)
    app.callback(cls=Verbs, help=_what_it_is(), no_args_is_help=True)(_common)
    return app


def _verbs() -> tuple[tuple[Callable[..., None], str], ...]:
    """Every command, with what its help says. The commands load here, see `build_app`."""
    from ml.commands.add import add
    from ml.commands.demo import demo
    from ml.commands.doctor import doctor
    from ml.commands.evaluate import evaluate
    from ml.commands.export import export
    from ml.commands.labels import labels
    from ml.commands.merge import merge
    from ml.commands.new import new
    from ml.commands.predict import predict
    from ml.commands.projects import archive, duplicate, relink, rename, restore, runs
    from ml.commands.serve import serve
    from ml.commands.suspicious import suspicious
    from ml.commands.train import train
    from ml.commands.watch import watch

    predicting = tr(
        "A recording is cut into windows. Its probabilities and its unlike score are the means over its windows. If "
        "more than one class may be present, the probability of a class is the largest of any window."
    )
    detecting = tr(
        "With {option}, it says instead from when to when each class is present, in files of any length. An option "
        "that writes detections implies that.",
        option="--detections",
    )
    return (
        (
            demo,
            tr("Try everything on built-in samples: create a project, train, test, and see where the network looks."),
        ),
        (
            new,
            tr("Create a project from a folder of pictures, recordings or sensor logs. Its files are never changed."),
        ),
        (add, tr("Add files from anywhere to a project. They stay where they are and are never changed.")),
        (labels, tr("Write the labels of a project for other programs, or its files as a folder per class.")),
        (merge, tr("Take over the labels of a colleague's copy of the project, and list the disagreements.")),
        (train, tr("Train a model on the classes of the project. Every finished run has a model that can be used.")),
        (evaluate, tr("Test how often a run is correct on samples it has never seen.")),
        (suspicious, tr("List the labels that are probably wrong, the most suspicious first.")),
        (
            predict,
            tr("Predict the classes of pictures, recordings or sensor logs.") + f"\n\n{predicting}\n\n{detecting}",
        ),
        (
            watch,
            tr("Answer files as they arrive in a folder. Rules notify you, send messages or start a program."),
        ),
        (
            export,
            tr("Write the model of a run to a file or as a page for a phone, or write a table, report or notebook."),
        ),
        (serve, tr("Show a page for a phone, written by {command}, in browsers.", command="export")),
        (runs, tr("List the runs of the project, the oldest first.")),
        (relink, tr("Tell the project where its original files are now.")),
        (rename, tr("Give a project and its folder another name.")),
        (duplicate, tr("Copy a project into a folder beside it, for example to try something.")),
        (archive, tr("Write a project to one file, with or without its source files.")),
        (restore, tr("Restore the newest backup of a project whose database is damaged.")),
        (doctor, tr("Show what this machine has, what is missing, and the one command that installs it.")),
    )


def _what_it_is() -> str:
    return tr("Teach a computer to see or hear: a folder becomes a trained model.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and end the process with its exit code."""
    with memory_shortage_reported():
        if arguments is None:
            prepare_terminal()
        build_app()(list(sys.argv[1:] if arguments is None else arguments))


@contextlib.contextmanager
def memory_shortage_reported() -> Iterator[None]:
    """End the process with one sentence where memory runs out inside, also while libraries load."""
    try:
        yield
    except Exception as error:
        if not is_memory_shortage(error):
            raise
        if os.environ.get("HANDLENS_DEBUG"):
            traceback.print_exc()
        sys.stderr.write(text(MEMORY_RAN_OUT) + "\n")
        sys.exit(1)


def prepare_terminal(program: Program = "terminal") -> None:
    """Any name can be printed, in the person's language, and nothing that only a developer understands."""
    from ml.core.logs import start_logging
    from ml.core.terminal_language import terminal_language  # child processes import this module, too

    use_language(terminal_language())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # Windows terminals may be set to an old code page
            stream.reconfigure(encoding="utf-8", errors="replace")
    start_logging(program)


def _common(
    version: Annotated[
        bool, typer.Option("--version", help=tr("Print the version and exit."), is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What can be asked before any command."""


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"Handlens {__version__}\n")
        raise typer.Exit


if __name__ == "__main__":
    main()
