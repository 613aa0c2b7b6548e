"""Hand on a run: as a model with the thresholds that are wanted now, or in another form. Loads no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.events import Event, Exported, StageStarted, Stopped
from ml.core.jobs import ExportJob, Stop, StopRequestedError
from ml.core.messages import Message, msg
from ml.core.outputs import make_folder, unwritable
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.inference import package
from ml.inference.kaggle import Answers, plain_shape, write_submission
from ml.inference.model_in_use import model_path
from ml.pipeline.export_documents import DOCUMENTS, write_document
from ml.pipeline.export_int8 import to_int8
from ml.project.predictions import SPLIT_CODES
from ml.project.project import Project
from ml.release.web_page import SUFFIX as PAGE
from ml.release.web_page import write_web_page
from ml.release.web_runtime import web_runtime
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel
from ml.scoring.tasks import task_named

SUFFIXES = (".onnx", package.SUFFIX)
TABLE = ".csv"


def export(job: ExportJob, stop: Stop) -> Iterator[Event]:
    """Do an `ExportJob`. Raises HandlensError."""
    suffix, target = job.to.suffix.lower(), job.to.expanduser().absolute()
    yield StageStarted(stage="export")
    try:
        with Project.open(job.project, to_read=True) as project:
            if suffix in DOCUMENTS:
                yield Exported(run=write_document(project, target, job.run, printed=job.printed), path=str(job.to))
            elif suffix == TABLE:
                yield _export_table(project, target, job)
            elif suffix == PAGE:
                number, info = export_page(
                    project, target, job.run, job.wrong_at_most, runtime=job.runtime, download=job.download
                )
                yield _exported(number, info, job)
            else:
                yield from _export_model(project, target, job, stop)
    except StopRequestedError:
        yield Stopped()


def _export_table(project: Project, target: Path, job: ExportJob) -> Exported:
    """Write the answers to the test samples in one of Kaggle's shapes."""
    number = project.run_in_use(job.run).number
    info = ReleasedModel.open(model_path(project, number)).info
    shape = plain_shape(info.classes, probabilities=job.probabilities)
    write_submission(target, shape, answers_of_test_samples(project, number, info), info)
    return Exported(run=number, path=str(job.to))


def _export_model(project: Project, target: Path, job: ExportJob, stop: Stop) -> Iterator[Event]:
    compared: tuple[Message, ...] = ()
    network = None
    if job.int8:
        source = model_path(project, job.run)
        made = ReleasedModel.open(source).info
        network, comparison = yield from to_int8(project, source.read_bytes(), made, stop)
        compared = tuple(comparison.sentences(made))
    number, info = export_model(project, target, run=job.run, asked=job.wrong_at_most, network=network)
    yield dataclasses.replace(_exported(number, info, job), compared=compared)


def _exported(number: int, info: ModelInfo, job: ExportJob) -> Exported:
    return Exported(run=number, path=str(job.to), wrong_at_most=info.wanted_error, promised=info.promised)


def export_page(
    project: Project, target: Path, run: int | None, asked: float | None, *, runtime: Path | None, download: bool
) -> tuple[int, ModelInfo]:
    """Write a page for a phone; return the run and what its model says. Raises HandlensError."""
    folder = web_runtime(runtime, download=download)
    number = project.run_in_use(run).number
    source = model_path(project, number)
    info = with_thresholds_for(project, number, ReleasedModel.open(source).info, asked)
    write_web_page(source, info, target, runtime=folder)
    return number, info


def answers_of_test_samples(project: Project, run: int, info: ModelInfo) -> Answers:
    """Return the probabilities of each file of the test split, of all its windows together. Raises HandlensError."""
    stored, names = project.predictions(run), project.runs.finished(run).class_names
    columns = [names.index(name) for name in info.classes] if set(names) == set(info.classes) else slice(None)
    paths = {sample.id: sample.path for sample in project.samples()}
    rows: dict[str, list[int]] = {}
    for row in np.flatnonzero(np.asarray(stored.splits) == SPLIT_CODES.index("test")).tolist():
        path = paths.get(int(stored.sample_ids[row]))
        if path is not None:
            rows.setdefault(path, []).append(row)
    if not rows:
        raise HandlensError(msg("This project has no test samples. Give a folder with {option}.", option="--on"))
    over_windows = task_named(info.task).over_windows
    return {path: over_windows(np.asarray(stored.probabilities[places])[:, columns]) for path, places in rows.items()}


def export_model(
    project: Project,
    target: Path,
    *,
    run: int | None = None,
    asked: float | None = None,
    sign: Path | None = None,
    network: bytes | None = None,
) -> tuple[int, ModelInfo]:
    """Write the model of run `run` (the one in use if None) to `target`; return the run and what the file says.

    `asked`: another share of wrong answers among the accepted ones than was chosen for the project. `sign`: a key file
    for a package. `network` is written in place of the run's own, which it is made from. Raises HandlensError.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise HandlensError(
            msg(
                "Models are written as {suffix} only. Give a name such as {name}.",
                suffix=SUFFIXES,
                name=f"{target.stem or 'model'}.onnx",
            )
        )
    number = project.run_in_use(run).number
    source = model_path(project, number)
    _refuse_another_file(target)
    made = ReleasedModel.open(source).info
    info = with_thresholds_for(project, number, made, asked)
    content = source.read_bytes() if network is None else network
    if target.suffix.lower() == package.SUFFIX:
        _write_package(content, target, info, sign)
    else:
        _copy(content, target, None if info is made else info)
    return number, info


def _refuse_another_file(target: Path) -> None:
    """An older model may be replaced, nothing else."""
    if target.is_dir():
        raise HandlensError(msg("{path} is a folder. Give the name of a file in it.", path=str(target)))
    if target.is_file() and target.stat().st_size:
        try:
            package.open_model(target)
        except HandlensError as error:
            raise HandlensError(
                msg("{path} already exists and is not a Handlens model. Give another name.", path=str(target))
            ) from error


def _exchanged(network: bytes, info: ModelInfo) -> bytes:
    try:
        from ml.release.metadata import with_info  # of an extra that running a model does not need
    except ImportError as error:
        raise HandlensError(
            msg(
                "Exporting with other thresholds needs the library onnx. Install it: {command}",
                command='pip install "handlens[train]"',
            ),
            details=repr(error),
        ) from error
    return with_info(network, info)


def _copy(network: bytes, target: Path, info: ModelInfo | None) -> None:
    """The whole file or none. `info` takes the place of what stands in it."""
    try:
        make_folder(target.parent)
        with replacing(target) as draft:
            draft.write_bytes(network if info is None else _exchanged(network, info))
    except OSError as error:
        raise unwritable(target, error) from error


def _write_package(network: bytes, target: Path, info: ModelInfo, key_file: Path | None) -> None:
    sign = None if key_file is None else package.signer_with(key_file.expanduser())
    try:
        make_folder(target.parent)
        package.write_package(target, network, info, sign=sign)
    except OSError as error:
        raise unwritable(target, error) from error
