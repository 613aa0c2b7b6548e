"""`handlens evaluate`: how often a run is right, in a sentence, a table or a JSON line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    WrongAtMostOption,
    command,
    find_project,
    make_console,
    make_table,
    print_error,
    print_json,
    rate_named,
    run_to_end,
    say,
)
from ml.commands.progress import LiveReport
from ml.core.errors import HandlensError
from ml.core.events import Evaluated, Event, Note, as_json, without_untested
from ml.core.jobs import EvaluateJob
from ml.core.messages import msg, text, tr
from ml.core.phrases import percent
from ml.core.types import KindName
from ml.evaluation.accepting import accepting_sentence
from ml.media.kinds import kind_named
from ml.project.project import Project
from ml.scoring.tasks import task_named

ENOUGH_TO_TELL = 50
"""Of fewer files nobody can say how far off a model's probabilities are."""


@command()
def evaluate(
    project: ProjectArgument,
    run: RunOption = None,
    on: Annotated[
        Path | None,
        typer.Option(
            "--on", metavar="FOLDER", help=tr("Test on this folder instead. It has one sub-folder per class.")
        ),
    ] = None,
    wrong_at_most: WrongAtMostOption = None,
    json: JsonOption = False,
) -> None:
    """Say how often a run is right on samples it has never seen."""
    if on is not None and not on.is_dir():
        raise HandlensError(msg("There is no folder {folder}. Check the name.", folder=str(on)))
    target = find_project(project)
    job = EvaluateJob(
        project=target,
        run=run,
        on=None if on is None else on.expanduser().absolute(),
        wrong_at_most=None if wrong_at_most is None else rate_named(wrong_at_most),
    )
    if json:
        print_json(without_untested(as_json(evaluate_with(job, _only_notes))))
        return
    console = make_console()
    with Project.open(target, to_read=True) as opened:
        kind = opened.kind
    with LiveReport(console) as live:
        result = evaluate_with(job, live.show)
    say_result(result, kind, console)


def evaluate_with(job: EvaluateJob, show: Callable[[Event], None]) -> Evaluated:
    """Run the job, hand its events on, and give back the result; raises HandlensError where it fails."""
    last = run_to_end(job, show)
    assert isinstance(last, Evaluated)
    return last


def say_result(result: Evaluated, kind: KindName, console: Console) -> None:
    """The score in words, then class by class, the weakest first, with what it is mostly taken for."""
    task = task_named(result.task)
    files = result.files if kind_named(kind).windowed else None
    say(console, task.result(result.accuracy, result.n, kind, files=files, interval=result.interval))
    if not task.exclusive:
        _say_presence(result, console)
        return
    headers = (tr("class"), tr("samples"), tr("found"), tr("correct when predicted"), tr("most often mistaken for"))
    table = make_table(*headers)
    names = list(result.per_class)
    for name in sorted(names, key=lambda item: (result.per_class[item]["recall"], item)):
        scores = result.per_class[name]
        if scores["n"] == 0:
            continue
        taken_for = _most_confused(result, names.index(name), names)
        table.add_words(
            name,
            f"{scores['n']:.0f}",
            _with_interval(scores, "recall"),
            _with_interval(scores, "precision"),
            taken_for,
        )
    console.print(table)
    _say_calibration(result, console)
    if result.accepting is not None:
        say(console, accepting_sentence(result.accepting, kind))
    _say_findings(result, console)


def _with_interval(scores: dict[str, float], key: str) -> str:
    return f"{text(percent(scores[key]))} {_open(scores, key)}"


def _open(scores: dict[str, float], key: str) -> str:
    """The confidence interval, of 100."""
    return f"({scores[f'{key}_low'] * 100:.0f}–{scores[f'{key}_high'] * 100:.0f})"


def _say_presence(result: Evaluated, console: Console) -> None:
    """Where more than one class may be present: what is found of each, the weakest class first."""
    headers = (tr("class"), tr("found"), tr("wrongly predicted"), tr("average precision"))
    table = make_table(*headers)
    for name, scores in sorted(result.per_class.items(), key=lambda item: (item[1]["average_precision"], item[0])):
        if scores["n"] == 0 and scores["named"] == 0:
            continue
        table.add_words(
            name,
            _found(scores),
            _wrongly(scores),
            text(percent(scores["average_precision"])) if scores["n"] else "–",
        )
    console.print(table)
    say(console, msg("In brackets: the range with 95 % confidence, out of 100."))
    _say_calibration(result, console)
    _say_findings(result, console)


def _found(scores: dict[str, float]) -> str:
    if not scores["n"]:
        return "–"
    return tr(
        "{found} of {n} {interval}",
        found=round(scores["found"]),
        n=round(scores["n"]),
        interval=_open(scores, "recall"),
    )


def _wrongly(scores: dict[str, float]) -> str:
    if not scores["named"]:
        return tr("never predicted")
    return tr("{wrong} of {named} predictions", wrong=round(scores["wrongly"]), named=round(scores["named"]))


def _say_findings(result: Evaluated, console: Console) -> None:
    for finding in result.findings:
        say(console, f"• {text(finding)}")


def _say_calibration(result: Evaluated, console: Console) -> None:
    """How far off its probabilities are; nothing for few files, where chance matters more."""
    if result.files < ENOUGH_TO_TELL:
        return
    if result.ece_before is None:
        say(console, msg("Its probabilities are off by {error} on average.", error=percent(result.ece)))
        return
    say(
        console,
        msg(
            "Its probabilities are off by {error} on average ({before} before calibration).",
            error=percent(result.ece),
            before=percent(result.ece_before),
        ),
    )


def _most_confused(result: Evaluated, row: int, names: list[str]) -> str:
    others = [(count, column) for column, count in enumerate(result.confusion[row]) if column != row and count]
    if not others:
        return ""
    count, column = max(others, key=lambda item: (item[0], -item[1]))
    return f"{names[column]} ({count})"


def _only_notes(event: Event) -> None:
    if isinstance(event, Note):
        print_error(event.sentence)
