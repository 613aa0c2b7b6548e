"""Fetch the weights of YAMNet before a run that uses them begins: from a file, or downloaded once."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator

from ml.core.backbone_catalog import DEFAULT_BACKBONE, licence_sentence, weights_folder
from ml.core.events import Event, Note, StageStarted
from ml.core.jobs import Stop, TrainJob
from ml.core.messages import msg
from ml.graphs.yamnet_weights import ADDRESS, LICENCE, MEGABYTES, TITLE, install, is_installed


def install_yamnet(job: TrainJob, stop: Stop) -> Generator[Event, None, TrainJob | None]:
    """Return the job once the weights are there, without the file that held them; None if the user stopped that.

    Raises HandlensError if there is no connection, or the weights are not those of YAMNet.
    """
    if job.weights is not None and job.backbone in ("", DEFAULT_BACKBONE):
        install(job.weights)
        return dataclasses.replace(job, weights=None)
    if is_installed():
        return job
    yield Note(sentence=msg("{name} is downloaded once: {size} MB.", name=TITLE, size=MEGABYTES))
    yield Note(sentence=licence_sentence(TITLE, LICENCE, ADDRESS))
    yield StageStarted(stage="download")
    from ml.networks.weights.download import download_file

    part = weights_folder() / "yamnet.download.pth"
    if not (yield from download_file(ADDRESS, TITLE, part, stop, limit=2_000_000 * MEGABYTES)):
        return None
    try:
        install(part)
    finally:
        part.unlink(missing_ok=True)
    return job
