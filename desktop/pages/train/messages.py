"""The sentences of the Train page. No widgets here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from desktop.i18n import Message, msg, nmsg, text, tr, trn
from desktop.models.run_scores import preset_name, score_text
from desktop.widgets.finding_list import FindingRow, Level
from desktop.workers.slowdown import Slowdown
from ml.api import (
    ENGINE_COMMAND,
    BackboneChecked,
    Ear,
    Finished,
    FirstModel,
    Front,
    KindName,
    LabelCounts,
    Note,
    OfferedBackbone,
    Preset,
    RunComparison,
    RunFinding,
    RunInfo,
    RunScore,
    TaskName,
    adjusting_result,
    counted,
    counted_classes,
    percent,
    task_named,
    things,
)


def about(seconds: float) -> Message:
    """Round a duration: "about 20 s", "about 6 min", "about 2 h". NaN means unknown."""
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
    """Return `about` as text."""
    return text(about(seconds))


def time_left(seconds: float | None) -> str:
    """Return the remaining time of a job, "2 min left"; empty while unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 5:
        return tr("a few seconds left")
    if seconds < 60:
        return tr("{n} s left", n=math.ceil(seconds / 5) * 5)
    if seconds < 3600:
        return tr("{n} min left", n=math.ceil(seconds / 60))
    return tr("{h} h {m} min left", h=int(seconds // 3600), m=int(seconds % 3600 // 60))


def slow_sentence(*, slower: bool, reason: Slowdown | None, passes: int) -> str:
    """Say why the training takes longer: a `reason` that was measured, or more `passes` than planned, else 0.

    `slower`: a sample takes longer than usual; else only the time left has grown.
    """
    if passes and not slower:
        return trn(
            "It takes longer than expected: the first model left much to learn, so there is {count} pass.",
            "It takes longer than expected: the first model left much to learn, so there are {count} passes.",
            passes,
        )
    if reason is None:
        return tr("It is slower than usual.") if slower else tr("It takes longer than expected.")
    if reason.name == "processor":
        return tr(
            "It is slower than usual, because other programs use {share} of the processor.",
            share=percent(reason.share),
        )
    if reason.name == "battery":
        return tr("It is slower than usual, because the computer runs on battery.")
    return tr("It is slower than usual, because memory is short. Close other programs.")


def expected_gain(first: FirstModel) -> str:
    """Return what adjusting the network is expected to gain, in a few words; empty while unknown."""
    if first.gain is None:
        return ""
    low, high = round(first.gain[0]), round(first.gain[1])
    return tr("expected gain {low} to {high} of 100", low=low, high=high)


def first_model_ready(kind: KindName, first: FirstModel, score: RunScore, task: TaskName) -> str:
    """Say that the first model is there, how good it is, and whether adjusting is worth it."""
    ready = tr("The first model is ready. You can look at it while the network is adjusted.")
    if score.score is not None and score.count:
        ready = tr(
            "The first model is ready: {score}. You can look at it while the network is adjusted.",
            score=finished_score(kind, first.run, score, task),
        )
    return ready if first.advice is None else tr("{first} {second}", first=ready, second=first.advice)


def plan_sentence(preset: Preset, *, first: float | None, seconds: float | None) -> str:
    """Say what the button does. `first`, `seconds`: the expected time of the first model, and of the whole run."""
    if preset == "quick":
        return tr("Trains a first model only.")
    if first is None or seconds is None or math.isnan(seconds):
        return tr(
            "A first model comes within seconds. You can look at it while the network is adjusted to your classes."
        )
    return tr(
        "A first model comes in {first}. You can look at it while the network is adjusted to your classes, which takes "
        "{time}.",
        first=about(first),
        time=about(seconds),
    )


def right_of(accuracy: float, count: int) -> str:
    """Return an accuracy as counts: "94 of 100 right"."""
    return tr("{right} of {count} right", right=round(accuracy * count), count=count)


def multilabel_score(score: float) -> str:
    """Return a mean average precision: "Score 86 of 100"."""
    return tr("Score {score} of 100", score=round(100 * score))


def score_meaning(kind: KindName) -> str:
    """Explain the multi-label score in one sentence."""
    return tr(
        "The score says how well it ranks {things} with a class above {things} without it. 100 is perfect.",
        things=things(kind),
    )


def score_note(
    kind: KindName, accuracy: float | None, probe: float | None, count: int, task: TaskName = "single"
) -> str:
    """Return the note below the score during training: the sample set, and the gain over the linear probe."""
    if not task_named(task).exclusive:
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
    """Return the name of an offered network in the list."""
    names = {"small": tr("Small and fast"), "default": tr("The usual one"), "strong": tr("Strong and slow")}
    return names[offered.title]


def network_words(offered: OfferedBackbone) -> str:
    """Describe an offered network: name, size, speed, licence."""
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
    """Return the name of a front end for sensor logs."""
    return {
        "combined": tr("All three, one below the other (usual)"),
        "spectrogram": tr("Frequencies over time (spectrogram)"),
        "traces": tr("The curves (traces)"),
        "recurrence": tr("When earlier values return (recurrence plot)"),
    }[front]


def ear_words(ear: Ear) -> str:
    """Return the name of a choice of networks for recordings."""
    return {
        "auto": tr("Chosen by your recordings (usual)"),
        "picture": tr("The picture network, on spectrograms"),
        "speech": tr("The speech network"),
        "both": tr("Both side by side"),
        "yamnet": tr("YAMNet, for sounds of the world"),
    }[ear]


def ear_meaning(ear: Ear) -> str:
    """Say in one sentence when to choose these networks."""
    return {
        "auto": tr("Each is tried on the training recordings, and the best is used; the run says which."),
        "picture": tr("Good for machines, nature and music. It is the one that Standard adjusts."),
        "speech": tr("Good for words, voices and short calls. It hears up to 8 kHz."),
        "both": tr("Sometimes better than either, and it takes the time of both."),
        "yamnet": tr("Good for animals, nature, machines and music. Its weights, 15 MB, are downloaded once."),
    }[ear]


def checked_words(event: BackboneChecked, *, file: bool) -> str:
    """Describe the network that was looked up. `file`: its weights come from a file."""
    if not event.known:
        if not event.suggestions:
            return tr("There is no network with that name. All names are listed at huggingface.co/timm.")
        return tr("There is no network with that name. Similar names: {names}.", names=event.suggestions)
    if file or event.here:
        return tr("Found. Nothing has to be downloaded. {licence}", licence=event.sentence)
    return tr("Found. Its weights are downloaded once when you train. {licence}", licence=event.sentence)


def readiness(kind: KindName, *, labelled: int, classes: int, ready: bool | None = None) -> str:
    """Say what there is to train on, or what is missing."""
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


def preset_promise(preset: Preset) -> str:
    """Say what the preset does and when to choose it."""
    return {
        "quick": tr("Trains a first model on what a pretrained network sees. Good for a first look."),
        "standard": tr("Continues from there and adjusts the network to your classes. Right for most folders."),
        "thorough": tr("The same, for longer. Choose it when every percent counts."),
    }[preset]


def preset_unavailable() -> str:
    """Say what a preset that adjusts the network needs, where it is not installed."""
    return tr("Needs PyTorch, which is not installed. Add it in the Handlens folder: {command}", command=ENGINE_COMMAND)


def adjusting_unavailable() -> str:
    """Say that there is a first model only, and how to add what adjusts the network."""
    return tr(
        "Adjusting the network to your classes needs PyTorch. Add it in the Handlens folder: {command}",
        command=ENGINE_COMMAND,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """Facts of a finished run: `first` of the project, `early` if it was stopped, `watched` if its validation score was
    on screen during training, `change` what adjusting the network did to the first model."""

    run: int
    first: bool
    seconds: float
    early: bool = False
    watched: bool = False
    change: str = ""


def finished_score(kind: KindName, run: int, run_score: RunScore, task: TaskName = "single") -> str:
    """Return the headline of a finished run: "91 of 100 pictures right in the test"."""
    score, count = run_score.score, run_score.count
    if score is None or count == 0:
        return tr("Run {n} is ready", n=str(run))
    samples, right = counted(count, kind), round(score * count)
    if not task_named(task).exclusive:
        hundred = round(100 * score)
        if run_score.tested:
            return tr("Score {score} of 100 on {count_things} in the test", score=hundred, count_things=samples)
        return tr("Score {score} of 100 on {count_things} in validation", score=hundred, count_things=samples)
    if run_score.tested:
        return tr("{right} of {count_things} right in the test", right=right, count_things=samples)
    return tr("{right} of {count_things} right in validation", right=right, count_things=samples)


def adjusting_text(event: Finished) -> str:
    """Return what adjusting the network did to the first model; empty if it was not adjusted."""
    result = adjusting_result(event)
    return "" if result is None else text(result)


def interval_text(kind: KindName, interval: tuple[float, float] | None) -> str:
    """Return the confidence interval in words; empty without one."""
    if interval is None:
        return ""
    return tr(
        "Of 100 new {things} like these, expect between {low} and {high} right answers.",
        things=things(kind),
        low=round(interval[0] * 100),
        high=round(interval[1] * 100),
    )


def finding_rows(notes: Iterable[Note | RunFinding]) -> list[FindingRow]:
    """Return the findings of a run's self-test as rows of the list."""
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
    # The effect of new sources is a score: it is shown even where it is good.
    return "good" if note.level == "good" and note.about != "new source" else "note"


def comparison_text(kind: KindName, comparison: RunComparison, *, first: bool, task: TaskName = "single") -> str:
    """Compare a run with the one before; empty where that is unknown."""
    now, before, count = comparison.score.score, comparison.earlier_score, comparison.score.count
    if now is None or count == 0:
        return tr("There are no {things} for validation or the test, so there is no score.", things=things(kind))
    if first:
        return tr("This is the first run. There is nothing to compare it with yet.")
    if not task_named(task).exclusive:
        return "" if before is None else _score_change(round(100 * now) - round(100 * before))
    if comparison.fixed is None or comparison.broken is None:
        return ""
    change = comparison.fixed - comparison.broken
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


def _score_change(change: int) -> str:
    if change == 0:
        return tr("The same score as the run before.")
    if change > 0:
        return trn("{count} point better than the run before.", "{count} points better than the run before.", change)
    return trn("{count} point worse than the run before.", "{count} points worse than the run before.", -change)


def result_lines(
    kind: KindName, summary: RunSummary, comparison: RunComparison, *, task: TaskName = "single"
) -> list[str]:
    """Return the sentences below the score of a finished run."""
    lines = [] if comparison.label_counts is None else [_label_counts_text(comparison.label_counts)]
    if not task_named(task).exclusive and comparison.score.score is not None:
        lines.append(score_meaning(kind))
    lines.append(summary.change)
    lines.append(interval_text(kind, comparison.score.interval))
    lines.append(comparison_text(kind, comparison, first=summary.first, task=task))
    fixed, broken = comparison.fixed, comparison.broken
    if fixed or broken:
        lines.append(tr("Newly right: {mended}. Newly wrong: {spoilt}.", mended=fixed, spoilt=broken))
    if summary.watched and comparison.score.tested:
        lines.append(tr("During training you saw the validation score. This one is from the test."))
    if summary.early and not summary.change:
        lines.append(tr("You stopped it early. The best model so far is kept."))
    lines.append(tr("It took {time}.", time=about(summary.seconds)))
    return [line for line in lines if line]


def _label_counts_text(counts: LabelCounts) -> str:
    return tr(
        "It found {found} of {there} labels. Wrong predictions: {wrongly} of {named}.",
        found=counts.found,
        there=counts.present,
        wrongly=counts.wrong,
        named=counts.predicted,
    )


def run_cells(run: RunInfo, score: RunScore | None, counts: Mapping[str, int], task: TaskName) -> tuple[str, ...]:
    """Return a line of the list of runs: name, score, preset, duration. `counts` as in `Session.split_counts`."""
    return (
        tr("Run {n}", n=str(run.number)),
        score_text(run, score, counts, task) or tr("no score"),
        preset_name(run.preset),
        duration(run.seconds),
    )
