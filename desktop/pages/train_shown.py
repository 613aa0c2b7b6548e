"""What the network says of a few samples, made ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from desktop import style
from desktop.pages.explore.messages import named
from desktop.pages.train.compare import Mistake
from desktop.session import Session
from desktop.widgets.showcase import Shown
from desktop.workers.sample_renderer import overlay_image
from ml.api import Showcase

UNDECIDED = 0.5
"""While it learns there are no thresholds yet: a class counts as present from here on."""


def shown_now(event: Showcase, session: Session, names: Sequence[str]) -> list[Shown]:
    """The fixed samples as the present model sees them."""
    shown = []
    for row, sample_id in enumerate(event.sample_ids):
        predicted = int(np.argmax(event.probabilities[row]))
        said: tuple[int, ...] = (predicted,)
        if session.project.task == "multi":
            said = tuple(int(index) for index in np.flatnonzero(event.probabilities[row] >= UNDECIDED))
        sample = session.sample(sample_id)
        shown.append(
            Shown(
                sample_id=sample_id,
                predicted=named(said, names),
                fraction=float(event.probabilities[row, predicted]),
                colour=style.class_colour(predicted),
                right=set(sample.labels) == set(said) if sample.labelled else None,
                overlay=overlay_image(event.maps[row], predicted, kind=session.project.kind),
            )
        )
    return shown


def shown_mistakes(mistakes: Sequence[Mistake], session: Session) -> list[Shown]:
    """What it gets wrong, with what it should have said."""
    names = [item.name for item in session.classes]
    return [
        Shown(
            sample_id=each.sample_id,
            predicted=named(each.said, names),
            fraction=each.fraction,
            colour=style.class_colour(each.predicted),
            right=False,
            label=named(each.labels, names),
            overlay=overlay_image(each.maps, each.predicted, kind=session.project.kind),
        )
        for each in mistakes
    ]
