"""How often a run is right: on its own test split, or on another labelled folder. Torch-free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.errors import HandlensError
from ml.events import Evaluated, Event, Failed, Note, Progress, Scanned, StageStarted, Stopped
from ml.insight.metrics import confusion, expected_calibration_error, per_class
from ml.insight.several import (
    average_precisions,
    calibration_error,
    found_and_named,
    mean_average_precision,
    mistaken,
    present,
)
from ml.jobs import EvaluateJob, ScanJob, Stop
from ml.project.importing import scan
from ml.project.project import Project
from ml.project.samples import FoundFile, ScanReport
from ml.project.several import as_multi_label
from ml.runtime.folder import FilePrediction, UnreadableInput, predict_files
from ml.runtime.model import ReleasedModel


def evaluate(job: EvaluateJob, stop: Stop) -> Iterator[Event]:
    """Score a run; a picture or a window of a recording counts once. Ends with one of `events.TERMINAL`."""
    try:
        with Project.open(job.project) as project:
            if job.on is None:
                yield _on_test_split(project, job.run)
            else:
                yield from _on_folder(project, job.run, job.on, stop)
    except HandlensError as error:
        yield Failed(message=error.message, details=error.details)


def _on_test_split(project: Project, run: int | None) -> Evaluated:
    """The run's stored predictions against the labels as they are now."""
    number = project.runs.finished(run).number
    stored = project.predictions(number)
    labels = {s.id: s.labels for s in project.samples() if s.split == "test" and s.labelled}
    rows = [row for row, sample_id in enumerate(stored.sample_ids.tolist()) if sample_id in labels]
    if not rows:
        raise HandlensError(
            "No sample of the test split has a label, so there is nothing to test on; "
            "test on another folder with: handlens evaluate PROJECT --on FOLDER."
        )
    names = tuple(item.name for item in project.classes())
    probabilities, truth = np.asarray(stored.probabilities[rows]), [labels[int(stored.sample_ids[row])] for row in rows]
    if stored.thresholds is not None:
        return _score_several(probabilities, truth, names, stored.thresholds)
    return _score(probabilities, np.array([shown[0] for shown in truth], dtype=np.int64), names)


def _on_folder(project: Project, run: int | None, folder: Path, stop: Stop) -> Iterator[Event]:
    number = project.runs.finished(run).number
    model = ReleasedModel.open(project.runs.folder(number) / "model.onnx")
    report: ScanReport | None = None
    cut = model.info.windowing if project.kind == "sensors" else None
    for event in scan(ScanJob(folder=folder, kind=project.kind, windowing=cut), stop):
        if isinstance(event, Scanned):
            report = event.report
        else:
            yield event
    if report is None:  # the scan said itself why it ended
        return
    for left_out in report.unreadable:
        yield Note(sentence=f"Left out {left_out.path}: {left_out.reason}")
    if model.info.task == "multi":
        report = as_multi_label(report)
    labelled = _labelled(report, model.info.classes)
    yield StageStarted(stage="predict", sentence=f"Now the model looks at {len(labelled)} files it is tested on.")
    truth: list[tuple[int, ...]] = []
    said: list[NDArray[np.float32]] = []
    paths = [Path(report.folder, file.path) for file in labelled]
    for done, (file, result) in enumerate(zip(labelled, predict_files(model, paths), strict=True), 1):
        if stop.requested():
            yield Stopped()
            return
        if isinstance(result, UnreadableInput):
            yield Note(sentence=f"Left out {file.path}: {result.reason}")
            continue
        rows = _rows(result)
        said += rows
        truth += [tuple(model.info.classes.index(name) for name in file.class_names)] * len(rows)
        yield Progress(stage="predict", done=done, total=len(labelled))
    if not said:
        raise HandlensError(f"No file in {folder} could be read, so there is nothing to test on.")
    if model.info.task == "multi":
        yield _score_several(np.stack(said), truth, model.info.classes, np.array(model.info.present_above))
    else:
        yield _score(np.stack(said), np.array([shown[0] for shown in truth], dtype=np.int64), model.info.classes)


def _labelled(report: ScanReport, classes: Sequence[str]) -> list[FoundFile]:
    """The files that stand in a class folder; raises where a class is unknown to the model or there is none."""
    unknown = [name for name in report.class_counts if name not in classes]
    if unknown:
        raise HandlensError(
            f"The model does not know the {_counted(unknown)} in this folder; it knows {', '.join(classes)}. "
            "Give the class folders the names the model knows."
        )
    files = [file for file in report.files if file.labelled]
    if not files:
        raise HandlensError(
            "The folder has no class folders, so it is not known what is right; "
            "put the files into one folder per class."
        )
    return files


def _counted(names: Sequence[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{more}"


def _rows(result: FilePrediction) -> list[NDArray[np.float32]]:
    return [window.probabilities for window in result.windows] or [result.probabilities]


def _score(probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: tuple[str, ...]) -> Evaluated:
    """`names` may be longer than the columns: a class the run never knew can only be wrong."""
    missing = len(names) - probabilities.shape[1]
    if missing > 0:
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    predicted = probabilities.argmax(axis=1)
    matrix = confusion(labels, predicted, classes=len(names))
    return Evaluated(
        accuracy=float((predicted == labels).mean()),
        n=len(labels),
        per_class=per_class(matrix, names),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        ece=expected_calibration_error(probabilities, labels),
    )


def _score_several(
    probabilities: NDArray[np.float32],
    labels: Sequence[tuple[int, ...]],
    names: tuple[str, ...],
    thresholds: NDArray[np.floating],
) -> Evaluated:
    """The same where more than one class may be present; a class the run never knew is never named."""
    missing = len(names) - probabilities.shape[1]
    probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    thresholds = np.pad(thresholds, (0, missing), constant_values=0.5)
    targets = np.zeros((len(labels), len(names)), dtype=np.int64)
    for row, shown in enumerate(labels):
        targets[row, list(shown)] = 1
    said = present(probabilities, thresholds)
    scores = found_and_named(said, targets, names)
    for name, average in zip(names, average_precisions(probabilities, targets), strict=True):
        scores[name]["average_precision"] = 0.0 if np.isnan(average) else float(average)
    return Evaluated(
        accuracy=mean_average_precision(probabilities, targets) or 0.0,
        n=len(labels),
        per_class=scores,
        confusion=tuple(tuple(int(count) for count in row) for row in mistaken(said, targets)),
        ece=calibration_error(probabilities, targets),
        task="multi",
    )
