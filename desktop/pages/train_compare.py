"""What one run gets right that the one before got wrong, and the other way round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ml.api import SPLIT_CODES, Predictions


@dataclass(frozen=True, kw_only=True, slots=True)
class Flips:
    """Samples of the test split that both runs judged, by how the verdict changed."""

    mended: int
    spoilt: int


def flips(before: Predictions, after: Predictions, labels: Mapping[int, int]) -> Flips:
    """Compare on the test split of `after` by the present `labels` (sample id to class index)."""
    test = np.flatnonzero(np.asarray(after.splits) == SPLIT_CODES.index("test"))
    old_row = {int(sample_id): row for row, sample_id in enumerate(np.asarray(before.sample_ids))}
    mended = spoilt = 0
    for row in test:
        sample_id = int(after.sample_ids[row])
        label = labels.get(sample_id)
        if label is None or sample_id not in old_row:
            continue
        was = int(np.argmax(before.probabilities[old_row[sample_id]])) == label
        now = int(np.argmax(after.probabilities[row])) == label
        mended += now and not was
        spoilt += was and not now
    return Flips(mended=mended, spoilt=spoilt)
