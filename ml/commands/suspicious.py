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
from ml.commands.phrases import plural
from ml.events import Event, Note, Suspected
from ml.jobs import SuspectJob
from ml.project.project import Project

SHOWN = 25


@verb()
def suspicious(project: ProjectArgument, run: RunOption = None, json: JsonOption = False) -> None:
    """List the labels that are probably wrong, the most suspicious first. One class per sample only."""
    target = find_project(project)
    found = last_event(SuspectJob(project=target, run=run), _only_notes)
    assert isinstance(found, Suspected)
    with Project.open(target) as opened:
        names = [item.name for item in opened.classes()]
        samples = {sample.id: sample for sample in opened.samples()}
    rows = []
    for sample_id, label, suggested, score in zip(
        found.sample_ids, found.labels, found.suggested, found.scores, strict=True
    ):
        sample = samples[sample_id]
        span = {} if sample.start is None else {"start": sample.start, "end": sample.end}
        rows.append(
            {
                "path": sample.path,
                "label": names[label],
                "suggested": names[suggested],
                "score": round(score, 4),
                **span,
            }
        )
    if json:
        for row in rows:
            print_json(row)
        return
    console = words()
    if found.confirmed:
        console.print(f"{plural(found.confirmed, 'label')} that somebody called right left out.")
    if found.flagged == 0:
        console.print("No label looks wrong. The least certain ones:")
    else:
        console.print(f"{plural(found.flagged, 'label')} of {len(rows):,} may be wrong. The most suspicious first:")
    table = Table("file", "labelled", "looks like", "score", box=None, pad_edge=False)
    for row in rows[: max(SHOWN, 0)]:
        table.add_row(
            escape(str(row["path"])), escape(str(row["label"])), escape(str(row["suggested"])), f"{row['score']:.2f}"
        )
    console.print(table)


def _only_notes(event: Event) -> None:
    if isinstance(event, Note):
        complain(event.sentence)
