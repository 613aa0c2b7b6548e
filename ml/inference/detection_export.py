"""Write detections of one recording, after they were reviewed, as a file of another program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ml.core.errors import HandlensError, UnreadableError
from ml.core.outputs import unwritable
from ml.inference.detection_tables import (
    AudacityLabels,
    BirdNetTable,
    Clips,
    DetectionCsvTable,
    DetectionWriter,
    HourlyCounts,
    RavenTable,
)
from ml.inference.detections import Detection, DetectionOptions, FileEnd
from ml.runtime.contract import ModelInfo

MARGIN = 0.5
"""Seconds that a clip has before and after its detection."""

DETECTION_FILES: Mapping[str, Callable[[Path, ModelInfo], DetectionWriter]] = {
    "csv": lambda target, _info: DetectionCsvTable(target),
    "audacity": lambda target, _info: AudacityLabels(target, files=1),
    "raven": lambda target, info: RavenTable(target, highest=info.windowing.rate / 2 if info.windowing else 0.0),
    "birdnet": lambda target, _info: BirdNetTable(target),
    "counts": lambda target, info: HourlyCounts(target, _reported(info)),
    "clips": lambda target, _info: Clips(target, margin=MARGIN),
}


def export_detections(
    form: str,
    target: Path,
    detections: Iterable[Detection],
    end: FileEnd,
    info: ModelInfo,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Write the detections of a recording to `target` in one of `DETECTION_FILES`, and return how many.

    If `stop` says so meanwhile, clips that are written stay, and a table is not replaced. Raises HandlensError.
    """
    count = 0
    try:
        writer = DETECTION_FILES[form](target, info)
        complete = False
        try:
            for each in detections:
                if stop():
                    return count
                writer.add(each)
                count += 1
            writer.end_file(end)
            complete = True
        finally:
            writer.close(complete=complete)
    except OSError as error:
        raise unwritable(target, error) from error
    except UnreadableError as error:
        raise HandlensError(error.message, details=error.details) from error
    return count


def _reported(info: ModelInfo) -> tuple[str, ...]:
    limits = DetectionOptions().limits(info)
    return tuple(name for name, each in zip(info.classes, limits, strict=True) if each is not None)
