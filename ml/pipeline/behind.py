"""The stages that adjust a network behind a first model: what they need not say again, and how the user ends them."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from ml.core.events import TERMINAL, Event, StageStarted
from ml.core.jobs import Stop
from ml.core.stages import Stage
from ml.pipeline.session import FirstModelKeptError

DONE_BEFORE: tuple[Stage, ...] = ("decode", "features", "probe")
"""Stages that find everything in the cache once there is a first model."""


def behind_first_model(stages: Generator[Event, None, None], stop: Stop) -> Generator[Event, None, None]:
    """Yield the events of `stages` without the beginnings of those that have nothing to do.

    Raises FirstModelKeptError once the user keeps the first model, unless the better one was released before.
    """
    with contextlib.closing(stages):
        for event in stages:
            if stop.requested() == "first" and not isinstance(event, TERMINAL):
                raise FirstModelKeptError
            if not (isinstance(event, StageStarted) and event.stage in DONE_BEFORE):
                yield event
