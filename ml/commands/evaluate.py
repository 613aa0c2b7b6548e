"""`handlens evaluate`: how often a run is right, in a sentence, a table or a JSON line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    WrongAtMostOption,
    complain,
    find_project,
    last_event,
    print_json,
    rate_named,
    verb,
    words,
)
from ml.commands.live import LiveReport
from ml.commands.phrases import SCORE_MEANS, capital, percent, result_on, score_sentence
from ml.errors import HandlensError
from ml.events import Accepting, Evaluated, Event, Note, as_json
from ml.jobs import EvaluateJob
from ml.project.project import Project
from ml.project.samples import Kind
from ml.wording import NOUNS, counted, counted_files, of_hundred

ENOUGH_TO_TELL = 50
"""Of fewer files nobody can say how far off a model's probabilities are."""


@verb()
def evaluate(
    project: ProjectArgument,
    run: RunOption = None,
    on: Annotated[
        Path | None, typer.Option("--on", metavar="FOLDER", help="Test on this folder of class folders instead.")
    ] = None,
    wrong_at_most: WrongAtMostOption = None,
    json: JsonOption = False,
) -> None:
    """Say how often a run is right on samples it has never seen."""
    if on is not None and not on.is_dir():
        raise HandlensError(f"There is no folder {on}; check the name.")
    target = find_project(project)
    job = EvaluateJob(
        project=target,
        run=run,
        on=None if on is None else on.expanduser().absolute(),
        wrong_at_most=None if wrong_at_most is None else rate_named(wrong_at_most),
    )
    if json:
        print_json(as_json(evaluate_with(job, _only_notes)))
        return
    console = words()
    with Project.open(target, to_read=True) as opened:
        kind = opened.kind
    with LiveReport(console) as live:
        result = evaluate_with(job, live.show)
    say_result(result, kind, console)


def evaluate_with(job: EvaluateJob, show: Callable[[Event], None]) -> Evaluated:
    """Run the job, hand its events on, and give back the result; raises HandlensError where it fails."""
    last = last_event(job, show)
    assert isinstance(last, Evaluated)
    return last


def say_result(result: Evaluated, kind: Kind, console: Console) -> None:
    """The score in words, then class by class, the weakest first, with what it is mostly taken for."""
    if result.task == "multi":
        _say_several(result, kind, console)
        return
    console.print(capital(score_sentence(result.accuracy, result.n, kind, result.interval, result.files)) + ".")
    table = Table("class", "n", "found", "right when named", "mostly taken for", box=None, pad_edge=False)
    names = list(result.per_class)
    for name in sorted(names, key=lambda item: (result.per_class[item]["recall"], item)):
        scores = result.per_class[name]
        if scores["n"] == 0:
            continue
        taken_for = _most_confused(result, names.index(name), names)
        table.add_row(
            escape(name),
            f"{scores['n']:.0f}",
            _with_interval(scores, "recall"),
            _with_interval(scores, "precision"),
            escape(taken_for),
        )
    console.print(table)
    _say_calibration(result, console)
    if result.accepting is not None:
        console.print(accepting_sentence(result.accepting, kind))
    for finding in result.findings:
        console.print(f"• {finding}", markup=False)


def accepting_sentence(told: Accepting, kind: Kind) -> str:
    """What it costs to keep to a wanted share of wrong answers."""
    n = told.accepted + told.rejected
    price = (
        f"It sets aside what it is too unsure of, so as to be wrong on at most {of_hundred(told.wrong_at_most)} it "
        f"accepts. Put to the test: {told.rejected:,} of {counted(n, kind)} set aside, and of the {told.accepted:,} "
        f"accepted {told.wrong:,} {'is' if told.wrong == 1 else 'are'} wrong"
    )
    if told.promised:
        return f"{price}. The {NOUNS[kind][1]} it was chosen by promise that, with 95 % confidence."
    # Windows of one recording are right or wrong together.
    return (
        f"{price} (at most {of_hundred(told.error_at_most)} with 95 % confidence). That is an aim, no promise: "
        f"for one it has to be right on all of at least {counted_files(told.needed, kind)} to choose by, or on "
        "more with few mistakes."
    )


def _with_interval(scores: dict[str, float], key: str) -> str:
    return f"{percent(scores[key])} {_open(scores, key)}"


def _open(scores: dict[str, float], key: str) -> str:
    """What chance leaves open, of 100."""
    return f"({scores[f'{key}_low'] * 100:.0f}–{scores[f'{key}_high'] * 100:.0f})"


def _say_several(result: Evaluated, kind: Kind, console: Console) -> None:
    """The same where more than one class may be present; the weakest class first."""
    console.print(capital(result_on(result.accuracy, result.n, kind, result.task, result.files)) + f". {SCORE_MEANS}")
    table = Table("class", "found", "said wrongly", "average precision", box=None, pad_edge=False)
    for name, scores in sorted(result.per_class.items(), key=lambda item: (item[1]["average_precision"], item[0])):
        if scores["n"] == 0 and scores["named"] == 0:
            continue
        table.add_row(
            escape(name),
            f"found {scores['found']:.0f} of {scores['n']:.0f} {_open(scores, 'recall')}" if scores["n"] else "–",
            f"{scores['wrongly']:.0f} of {scores['named']:.0f} said wrongly" if scores["named"] else "never named",
            percent(scores["average_precision"]) if scores["n"] else "–",
        )
    console.print(table)
    console.print("In brackets: of 100, what chance leaves open with 95 % confidence.")
    _say_calibration(result, console)
    for finding in result.findings:
        console.print(f"• {finding}", markup=False)


def _say_calibration(result: Evaluated, console: Console) -> None:
    """How far off its probabilities are; nothing of fewer files, where chance is larger than what it would say."""
    if result.files < ENOUGH_TO_TELL:
        return
    before = "" if result.ece_before is None else f" (before it was calibrated: {percent(result.ece_before)})"
    console.print(f"When it names a probability, it is off by {percent(result.ece)} on average{before}.")


def _most_confused(result: Evaluated, row: int, names: list[str]) -> str:
    others = [(count, column) for column, count in enumerate(result.confusion[row]) if column != row and count]
    if not others:
        return ""
    count, column = max(others, key=lambda item: (item[0], -item[1]))
    return f"{names[column]} ({count})"


def _only_notes(event: Event) -> None:
    if isinstance(event, Note):
        complain(event.sentence)
