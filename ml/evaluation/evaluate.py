"""How often a run is right: on its own test split, or on another labelled folder. Torch-free."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Accepting, Evaluated, Event, Failed, Note, Progress, Scanned, StageStarted, Stopped
from ml.core.jobs import EvaluateJob, ScanJob, Stop
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import files as files_of
from ml.core.phrases import listed
from ml.core.scan_report import FoundFile, ScanReport
from ml.core.types import KindName, Sample
from ml.evaluation.findings_file import read_findings
from ml.evaluation.thresholds_in_use import (
    chosen_error_rate,
    labelled_rows,
    presence_thresholds_for,
    sources_of,
    target_error_rate,
    thresholds_for,
    with_thresholds_for,
)
from ml.media.kinds import kind_named
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.project.scan.multilabel import for_task
from ml.project.scan.scan import scan
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput, predict_files
from ml.runtime.model import ReleasedModel
from ml.scoring.multilabel import rule_of
from ml.scoring.tasks import task_named
from ml.scoring.thresholds import selective_risk

_NAMES_SHOWN = 3


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
    remarks = [remark for remark in read_findings(project.runs.results(number)) if remark.about != "promise"]
    findings = tuple(remark.sentence for remark in remarks)
    task = task_named(stored.task)
    shown = [samples[int(stored.sample_ids[row])].labels for row in rows]
    if not task.exclusive:
        thresholds, rate = stored.thresholds, chosen_error_rate(project, job.wrong_at_most)
        if rate is not None:
            thresholds, promised = presence_thresholds_for(stored, samples, rate)
            findings = (*findings, rule_of(rate, promised=promised))
        scored = task.report(probabilities, shown, names, files=sources, thresholds=thresholds)
        return dataclasses.replace(scored, findings=findings)
    info = _info_of(project, number)
    temperature = None if info is None else info.temperature
    result = task.report(probabilities, shown, names, files=sources, temperature=temperature)
    held = (probabilities, truth, sources_of(stored, samples, rows))
    accepting = _accepting(project, job, stored, samples, tested=held, info=info)
    return dataclasses.replace(result, accepting=accepting, findings=findings)


def _info_of(project: Project, run: int) -> ModelInfo | None:
    """What stands in the run's model; None where it has none any more."""
    path = project.runs.results(run) / "model.onnx"
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
    model = ReleasedModel.open(project.runs.results(number) / "model.onnx", many=True)
    labelled = yield from _labelled_files_of(project, model.info, folder, stop)
    if labelled is None:  # the scan reported why it ended
        return
    yield StageStarted(stage="evaluate")
    predicted = yield from _predict_labelled(model, folder, labelled, stop)
    if predicted is None:
        yield Stopped()
        return
    task, names, sources = task_named(model.info.task), model.info.classes, len(set(predicted.files))
    if not task.exclusive:
        info = with_thresholds_for(project, number, model.info, job.wrong_at_most)
        thresholds = np.array(info.present_above)
        score = task.report(predicted.probabilities, predicted.truth, names, files=sources, thresholds=thresholds)
        yield dataclasses.replace(score, findings=_not_tested(score, project.kind))
        return
    targets = task.targets(predicted.truth, classes=len(names))
    held = (predicted.probabilities, targets, np.array(predicted.files, dtype=np.int64))
    temperature = model.info.temperature
    score = task.report(predicted.probabilities, predicted.truth, names, files=sources, temperature=temperature)
    known = {sample.id: sample for sample in project.samples() if sample.labelled}
    accepting = _accepting(project, job, project.predictions(number), known, tested=held, info=model.info)
    yield dataclasses.replace(score, accepting=accepting, findings=_not_tested(score, project.kind))


def _labelled_files_of(
    project: Project, info: ModelInfo, folder: Path, stop: Stop
) -> Generator[Event, None, list[FoundFile] | None]:
    """Scan a folder and return the files to test on, or None if the scan ended without a report."""
    report: ScanReport | None = None
    cut = info.windowing if kind_named(project.kind).shares_columns else None
    for event in scan(ScanJob(folder=folder, kind=project.kind, windowing=cut), stop):
        if isinstance(event, Scanned):
            report = event.report
        else:
            yield event
    if report is None:
        return None
    for left_out in report.unreadable:
        yield Note(sentence=msg("Skipped {file}: {reason}", file=left_out.path, reason=left_out.reason))
    task = task_named(info.task)
    every, unknown = _labelled(report if task.exclusive else for_task(report, task.name), info.classes)
    if unknown:
        yield Note(sentence=_not_known(unknown, info.classes))
    unseen = _not_learned_from(every, project)
    if len(unseen) < len(every):
        sentence = nmsg(
            "Skipped {count} of {files}: the project used it for training or validation, so it would make the score "
            "too good.",
            "Skipped {count} of {files}: the project used them for training or validation, so they would make the "
            "score too good.",
            len(every) - len(unseen),
            files=nmsg("{count} file", "{count} files", len(every)),
        )
        yield Note(sentence=sentence)
    return unseen


class _Predicted(NamedTuple):
    """Predictions for a folder: `probabilities` (n, classes), the labels, and the number of the file of each."""

    probabilities: NDArray[np.float32]
    truth: list[tuple[int, ...]]
    files: list[int]


def _predict_labelled(
    model: ReleasedModel, folder: Path, labelled: Sequence[FoundFile], stop: Stop
) -> Generator[Event, None, _Predicted | None]:
    """Predict the files, or return None if the user stopped. Raises HandlensError if no file can be read."""
    rows: list[NDArray[np.float32]] = []
    truth: list[tuple[int, ...]] = []
    files: list[int] = []
    paths = [folder.absolute() / file.path for file in labelled]
    for done, (file, result) in enumerate(zip(labelled, predict_files(model, paths), strict=True), 1):
        if stop.requested():
            return None
        if isinstance(result, UnreadableInput):
            yield Note(sentence=msg("Skipped {file}: {reason}", file=file.path, reason=result.reason))
            continue
        own = _rows(result)
        rows += own
        files += [done] * len(own)
        truth += [tuple(model.info.classes.index(name) for name in file.class_names)] * len(own)
        yield Progress(stage="evaluate", done=done, total=len(labelled))
    if not rows:
        raise HandlensError(
            msg("No file in {folder} could be read, so there is nothing to test on.", folder=str(folder))
        )
    return _Predicted(np.stack(rows), truth, files)


def _labelled(report: ScanReport, classes: Sequence[str]) -> tuple[list[FoundFile], list[str]]:
    """The files of classes that the model knows, and the other classes; raises where there are no such files."""
    unknown = [name for name in report.class_counts if name not in classes]
    files = [file for file in report.files if file.labelled and not set(file.class_names) & set(unknown)]
    if not files and unknown:
        raise HandlensError(_not_known(unknown, classes))
    if not files:
        raise HandlensError(
            msg(
                "The folder has no class folders, so the right answers are unknown. Put the files into one folder per "
                "class."
            )
        )
    return files, unknown


def _not_known(unknown: Sequence[str], classes: Sequence[str]) -> Message:
    return nmsg(
        "The model does not know the class {unknown} in this folder, so its files are not tested. It knows {classes}. "
        "Give the class folders the names that the model knows.",
        "The model does not know the classes {unknown} in this folder, so their files are not tested. It knows "
        "{classes}. Give the class folders the names that the model knows.",
        len(unknown),
        unknown=_quoted(unknown),
        classes=tuple(classes),
    )


def _quoted(names: Sequence[str]) -> Message:
    return listed([msg("“{name}”", name=name) for name in names], most=_NAMES_SHOWN)


def _not_tested(result: Evaluated, kind: KindName) -> tuple[Message, ...]:
    """Name the classes that the folder has no files of."""
    absent = [name for name, scores in result.per_class.items() if not scores["n"]]
    if not absent:
        return ()
    sentence = nmsg(
        "{names} was not tested, because the folder has no {files} of it.",
        "{names} were not tested, because the folder has no {files} of them.",
        len(absent),
        names=_quoted(absent),
        files=files_of(kind),
    )
    return (sentence,)


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
