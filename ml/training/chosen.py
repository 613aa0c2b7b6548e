"""Which pretrained network a run learns from: what the job says, or what the run it resumes has recorded."""

from __future__ import annotations

import tomllib
from collections.abc import Generator
from pathlib import Path

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.events import Event
from ml.core.jobs import Stop, TrainJob
from ml.core.messages import msg
from ml.networks.weights import resolve as obtain
from ml.networks.weights.bundled import Weights
from ml.training.recipe import Recipe
from ml.training.run_files import write_settings


def chosen_weights(job: TrainJob, folder: Path, stop: Stop) -> Generator[Event, None, Weights | None]:
    """The weights for the run in `folder`; None if the user stopped their download. Raises HandlensError."""
    noted = _noted(folder) if job.resume else {}
    name = noted.get("name") or job.backbone
    file = job.weights
    if file is None and noted.get("source") == "file":
        file = Path(noted["file"])
        if not file.is_file():
            raise HandlensError(
                msg(
                    "The run started with the weights in {file}, which no longer exists. "
                    "Put the file back, or name it with --resume --weights FILE.",
                    file=str(file),
                )
            )
    _refuse_unknown(name, file)
    weights = yield from obtain.obtain(name, file, stop)
    if weights is not None and noted.get("sha256", weights.sha256) != weights.sha256:
        raise HandlensError(
            msg(
                "{file} is not the weights file that the run started with. Use that file, or train without --resume.",
                file=weights.path.name,
            )
        )
    return weights


def refuse_unknown(job: TrainJob) -> None:
    """Raises HandlensError for a new run where there is no such network or file, before that run begins."""
    if not job.resume:
        _refuse_unknown(job.backbone, job.weights)


def _refuse_unknown(name: str, file: Path | None) -> None:
    if file is not None and not name:
        if not file.is_file():
            raise HandlensError(msg("There is no file {file}. Check the name.", file=str(file)))
        raise HandlensError(
            msg("{file} could belong to any network. Name the network with --backbone NAME.", file=file.name)
        )
    obtain.refuse_unknown(name or DEFAULT_BACKBONE, file)


def weights_for_job(
    job: TrainJob, recipe: Recipe, folder: Path, *, device: str, stop: Stop
) -> Generator[Event, None, Weights | None]:
    """As `chosen_weights`; the run notes which, before they are here and after."""
    if not (job.resume and (folder / "settings.toml").is_file()):
        write_settings(folder, job, recipe, device=device, backbone=requested_info(job))
    weights = yield from chosen_weights(job, folder, stop)
    if weights is not None:
        write_settings(folder, job, recipe, device=device, backbone=weights_info(weights))
    return weights


def weights_info(weights: Weights) -> dict[str, str]:
    """What settings.toml says of them."""
    facts = {"name": weights.name, "sha256": weights.sha256, "source": weights.source, "licence": weights.licence}
    return facts | ({"file": str(weights.path)} if weights.source == "file" else {})


def requested_info(job: TrainJob) -> dict[str, str]:
    """The same before they are here: enough to resume a run that was cut off while they were downloaded."""
    facts = {"name": job.backbone or DEFAULT_BACKBONE}
    return facts | ({"source": "file", "file": str(job.weights.absolute())} if job.weights is not None else {})


def _noted(folder: Path) -> dict[str, str]:
    path = folder / "settings.toml"
    if not path.is_file():
        return {}
    noted: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8")).get("backbone", {})
    return noted
