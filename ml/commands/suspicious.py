"""`handlens suspicious`: labels that are probably wrong, the most suspicious first."""

from __future__ import annotations

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    command,
    find_project,
    make_console,
    make_table,
    print_error,
    print_json,
    run_to_end,
    say,
)
from ml.commands.wording import part
from ml.core.events import Event, Note, Suspected
from ml.core.jobs import SuspectJob
from ml.core.messages import msg, nmsg, text, tr
from ml.core.phrases import video_time
from ml.core.types import TaskName
from ml.inference.answers import NONE_OF_THEM
from ml.project.project import Project
from ml.scoring.tasks import task_named

SHOWN = 25
LEAST_CERTAIN = 5
SCORE_SAYS = msg(
    "The score says how strongly a model that was not trained on the file disagrees with its label: near 0 it agrees, "
    "near 1 it is certain of another class."
)


@command()
def suspicious(project: ProjectArgument, run: RunOption = None, json: JsonOption = False) -> None:
    """List the labels that are probably wrong, the most suspicious first."""
    target = find_project(project)
    found = run_to_end(SuspectJob(project=target, run=run), _only_notes)
    assert isinstance(found, Suspected)
    with Project.open(target, to_read=True) as opened:
        names, task, windowing = [item.name for item in opened.classes()], opened.task, opened.windowing
        frames = opened.frames is not None
        samples = {sample.id: sample for sample in opened.samples()}
    rows = []
    for place, (sample_id, labels, suggested, score) in enumerate(
        zip(found.sample_ids, found.labels, found.suggested, found.scores, strict=True)
    ):
        sample = samples[sample_id]
        looks_like, replacement = _instead(labels, suggested, names, task=task)
        row: dict[str, object] = {"path": sample.path}
        if task_named(task).exclusive:
            row |= {"label": names[labels[0]], "suggested": looks_like[0]}
        else:
            row |= {"labels": [names[index] for index in labels], "suggested": looks_like}
        row |= {"score": round(score, 4), "looks_wrong": place < found.flagged}
        if sample.start is not None:
            row |= {"start": sample.start, "end": sample.end}
        label = ", ".join(names[index] for index in labels) or text(NONE_OF_THEM)
        place_in_file: tuple[str, ...] = ()
        if windowing is not None:
            place_in_file = (text(part(windowing, sample.start or 0.0, sample.end or 0.0)),)
        elif frames:
            place_in_file = ("" if sample.start is None else video_time(sample.start),)
        rows.append((row, (sample.path, *place_in_file, label, replacement, f"{score:.2f}")))
    if json:
        for row, _shown in rows:
            print_json(row)
        return
    _say(found, [shown for _row, shown in rows], with_place=windowing is not None or frames)


def _say(found: Suspected, rows: list[tuple[str, ...]], *, with_place: bool) -> None:
    console = make_console()
    if found.confirmed:
        say(
            console,
            nmsg(
                "{count} label that somebody confirmed is left out.",
                "{count} labels that somebody confirmed are left out.",
                found.confirmed,
            ),
        )
    if found.flagged == 0:
        say(console, msg("No label looks wrong. The least certain ones:"))
    else:
        say(
            console,
            nmsg(
                "{count} of {total} labels may be wrong. The most suspicious first:",
                "{count} of {total} labels may be wrong. The most suspicious first:",
                found.flagged,
                total=len(rows),
            ),
        )
    say(console, SCORE_SAYS)
    where = (tr("where"),) if with_place else ()
    table = make_table(tr("file"), *where, tr("label"), tr("looks like"), tr("score"))
    for shown in rows[: min(found.flagged, SHOWN) if found.flagged else LEAST_CERTAIN]:
        table.add_words(*shown)
    console.print(table)
    if found.flagged > SHOWN:
        say(
            console,
            nmsg(
                "… and {count} more. {option} lists all.",
                "… and {count} more. {option} lists all.",
                found.flagged - SHOWN,
                option="--json",
            ),
        )


def _instead(labels: tuple[int, ...], suggested: int, names: list[str], *, task: TaskName) -> tuple[list[str], str]:
    """The classes that it looks like, and the same in words."""
    if task_named(task).exclusive:
        return [names[suggested]], names[suggested]
    if suggested in labels:
        return [names[index] for index in labels if index != suggested], tr("no {name}", name=names[suggested])
    return [names[index] for index in sorted({*labels, suggested})], tr("also {name}", name=names[suggested])


def _only_notes(event: Event) -> None:
    if isinstance(event, Note):
        print_error(event.sentence)
