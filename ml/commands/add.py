"""`handlens add`: files and folders from anywhere join a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import JsonOption, ProjectArgument, command, find_project, make_console, print_json, say
from ml.core.events import plain_fields
from ml.core.messages import msg, tr
from ml.project.project import Project
from ml.project.update.add_files import add_files

_LISTED = 20


@command(interrupted=msg("Interrupted. No file was added."))
def add(
    project: ProjectArgument,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILES…", help=tr("Files, and folders of files, to add."), show_default=False),
    ],
    label: Annotated[
        str,
        typer.Option(metavar="CLASS", help=tr("The class of all of them. If not given, folders name the classes.")),
    ] = "",
    to_test: Annotated[
        bool, typer.Option("--to-test", help=tr("Use them for the test. If not given, they are for training."))
    ] = False,
    json: JsonOption = False,
) -> None:
    """Add files to a project. They stay where they are and are never changed."""
    with Project.open(find_project(project)) as opened:
        added = add_files(opened, paths, label=label.strip() or None, split="test" if to_test else "train")
    if json:
        outcome = {
            "event": "added",
            "added": added.new,
            "known": added.known,
            "relabelled": added.relabelled,
            "unlabelled": added.unlabelled,
            "classes": list(added.classes),
            "unreadable": [plain_fields({"path": item.path, "reason": item.reason}) for item in added.unreadable],
        }
        print_json(outcome)
    else:
        console = make_console()
        say(console, added.message())
        for item in added.unreadable[:_LISTED]:
            say(console, "  " + tr("Left out: {path}. {reason}", path=item.path, reason=item.reason))
    if added.unreadable:
        raise typer.Exit(1)
