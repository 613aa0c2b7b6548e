"""What the Train and Explore pages say: numbers turned into sentences. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from desktop.i18n import Message, msg, nmsg, text, tr, trn
from desktop.models.run_comparison import Found, Outcome, RunScore
from desktop.models.run_scores import run_score
from desktop.widgets.remark_list import FindingRow, Level
from ml.api import (
    BackboneChecked,
    Front,
    Kind,
    Note,
    OfferedBackbone,
    Preset,
    RunFinding,
    RunInfo,
    Task,
    counted,
    counted_classes,
    percent,
    things,
)


def about(seconds: float) -> Message:
    """Seconds as a person would say them: "about 20 s", "about 6 min", "about 2 h"; NaN is not known."""
    if math.isnan(seconds):
        return msg("time known after the first run")
    if seconds < 10:
        return msg("a few seconds")
    if seconds < 55:
        return msg("about {n} s", n=round(seconds / 10) * 10)
    if seconds < 90 * 60:
        minutes = seconds / 60
        return msg("about {n} min", n=max(1, round(minutes)) if minutes < 20 else round(minutes / 5) * 5)
    hours = seconds / 3600
    return msg("about {n:g} h", n=round(hours) if hours >= 9.75 else round(hours * 2) / 2)


def duration(seconds: float) -> str:
    """`about` for the window."""
    return text(about(seconds))


def time_left(seconds: float | None) -> str:
    """The rest of a job: "2 min left"; empty while unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 5:
        return tr("a few seconds left")
    if seconds < 60:
        return tr("{n} s left", n=math.ceil(seconds / 5) * 5)
    if seconds < 3600:
        return tr("{n} min left", n=math.ceil(seconds / 60))
    return tr("{h} h {m} min left", h=int(seconds // 3600), m=int(seconds % 3600 // 60))


def large_score_of_several(score: float) -> str:
    """The same, where it stands alone."""
    return tr("Score {score} of 100", score=round(100 * score))


def score_meaning(kind: Kind) -> str:
    """What that score says, in one sentence."""
    return tr(
        "The score says how well it ranks {things} with a class above {things} without it. 100 is perfect.",
        things=things(kind),
    )


def score_note(kind: Kind, accuracy: float | None, probe: float | None, count: int, task: Task = "single") -> str:
    """What stands below the large score while it learns: of what, and how much better than the first model."""
    if task == "multi":
        return score_meaning(kind)
    note = msg("These are validation {things}, for checking while it learns.", things=things(kind))
    gained = 0 if accuracy is None or probe is None else round(accuracy * count) - round(probe * count)
    if gained <= 0:
        return text(note)
    more = nmsg(
        "{count} more is right than with the first model.", "{count} more are right than with the first model.", gained
    )
    return tr("{first} {second}", first=note, second=more)


def network_title(offered: OfferedBackbone) -> str:
    """A ready-made network in the list."""
    names = {"small": tr("Small and fast"), "default": tr("The usual one"), "strong": tr("Strong and slow")}
    return names[offered.title]


def network_words(offered: OfferedBackbone) -> str:
    """Its name, size, speed and licence in a few sentences."""
    size = msg("It comes with Handlens.")
    if offered.megabytes:
        size = msg("It is downloaded once ({n} MB).", n=offered.megabytes)
    speed = msg("The times above are for this network.")
    if offered.effort < 1:
        speed = msg("It takes about {share} of the usual time.", share=percent(offered.effort))
    elif offered.effort > 1:
        speed = msg("It takes about {n:g} times as long as the usual one.", n=offered.effort)
    free = msg("Free for any use ({licence}).", licence=offered.licence)
    return tr("{name}: {first} {second} {third}", name=offered.name, first=size, second=speed, third=free)


def front_words(front: Front) -> str:
    """What picture a network is shown of measurements."""
    return {
        "combined": tr("All three, one below the other (usual)"),
        "spectrogram": tr("Frequencies over time (spectrogram)"),
        "traces": tr("The curves (traces)"),
        "recurrence": tr("When earlier values return (recurrence plot)"),
    }[front]


def checked_words(event: BackboneChecked, *, file: bool) -> str:
    """What was found out about a network by its name; `file`: its weights come from a file."""
    if not event.known:
        if not event.suggestions:
            return tr("There is no network with that name. All names are listed at huggingface.co/timm.")
        return tr("There is no network with that name. Similar names: {names}.", names=event.suggestions)
    if file or event.here:
        return tr("Found. Nothing has to be downloaded. {licence}", licence=event.sentence)
    return tr("Found. Its weights are downloaded once when you train. {licence}", licence=event.sentence)


def readiness(kind: Kind, *, labelled: int, classes: int, ready: bool | None = None) -> str:
    """What there is to learn from, or what is missing. `ready`: whether it can learn; else it takes two classes."""
    if labelled == 0:
        return tr("Nothing is labelled yet. Label a few of each class first.")
    samples = counted(labelled, kind)
    if ready and classes == 1:
        return tr("Ready for training: {count_things}, with and without the class.", count_things=samples)
    if classes < 2:
        return tr("There is only one class. Training needs at least two.")
    return tr(
        "Ready for training: {count_things} in {classes}.", count_things=samples, classes=counted_classes(classes)
    )


def preset_name(preset: Preset) -> str:
    return {"quick": tr("Quick"), "standard": tr("Standard"), "thorough": tr("Thorough")}[preset]


def preset_promise(preset: Preset) -> str:
    """One sentence: what the preset does and when to take it."""
    return {
        "quick": tr("Trains a first model on what a pretrained network sees. Good for a first look."),
        "standard": tr("Continues from there and adjusts the network to your classes. Right for most folders."),
        "thorough": tr("The same, for longer. Choose it when every percent counts."),
    }[preset]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """Of a finished run: its number, whether there is a run `before`, how long it took, whether it was stopped `early`,
    and whether somebody `watched` how it did on those kept aside to check by."""

    run: int
    first: bool
    seconds: float
    early: bool = False
    watched: bool = False


def finished_score(kind: Kind, run: int, standing: RunScore, task: Task = "single") -> str:
    """The score of a finished run, large: "Right on 91 of 100 pictures it has never seen"."""
    score, count = standing.score, standing.count
    if score is None or count == 0:
        return tr("Run {n} is ready", n=str(run))
    samples, right = counted(count, kind), round(score * count)
    if task == "multi":
        hundred = round(100 * score)
        if standing.tested:
            return tr("Score {score} of 100 on {count_things} in the test", score=hundred, count_things=samples)
        return tr("Score {score} of 100 on {count_things} in validation", score=hundred, count_things=samples)
    if standing.tested:
        return tr("{right} of {count_things} right in the test", right=right, count_things=samples)
    return tr("{right} of {count_things} right in validation", right=right, count_things=samples)


def expected(kind: Kind, interval: tuple[float, float] | None) -> str:
    """What chance leaves open, in words; empty where it is not known."""
    if interval is None:
        return ""
    return tr(
        "Of 100 new {things} like these, expect between {low} and {high} right answers.",
        things=things(kind),
        low=round(interval[0] * 100),
        high=round(interval[1] * 100),
    )


def remarks_of(notes: Iterable[Note | RunFinding]) -> list[FindingRow]:
    """What a run found out about itself, with what leads on from there."""
    return [
        FindingRow(
            level=_level(note),
            sentence=text(note.sentence),
            verb=tr("Show them") if note.about == "sure and wrong" else "",
            key=note.about,
        )
        for note in notes
    ]


def _level(note: Note | RunFinding) -> Level:
    if note.level == "warning":
        return "warning"
    # How it does on new sources is a score: it is not folded away however good it is.
    return "good" if note.level == "good" and note.about != "new source" else "note"


def compared(kind: Kind, looked: Outcome, *, first: bool, task: Task = "single") -> str:
    """How a run did against the one before, on the same samples and by the same labels; empty where that is not
    known."""
    now, before, count = looked.standing.score, looked.earlier, looked.standing.count
    if now is None or count == 0:
        return tr("There are no {things} for validation or the test, so there is no score.", things=things(kind))
    if first:
        return tr("This is the first run. There is nothing to compare it with yet.")
    if task == "multi":
        return "" if before is None else _scores_compared(round(100 * now) - round(100 * before))
    if looked.mended is None or looked.spoilt is None:
        return ""
    change = looked.mended - looked.spoilt
    if change == 0:
        return tr("As many right answers as in the run before.")
    if change > 0:
        return trn(
            "{count} more right answer than in the run before.",
            "{count} more right answers than in the run before.",
            change,
        )
    return trn(
        "{count} right answer fewer than in the run before.",
        "{count} right answers fewer than in the run before.",
        -change,
    )


def _scores_compared(change: int) -> str:
    if change == 0:
        return tr("The same score as the run before.")
    if change > 0:
        return trn("{count} point better than the run before.", "{count} points better than the run before.", change)
    return trn("{count} point worse than the run before.", "{count} points worse than the run before.", -change)


def result_lines(kind: Kind, told: RunSummary, looked: Outcome, *, task: Task = "single") -> list[str]:
    """The sentences below the score of a finished run."""
    lines = [] if looked.found is None else [_found_and_named(looked.found)]
    if task == "multi" and looked.standing.score is not None:
        lines.append(score_meaning(kind))
    lines.append(expected(kind, looked.standing.interval))
    lines.append(compared(kind, looked, first=told.first, task=task))
    if looked.mended or looked.spoilt:
        lines.append(tr("Newly right: {mended}. Newly wrong: {spoilt}.", mended=looked.mended, spoilt=looked.spoilt))
    if told.watched and looked.standing.tested:
        lines.append(tr("During training you saw the validation score. This one is from the test."))
    if told.early:
        lines.append(tr("You stopped it early. The best model so far is kept."))
    lines.append(tr("It took {time}.", time=about(told.seconds)))
    return [line for line in lines if line]


def _found_and_named(found: Found) -> str:
    return tr(
        "It found {found} of {there} labels. Wrong predictions: {wrongly} of {named}.",
        found=found.found,
        there=found.there,
        wrongly=found.wrongly,
        named=found.named,
    )


def run_cells(run: RunInfo, standing: RunScore | None, counts: Mapping[str, int], task: Task) -> tuple[str, ...]:
    """A run in the list of runs: its name, its score, its preset, how long it took. `counts` as `split_counts`."""
    return (
        tr("Run {n}", n=str(run.number)),
        run_score(run, standing, counts, task) or tr("no score"),
        preset_name(run.preset),
        duration(run.seconds),
    )
