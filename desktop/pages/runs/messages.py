"""Sentences of the Runs page."""

from __future__ import annotations

from dataclasses import dataclass

from desktop.actions import with_key
from desktop.i18n import counted, msg, text, tr, trn
from desktop.models.run_scores import preset_name, score_text
from desktop.session import Session
from ml.api import KindName, RunDifference, RunInfo, RunScore, duration, percent

STATES = {
    "finished": msg("finished"),
    "failed": msg("failed"),
    "interrupted": msg("interrupted"),
    "running": msg("in training"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """One line of the table. `sort` has a value for each cell that orders the lines."""

    number: int
    cells: tuple[str, ...]
    sort: tuple[float | str, ...]
    finished: bool
    released: bool


def heads() -> tuple[str, ...]:
    return (
        tr("Run"),
        tr("Score"),
        tr("Likely range"),
        tr("Preset"),
        tr("Started"),
        tr("Took"),
        tr("Data"),
        tr("State"),
        tr("Notes"),
    )


def hints() -> tuple[str, ...]:
    """Return what the tool tip of each head explains; empty where the head says it all."""
    return (
        "",
        tr("By the labels of now, on samples that the run did not train on."),
        tr("With 95 % confidence, this many of 100 new samples are predicted correctly."),
        "",
        "",
        "",
        tr("Runs with the same number used the same samples, labels and split."),
        "",
        with_key(tr("Double-click to write a note."), "runs_note"),
    )


def run_line(
    session: Session,
    run: RunInfo,
    score: RunScore | None,
    version: tuple[int, int] | None,
    *,
    note: str = "",
    in_use: bool = False,
) -> RunLine:
    """Describe a run for the table. `version`: the number of its data, and how many samples had a label in it."""
    counts = session.split_counts()
    number, labelled = version or (0, 0)
    interval = None if score is None else score.interval
    state = tr("released") if in_use else text(STATES.get(run.state, msg("finished")))
    finished = run.state == "finished"
    cells = (
        str(run.number),
        (score_text(run, score, counts, session.project.task) or tr("no score")) if finished else "–",
        "–" if interval is None else tr("{low} to {high} %", low=_percent(interval[0]), high=_percent(interval[1])),
        preset_name(run.preset),
        run.created_at[:16].replace("T", " "),
        text(duration(run.seconds)) if run.seconds else "–",
        trn("no. {number}, {count} label", "no. {number}, {count} labels", labelled, number=number) if version else "–",
        state,
        note,
    )
    order: tuple[float | str, ...] = (
        float(run.number),
        -1.0 if score is None or score.score is None else score.score,
        -1.0 if interval is None else interval[0],
        ("quick", "standard", "thorough").index(run.preset),
        run.created_at,
        run.seconds,
        float(number),
        state,
        note.casefold(),
    )
    return RunLine(number=run.number, cells=cells, sort=order, finished=finished, released=in_use)


def _percent(fraction: float) -> int:
    return round(100 * fraction)


def page_sentence(count: int) -> str:
    if not count:
        return tr("Each training adds a run here.")
    return trn("{count} run. Choose two to compare them.", "{count} runs. Choose two to compare them.", count)


def compared(kind: KindName, before: int, after: int, found: RunDifference) -> str:
    """Say which of two runs is better, and on how many samples it was measured."""
    was, now = found.before.score, found.after.score
    if was is None or now is None:
        return tr(
            "Run {after} and run {before} have no test or validation sample in common, so they cannot be compared.",
            after=str(after),
            before=str(before),
        )
    samples = counted(found.after.count, kind)
    values = {"after": str(after), "before": str(before), "samples": text(samples)}
    if now == was:
        return tr("Run {after} and run {before} score the same on {samples}.", **values)
    values |= {"now": text(percent(now)), "was": text(percent(was))}
    if now > was:
        return tr("Run {after} is better than run {before}: {now} against {was}, on {samples}.", **values)
    return tr("Run {after} is worse than run {before}: {now} against {was}, on {samples}.", **values)


def right_only(count: int, run: int) -> str:
    return trn("{count} right only in run {run}", "{count} right only in run {run}", count, run=str(run))


def both_wrong(count: int) -> str:
    return trn("{count} wrong in both", "{count} wrong in both", count)


def how_to_compare(finished: int) -> str:
    if finished < 2:
        return tr("Train once more to compare two runs.")
    return tr("Choose one run to compare it with the run before, or two runs to compare them.")


def deleted(count: int) -> str:
    return trn(
        "{count} run is deleted. Undo brings it back until you close the project.",
        "{count} runs are deleted. Undo brings them back until you close the project.",
        count,
    )
