"""`handlens labels`: the labels of a project for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    command,
    find_project,
    make_console,
    print_error,
    print_json,
    say,
)
from ml.commands.usage import WrongUsageError
from ml.core.messages import msg, tr
from ml.inference.label_export import FORM_SUFFIXES, export_labels, form_of, label_forms
from ml.project.project import Project


@command(interrupted=msg("Interrupted. No labels were written."))
def labels(
    project: ProjectArgument,
    to: Annotated[
        Path,
        typer.Option(
            "--to",
            metavar="FILE|FOLDER",
            help=tr("The file or the new folder to write. Its ending says the form; without one, a folder per class."),
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="FORM",
            help=tr("The form, if the name does not say it: {choices}.", choices=", ".join(FORM_SUFFIXES)),
        ),
    ] = "",
    json: JsonOption = False,
) -> None:
    """Write the labels of a project as a table, tracks, tasks, or a folder of copies for each class."""
    with Project.open(find_project(project), to_read=True) as opened:
        forms = label_forms(opened.kind)
        if form and form not in forms:
            raise WrongUsageError(msg("Choose one of: {choices}.", choices=", ".join(forms)), option="--as")
        form = form or form_of(to, opened.kind)
        written = export_labels(opened, to, form)
    if json:
        outcome = {"form": form, "target": str(written.target), "files": written.files}
        print_json({"event": "labels", **outcome, "left_out": list(written.left_out)})
        return
    say(make_console(), written.message())
    left_out = written.left_out_message()
    if left_out is not None:
        print_error(left_out)
