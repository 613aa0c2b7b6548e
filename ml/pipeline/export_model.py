"""Write the model of a run to a file, with the thresholds that are wanted now. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.events import Event, Exported
from ml.core.jobs import ExportJob
from ml.core.messages import msg
from ml.core.outputs import make_folder, unwritable
from ml.evaluation.thresholds_in_use import with_thresholds_for
from ml.inference import package
from ml.inference.model_in_use import model_path
from ml.project.project import Project
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel

SUFFIXES = (".onnx", package.SUFFIX)


def export(job: ExportJob) -> Iterator[Event]:
    """Do an `ExportJob`. Raises HandlensError."""
    with Project.open(job.project, to_read=True) as project:
        number, info = export_model(project, job.to, run=job.run, asked=job.wrong_at_most)
    yield Exported(run=number, path=str(job.to), wrong_at_most=info.wanted_error, promised=info.promised)


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
