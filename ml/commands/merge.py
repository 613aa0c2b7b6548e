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
from ml.commands.usage import WrongUsageError
from ml.core.messages import msg, tr
from ml.project.merge import Disagreement, apply_merge, plan_merge, undo_merge
from ml.project.project import Project

_LISTED = 50


@command(interrupted=msg("Interrupted. No label was taken over."))
def merge(
    project: ProjectArgument,
    copy: Annotated[
        Path | None,
        typer.Argument(metavar="[COPY]", help=tr("The colleague's copy of the project."), show_default=False),
    ] = None,
    look_only: Annotated[
        bool, typer.Option("--dry-run", help=tr("Only say what would be taken over; change nothing."))
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help=tr("Take the last merge back: labels become what they were before it."))
    ] = False,
    json: JsonOption = False,
) -> None:
    """Take over the labels of a copy where nobody has changed them here, and list the disagreements."""
    if undo and copy is not None:
        raise WrongUsageError(msg("The last merge is taken back. Leave out the copy."), option="--undo")
    if undo:
        _undo(find_project(project), look_only=look_only, json=json)
        return
    if copy is None:
        raise WrongUsageError(msg("Name the colleague's copy of the project."), option="COPY")
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


def _undo(project: Path, *, look_only: bool, json: bool) -> None:
    with Project.open(project) as opened, opened.lock("studio"):
        undone = undo_merge(opened, look_only=look_only)
    if json:
        print_json({"event": "merge_undone", "dry_run": look_only, **dataclasses.asdict(undone)})
    else:
        say(make_console(), undone.message())


def _cells(each: Disagreement) -> tuple[str, ...]:
    place = each.path if each.start is None else f"{each.path} ({each.start:g} s)"
    own, other = ", ".join(each.own) or "–", ", ".join(each.other) or "–"
    return place, own, f"{each.own_by} {each.own_at[:10]}", other, f"{each.other_by} {each.other_at[:10]}"
