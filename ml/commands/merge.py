"""`handlens merge`: the labels of a colleague's copy of a project."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    command,
    find_project,
    make_console,
    make_table,
    print_json,
    say,
)
from ml.core.messages import msg, tr
from ml.project.merge import Disagreement, apply_merge, plan_merge
from ml.project.project import Project

_LISTED = 50


@command(interrupted=msg("Interrupted. No label was taken over."))
def merge(
    project: ProjectArgument,
    copy: Annotated[
        Path, typer.Argument(metavar="COPY", help=tr("The colleague's copy of the project."), show_default=False)
    ],
    look_only: Annotated[
        bool, typer.Option("--dry-run", help=tr("Only say what would be taken over; change nothing."))
    ] = False,
    json: JsonOption = False,
) -> None:
    """Take over the labels of a copy where nobody has changed them here, and list the disagreements."""
    with Project.open(find_project(project)) as opened, opened.lock("studio"):
        plan = plan_merge(opened, find_project(copy))
        if not look_only:
            apply_merge(opened, plan)
    if json:
        rows = [dataclasses.asdict(each) for each in plan.disagreements]
        outcome = {"taken": len(plan.taken), "remarks": len(plan.remarks), "unknown": plan.unknown}
        print_json({"event": "merged", "dry_run": look_only, **outcome, "disagreements": rows})
        return
    console = make_console()
    say(console, plan.message())
    if plan.disagreements:
        table = make_table(tr("sample"), tr("label here"), tr("by"), tr("label in the copy"), tr("by"))
        for each in plan.disagreements[:_LISTED]:
            table.add_words(*_cells(each))
        console.print(table)


def _cells(each: Disagreement) -> tuple[str, ...]:
    place = each.path if each.start is None else f"{each.path} ({each.start:g} s)"
    own, other = ", ".join(each.own) or "–", ", ".join(each.other) or "–"
    return place, own, f"{each.own_by} {each.own_at[:10]}", other, f"{each.other_by} {each.other_at[:10]}"
