"""`handlens export`: a run handed on, as a model, as a package or as a table of its answers."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    UsedRunOption,
    WrongAtMostOption,
    command,
    fail,
    find_project,
    make_console,
    print_error,
    print_json,
    rate_named,
    say,
)
from ml.commands.serve import DownloadOption, PageParts, RuntimeOption, export_page
from ml.commands.usage import WrongUsageError
from ml.core.errors import HandlensError
from ml.core.events import Progress
from ml.core.jobs import NeverStop
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.phrases import of_hundred
from ml.core.printable import printable
from ml.inference import package
from ml.inference.kaggle import Answers, plain_shape, shape_like, write_submission
from ml.inference.model_in_use import model_path
from ml.pipeline.export_documents import DOCUMENTS, NOTEBOOK, write_document
from ml.pipeline.export_int8 import Comparison, to_int8
from ml.pipeline.export_model import TABLE, answers_of_test_samples, export_model
from ml.project.project import Project
from ml.release.web_page import SUFFIX as WEB
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import UnreadableInput, predict_files, search_inputs
from ml.runtime.model import ReleasedModel
from ml.scoring.multilabel import rule_of
from ml.scoring.tasks import task_named

Result = TypeVar("Result")
SUFFIXES = (".onnx", package.SUFFIX, TABLE, WEB, *DOCUMENTS)

SignOption = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        metavar="KEYFILE",
        help=tr("Sign the package with this private Ed25519 key, so that others can see who made it."),
    ),
]
OnOption = Annotated[
    Path | None,
    typer.Option("--on", metavar="FOLDER", help=tr("For a table: answer these files instead of the test samples.")),
]
LikeOption = Annotated[
    Path | None,
    typer.Option(
        "--like",
        metavar="FILE",
        help=tr("For a table: take columns and lines from this one, such as {name}.", name="sample_submission.csv"),
    ),
]
ProbabilitiesOption = Annotated[
    bool, typer.Option("--probabilities", help=tr("For a table: a column for each class instead of the best class."))
]
Int8Option = Annotated[
    bool,
    typer.Option(
        "--int8",
        help=tr(
            "Write the network in whole numbers: smaller, on most devices quicker, and a little less accurate. The "
            "difference is measured and shown."
        ),
    ),
]


@command(interrupted=msg("Interrupted. No file was written."))
def export(
    project: ProjectArgument,
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help=tr("The file to write: {suffixes}.", suffixes=SUFFIXES))
    ],
    run: UsedRunOption = None,
    wrong_at_most: WrongAtMostOption = None,
    sign: SignOption = None,
    on: OnOption = None,
    like: LikeOption = None,
    probabilities: ProbabilitiesOption = False,
    runtime: RuntimeOption = None,
    download: DownloadOption = False,
    int8: Int8Option = False,
    json: JsonOption = False,
) -> None:
    """Write a model to a file that runs anywhere ONNX does, its answers to a table, or a report or notebook."""
    asked = None if wrong_at_most is None else rate_named(wrong_at_most)
    suffix = to.suffix.lower()
    if int8 and suffix in (TABLE, WEB, *DOCUMENTS):
        raise WrongUsageError(
            msg("It is only for files that end in {suffix}.", suffix=(".onnx", package.SUFFIX)), option="--int8"
        )
    if suffix in DOCUMENTS:
        _refuse_options(suffix, sign=sign, on=on, like=like, probabilities=probabilities)
        return _export_document(find_project(project), to, run, json=json)
    if suffix not in SUFFIXES:
        raise HandlensError(
            msg(
                "Models are written as {suffix} only. Give a name such as {name}.",
                suffix=SUFFIXES,
                name=f"{to.stem or 'model'}.onnx",
            )
        )
    _refuse_options(suffix, sign=sign, on=on, like=like, probabilities=probabilities)
    if suffix == WEB:
        return export_page(find_project(project), to, run, asked, PageParts(runtime, download), json=json)
    with Project.open(find_project(project), to_read=True) as opened:
        target = to.expanduser().absolute()
        if suffix == TABLE:
            number = opened.run_in_use(run).number
            asked_table = _Table(target, number, on, like, probabilities=probabilities, json=json)
            return _write_table(asked_table, opened, ReleasedModel.open(model_path(opened, number), many=True))
        comparison, network = None, None
        if int8:
            source = model_path(opened, run)
            network, comparison = _drained(
                to_int8(opened, source.read_bytes(), ReleasedModel.open(source).info, NeverStop())
            )
        number, info = export_model(opened, target, run=run, asked=asked, sign=sign, network=network)
    _say_exported(number, to, info, comparison, json=json)
    return None


def _drained(steps: Generator[Progress, None, Result]) -> Result:
    """Return the result of work whose progress nobody watches."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def _export_document(project: Path, to: Path, run: int | None, *, json: bool) -> None:
    """Write the report or the notebook and say where it is."""
    with Project.open(project, to_read=True) as opened:
        number = write_document(opened, to.expanduser().absolute(), run)
    if json:
        print_json({"event": "exported", "run": number, "path": str(to)})
    elif to.suffix.lower() == NOTEBOOK:
        command = f'jupyter lab "{to}"'
        say(make_console(), msg("The notebook is in {path}. Open it: {command}", path=str(to), command=command))
    else:
        say(make_console(), msg("The report on run {run} is in {path}.", run=str(number), path=str(to)))


def _refuse_options(suffix: str, *, sign: Path | None, on: Path | None, like: Path | None, probabilities: bool) -> None:
    """Raise where an option would change nothing."""
    given = {
        "--sign": (sign is not None, package.SUFFIX),
        "--on": (on is not None, TABLE),
        "--like": (like is not None, TABLE),
        "--probabilities": (probabilities, TABLE),
    }
    for option, (there, wanted) in given.items():
        if there and suffix != wanted:
            raise WrongUsageError(msg("It is only for files that end in {suffix}.", suffix=wanted), option=option)


def _say_exported(number: int, to: Path, info: ModelInfo, comparison: Comparison | None = None, *, json: bool) -> None:
    if json:
        facts: dict[str, Any] = {}
        if info.wanted_error:
            facts = {"wrong_at_most": info.wanted_error, "promised": info.promised}
        if comparison is not None:
            facts["compared"] = comparison.as_json()
        print_json({"event": "exported", "run": number, "path": str(to), **facts})
        return
    console = make_console()
    for sentence in () if comparison is None else comparison.sentences(info):
        say(console, sentence)
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


def _promise(info: ModelInfo) -> Message:
    rate = of_hundred(info.wanted_error)
    if info.promised:
        return msg("At most {rate} accepted answers are wrong, with 95 % confidence.", rate=rate)
    return msg(
        "The aim is that at most {rate} accepted answers are wrong. There are too few samples to guarantee it.",
        rate=rate,
    )


@dataclass(frozen=True, slots=True, kw_only=False)
class _Table:
    """What stands in a table of answers, and where."""

    target: Path
    run: int
    on: Path | None
    like: Path | None
    probabilities: bool
    json: bool


def _write_table(asked: _Table, project: Project, model: ReleasedModel) -> None:
    """Write answers in one of Kaggle's shapes, and name the files that have none."""
    classes = model.info.classes
    if asked.like is not None:
        shape = shape_like(asked.like.expanduser(), classes)
    else:
        shape = plain_shape(classes, probabilities=asked.probabilities)
    unreadable = 0
    if asked.on is None:
        answers = answers_of_test_samples(project, asked.run, model.info)
    else:
        answers, unreadable = _of_folder(asked.on.expanduser(), model)
    missing = write_submission(asked.target, shape, answers, model.info)
    lines = len(answers if shape.ids is None else shape.ids) - len(missing)
    if asked.json:
        print_json(
            {"event": "exported", "run": asked.run, "path": str(asked.target), "lines": lines, "missing": missing}
        )
    else:
        say(
            make_console(),
            nmsg(
                "{count} answer of run {run} is now in {path}.",
                "{count} answers of run {run} are now in {path}.",
                lines,
                run=str(asked.run),
                path=str(asked.target),
            ),
        )
    if missing:
        fail(
            nmsg(
                "{count} line of {file} has no answer, e.g. {names}. Check that the folder has its files.",
                "{count} lines of {file} have no answer, e.g. {names}. Check that the folder has their files.",
                len(missing),
                file="" if asked.like is None else asked.like.name,
                names=missing[:3],
            )
        )
    if unreadable:
        fail(
            nmsg(
                "{count} of {total} files could not be read. The reasons are above.",
                "{count} of {total} files could not be read. The reasons are above.",
                unreadable,
                total=len(answers) + unreadable,
            )
        )


def _of_folder(folder: Path, model: ReleasedModel) -> tuple[Answers, int]:
    """The probabilities of each file, and how many could not be read."""
    answers, unreadable = {}, 0
    for result in predict_files(model, search_inputs([folder], model.info)):
        if isinstance(result, UnreadableInput):
            print_error(f"{printable(str(result.path))}: {text(result.reason)}")
            unreadable += 1
        else:
            path = result.path.name if folder.is_file() else result.path.relative_to(folder).as_posix()
            answers[path] = result.probabilities
    return answers, unreadable
