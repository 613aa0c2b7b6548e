"""Which windows a label with times speaks for, and how long windows are where there are such labels."""

from __future__ import annotations

import numpy as np
import pytest

from ml.core.types import LabelSpan, Windowing
from ml.media.windowing import FEWEST_FRAMES
from ml.project.labelfiles.windows import labels_of_windows, suited_to, suited_to_states

WINDOWS = [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.0, 5.0)]


@pytest.mark.parametrize(
    ("span", "reached"),
    [
        ((0.0, 5.0), [0, 1, 2, 3]),  # all of every window
        ((0.0, 1.0), [0]),  # half of the first window
        ((0.6, 1.4), [0, 1]),  # short: whole in the first, half in the second
        ((2.9, 3.1), [1, 2, 3]),
        ((2.5, 2.5), [1, 2]),  # a point in time
    ],
)
def test_half_of_the_window_or_half_of_the_label(span: tuple[float, float], reached: list[int]) -> None:
    found = labels_of_windows([LabelSpan("owl", *span)], WINDOWS, several=False)
    assert [place for place, labels in enumerate(found) if labels] == reached


def test_the_longest_wins_where_there_can_be_only_one() -> None:
    spans = [LabelSpan("owl", 0.0, 1.9), LabelSpan("fox", 0.5, 0.9), LabelSpan("owl", 0.1, 0.2)]
    assert labels_of_windows(spans, [(0.0, 2.0)], several=False) == [(spans[0],)]
    assert labels_of_windows(spans, [(0.0, 2.0)], several=True) == [(spans[0], spans[1])]


def test_every_label_reaches_a_window() -> None:
    rng = np.random.default_rng(0)
    for step in (1.0, 2.0):
        windows = [(start, start + 2.0) for start in np.arange(0, 99, step)]
        for start in rng.uniform(0, 90, 300):
            length = float(rng.choice([0.0, 0.05, 0.7, 1.9, 2.0, 2.3, 9.0]))
            assert any(labels_of_windows([LabelSpan("owl", start, start + length)], windows, several=False))


def test_windows_are_not_much_longer_than_what_is_labelled() -> None:
    usual = Windowing(rate=8000, seconds=5.0, step=5.0)
    assert suited_to(usual, [LabelSpan("a", 0, 1.3)] * 9) == Windowing(rate=8000, seconds=1.5, step=0.75)
    assert suited_to(usual, [LabelSpan("a", 0, 0.1)]).seconds == 1.0
    assert suited_to(usual, [LabelSpan("a", 0, 60)]) == usual
    assert suited_to(usual, []) == usual


def test_windows_of_logs_are_no_longer_than_states_last() -> None:
    usual = Windowing(rate=10.0, seconds=100.0, step=100.0, columns=("x",), clock="file")
    states = [
        LabelSpan("idle", 0, 90),
        LabelSpan("mill", 90, 120),
        LabelSpan("mill", 150, 160),
        LabelSpan("mill", 0, 20),
    ]
    cut = suited_to_states(usual, states)
    assert (cut.seconds, cut.step, cut.columns) == (20.0, 10.0, ("x",))
    assert suited_to_states(usual, [LabelSpan("click", 0, 0.3)]).frames == FEWEST_FRAMES
    assert suited_to_states(usual, states[:1]).seconds == 90.0
    assert suited_to_states(usual, []) == usual
