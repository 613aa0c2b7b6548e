"""`handlens runs`, `relink` and `restore`: small things done with a project."""

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
    print_error,
    print_json,
    say,
)
from ml.core.errors import HandlensError
from ml.core.events import plain_fields
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.phrases import duration
from ml.core.types import TaskName
from ml.project.backup import day_of
from ml.project.backup import restore as restore_backup
from ml.project.manage import archive_project, archived_sentence, duplicate_project, rename_project
from ml.project.project import Project
from ml.project.releases import RunRelease
from ml.scoring.tasks import task_named

_STATES = {
    "running": msg("running"),
    "interrupted": msg("interrupted"),
    "finished": msg("finished"),
    "failed": msg("failed"),
    "cancelled": msg("cancelled"),
}


@command()
def runs(project: ProjectArgument, json: JsonOption = False) -> None:
    """List the project's runs, the oldest first."""
    with Project.open(find_project(project), to_read=True) as opened:
        if not opened.read_only:
            opened.runs.mark_interrupted()
        found, task, released = opened.runs.all(), opened.task, opened.released()
        notes = opened.runs.notes()
    if json:
        for run in found:
            fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
            if released is not None and run.number == released.run:
                fields["released"] = released
            if run.number in notes:
                fields["note"] = notes[run.number]
            print_json({"event": "run", **plain_fields(fields)})
        return
    console = make_console()
    if not found:
        say(console, msg("No run yet. Next: {command}", command=f'handlens train "{project}"'))
        return
    headers = (tr("run"), tr("state"), tr("preset"), tr("started"), tr("took"), tr("validation"), tr("test"))
    table = make_table(*headers)
    for run in found:
        table.add_words(
            str(run.number),
            text(_STATES.get(run.state, run.state)),
            run.preset,
            run.created_at[:16].replace("T", " "),
            text(duration(run.seconds)) if run.seconds else "–",
            _score(run.valid_accuracy, task),
            _score(run.test_accuracy, task),
        )
    console.print(table)
    meaning = task_named(task).score_meaning
    if meaning is not None:
        say(console, meaning)
    if released is not None:
        say(console, _released(released))
    for run in found:
        if run.number in notes:
            say(console, msg("Run {run}: {message}", run=str(run.number), message=notes[run.number]))
        if run.state == "failed" and run.message and text(run.message):
            say(console, msg("Run {run}: {message}", run=str(run.number), message=run.message))


@command()
def relink(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help=tr("Where the original files are now."))],
    root: Annotated[
        str, typer.Option(metavar="NAME", help=tr("Move a folder that was added later; its name begins with “+”."))
    ] = "",
    json: JsonOption = False,
) -> None:
    """Tell the project where its original files are now."""
    folder = to.expanduser().absolute()
    if not folder.is_dir():
        raise HandlensError(msg("There is no folder {folder}. Check the name.", folder=str(to)))
    with Project.open(find_project(project)) as opened:
        found = opened.relink(folder, root)
        name, count = opened.name, len(opened.stamps())
    if json:
        print_json({"event": "relinked", "folder": str(folder), "missing": found.missing, "changed": found.changed})
        return
    say(make_console(), msg("“{name}” now reads its files from {folder}.", name=name, folder=str(folder)))
    if found.missing:
        print_error(
            nmsg(
                "{count} of its {total} files is missing. If this is the wrong folder, run {command} again.",
                "{count} of its {total} files are missing. If this is the wrong folder, run {command} again.",
                found.missing,
                command="handlens relink",
                total=count,
            )
        )
    if found.changed:
        print_error(
            nmsg(
                "At least {count} of its {total} files differs from the original of the same name. Put the original "
                "back.",
                "At least {count} of its {total} files differ from the originals of the same names. Put the originals "
                "back.",
                found.changed,
                total=count,
            )
        )


@command()
def rename(
    project: ProjectArgument,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help=tr("The new name."))],
    json: JsonOption = False,
) -> None:
    """Give the project and its folder another name."""
    path = rename_project(find_project(project), to)
    if json:
        print_json({"event": "renamed", "project": str(path)})
        return
    say(make_console(), msg("The project is now in {path}.", path=str(path)))


@command()
def duplicate(
    project: ProjectArgument,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help=tr("The name of the copy."))],
    json: JsonOption = False,
) -> None:
    """Copy the project, with its runs, into a folder beside it."""
    path = duplicate_project(find_project(project), to)
    if json:
        print_json({"event": "duplicated", "project": str(path)})
        return
    say(make_console(), msg("The copy is in {path}. Both use the same source files.", path=str(path)))


@command()
def archive(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.zip", help=tr("The archive to write."))],
    with_sources: Annotated[
        bool, typer.Option("--with-sources", help=tr("Put copies of the source files into it as well."))
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write the project to one file."""
    made = archive_project(find_project(project), to.expanduser(), with_sources=with_sources)
    if json:
        print_json({"event": "archived", "path": str(made.path), "files": made.files, "missing": made.missing})
        return
    say(make_console(), archived_sentence(made))


@command()
def restore(project: ProjectArgument, json: JsonOption = False) -> None:
    """Put the newest backup of the project's database in its place."""
    folder = find_project(project).absolute()
    if not folder.is_dir():
        raise HandlensError(
            msg("There is no project at {path}. Check the name, or plug in its drive.", path=str(folder))
        )
    backup, aside = restore_backup(folder)
    with Project.open(folder, to_read=True) as opened:
        name = opened.name
    day = day_of(backup).isoformat()
    if json:
        print_json({"event": "restored", "project": str(folder), "day": day, "damaged": str(aside)})
        return
    say(
        make_console(),
        msg(
            "“{name}” is as it was on {day}. The damaged file was kept as {file}.",
            name=name,
            day=day,
            file=aside.name,
        ),
    )


def _released(release: RunRelease) -> Message:
    """Which run is in use, since when, and why."""
    run, day = str(release.run), release.at[:10]
    if release.name and release.reason:
        return msg(
            "Run {run} is in use since {day} as “{name}”: {reason}",
            run=run,
            day=day,
            name=release.name,
            reason=release.reason,
        )
    if release.name:
        return msg("Run {run} is in use since {day} as “{name}”.", run=run, day=day, name=release.name)
    return msg("Run {run} is in use since {day}.", run=run, day=day)


def _score(accuracy: float | None, task: TaskName) -> str:
    if accuracy is None:
        return "–"
    return text(task_named(task).score_text(accuracy))
