"""How often a run is right: on its own test split, or on another labelled folder. Torch-free."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Accepting, Evaluated, Event, Failed, Note, Progress, Scanned, StageStarted, Stopped
from ml.core.jobs import EvaluateJob, ScanJob, Stop
from ml.core.messages import msg, nmsg
from ml.core.phrases import listed
from ml.core.scan_report import FoundFile, ScanReport
from ml.core.types import Sample
from ml.evaluation.findings_file import read_findings
from ml.evaluation.thresholds_in_use import (
    labelled_rows,
    rate_of_several,
    several_for,
    sources_of,
    target_error_rate,
    thresholds_for,
    with_thresholds_for,
)
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.project.scan.multilabel import as_multi_label
from ml.project.scan.scan import scan
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput, predict_files
from ml.runtime.model import ReleasedModel
from ml.scoring.calibration import apply_temperature
from ml.scoring.metrics import accuracy_interval, confusion, expected_calibration_error, per_class
from ml.scoring.multilabel import (
    average_precisions,
    calibration_error,
    mean_average_precision,
    multilabel_confusion,
    precision_recall,
    present,
    rule_of,
)
from ml.scoring.thresholds import selective_risk


def evaluate(job: EvaluateJob, stop: Stop) -> Iterator[Event]:
    """Score a run; a picture or a window of a recording counts once. Ends with one of `events.TERMINAL`."""
    try:
        with Project.open(job.project, to_read=True) as project:
            if job.on is None:
                yield _on_test_split(project, job)
            else:
                yield from _on_folder(project, job, job.on, stop)
    except HandlensError as error:
        yield Failed(message=error.message, details=error.details)


def _on_test_split(project: Project, job: EvaluateJob) -> Evaluated:
    """The run's stored predictions against the labels as they are now."""
    number = project.runs.finished(job.run).number
    stored = project.predictions(number)
    samples = {s.id: s for s in project.samples() if s.labelled}
    rows, truth = labelled_rows(stored, samples, "test")
    if not len(rows):
        raise HandlensError(
            msg(
                "No test sample has a label, so there is nothing to test on. Test on another folder with: handlens "
                "evaluate PROJECT --on FOLDER."
            )
        )
    probabilities = np.asarray(stored.probabilities[rows])
    sources = len({samples[int(stored.sample_ids[row])].source_id for row in rows})
    names = tuple(item.name for item in project.classes())
    # What it promised is said anew below, for the rate that is asked for and the labels as they are now.
    remarks = [remark for remark in read_findings(project.runs.folder(number)) if remark.about != "promise"]
    findings = tuple(remark.sentence for remark in remarks)
    if stored.thresholds is not None:
        shown = [samples[int(stored.sample_ids[row])].labels for row in rows]
        thresholds, rate = stored.thresholds, rate_of_several(project, job.wrong_at_most)
        if rate is not None:
            thresholds, promised = several_for(stored, samples, rate)
            findings = (*findings, rule_of(rate, promised=promised))
        scored = _score_several(probabilities, shown, names, thresholds, sources=sources)
        return dataclasses.replace(scored, findings=findings)
    info = _info_of(project, number)
    temperature = None if info is None else info.temperature
    result = _score(probabilities, truth, names, sources=sources, temperature=temperature)
    held = (probabilities, truth, sources_of(stored, samples, rows))
    accepting = _accepting(project, job, stored, samples, tested=held, info=info)
    return dataclasses.replace(result, accepting=accepting, findings=findings)


def _info_of(project: Project, run: int) -> ModelInfo | None:
    """What stands in the run's model; None where it has none any more."""
    path = project.runs.folder(run) / "model.onnx"
    return ReleasedModel.open(path).info if path.is_file() else None


def _accepting(
    project: Project,
    job: EvaluateJob,
    stored: Predictions,
    samples: Mapping[int, Sample],
    *,
    tested: tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]],
    info: ModelInfo | None,
) -> Accepting:
    """Thresholds from the validation split, by the labels as they are now, tried on the test split."""
    wanted = target_error_rate(project, info, job.wrong_at_most)
    chosen = thresholds_for(stored, samples, wanted)
    price = selective_risk(*tested[:2], chosen.per_class, sources=tested[2])
    return Accepting(
        wrong_at_most=wanted,
        promised=chosen.promised,
        threshold=chosen.overall,
        accepted=price.accepted,
        rejected=price.n - price.accepted,
        wrong=price.wrong,
        error_at_most=price.error_at_most,
        needed=chosen.needed,
    )


def _on_folder(project: Project, job: EvaluateJob, folder: Path, stop: Stop) -> Iterator[Event]:
    number = project.runs.finished(job.run).number
    model = ReleasedModel.open(project.runs.folder(number) / "model.onnx", many=True)
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
        yield Note(sentence=msg("Skipped {file}: {reason}", file=left_out.path, reason=left_out.reason))
    if model.info.task == "multi":
        report = as_multi_label(report)
    every = _labelled(report, model.info.classes)
    labelled = _not_learned_from(every, project)
    if len(labelled) < len(every):
        sentence = nmsg(
            "Skipped {count} of {files}: the project used it for training or validation, so it would make the score "
            "too good.",
            "Skipped {count} of {files}: the project used them for training or validation, so they would make the "
            "score too good.",
            len(every) - len(labelled),
            files=nmsg("{count} file", "{count} files", len(every)),
        )
        yield Note(sentence=sentence)
    yield StageStarted(stage="evaluate")
    truth: list[tuple[int, ...]] = []
    files: list[int] = []
    sources = 0
    said: list[NDArray[np.float32]] = []
    paths = [Path(report.folder, file.path) for file in labelled]
    for done, (file, result) in enumerate(zip(labelled, predict_files(model, paths), strict=True), 1):
        if stop.requested():
            yield Stopped()
            return
        if isinstance(result, UnreadableInput):
            yield Note(sentence=msg("Skipped {file}: {reason}", file=file.path, reason=result.reason))
            continue
        rows = _rows(result)
        files += [sources] * len(rows)
        sources += 1
        said += rows
        truth += [tuple(model.info.classes.index(name) for name in file.class_names)] * len(rows)
        yield Progress(stage="predict", done=done, total=len(labelled))
    if not said:
        raise HandlensError(
            msg("No file in {folder} could be read, so there is nothing to test on.", folder=str(folder))
        )
    if model.info.task == "multi":
        info = with_thresholds_for(project, number, model.info, job.wrong_at_most)
        yield _score_several(np.stack(said), truth, info.classes, np.array(info.present_above), sources=sources)
        return
    labels = np.array([shown[0] for shown in truth], dtype=np.int64)
    held = (np.stack(said), labels, np.array(files, dtype=np.int64))
    score = _score(*held[:2], model.info.classes, sources=sources, temperature=model.info.temperature)
    known = {sample.id: sample for sample in project.samples() if sample.labelled}
    stored = project.predictions(number)
    accepting = _accepting(project, job, stored, known, tested=held, info=model.info)
    yield dataclasses.replace(score, accepting=accepting)


def _labelled(report: ScanReport, classes: Sequence[str]) -> list[FoundFile]:
    """The files that stand in a class folder; raises where a class is unknown to the model or there is none."""
    unknown = [name for name in report.class_counts if name not in classes]
    if unknown:
        raise HandlensError(
            nmsg(
                "The model does not know the class {unknown} in this folder. It knows {classes}. Give the class "
                "folders the names that the model knows.",
                "The model does not know the classes {unknown} in this folder. It knows {classes}. Give the class "
                "folders the names that the model knows.",
                len(unknown),
                unknown=listed([msg("“{name}”", name=name) for name in unknown], most=3),
                classes=tuple(classes),
            )
        )
    files = [file for file in report.files if file.labelled]
    if not files:
        raise HandlensError(
            msg(
                "The folder has no class folders, so the right answers are unknown. Put the files into one folder per "
                "class."
            )
        )
    return files


def _not_learned_from(files: Sequence[FoundFile], project: Project) -> list[FoundFile]:
    """Those that are no copy of a file of the training or the validation split; raises where none is left."""
    seen = {sample.digest for sample in project.samples() if sample.split in ("train", "valid")}
    left = [file for file in files if file.digest not in seen]
    if not left:
        raise HandlensError(
            msg(
                "The project used every file in this folder for training or validation, so none can test it. Test on "
                "other files, or leave out --on."
            )
        )
    return left


def _rows(result: FilePrediction) -> list[NDArray[np.float32]]:
    return [window.probabilities for window in result.windows] or [result.probabilities]


def _score(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    sources: int,
    temperature: float | None,
) -> Evaluated:
    """`names` may be longer than the columns: a class the run never knew can only be wrong."""
    raw = None if temperature is None else apply_temperature(probabilities, 1.0 / temperature)
    missing = len(names) - probabilities.shape[1]
    if missing > 0:
        probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    predicted = probabilities.argmax(axis=1)
    share = float((predicted == labels).mean())
    matrix = confusion(labels, predicted, classes=len(names))
    return Evaluated(
        accuracy=share,
        n=len(labels),
        files=sources,
        per_class=per_class(matrix, names, sources=sources),
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
        ece=expected_calibration_error(probabilities, labels),
        ece_before=None if raw is None else expected_calibration_error(raw, labels),
        interval=accuracy_interval(share, sources),
    )


def _score_several(
    probabilities: NDArray[np.float32],
    labels: Sequence[tuple[int, ...]],
    names: tuple[str, ...],
    thresholds: NDArray[np.floating],
    *,
    sources: int,
) -> Evaluated:
    """The same where more than one class may be present; a class the run never knew is never named."""
    missing = len(names) - probabilities.shape[1]
    probabilities = np.pad(probabilities, ((0, 0), (0, missing)))
    thresholds = np.pad(thresholds, (0, missing), constant_values=0.5)
    targets = np.zeros((len(labels), len(names)), dtype=np.int64)
    for row, shown in enumerate(labels):
        targets[row, list(shown)] = 1
    said = present(probabilities, thresholds)
    scores = precision_recall(said, targets, names, sources=sources)
    for name, average in zip(names, average_precisions(probabilities, targets), strict=True):
        scores[name]["average_precision"] = 0.0 if np.isnan(average) else float(average)
    return Evaluated(
        accuracy=mean_average_precision(probabilities, targets) or 0.0,
        n=len(labels),
        files=sources,
        per_class=scores,
        confusion=tuple(tuple(int(count) for count in row) for row in multilabel_confusion(said, targets)),
        ece=calibration_error(probabilities, targets),
        task="multi",
    )
