"""Sentences of the Explore page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from desktop.i18n import NONE_OF_THEM, Message, class_caption, msg, nmsg, originals_gone, printable, text, tr, trn
from desktop.models.prediction_table import Filter, PredictionTable
from desktop.models.run_scores import score_text
from desktop.models.undo import same_labels
from desktop.pages.explore.label_issues.model import SuggestedLabel
from desktop.session import Session
from desktop.widgets.probability_bars import percent
from desktop.widgets.tiles import ARROW, Tile
from ml.api import (
    SPLIT_CODES,
    HandlensError,
    KindName,
    RunInfo,
    RunScore,
    Sample,
    Split,
    TaskName,
    counted,
    listed,
    stage_message,
    task_named,
    things,
)

TEST_ONLY = Filter(split=SPLIT_CODES.index("test"))


def no_run(kind: KindName, *, training: bool = False) -> str:
    """Say why the page is empty: there is no run yet, or the first one is training."""
    if training:
        return tr(
            "Training is running. The predictions for your {things} will appear here when it has finished.",
            things=things(kind),
        )
    return tr("No predictions yet. Train a model on your {things} first.", things=things(kind))


def cannot_show(session: Session, error: HandlensError) -> str:
    """Say why a sample cannot be shown, and what to do about it."""
    gone = session.missing_originals()
    return originals_gone(text(gone)) if gone else text(error.message)


def prompt(view: str, *, empty: bool = False) -> str:
    """Say how to see a sample large, on a tab without a grid; empty on the others. `empty`: the grid is empty."""
    if empty:
        return tr("Nothing selected.")
    if view == "confusion":
        return tr("Choose a cell, then a tile, to see it large.")
    return tr("Choose a tile on another tab to see it large.") if view == "enough" else ""


def run_line(run: RunInfo, score_now: RunScore | None, counts: Mapping[str, int], task: TaskName) -> str:
    """Name a run in the chooser: "run 3 · 94 of 100 right"."""
    score = score_text(run, score_now, counts, task)
    if score:
        return tr("run {n} · {score}", n=str(run.number), score=score)
    return tr("run {n}", n=str(run.number))


def train_verb(*, training: bool) -> str:
    """Name the button below `no_run`."""
    return tr("Watch the training") if training else tr("Train first")


def wrong_of(wrong: int, count: int) -> str:
    """Count the samples that pass the filters: "6 of 100 wrong"."""
    if count == 0:
        return tr("none of these are labelled")
    return tr("{wrong} of {n} wrong", wrong=wrong, n=count)


def right_of(wrong: int, count: int) -> str:
    """Count them on the tab "Most right": "94 of 100 right"."""
    if count == 0:
        return wrong_of(wrong, count)
    return tr("{right} of {n} right", right=count - wrong, n=count)


def nearest_first(score: str) -> str:
    """Name the order of "Least sure" in multi-label runs, because their tiles show no number."""
    return tr("{score} · closest to a threshold first", score=score)


def page_sentence(kind: KindName, wrong: int, count: int, *, task: TaskName = "single") -> str:
    """Sum up the test set, for the title row."""
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
    """Say that the label has changed since the run, and what the next run uses the new one for.

    `was`: None for no label.
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
    """Say how many samples are selected: the large view shows only one of them."""
    return trn("{count} selected. A digit key labels it.", "{count} selected. A digit key labels all of them.", count)


named = class_caption


def named_within(indices: Sequence[int], names: Sequence[str]) -> Message:
    """List the class names within a sentence, or say "none of them"."""
    return listed([names[index] for index in indices], most=len(indices)) if indices else NONE_OF_THEM


def tile(table: PredictionTable, row: int, sample: Sample, names: Sequence[str]) -> Tile:
    """Describe a prediction: "rose → tulip 97 %" if it is wrong, "rose 97 %" if it is right."""
    predicted_classes = table.predicted_classes(row)
    labels = sample.labels if sample.labelled else None
    predicted = named(predicted_classes, names)
    number = percent(float(table.top[row])) if len(predicted_classes) == 1 else ""
    changed = not same_labels(table.labelled_before(row), labels)
    wrong = None if labels is None else table.wrong_at(row)
    predicted_text = named_within(predicted_classes, names)
    if number:
        predicted_text = msg("{predicted} ({percent})", predicted=predicted_text, percent=number)
    if labels is None:
        caption = f"?{ARROW}{predicted}"
        spoken = msg("Not labelled, predicted: {predicted}.", predicted=predicted_text)
    elif wrong:
        caption = f"{named(labels, names)}{ARROW}{predicted}"
        spoken = msg(
            "Wrong. Labelled: {label}; predicted: {predicted}.",
            label=named_within(labels, names),
            predicted=predicted_text,
        )
    else:
        caption = predicted
        spoken = msg("Right. Labelled and predicted: {predicted}.", predicted=predicted_text)
    if changed:
        caption = f"✎ {caption}"
        spoken = msg("{first} {second}", first=spoken, second=msg("You changed the label after this run."))
    return Tile(
        caption=caption, number=number, wrong=wrong, changed=changed, spoken=f"{text(spoken)}\n{printable(sample.path)}"
    )


def suspect_tile(sample: Sample, suggested: SuggestedLabel, names: Sequence[str], *, task: TaskName) -> Tile:
    """Describe a suspicious label: what the sample is labelled, and what it looks like."""
    labels, index = suggested
    present = sample.labels if sample.labelled else None
    now = msg("not labelled") if present is None else named_within(present, names)
    name = names[index]
    if not task_named(task).exclusive and index in labels:
        spoken = msg("Labelled: {label}. Does not look like {name}.", label=now, name=name)
        question = tr("no {name}?", name=name)
    elif not task_named(task).exclusive:
        spoken = msg("Labelled: {label}. Also looks like {name}.", label=now, name=name)
        question = tr("{name}, too?", name=name)
    else:
        spoken = msg("Labelled: {label}. Looks like {name}.", label=now, name=name)
        question = tr("{name}?", name=name)
    short = tr("not labelled") if present is None else named(present, names)
    if same_labels(present, labels):
        caption = tr("labelled {label}", label=short)
        return Tile(caption=f"{caption}{ARROW}{question}", spoken=f"{text(spoken)}\n{printable(sample.path)}")
    spoken = msg("{first} {second}", first=spoken, second=msg("You changed the label after it was checked."))
    caption = tr("now {label}", label=short)
    return Tile(caption=f"✎ {caption}", changed=True, spoken=f"{text(spoken)}\n{printable(sample.path)}")


def suspect_remark(suggested: SuggestedLabel, names: Sequence[str], *, task: TaskName) -> str:
    """Say what the search predicted, for the large view."""
    labels, index = suggested
    name = names[index]
    if not task_named(task).exclusive and index in labels:
        return tr("A model that was not trained on this sample does not predict “{name}”.", name=name)
    if not task_named(task).exclusive:
        return tr("A model that was not trained on this sample also predicts “{name}”.", name=name)
    return tr("A model that was not trained on this sample predicts “{name}”.", name=name)


def searching() -> str:
    """Explain the empty grid while the labels are checked."""
    return text(stage_message("label_issues"))


def nothing_suspicious(*, flagged: int) -> str:
    """Explain the empty grid: all suspicious labels are checked, or there are none."""
    if flagged:
        return tr("You have checked all labels that look wrong. Train again to use your corrections.")
    return tr("No label looks wrong. Each was checked with a model that was not trained on that sample.")


def suspects_found(*, count: int, flagged: int, left: int) -> str:
    """Say how many of `count` labels look wrong, and how many of those are `left` to check."""
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


def with_planted(found: str, planted: int) -> str:
    """Add to the result of the search how many labels of a built-in sample are wrong on purpose."""
    if not planted:
        return found
    known = nmsg(
        "In this sample, {count} label is wrong on purpose.",
        "In this sample, {count} labels are wrong on purpose.",
        planted,
    )
    return tr("{first} {second}", first=found, second=known)
