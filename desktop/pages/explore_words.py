"""What the Explore page says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QCoreApplication

from desktop.pages import train_words
from desktop.pages.explore_table import Filter, PredictionTable
from desktop.widgets.probability_bars import percent
from desktop.widgets.tiles import ARROW, Tile
from ml.api import SPLIT_CODES, Kind, RunInfo, Sample

TEST_ONLY = Filter(split=SPLIT_CODES.index("test"))


def tr(text: str) -> str:
    return QCoreApplication.translate("ExploreWords", text)


def no_run(kind: Kind) -> str:
    return {
        "images": tr("There is nothing to look at yet: it has not learned from your pictures."),
        "recordings": tr("There is nothing to look at yet: it has not learned from your sounds."),
        "sensors": tr("There is nothing to look at yet: it has not learned from your measurements."),
    }[kind]


def run_line(run: RunInfo, counts: Mapping[str, int]) -> str:
    """A run in the chooser: "run 3 · 94 of 100 right"."""
    name, score = tr("run {n}").format(n=run.number), train_words.run_score(run, counts)
    return f"{name} · {score}" if score else name


def wrong_of(wrong: int, count: int) -> str:
    """What the filters leave: "6 of 100 wrong"."""
    if count == 0:
        return tr("none of these are labelled")
    return tr("{wrong} of {n} wrong").format(wrong=f"{wrong:,}", n=f"{count:,}")


def page_sentence(kind: Kind, wrong: int, count: int) -> str:
    """The one sentence beside the page's name, about the test split."""
    if count == 0:
        return tr("Nothing was set aside to test it on; what you see is what it learned from.")
    things = train_words.things(kind, count)
    if wrong == 0:
        return tr("It is right on all of the {things} it was tested on.").format(things=things)
    return tr("It is wrong on {wrong} of the {things} it was tested on.").format(wrong=f"{wrong:,}", things=things)


def tile(table: PredictionTable, row: int, sample: Sample, names: Sequence[str]) -> Tile:
    """A tile: "rose → tulip 97 %" where it is wrong, "rose 97 %" where it is right."""
    best, label = int(table.predicted[row]), sample.label
    predicted = names[best]
    number = percent(float(table.top[row]))
    changed = int(table.predictions.labels[row]) != (-1 if label is None else label)
    if label is None:
        caption = f"?{ARROW}{predicted}"
        spoken = tr("Not labelled, predicted {predicted} with {number}")
    elif label != best:
        caption = f"{names[label]}{ARROW}{predicted}"
        spoken = tr("Labelled {label}, predicted {predicted} with {number}: wrong")
    else:
        caption = predicted
        spoken = tr("Labelled {label}, predicted the same with {number}: right")
    spoken = spoken.format(label=names[label] if label is not None else "", predicted=predicted, number=number)
    if changed:
        caption = f"✎ {caption}"
        spoken = tr("{spoken}. You changed the label after this run.").format(spoken=spoken)
    wrong = None if label is None else label != best
    return Tile(caption=caption, number=number, wrong=wrong, changed=changed, spoken=f"{spoken}\n{sample.path}")
