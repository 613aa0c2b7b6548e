"""What the Train page shows while it learns: events turned into points of the curves and into the score in words."""

from __future__ import annotations

from collections.abc import Iterable

from desktop.i18n import tr
from desktop.pages.train import messages as train_words
from desktop.pages.train.state import TrainingState
from desktop.widgets.live_plot import LivePlot
from ml.api import BatchDone, EpochDone, Kind, Pass, ProbeDone, things


def draw(plot: LivePlot, event: ProbeDone | BatchDone | EpochDone) -> None:
    """Add what the event says to the curves."""
    match event:
        case ProbeDone():
            plot.add_score(0.0, valid_loss=event.valid_loss, accuracy=event.valid_accuracy)
        case BatchDone():
            plot.set_passes(event.epochs)
            x = event.epoch - 1 + event.step / max(1, event.steps)
            plot.add_batch(x, loss=event.loss, rate=event.rate)
        case EpochDone():
            plot.set_passes(event.epochs)
            plot.add_score(float(event.epoch), valid_loss=event.valid_loss, accuracy=event.valid_accuracy)


def draw_past(plot: LivePlot, passes: Iterable[Pass]) -> None:
    """The passes of a run before it was cut off."""
    for each in passes:
        plot.add_pass(float(each.number), loss=each.train_loss, rate=each.rate)
        plot.add_score(float(each.number), valid_loss=each.valid_loss, accuracy=each.accuracy)


def score_now(state: TrainingState, kind: Kind) -> tuple[str, str]:
    """The score of the newest pass, large, and of what it is."""
    if state.accuracy is None or state.valid == 0:
        return tr("No score"), tr("There are no validation {things}.", things=things(kind))
    if state.task == "multi":
        score = train_words.large_score_of_several(state.accuracy)
    else:
        score = train_words.right_of(state.accuracy, state.valid)
    note = train_words.score_note(kind, state.accuracy, state.probe_accuracy, state.valid, state.task)
    return score, note
