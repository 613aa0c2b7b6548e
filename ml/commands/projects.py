"""`handlens runs`, `relink` and `export`: small things done with a project."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    WrongAtMostOption,
    command,
    find_project,
    make_console,
    make_folder,
    make_table,
    print_error,
    print_json,
    rate_named,
    say,
    unwritable,
)
from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.events import plain_fields
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.phrases import duration, of_hundred
from ml.core.types import TaskName
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.project.backup import day_of
from ml.project.backup import restore as restore_backup
from ml.project.project import Project
from ml.release.web_page import SUFFIX as WEB_SUFFIX
from ml.release.web_page import write_web_page
from ml.release.web_runtime import NAME as RUNTIME_NAME
from ml.release.web_runtime import web_runtime
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel
from ml.scoring.multilabel import rule_of
from ml.scoring.tasks import task_named

_STATES = {
    "running": msg("running"),
    "interrupted": msg("interrupted"),
    "finished": msg("finished"),
    "failed": msg("failed"),
    "cancelled": msg("cancelled"),
}


def model_path(project: Project, run: int | None) -> Path:
    """Where the model of run `run` (the newest finished one if None) lies; raises where there is none."""
    number = project.runs.finished(run).number
    path = project.runs.folder(number) / "model.onnx"
    if not path.is_file():
        raise HandlensError(msg("Run {run} has no {file}. Train again to get one.", run=str(number), file="model.onnx"))
    return path


@command()
def runs(project: ProjectArgument, json: JsonOption = False) -> None:
    """List the project's runs, the oldest first."""
    with Project.open(find_project(project), to_read=True) as opened:
        if not opened.read_only:
            opened.runs.mark_interrupted()
        found, task = opened.runs.all(), opened.task
    if json:
        for run in found:
            fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
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
    for run in found:
        if run.state == "failed" and run.message and text(run.message):
            say(console, msg("Run {run}: {message}", run=str(run.number), message=run.message))


@command()
def relink(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help=tr("Where the original files are now."))],
    json: JsonOption = False,
) -> None:
    """Tell the project where its original files are now."""
    folder = to.expanduser().absolute()
    if not folder.is_dir():
        raise HandlensError(msg("There is no folder {folder}. Check the name.", folder=str(to)))
    with Project.open(find_project(project)) as opened:
        found = opened.relink(folder)
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


RuntimeOption = Annotated[
    Path | None,
    typer.Option("--runtime", metavar="FILE", help=tr("For a page: the package {name} as a file.", name=RUNTIME_NAME)),
]
DownloadOption = Annotated[
    bool, typer.Option("--download", help=tr("For a page: fetch {name} once, if it is missing.", name=RUNTIME_NAME))
]


@command(interrupted=msg("Interrupted. No file was written."))
def export(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.onnx|FOLDER.web", help=tr("What to write."))],
    run: RunOption = None,
    wrong_at_most: WrongAtMostOption = None,
    runtime: RuntimeOption = None,
    download: DownloadOption = False,
    json: JsonOption = False,
) -> None:
    """Write a run's model to a file that runs anywhere ONNX does."""
    asked = None if wrong_at_most is None else rate_named(wrong_at_most)
    if to.suffix.lower() == WEB_SUFFIX:
        _export_page(project, to, run, asked, runtime=web_runtime(runtime, download=download), json=json)
        return
    if to.suffix.lower() != ".onnx":
        raise HandlensError(
            msg(
                "Models are written as {suffix} or, for a phone, as {web}. Give a name such as {name}.",
                suffix=".onnx",
                web=WEB_SUFFIX,
                name=f"{to.stem or 'model'}.onnx",
            )
        )
    with Project.open(find_project(project), to_read=True) as opened:
        number = opened.runs.finished(run).number
        source = model_path(opened, number)
        target = to.expanduser().absolute()
        _refuse_another_file(target)
        made = ReleasedModel.open(source).info
        info = with_thresholds_for(opened, number, made, asked)
    _copy(source, target, None if info is made else info)
    if json:
        told = {"wrong_at_most": info.wanted_error, "promised": info.promised} if info.wanted_error else {}
        print_json({"event": "exported", "run": number, "path": str(to), **told})
        return
    console = make_console()
    if task_named(info.task).exclusive:
        say(console, _promise(info))
    elif info.wanted_error:
        say(console, rule_of(info.wanted_error, promised=info.promised))
    say(
        console,
        msg(
            "Run {run} is now in {path}. Use it: {command}",
            run=str(number),
            path=str(to),
            command=f'handlens predict "{to}" FILE…',
        ),
    )


def _export_page(project: Path, to: Path, run: int | None, asked: float | None, *, runtime: Path, json: bool) -> None:
    with Project.open(find_project(project), to_read=True) as opened:
        number = opened.runs.finished(run).number
        source = model_path(opened, number)
        info = with_thresholds_for(opened, number, ReleasedModel.open(source).info, asked)
    target = to.expanduser().absolute()
    write_web_page(source, info, target, runtime=runtime)
    if json:
        print_json({"event": "exported", "run": number, "path": str(to)})
        return
    say(
        make_console(),
        msg(
            "Run {run} is now a page in {path}. Put the folder on a web server, or show it here: {command}",
            run=str(number),
            path=str(to),
            command=f'handlens serve "{to}"',
        ),
    )


def _promise(info: ModelInfo) -> Message:
    rate = of_hundred(info.wanted_error)
    if info.promised:
        return msg("At most {rate} accepted answers are wrong, with 95 % confidence.", rate=rate)
    return msg(
        "The aim is that at most {rate} accepted answers are wrong. There are too few samples to guarantee it.",
        rate=rate,
    )


def _refuse_another_file(target: Path) -> None:
    """An older model may be replaced, nothing else."""
    if target.is_dir():
        raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
    if target.is_file() and target.stat().st_size:
        try:
            ReleasedModel.open(target)
        except HandlensError as error:
            raise HandlensError(
                msg("{path} already exists and is not a Handlens model. Give another name.", path=str(target))
            ) from error


def _exchanged(source: Path, info: ModelInfo) -> bytes:
    try:
        from ml.release.metadata import with_info  # of an extra that running a model does not need
    except ImportError as error:
        raise HandlensError(
            msg(
                "Exporting with other thresholds needs the library onnx. Install it: {command}",
                command='pip install "handlens[train]"',
            ),
            details=repr(error),
        ) from error
    return with_info(source.read_bytes(), info)


def _copy(source: Path, target: Path, info: ModelInfo | None) -> None:
    """The whole file or none. `info` takes the place of what stands in it."""
    try:
        make_folder(target.parent)
        with replacing(target) as draft:
            if info is None:
                shutil.copyfile(source, draft)
            else:
                draft.write_bytes(_exchanged(source, info))
    except OSError as error:
        raise unwritable(target, error) from error


def _score(accuracy: float | None, task: TaskName) -> str:
    if accuracy is None:
        return "–"
    return text(task_named(task).score_text(accuracy))
