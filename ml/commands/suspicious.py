"""`handlens suspicious`: labels that are probably wrong, the most suspicious first."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from ml.commands.common import (
    JsonOption,
    ProjectArgument,
    RunOption,
    complain,
    find_project,
    last_event,
    print_json,
    verb,
    words,
)
from ml.commands.phrases import part, plural
from ml.events import Event, Note, Suspected
from ml.jobs import SuspectJob
from ml.project.project import Project
from ml.project.samples import Task

SHOWN = 25
LEAST_CERTAIN = 5
SCORE_SAYS = (
    "The score is how much a model that never saw the file doubts its label: near 0 it agrees, near 1 it is sure of "
    "something else."
)


@verb()
def suspicious(project: ProjectArgument, run: RunOption = None, json: JsonOption = False) -> None:
    """List the labels that are probably wrong, the most suspicious first."""
    target = find_project(project)
    found = last_event(SuspectJob(project=target, run=run), _only_notes)
    assert isinstance(found, Suspected)
    with Project.open(target, to_read=True) as opened:
        names, task, windowing = [item.name for item in opened.classes()], opened.task, opened.windowing
        samples = {sample.id: sample for sample in opened.samples()}
    rows = []
    for place, (sample_id, labels, suggested, score) in enumerate(
        zip(found.sample_ids, found.labels, found.suggested, found.scores, strict=True)
    ):
        sample = samples[sample_id]
        looks_like, said = _instead(labels, suggested, names, task=task)
        row: dict[str, object] = {"path": sample.path}
        if task == "single":
            row |= {"label": names[labels[0]], "suggested": looks_like[0]}
        else:
            row |= {"labels": [names[index] for index in labels], "suggested": looks_like}
        row |= {"score": round(score, 4), "looks_wrong": place < found.flagged}
        if sample.start is not None:
            row |= {"start": sample.start, "end": sample.end}
        label = ", ".join(names[index] for index in labels) or "none of them"
        place_in_file = () if windowing is None else (part(windowing, sample.start or 0.0, sample.end or 0.0),)
        rows.append((row, (sample.path, *place_in_file, label, said, f"{score:.2f}")))
    if json:
        for row, _shown in rows:
            print_json(row)
        return
    console = words()
    if found.confirmed:
        console.print(f"{plural(found.confirmed, 'label')} that somebody called right left out.")
    if found.flagged == 0:
        console.print("No label looks wrong. The least certain ones:")
    else:
        console.print(f"{plural(found.flagged, 'label')} of {len(rows):,} may be wrong. The most suspicious first:")
    console.print(SCORE_SAYS)
    where = () if windowing is None else ("where",)
    table = Table("file", *where, "labelled", "looks like", "score", box=None, pad_edge=False)
    count = min(found.flagged, SHOWN) if found.flagged else LEAST_CERTAIN
    for _row, shown in rows[:count]:
        table.add_row(*[escape(cell) for cell in shown])
    console.print(table)
    if found.flagged > SHOWN:
        console.print(f"… and {found.flagged - SHOWN:,} more: --json lists them all.")


def _instead(labels: tuple[int, ...], suggested: int, names: list[str], *, task: Task) -> tuple[list[str], str]:
    """The classes that it looks like, and the same in words."""
    if task == "single":
        return [names[suggested]], names[suggested]
    if suggested in labels:
        return [names[index] for index in labels if index != suggested], f"no {names[suggested]}"
    return [names[index] for index in sorted({*labels, suggested})], f"{names[suggested]}, too"


def _only_notes(event: Event) -> None:
    if isinstance(event, Note):
        complain(event.sentence)
