"""What a model said of the validation samples before it learned from them too: all that is known of it hangs on that.

How sure it may be of itself, what is strange to it and how often it is wrong is measured on samples it has not learned
from. The delivered model of a small set has learned from them all (`ml.pipeline.retrain`), so the model it was until
then answers for it: the same recipe, and fewer samples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path

import numpy as np

from ml.core.events import Event
from ml.core.jobs import Stop
from ml.networks.heads import Classifier
from ml.pipeline.predict_all import Ingredients, ask_all
from ml.project.predictions import Predictions


def asked_before(
    given: Ingredients, before: Classifier, draft: Path, stop: Stop
) -> Generator[Event, None, Predictions]:
    """What `before` says of the samples it learned from and those it was chosen by, in the folder `draft`."""
    samples = tuple(sample for sample in given.samples if sample.labelled and sample.split in ("train", "valid"))
    earlier = dataclasses.replace(given, network=before, before=None, samples=samples)
    return (yield from ask_all(earlier, draft, stop))


def keep_what_was_said(draft: Path, predictions: Predictions, earlier: Predictions) -> None:
    """In `draft`, which holds `predictions`: what `earlier` said of the validation samples, in their place."""
    here, there = predictions.labelled("valid"), earlier.labelled("valid")
    for name in ("probabilities", "maps", "unlike"):
        array = np.lib.format.open_memmap(draft / f"{name}.npy", mode="r+")
        array[here] = getattr(earlier, name)[there]
        array.flush()
