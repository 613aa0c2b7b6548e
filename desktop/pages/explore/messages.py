"""What the Explore page says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from desktop.i18n import NONE_OF_THEM, Message, class_caption, msg, nmsg, originals_gone, text, tr, trn
from desktop.models.prediction_table import Filter, PredictionTable
from desktop.models.run_scores import score_text
from desktop.models.undo import same_labels
from desktop.session import Session
from desktop.widgets.probability_bars import percent
from desktop.widgets.tiles import ARROW, Tile
from ml.api import (
    SPLIT_CODES,
    HandlensError,
    Kind,
    RunInfo,
    RunScore,
    Sample,
    Split,
    Task,
    counted,
    listed,
    stage_message,
    task_named,
    things,
)

TEST_ONLY = Filter(split=SPLIT_CODES.index("test"))


def no_run(kind: Kind, *, learning: bool = False) -> str:
    """What stands on the page before there is a run, and while the first one is going on."""
    if learning:
        return tr(
            "Training is running. The predictions for your {things} will appear here when it has finished.",
            things=things(kind),
        )
    return tr("No predictions yet. Train a model on your {things} first.", things=things(kind))


def cannot_show(session: Session, error: HandlensError) -> str:
    """Why a sample cannot be shown, and where the person can do something about it."""
    gone = session.missing_originals()
    return originals_gone(text(gone)) if gone else text(error.message)


def invitation(view: str, *, empty: bool = False) -> str:
    """What to do to see one large, on a tab without a grid; empty on the others. `empty`: nothing is in the grid."""
    if empty:
        return tr("Nothing selected.")
    if view == "confusion":
        return tr("Choose a cell, then a tile, to see it large.")
    return tr("Choose a tile on another tab to see it large.") if view == "enough" else ""


def run_line(run: RunInfo, standing: RunScore | None, counts: Mapping[str, int], task: Task) -> str:
    """A run in the chooser: "run 3 · 94 of 100 right"."""
    score = score_text(run, standing, counts, task)
    if score:
        return tr("run {n} · {score}", n=str(run.number), score=score)
    return tr("run {n}", n=str(run.number))


def to_train(*, learning: bool) -> str:
    """The button below that."""
    return tr("Watch the training") if learning else tr("Train first")


def wrong_of(wrong: int, count: int) -> str:
    """What the filters leave: "6 of 100 wrong"."""
    if count == 0:
        return tr("none of these are labelled")
    return tr("{wrong} of {n} wrong", wrong=wrong, n=count)


def right_of(wrong: int, count: int) -> str:
    """The same where only what is right is shown: "94 of 100 right"."""
    if count == 0:
        return wrong_of(wrong, count)
    return tr("{right} of {n} right", right=count - wrong, n=count)


def nearest_first(said: str) -> str:
    """Where more than one class may be present a tile shows no number that the least sure are sorted by."""
    return tr("{score} · closest to a threshold first", score=said)


def page_sentence(kind: Kind, wrong: int, count: int, *, task: Task = "single") -> str:
    """The one sentence beside the page's name, about the test split."""
    if count == 0:
        return tr("There is no test set. These {things} were for training or validation.", things=things(kind))
    tested = counted(count, kind)
    if not task_named(task).exclusive:
        return tr(
            "The model predicts exactly the right classes for {right} of the {count_things} in the test set.",
            right=count - wrong,
            count_things=tested,
        )
    if wrong == 0:
        return tr("The model is wrong on none of the {count_things} in the test set.", count_things=tested)
    return tr("The model is wrong on {wrong} of the {count_things} in the test set.", wrong=wrong, count_things=tested)


def relabelled(was: Message | None, split: Split | None) -> str:
    """That a label was another when the run was made, and what the new one is for: by the side of the test it is on.

    `was`: None where there was no label.
    """
    if was is None:
        before = msg("This sample had no label during this run.")
    else:
        before = msg("This label was {was} during this run.", was=was)
    after = {
        "valid": msg("The next run validates with the new one."),
        "test": msg("The next run tests with the new one."),
    }.get(split or "train", msg("The next run trains with the new one."))
    return tr("{first} {second}", first=before, second=after)


def selected(count: int) -> str:
    """Beside the large view, which shows one of them only."""
    return trn("{count} selected. A digit key labels it.", "{count} selected. A digit key labels all of them.", count)


named = class_caption


def named_within(indices: Sequence[int], names: Sequence[str]) -> Message:
    """The classes by name within a sentence, or that it is none of them."""
    return listed([names[index] for index in indices], most=len(indices)) if indices else NONE_OF_THEM


def tile(table: PredictionTable, row: int, sample: Sample, names: Sequence[str]) -> Tile:
    """A tile: "rose → tulip 97 %" where it is wrong, "rose 97 %" where it is right; several classes in a row."""
    said = table.said(row)
    labels = sample.labels if sample.labelled else None
    predicted = named(said, names)
    number = percent(float(table.top[row])) if len(said) == 1 else ""
    changed = not same_labels(table.labelled_before(row), labels)
    wrong = None if labels is None else table.wrong_at(row)
    told = named_within(said, names)
    if number:
        told = msg("{predicted} ({percent})", predicted=told, percent=number)
    if labels is None:
        caption = f"?{ARROW}{predicted}"
        spoken = msg("Not labelled, predicted: {predicted}.", predicted=told)
    elif wrong:
        caption = f"{named(labels, names)}{ARROW}{predicted}"
        spoken = msg(
            "Wrong. Labelled: {label}; predicted: {predicted}.", label=named_within(labels, names), predicted=told
        )
    else:
        caption = predicted
        spoken = msg("Right. Labelled and predicted: {predicted}.", predicted=told)
    if changed:
        caption = f"✎ {caption}"
        spoken = msg("{first} {second}", first=spoken, second=msg("You changed the label after this run."))
    return Tile(caption=caption, number=number, wrong=wrong, changed=changed, spoken=f"{text(spoken)}\n{sample.path}")


def suspect_tile(sample: Sample, judged: tuple[tuple[int, ...], int], names: Sequence[str], *, task: Task) -> Tile:
    """A tile among the suspicious labels: what it is labelled, and what it looks like instead."""
    labels, suggested = judged
    held = sample.labels if sample.labelled else None
    now = msg("not labelled") if held is None else named_within(held, names)
    name = names[suggested]
    if not task_named(task).exclusive and suggested in labels:
        spoken = msg("Labelled: {label}. Does not look like {name}.", label=now, name=name)
        question = tr("no {name}?", name=name)
    elif not task_named(task).exclusive:
        spoken = msg("Labelled: {label}. Also looks like {name}.", label=now, name=name)
        question = tr("{name}, too?", name=name)
    else:
        spoken = msg("Labelled: {label}. Looks like {name}.", label=now, name=name)
        question = tr("{name}?", name=name)
    short = tr("not labelled") if held is None else named(held, names)
    if same_labels(held, labels):
        caption = tr("labelled {label}", label=short)
        return Tile(caption=f"{caption}{ARROW}{question}", spoken=f"{text(spoken)}\n{sample.path}")
    spoken = msg("{first} {second}", first=spoken, second=msg("You changed the label after it was checked."))
    caption = tr("now {label}", label=short)
    return Tile(caption=f"✎ {caption}", changed=True, spoken=f"{text(spoken)}\n{sample.path}")


def suspect_remark(judged: tuple[tuple[int, ...], int], names: Sequence[str], *, task: Task) -> str:
    """One sentence beside the large view."""
    labels, suggested = judged
    name = names[suggested]
    if not task_named(task).exclusive and suggested in labels:
        return tr("A model that was not trained on this sample does not predict “{name}”.", name=name)
    if not task_named(task).exclusive:
        return tr("A model that was not trained on this sample also predicts “{name}”.", name=name)
    return tr("A model that was not trained on this sample predicts “{name}”.", name=name)


def judging() -> str:
    """What stands in the grid while the labels are judged."""
    return text(stage_message("label_issues"))


def nothing_suspicious(*, flagged: int) -> str:
    """What stands where the suspicious labels would be."""
    if flagged:
        return tr("You have checked all labels that look wrong. Train again to use your corrections.")
    return tr("No label looks wrong. Each was checked with a model that was not trained on that sample.")


def suspects_found(*, count: int, flagged: int, left: int) -> str:
    """Above the suspicious labels: how many of `count` look wrong, and how many of those are `left` to check."""
    if flagged == 0:
        return tr("None of the {n} labels looks wrong.", n=count)
    found = nmsg(
        "{count} of the {n} labels looks wrong.",
        "{count} of the {n} labels look wrong, the most suspicious first.",
        flagged,
        n=count,
    )
    if left == flagged:
        return text(found)
    rest = (
        msg("You have checked all of them.")
        if left == 0
        else nmsg("{count} left to check.", "{count} left to check.", left)
    )
    return tr("{first} {second}", first=found, second=rest)
