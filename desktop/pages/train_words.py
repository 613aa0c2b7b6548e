"""What the Train and Explore pages say: numbers turned into sentences. No widgets here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from desktop.pages.train_compare import Found, Outcome, Standing
from desktop.widgets.remark_list import Level, Said
from ml.api import BackboneChecked, Front, Kind, Note, OfferedBackbone, Preset, Remark, RunInfo, Sample, Task


def tr(text: str) -> str:
    return QCoreApplication.translate("Words", text)


def capital(text: str) -> str:
    """The same as a sentence begins."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Seconds as a person would say them: "about 20 s", "about 6 min", "about 2 h"; NaN is not known."""
    if math.isnan(seconds):
        return tr("time known after the first run")
    if seconds < 10:
        return tr("a few seconds")
    if seconds < 55:
        return tr("about {n} s").format(n=round(seconds / 10) * 10)
    if seconds < 90 * 60:
        minutes = seconds / 60
        return tr("about {n} min").format(n=max(1, round(minutes)) if minutes < 20 else round(minutes / 5) * 5)
    hours = seconds / 3600
    return tr("about {n} h").format(n=f"{hours:.0f}" if hours >= 9.75 else f"{round(hours * 2) / 2:g}")


def time_left(seconds: float | None) -> str:
    """The rest of a job: "2 min left"; empty while unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 5:
        return tr("a few seconds left")
    if seconds < 60:
        return tr("{n} s left").format(n=math.ceil(seconds / 5) * 5)
    if seconds < 3600:
        return tr("{n} min left").format(n=math.ceil(seconds / 60))
    return tr("{h} h {m} min left").format(h=int(seconds // 3600), m=int(seconds % 3600 // 60))


def things(kind: Kind, count: int) -> str:
    """`count` samples in the user's words: "1 picture", "1,200 sounds"."""
    words = {
        "images": (tr("{n} picture"), tr("{n} pictures")),
        "recordings": (tr("{n} sound"), tr("{n} sounds")),
        "sensors": (tr("{n} measurement"), tr("{n} measurements")),
    }[kind]
    return words[count != 1].format(n=f"{count:,}")


def right_of(accuracy: float, count: int) -> str:
    """A score as counts: "94 of 100 right"."""
    return tr("{right} of {count} right").format(right=f"{round(accuracy * count):,}", count=f"{count:,}")


def score_of_several(score: float) -> str:
    """A mean average precision where more than one class may be present: "score 86 of 100"."""
    return tr("score {score} of 100").format(score=round(100 * score))


def score_meaning(kind: Kind) -> str:
    """What that score says, in one sentence."""
    return {
        "images": tr(
            "The score: how well it puts pictures that show a class before those that do not. 100 is perfect."
        ),
        "recordings": tr(
            "The score: how well it puts sounds that hold a class before those that do not. 100 is perfect."
        ),
        "sensors": tr(
            "The score: how well it puts measurements that show a class before those that do not. 100 is perfect."
        ),
    }[kind]


def score_note(kind: Kind, accuracy: float | None, probe: float | None, count: int, task: Task = "single") -> str:
    """What stands below the large score while it learns: of what, and how much better than the first model."""
    if task == "multi":
        return score_meaning(kind)
    note = {
        "images": tr("pictures kept aside to check by"),
        "recordings": tr("sounds kept aside to check by"),
        "sensors": tr("measurements kept aside to check by"),
    }[kind]
    if accuracy is None or probe is None:
        return note
    gained = round(accuracy * count) - round(probe * count)
    if gained <= 0:
        return note
    return tr("{note}, {n} more than the first model").format(note=note, n=gained)


def network_title(offered: OfferedBackbone) -> str:
    """A ready-made network in the list."""
    names = {"small": tr("Small and fast"), "default": tr("The usual one"), "strong": tr("Strong and slow")}
    return names[offered.title]


def network_words(offered: OfferedBackbone) -> str:
    """Its name, size, speed and licence in a few sentences."""
    size = tr("{n} MB to download once").format(n=offered.megabytes) if offered.megabytes else tr("comes with Handlens")
    if offered.effort < 1:
        speed = tr("takes about {n} % of the usual time").format(n=round(offered.effort * 100))
    elif offered.effort == 1:
        speed = tr("the times above are for it")
    else:
        speed = tr("takes about {n} times as long as the usual one").format(n=f"{offered.effort:g}")
    free = tr("Free for any use ({licence}).").format(licence=offered.licence)
    return f"{offered.name}: {size}, {speed}. {free}"


def front_words(front: Front) -> str:
    """What picture a network is shown of measurements."""
    return {
        "combined": tr("All three, below each other (usual)"),
        "spectrogram": tr("How the rhythms change (spectrogram)"),
        "traces": tr("The curves themselves (traces)"),
        "recurrence": tr("When it comes back to where it was (recurrence plot)"),
    }[front]


def checked_words(event: BackboneChecked, *, file: bool) -> str:
    """What was found out about a network by its name; `file`: its weights come from a file."""
    if not event.known:
        if not event.suggestions:
            return tr("There is no network of that name. All names are at huggingface.co/timm.")
        return tr("There is no network of that name. Did you mean {names}?").format(names=", ".join(event.suggestions))
    if file or event.here:
        return tr("There it is; nothing has to be downloaded. {licence}").format(licence=event.sentence)
    return tr("There it is; its weights are downloaded once when you train. {licence}").format(licence=event.sentence)


def readiness(kind: Kind, *, labelled: int, classes: int, ready: bool | None = None) -> str:
    """What there is to learn from, or what is missing. `ready`: whether it can learn; else it takes two classes."""
    if labelled == 0:
        return tr("Nothing is labelled yet. Label a few of each class first.")
    if ready and classes == 1:
        return tr("{things}, with one class and without, are ready to learn from.").format(
            things=things(kind, labelled)
        )
    if classes < 2:
        return tr("There is only one class. It needs at least two to tell apart.")
    return tr("{things} in {n} classes are ready to learn from.").format(things=things(kind, labelled), n=classes)


def preset_name(preset: Preset) -> str:
    return {"quick": tr("Quick"), "standard": tr("Standard"), "thorough": tr("Thorough")}[preset]


def preset_promise(preset: Preset) -> str:
    """One sentence: what the preset does and when to take it."""
    return {
        "quick": tr("Learns from what a ready-made network already sees. A first model to look at."),
        "standard": tr("Goes on from there and adjusts the network itself to your classes. Right for most folders."),
        "thorough": tr("The same, for longer. For when the last few in a hundred matter."),
    }[preset]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Of a finished run: its number, whether there is a run `before`, how long it took, whether it was stopped `early`,
    and whether somebody `watched` how it did on those kept aside to check by."""

    run: int
    first: bool
    seconds: float
    early: bool = False
    watched: bool = False


def finished_score(kind: Kind, run: int, standing: Standing, task: Task = "single") -> str:
    """The score of a finished run, large: "Right on 91 of 100 pictures it has never seen"."""
    score, count = standing.score, standing.count
    if score is None or count == 0:
        return tr("Run {n} is ready").format(n=run)
    which = tr("it has never heard") if kind == "recordings" else tr("it has never seen")
    which = which if standing.tested else tr("kept aside to check by")
    if task == "multi":
        said, text = capital(score_of_several(score)), tr("{score} on {things} {which}")
    else:
        said, text = f"{round(score * count):,}", tr("Right on {score} of {things} {which}")
    return text.format(score=said, things=things(kind, count), which=which)


def expected(kind: Kind, interval: tuple[float, float] | None) -> str:
    """What chance leaves open, in words; empty where it is not known."""
    if interval is None:
        return ""
    many = {"images": tr("pictures"), "recordings": tr("sounds"), "sensors": tr("measurements")}[kind]
    text = tr("Of 100 new {things} like these, expect it to be right on between {low} and {high}.")
    return text.format(things=many, low=f"{interval[0] * 100:.0f}", high=f"{interval[1] * 100:.0f}")


def remarks_of(notes: Iterable[Note | Remark]) -> list[Said]:
    """What a run found out about itself, with what leads on from there."""
    return [
        Said(
            level=_level(note),
            sentence=note.sentence,
            verb=tr("Show them") if note.about == "sure and wrong" else "",
            key=note.about,
        )
        for note in notes
    ]


def _level(note: Note | Remark) -> Level:
    if note.level == "warning":
        return "warning"
    # How it does on new sources is a score: it is not folded away however good it is.
    return "good" if note.level == "good" and note.about != "new source" else "note"


def compared(kind: Kind, looked: Outcome, *, first: bool, task: Task = "single") -> str:
    """How a run did against the one before, on the same samples and by the same labels; empty where that is not
    known."""
    now, before, count = looked.standing.score, looked.earlier, looked.standing.count
    if now is None or count == 0:
        return tr("Nothing was kept aside to test it on, so there is no score.")
    if first:
        return tr("This is the first run, so there is nothing to compare it with yet.")
    if task == "multi":
        return "" if before is None else _scores_compared(round(100 * now) - round(100 * before))
    if looked.mended is None or looked.spoilt is None:
        return ""
    change = looked.mended - looked.spoilt
    if change == 0:
        return tr("As many right as the run before.")
    more, fewer = tr("{things} more right than the run before."), tr("{things} fewer right than the run before.")
    return (more if change > 0 else fewer).format(things=things(kind, abs(change)))


def _scores_compared(change: int) -> str:
    if change == 0:
        return tr("The same score as the run before.")
    text = tr("{n} points better than the run before.") if change > 0 else tr("{n} points less than the run before.")
    return text.format(n=abs(change))


def result_lines(kind: Kind, told: Told, looked: Outcome, *, task: Task = "single") -> list[str]:
    """The sentences below the score of a finished run."""
    lines = [] if looked.found is None else [_found_and_named(looked.found)]
    if task == "multi" and looked.standing.score is not None:
        lines.append(score_meaning(kind))
    lines.append(expected(kind, looked.standing.interval))
    lines.append(compared(kind, looked, first=told.first, task=task))
    if looked.mended or looked.spoilt:
        text = tr("It now gets {mended} right that it had wrong, and {spoilt} wrong that it had right.")
        lines.append(text.format(mended=looked.mended, spoilt=looked.spoilt))
    if told.watched and looked.standing.tested:
        lines.append(tr("While it learned you saw how it did on those kept aside to check by; these here are others."))
    if told.early:
        lines.append(tr("You stopped it early; the best model it had is kept."))
    lines.append(tr("It took {time}.").format(time=duration(told.seconds)))
    return [line for line in lines if line]


def _found_and_named(found: Found) -> str:
    text = tr("It found {found} of the {there} that are there; {wrongly} of the {named} it named are not there.")
    if found.wrongly == 1:
        text = tr("It found {found} of the {there} that are there; {wrongly} of the {named} it named is not there.")
    return text.format(
        found=f"{found.found:,}", there=f"{found.there:,}", wrongly=f"{found.wrongly:,}", named=f"{found.named:,}"
    )


def split_counts(samples: Iterable[Sample]) -> dict[str, int]:
    """How many samples each split has."""
    return Counter(sample.split or "" for sample in samples)


def run_cells(run: RunInfo, standing: Standing | None, counts: Mapping[str, int], task: Task) -> tuple[str, ...]:
    """A run in the list of runs: its name, its score, its preset, how long it took. `counts` as `split_counts`."""
    return (
        tr("Run {n}").format(n=run.number),
        run_score(run, standing, counts, task) or tr("no score"),
        preset_name(run.preset),
        duration(run.seconds),
    )


def run_score(run: RunInfo, standing: Standing | None, counts: Mapping[str, int], task: Task) -> str:
    """ "94 of 100 right" by the labels as they are now; without a standing as it was when the run was made, and empty
    where nothing was kept aside."""
    if standing is None:
        split = "test" if run.test_accuracy is not None else "valid"
        standing = Standing(score_of(run), counts.get(split, 0), split == "test")
    if standing.score is None or standing.count == 0:
        return ""
    return score_of_several(standing.score) if task == "multi" else right_of(standing.score, standing.count)


def score_of(run: RunInfo) -> float | None:
    """The score to show for a run: on the test split where there is one, else on the validation split."""
    return run.test_accuracy if run.test_accuracy is not None else run.valid_accuracy
