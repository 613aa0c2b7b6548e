"""What the Explore page says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication

from desktop import words
from desktop.commands import same_labels
from desktop.pages import train_words
from desktop.pages.explore_table import Filter, PredictionTable
from desktop.pages.train_compare import Standing
from desktop.session import Session
from desktop.widgets.probability_bars import percent
from desktop.widgets.tiles import ARROW, Tile
from ml.api import SPLIT_CODES, HandlensError, Kind, RunInfo, Sample, Split, Task

TEST_ONLY = Filter(split=SPLIT_CODES.index("test"))


def tr(text: str) -> str:
    return QCoreApplication.translate("ExploreWords", text)


def no_run(kind: Kind, *, learning: bool = False) -> str:
    """What stands on the page before there is a run, and while the first one is going on."""
    if learning:
        return {
            "images": tr("It is learning now. What it says of your pictures will stand here when it has ended."),
            "recordings": tr("It is learning now. What it says of your sounds will stand here when it has ended."),
            "sensors": tr("It is learning now. What it says of your measurements will stand here when it has ended."),
        }[kind]
    return {
        "images": tr("There is nothing to look at yet: it has not learned from your pictures."),
        "recordings": tr("There is nothing to look at yet: it has not learned from your sounds."),
        "sensors": tr("There is nothing to look at yet: it has not learned from your measurements."),
    }[kind]


def cannot_show(session: Session, error: HandlensError) -> str:
    """Why a sample cannot be shown, and where the person can do something about it."""
    gone = session.missing_originals()
    return words.originals_gone(gone) if gone else error.message


def invitation(view: str, *, empty: bool = False) -> str:
    """What to do to see one large, on a tab without a grid; empty on the others. `empty`: nothing is in the grid."""
    if empty:
        return tr("There is none to see large here now.")
    return {
        "confusion": tr("Choose a cell, then one of those inside, to see it large."),
        "enough": tr("Choose one on another tab to see it large."),
    }.get(view, "")


def run_line(run: RunInfo, standing: Standing | None, counts: Mapping[str, int], task: Task) -> str:
    """A run in the chooser: "run 3 · 94 of 100 right"."""
    name, score = tr("run {n}").format(n=run.number), train_words.run_score(run, standing, counts, task)
    return f"{name} · {score}" if score else name


def to_train(*, learning: bool) -> str:
    """The button below that."""
    return tr("Watch it learn") if learning else tr("Train first")


def wrong_of(wrong: int, count: int) -> str:
    """What the filters leave: "6 of 100 wrong"."""
    if count == 0:
        return tr("none of these are labelled")
    return tr("{wrong} of {n} wrong").format(wrong=f"{wrong:,}", n=f"{count:,}")


def right_of(wrong: int, count: int) -> str:
    """The same where only what is right is shown: "94 of 100 right"."""
    if count == 0:
        return wrong_of(wrong, count)
    return tr("{right} of {n} right").format(right=f"{count - wrong:,}", n=f"{count:,}")


def nearest_first(said: str) -> str:
    """Where more than one class may be present a tile shows no number that the least sure are sorted by."""
    return tr("{said}; nearest to a mark first").format(said=said)


def page_sentence(kind: Kind, wrong: int, count: int, *, task: Task = "single") -> str:
    """The one sentence beside the page's name, about the test split."""
    if count == 0:
        return tr("Nothing was kept aside to test it on; what you see is what it learned from.")
    things = train_words.things(kind, count)
    if task == "multi":
        text = tr("It names exactly the classes that are there in {right} of the {things} it was tested on.")
        return text.format(right=f"{count - wrong:,}", things=things)
    if wrong == 0:
        return tr("It is right on all of the {things} it was tested on.").format(things=things)
    return tr("It is wrong on {wrong} of the {things} it was tested on.").format(wrong=f"{wrong:,}", things=things)


def relabelled(was: str, split: Split | None) -> str:
    """That a label was another when the run was made, and what the new one is for: by the side of the test it is on."""
    text = {
        "valid": tr("Was {was} when this run was made; the next run is checked by the new label."),
        "test": tr("Was {was} when this run was made; the next run is tested by the new label."),
    }.get(split or "train", tr("Was {was} when this run was made; the next run learns the new label."))
    return text.format(was=was)


def selected(count: int) -> str:
    """Beside the large view, which shows one of them only."""
    if count == 2:
        return tr("2 selected: a digit labels both.")
    return tr("{n} selected: a digit labels them all.").format(n=f"{count:,}")


def named(indices: Sequence[int], names: Sequence[str]) -> str:
    """The classes by name, or that it is none of them."""
    return ", ".join(names[index] for index in indices) or tr("none of them")


def tile(table: PredictionTable, row: int, sample: Sample, names: Sequence[str]) -> Tile:
    """A tile: "rose → tulip 97 %" where it is wrong, "rose 97 %" where it is right; several classes in a row."""
    said = table.said(row)
    labels = sample.labels if sample.labelled else None
    predicted = named(said, names)
    number = percent(float(table.top[row])) if len(said) == 1 else ""
    changed = not same_labels(table.labelled_before(row), labels)
    wrong = None if labels is None else table.wrong_at(row)
    told = tr("{predicted} with {number}").format(predicted=predicted, number=number) if number else predicted
    if labels is None:
        caption = f"?{ARROW}{predicted}"
        spoken = tr("Not labelled, predicted {told}").format(told=told)
    elif wrong:
        caption = f"{named(labels, names)}{ARROW}{predicted}"
        spoken = tr("Labelled {label}, predicted {told}: wrong").format(label=named(labels, names), told=told)
    else:
        caption = predicted
        spoken = tr("Labelled and predicted {told}: right").format(told=told)
    if changed:
        caption = f"✎ {caption}"
        spoken = tr("{spoken}. You changed the label after this run.").format(spoken=spoken)
    return Tile(caption=caption, number=number, wrong=wrong, changed=changed, spoken=f"{spoken}\n{sample.path}")


def suspect_tile(sample: Sample, judged: tuple[tuple[int, ...], int], names: Sequence[str], *, task: Task) -> Tile:
    """A tile among the suspicious labels: what it is labelled, and what it looks like instead."""
    labels, suggested = judged
    held = sample.labels if sample.labelled else None
    now = named(held, names) if held is not None else tr("not labelled")
    name, looks_like, question = names[suggested], tr("looks like {name}"), tr("{name}?")
    if task == "multi" and suggested in labels:
        looks_like, question = tr("does not look like {name}"), tr("no {name}?")
    elif task == "multi":
        looks_like, question = tr("looks like {name}, too"), tr("{name}, too?")
    spoken = tr("Labelled {label}, {looks_like}").format(label=now, looks_like=looks_like.format(name=name))
    if same_labels(held, labels):
        caption = f"{tr('labelled {label}').format(label=now)}{ARROW}{question.format(name=name)}"
        return Tile(caption=caption, spoken=f"{spoken}\n{sample.path}")
    spoken = tr("{spoken}. You changed the label after it was judged.").format(spoken=spoken)
    return Tile(caption=f"✎ {tr('now {label}').format(label=now)}", changed=True, spoken=f"{spoken}\n{sample.path}")


def suspect_remark(judged: tuple[tuple[int, ...], int], names: Sequence[str], *, task: Task) -> str:
    """One sentence beside the large view."""
    labels, suggested = judged
    if task == "multi" and suggested in labels:
        text = tr("A model that never saw it finds no “{name}” in it.")
    elif task == "multi":
        text = tr("A model that never saw it finds “{name}” in it, too.")
    else:
        text = tr("Looks like “{name}” to a model that never saw it.")
    return text.format(name=names[suggested])


def judging(kind: Kind) -> str:
    """What stands in the grid while the labels are judged."""
    return {
        "images": tr("Every label is being judged by a model that never saw its picture."),
        "recordings": tr("Every label is being judged by a model that never heard its sound."),
        "sensors": tr("Every label is being judged by a model that never saw its measurement."),
    }[kind]


def nothing_suspicious(kind: Kind, *, flagged: int) -> str:
    """What stands where the suspicious labels would be."""
    if flagged:
        return tr(
            "You have been through all labels that look wrong. Train again, so that it learns from what you mended."
        )
    return {
        "images": tr(
            "No label looks wrong: each was judged by a model that never saw its picture, and none stood out."
        ),
        "recordings": tr(
            "No label looks wrong: each was judged by a model that never heard its sound, and none stood out."
        ),
        "sensors": tr(
            "No label looks wrong: each was judged by a model that never saw its measurement, and none stood out."
        ),
    }[kind]
