"""`handlens runs`, `relink` and `export`: small things done with a project."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ml.accepting import deciding_by
from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    WrongAtMostOption,
    complain,
    find_project,
    make_folder,
    print_json,
    rate_named,
    unwritable,
    verb,
    words,
)
from ml.commands.phrases import SCORE_MEANS, duration, percent
from ml.errors import HandlensError
from ml.insight.several import rule_of
from ml.project.project import Project
from ml.project.samples import Task
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel
from ml.wording import of_hundred


def model_path(project: Project, run: int | None) -> Path:
    """Where the model of run `run` (the newest finished one if None) lies; raises where there is none."""
    number = project.runs.finished(run).number
    path = project.runs.folder(number) / "model.onnx"
    if not path.is_file():
        raise HandlensError(f"Run {number} has no model.onnx; train again to get one.")
    return path


@verb()
def runs(project: ProjectArgument, json: JsonOption = False) -> None:
    """List the project's runs, the oldest first."""
    with Project.open(find_project(project), to_read=True) as opened:
        if not opened.read_only:
            opened.runs.mark_interrupted()
        found, task = opened.runs.all(), opened.task
    if json:
        for run in found:
            print_json({"event": "run", **dataclasses.asdict(run)})
        return
    console = words()
    if not found:
        console.print(f'No run yet. Next: handlens train "{project}"', markup=False)
        return
    table = Table("run", "state", "preset", "made", "took", "validation", "test", box=None, pad_edge=False)
    for run in found:
        table.add_row(
            str(run.number),
            run.state,
            run.preset,
            run.created_at[:16].replace("T", " "),
            duration(run.seconds) if run.seconds else "–",
            _score(run.valid_accuracy, task),
            _score(run.test_accuracy, task),
        )
    console.print(table)
    if task == "multi":
        console.print(SCORE_MEANS)
    for run in found:
        if run.state == "failed" and run.message:
            console.print(f"Run {run.number}: {run.message}", markup=False)


@verb()
def relink(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the originals are now.")],
    json: JsonOption = False,
) -> None:
    """Tell the project where its original files are now."""
    folder = to.expanduser().absolute()
    if not folder.is_dir():
        raise HandlensError(f"There is no folder {to}; check the name.")
    with Project.open(find_project(project)) as opened:
        found = opened.relink(folder)
        name, count = opened.name, len(opened.stamps())
    if json:
        print_json({"event": "relinked", "folder": str(folder), "missing": found.missing, "changed": found.changed})
        return
    words().print(f"“{name}” now reads its files from {folder}.", markup=False)
    if found.missing:
        complain(f"{found.missing:,} of its {count:,} files are not there; if that is the wrong folder, say so again.")
    if found.changed:
        differ = "differs" if found.changed == 1 else "differ"
        complain(
            f"At least {found.changed:,} of its {count:,} files {differ} from the one of that name that it was made "
            "from; put the originals back."
        )


@verb(interrupted="Interrupted; no file was written.")
def export(
    project: ProjectArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.onnx", help="The file to write.")],
    run: RunOption = None,
    wrong_at_most: WrongAtMostOption = None,
    json: JsonOption = False,
) -> None:
    """Write a run's model to a file that runs anywhere ONNX does."""
    asked = None if wrong_at_most is None else rate_named(wrong_at_most)
    if to.suffix.lower() != ".onnx":
        raise HandlensError(f"This version writes models as .onnx only; give a name such as {to.stem or 'model'}.onnx.")
    with Project.open(find_project(project), to_read=True) as opened:
        number = opened.runs.finished(run).number
        source = model_path(opened, number)
        target = to.expanduser().absolute()
        _refuse_another_file(target)
        made = ReleasedModel.open(source).info
        info = deciding_by(opened, number, made, asked)
    _copy(source, target, None if info is made else info)
    if json:
        told = {"wrong_at_most": info.wanted_error, "promised": info.promised} if info.wanted_error else {}
        print_json({"event": "exported", "run": number, "path": str(to), **told})
        return
    console = words()
    if info.task == "single":
        rate = of_hundred(info.wanted_error)
        promise = f"At most {rate} accepted answers are wrong, with 95 % confidence."
        aim = (
            f"It aims at no more than {rate} accepted answers being wrong, but there are too few samples to promise it."
        )
        console.print(promise if info.promised else aim)
    elif info.wanted_error:
        console.print(rule_of(info.wanted_error, promised=info.promised))
    console.print(f'Run {number} is now in {to}. Use it with: handlens predict "{to}" FILE…', markup=False)


def _refuse_another_file(target: Path) -> None:
    """An older model may be replaced, nothing else."""
    if target.is_dir():
        raise HandlensError(f"{target} is a folder; give the name of a file in it.")
    if target.is_file() and target.stat().st_size:
        try:
            ReleasedModel.open(target)
        except HandlensError as error:
            raise HandlensError(f"{target} is there already and is no model of Handlens; give another name.") from error


def _exchanged(source: Path, info: ModelInfo) -> bytes:
    try:
        from ml.export.metadata import with_info  # of an extra that running a model does not need
    except ImportError as error:
        raise HandlensError(
            "To export with other thresholds than the run was made with, the library onnx is needed; "
            'install it with: pip install "handlens[train]".',
            details=repr(error),
        ) from error
    return with_info(source.read_bytes(), info)


def _copy(source: Path, target: Path, info: ModelInfo | None) -> None:
    """The whole file or none. `info` takes the place of what stands in it."""
    try:
        make_folder(target.parent)
        handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    except OSError as error:
        raise unwritable(target, error) from error
    try:
        if info is None:
            shutil.copyfile(source, draft)
        else:
            Path(draft).write_bytes(_exchanged(source, info))
        Path(draft).chmod(0o644)
        Path(draft).replace(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        Path(draft).unlink(missing_ok=True)


def _score(accuracy: float | None, task: Task) -> str:
    if accuracy is None:
        return "–"
    return percent(accuracy) if task == "single" else of_hundred(accuracy)
