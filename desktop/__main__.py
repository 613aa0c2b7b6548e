"""The `handlens` command: every verb of `ml.cli`, and the studio.

No Qt at module level: child processes import this again.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ml.cli import build_app, memory_shortage_reported, prepare_terminal
from ml.core.memory import is_memory_shortage
from ml.core.messages import Message, msg, text, tr, verbatim
from ml.core.printable import printable

_STUDIO_PARTS = ("PySide6", "pyqtgraph", "qtawesome")
RUNTIME_BEFORE_QT = sys.platform == "win32"
"""Whether ONNX Runtime has to be loaded before Qt. Both bring the C++ runtime of Windows, and whichever comes first
decides for both; Qt's may be too old for ONNX Runtime, which then cannot be loaded. Elsewhere the window shows a tenth
of a second sooner without it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb, or the studio where none is given, and end the process with its exit code."""
    multiprocessing.freeze_support()
    given = list(sys.argv[1:] if arguments is None else arguments)
    with memory_shortage_reported():
        if arguments is None:
            prepare_terminal("terminal" if given and given[0] != "studio" else "window")
        if not given:
            sys.exit(_open(None))
        from ml.commands.usage import Verb  # child processes import this module again and need none of it

        app = build_app()
        app.command(cls=Verb, help=tr("Open the window."))(studio)
        app(given)


def studio(
    project: Annotated[Path | None, typer.Argument(metavar="PROJECT", help=tr("The project or model to open."))] = None,
    tour: Annotated[
        Path | None,
        typer.Option(
            "--tour",
            metavar="DIR",
            help=tr("Drive the window through the built-in samples and save pictures of each page."),
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help=tr("A shorter tour with fewer samples and pictures."))] = False,
    *,
    beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Open the studio's window."""
    raise typer.Exit(_open(project, tour=tour, quick=quick, beside=beside))


def _open(project: Path | None, *, tour: Path | None = None, quick: bool = False, beside: bool = False) -> int:
    """Show the window, or take the tour; the exit code."""
    missing = [name for name in _STUDIO_PARTS if importlib.util.find_spec(name) is None]
    if missing:
        return _complain(
            msg(
                "The window needs parts that are not installed ({parts}). Install them in the Handlens folder: "
                "{command}",
                parts=", ".join(missing),
                command='pip install -e ".[window]"',
            )
        )
    if tour is None and _no_display():  # the tour needs none
        return _complain(
            msg(
                "There is no screen to open a window on. Log in to a desktop, or use the commands of {help}.",
                help="handlens --help",
            )
        )
    try:
        run_studio, run_tour = _load_window(with_tour=tour is not None)
    except ImportError as error:
        if is_memory_shortage(error):
            raise
        return _complain(
            msg(
                "The window cannot be opened: {error}. To see which system packages are missing, run {command}.",
                error=verbatim(str(error)),
                command="handlens doctor",
            )
        )
    if tour is None or run_tour is None:
        return run_studio(project, beside=beside)
    return run_tour(tour, quick=quick)


def _load_window(*, with_tour: bool) -> tuple[Callable[..., int], Callable[..., int] | None]:
    """Return what shows the window, and what drives the tour. Raises ImportError where a library is missing."""
    if RUNTIME_BEFORE_QT:
        importlib.import_module("onnxruntime")
    # Qt loads here and not above: this module is imported again by every child process.
    from desktop.app import run_studio

    if not with_tour:
        return run_studio, None
    # All pages load with it, which takes seconds: not before the window is shown.
    from desktop.tour.tour import run_tour

    return run_studio, run_tour


def _no_display() -> bool:
    """Whether Qt would end the process with words of its own, for want of an X or Wayland server."""
    if sys.platform in ("win32", "darwin"):
        return False
    return not any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def _complain(sentence: Message) -> int:
    sys.stderr.write(printable(text(sentence), keep="\n") + "\n")
    return 1


if __name__ == "__main__":
    main()
