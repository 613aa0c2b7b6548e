"""The command line: every verb that needs no window.

`python -m ml.cli …` works without Qt, and without torch except to train.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from ml import __version__


def build_app() -> typer.Typer:
    """The verbs; the studio adds its own to them."""
    # They load here and not above: child processes import this module again and need none of them.
    from ml.commands.demo import demo
    from ml.commands.doctor import doctor
    from ml.commands.evaluate import evaluate
    from ml.commands.new import new
    from ml.commands.predict import predict
    from ml.commands.projects import export, relink, runs
    from ml.commands.suspicious import suspicious
    from ml.commands.train import train

    app = typer.Typer(
        name="handlens",
        help="Teach a computer to see or hear: a folder becomes a fine-tuned model.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in (demo, new, train, evaluate, suspicious, predict, export, runs, relink, doctor):
        app.command()(verb)
    app.callback()(_common)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb and end the process with its exit code."""
    if arguments is None:
        prepare_terminal()
    build_app()(list(sys.argv[1:] if arguments is None else arguments))


def prepare_terminal() -> None:
    """Any name can be printed, and nothing is printed that only a developer understands."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # Windows terminals may be set to an old code page
            stream.reconfigure(encoding="utf-8", errors="replace")
    if not sys.warnoptions and not os.environ.get("HANDLENS_DEBUG"):
        warnings.simplefilter("ignore")


def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Teach a computer to see or hear: a folder becomes a fine-tuned model."""


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"Handlens {__version__}\n")
        raise typer.Exit


if __name__ == "__main__":
    main()
