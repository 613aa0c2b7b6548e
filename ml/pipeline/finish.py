"""The last stage of a run: predict all samples, calibrate, export, check parity, assess, and write the model."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from ml.core.disk import rename_folder, write_text
from ml.core.errors import HandlensError
from ml.core.events import Event, Note, StageStarted
from ml.core.messages import msg
from ml.core.types import Sample, Split
from ml.evaluation.findings_file import write_findings
from ml.media.kinds import kind_named
from ml.pipeline.predict_all import keep_holdout_predictions
from ml.probe.objective import known_class_mask
from ml.project.predictions import Predictions, read_predictions, write_thresholds
from ml.release.assess import Scores, assess
from ml.release.metadata import write_model
from ml.runtime.contract import ModelInfo
from ml.runtime.model import ReleasedModel
from ml.runtime.session import open_session
from ml.scoring.ood import OodReference, fit_reference, knn_distance, recall_of_known, unlike_scores
from ml.scoring.tasks import task_named
from ml.training.run_context import RunContext

PARITY_SAMPLES = 8
PARITY_LIMIT = 1e-3
ROWS_AT_ONCE = 4096
MAX_REFERENCE_SAMPLES = 10_000
"""Reference embeddings for the OOD score; more would not change it."""
OOD_THRESHOLD = 0.99
"""OOD score above which a sample is set aside: higher than that of 99 % of the known samples."""


class Release(Protocol):
    """A trained network that is about to be released."""

    backbone: str
    """Name of the pretrained network…"""
    backbone_sha256: str
    """…and the checksum of its weights."""
    size: int
    """Side of the pictures in pixels, where the samples are pictures."""
    inner_features: slice
    """Dimensions of the embedding that do not help to detect unlike samples."""

    def predict_all(
        self, samples: Sequence[Sample], draft: Path, *, later: int = 0
    ) -> Generator[Event, None, Predictions]:
        """Write uncalibrated predictions to the folder `draft`, see `ml.pipeline.predict_all`."""

    def calibrate(self, temperature: float, reference: OodReference) -> None:
        """Set what the graph needs besides the weights."""

    def graph(self) -> bytes:
        """Return the graph to release, see `ml.runtime.contract`."""

    def difference(self, exported: InferenceSession, samples: Sequence[Sample], stored: NDArray[np.floating]) -> float:
        """Return the largest difference in probability between `exported` and the trained network or `stored`."""


def finish_run(
    context: RunContext, release: Release, holdout: Release | None = None, *, folder: Path | None = None
) -> Generator[Event, None, Scores]:
    """Write `model.onnx`, `predictions/`, `findings.json` and `card.md` to `folder` (None: that of the run).

    `holdout` is the network before it was trained on the validation samples, if `release` was: these samples are
    predicted, and everything is calibrated, with it.
    """
    folder = context.folder if folder is None else folder
    draft, holdout_draft = folder / "predictions.part", folder / "earlier.part"
    yield StageStarted(stage="predict")
    held_out: Predictions | None = None
    if holdout is not None:
        known = [sample for sample in context.samples if sample.labelled and sample.split in ("train", "valid")]
        held_out = yield from holdout.predict_all(known, holdout_draft, later=len(context.samples))
    predictions = yield from release.predict_all(context.samples, draft)
    if context.stop.requested() == "cancel":
        return Scores()

    yield StageStarted(stage="export")
    inner = release.inner_features
    temperature, reference = _fit_calibration(context, predictions if held_out is None else held_out, inner)
    if held_out is not None:
        _write_ood_scores(holdout_draft, held_out, reference)
        reference = recall_of_known(_embeddings(predictions, "train"), reference, left_out=inner)
    release.calibrate(temperature, reference)
    _write_ood_scores(draft, predictions, reference)
    if held_out is not None:
        keep_holdout_predictions(draft, predictions, held_out)
    calibrated, promised = _write_calibrated(context, draft, predictions, temperature)
    compared = _parity_samples(context, retrained=held_out is not None)
    graph = release.graph()
    exported = open_session(graph, many=True)
    difference = _checked_difference(context, release, exported, compared, calibrated)

    predictions = read_predictions(draft, task=context.project.task)
    parity_result = (len(compared), difference)
    info = _info(context, release, predictions, temperature, parity_result=parity_result, promised=promised)
    learned: tuple[Split, ...] = ("train",) if held_out is None else ("train", "valid")
    ask = ReleasedModel(exported, info).predict
    scores, info, findings = assess(context.project, info, predictions, context.samples, ask=ask, learned=learned)
    for finding in findings:
        yield Note(sentence=finding.sentence, about=finding.about, level=finding.level)
    write_model(folder / "model.onnx", graph, info)
    write_findings(folder, findings)
    write_text(folder / "card.md", info.card)
    # Windows cannot rename a folder whose files are mapped.
    del predictions, calibrated, held_out
    shutil.rmtree(holdout_draft, ignore_errors=True)
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    rename_folder(draft, folder / "predictions")
    return scores


def _checked_difference(
    context: RunContext,
    release: Release,
    exported: InferenceSession,
    rows: Sequence[int],
    calibrated: NDArray[np.float32],
) -> float:
    """Return the largest difference on the samples at `rows`.

    Raises HandlensError if the graph does not predict the same as the trained network.
    """
    samples = [context.samples[row] for row in rows]
    difference = release.difference(exported, samples, np.asarray(calibrated[list(rows)]))
    if not np.isfinite(difference):
        raise HandlensError(
            msg(
                "The exported model produced invalid numbers. The run is kept but was not released. Please report this."
            )
        )
    if difference > PARITY_LIMIT:
        raise HandlensError(
            msg(
                "The probabilities of the exported model differ from those of the trained one by {difference:.2g}, "
                "which is too much. The run is kept but was not released. Please report this.",
                difference=difference,
            )
        )
    return difference


def _fit_calibration(
    context: RunContext, predictions: Predictions, inner_features: slice
) -> tuple[float, OodReference]:
    """Return the temperature and the OOD reference, from a network that was not trained on the validation samples."""
    train, valid = predictions.labelled("train"), predictions.labelled("valid")
    truth = np.asarray(predictions.labels if predictions.targets is None else predictions.targets, dtype=np.int64)
    rows = np.flatnonzero(valid)[known_class_mask(truth[valid], truth[train])]
    stored = np.asarray(predictions.probabilities[rows])
    temperature = task_named(predictions.task).fit_temperature(stored, truth[rows])
    files = {sample.id: sample.source_id for sample in context.samples}
    reference = fit_reference(
        _embeddings(predictions, "train"),
        held_out=_embeddings(predictions, "valid"),
        sources=np.array([files[int(each)] for each in predictions.sample_ids[_subsample(train)]]),
        left_out=inner_features,
    )
    return temperature, reference


def _embeddings(predictions: Predictions, split: Split) -> NDArray[np.float32]:
    """Return the embeddings of at most `MAX_REFERENCE_SAMPLES` labelled samples of a split."""
    return np.asarray(predictions.embeddings[_subsample(predictions.labelled(split))], dtype=np.float32)


def _subsample(mask: NDArray[np.bool_]) -> NDArray[np.integer]:
    """Return at most `MAX_REFERENCE_SAMPLES` rows of the mask, evenly picked."""
    rows = np.flatnonzero(mask)
    return rows[:: max(1, -(-len(rows) // MAX_REFERENCE_SAMPLES))]


def _parity_samples(context: RunContext, *, retrained: bool) -> list[int]:
    """Return rows of a few samples whose stored predictions are of the final network."""
    rows = [row for row, sample in enumerate(context.samples) if not (retrained and sample.split == "valid")]
    return rows[:: max(1, len(rows) // PARITY_SAMPLES)][:PARITY_SAMPLES]


def _write_calibrated(
    context: RunContext, draft: Path, predictions: Predictions, temperature: float
) -> tuple[NDArray[np.float32], bool]:
    """Replace the probabilities by calibrated ones and return them; multi-label: also write the thresholds, and return
    whether they guarantee the target error rate."""
    task, guaranteed = task_named(predictions.task), False
    calibrated = np.lib.format.open_memmap(draft / "probabilities.npy", mode="r+")
    calibrated[:] = task.calibrated(predictions.probabilities, temperature)
    if predictions.targets is not None:
        valid = predictions.labelled("valid")
        part = calibrated[valid], predictions.targets[valid].astype(np.int64)
        files = np.array([sample.source_id for sample in context.samples])[valid]
        thresholds, guaranteed = task.presence_thresholds(part, wanted=context.job.wrong_at_most, sources=files)
        assert thresholds is not None
        write_thresholds(draft, thresholds)
    calibrated.flush()
    return calibrated, guaranteed


def _write_ood_scores(draft: Path, predictions: Predictions, reference: OodReference) -> None:
    scores = np.lib.format.open_memmap(draft / "unlike.npy", mode="r+")
    for start in range(0, len(predictions), ROWS_AT_ONCE):
        rows = np.asarray(predictions.embeddings[start : start + ROWS_AT_ONCE], dtype=np.float32)
        distance = knn_distance(rows, bank=reference.bank, scale=reference.scale)
        scores[start : start + ROWS_AT_ONCE] = unlike_scores(distance, reference)
    scores.flush()


def _info(
    context: RunContext,
    release: Release,
    predictions: Predictions,
    temperature: float,
    *,
    parity_result: tuple[int, float],
    promised: bool,
) -> ModelInfo:
    """Return the metadata of the model; `assess` adds thresholds and card."""
    kind = kind_named(context.project.kind)
    return ModelInfo(
        kind=kind.name,
        task_name=context.project.task,
        classes=context.run.class_names,
        size=release.size if kind.input_name == "pixels" else 0,
        windowing=context.decoded.windowing,
        picture_reading=context.project.picture_reading,
        map_size=(predictions.maps.shape[2], predictions.maps.shape[3]),
        backbone=release.backbone,
        backbone_sha256=release.backbone_sha256,
        project=context.project.name,
        run=context.run.number,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        temperature=temperature,
        reject_below=0.0,
        wanted_error=context.job.wrong_at_most or 0.0,
        promised=promised,
        unlike_above=OOD_THRESHOLD,
        parity_samples=parity_result[0],
        parity_difference=parity_result[1],
        card="",
        present_above=() if predictions.thresholds is None else tuple(float(value) for value in predictions.thresholds),
    )
