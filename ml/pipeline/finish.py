"""The end of every run: calibrate, export, compare, predict every sample, write the card."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.errors import HandlensError
from ml.core.events import Event, Note, StageStarted
from ml.core.jobs import Stop
from ml.core.messages import msg
from ml.core.types import Sample, Split
from ml.evaluation.findings_file import write_findings
from ml.media.kinds import kind_named
from ml.networks.heads import Released
from ml.networks.onnx import export_graph, parity
from ml.pipeline.predict_all import ReleaseInputs, keep_holdout_predictions, predict_all, predict_holdout_with_previous
from ml.probe.objective import known_class_mask
from ml.project.predictions import Predictions, read_predictions, write_thresholds
from ml.release.assess import Scores, assess
from ml.release.metadata import write_model
from ml.runtime.contract import OUTPUTS, ModelInfo
from ml.runtime.model import ReleasedModel
from ml.runtime.session import open_session
from ml.scoring.ood import OodReference, fit_reference, knn_distance, recall_of_known, unlike_scores
from ml.scoring.tasks import task_named

PARITY_SAMPLES = 8
PARITY_LIMIT = 1e-3
BLOCK = 4096
ENOUGH_TO_KNOW = 10_000
"""As many samples tell what is familiar as well as more would."""
UNLIKE_ABOVE = 0.99
"""What is stranger than 99 of 100 known samples is set aside."""


def finish_run(given: ReleaseInputs, stop: Stop) -> Generator[Event, None, Scores]:
    """Leaves `model.onnx`, `predictions/`, `findings.json` and `card.md` in the run's folder."""
    folder, draft, before = given.folder, given.folder / "predictions.part", given.folder / "earlier.part"
    yield StageStarted(stage="predict")
    earlier: Predictions | None = None
    if given.before is not None:
        earlier = yield from predict_holdout_with_previous(given, given.before, before, stop)
    predictions = yield from predict_all(given, draft, stop)
    if stop.requested() == "cancel":
        return Scores()

    yield StageStarted(stage="export")
    temperature, known = _calibrated(given, predictions if earlier is None else earlier)
    if earlier is not None:
        _store_unlike(before, earlier, known)
        known = recall_of_known(_embeddings(predictions, "train"), known, left_out=given.network.backbone.early)
    given.network.get_buffer("temperature").fill_(temperature)
    given.network.unlikeness.learn(known)
    _store_unlike(draft, predictions, known)
    if earlier is not None:
        keep_holdout_predictions(draft, predictions, earlier)
    calibrated, promised = _write_calibrated(draft, predictions, temperature, given)
    name, released = kind_named(given.project.kind).input_name, Released(given.network).eval()
    graph = export_graph(released, given.example, outputs=OUTPUTS, name=name)
    chosen, stored = _to_compare(given, calibrated)
    exported = open_session(graph, many=True)
    difference = parity(exported, released, given.decoded.read(chosen), name=name, stored=stored)
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
    predictions = read_predictions(draft, task=given.project.task)
    info = _info(given, predictions, temperature, parity_result=(len(chosen), difference), promised=promised)
    ask = ReleasedModel(exported, info).predict
    learned: tuple[Split, ...] = ("train",) if earlier is None else ("train", "valid")
    scores, info, remarks = assess(given.project, info, predictions, given.samples, ask=ask, learned=learned)
    for remark in remarks:
        yield Note(sentence=remark.sentence, about=remark.about, level=remark.level)
    write_model(folder / "model.onnx", graph, info)
    write_findings(folder, remarks)
    card = folder / "card.md.part"
    card.write_text(info.card, encoding="utf-8")
    card.replace(folder / "card.md")
    # Windows does not rename a folder whose files are still mapped.
    del predictions, calibrated, stored, earlier
    shutil.rmtree(before, ignore_errors=True)
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    draft.rename(folder / "predictions")
    return scores


def _calibrated(given: ReleaseInputs, said: Predictions) -> tuple[float, OodReference]:
    """The temperature, and what is familiar, by what a network said of validation samples that it had not learned
    from."""
    train, valid = said.labelled("train"), said.labelled("valid")
    truth = np.asarray(said.labels if said.targets is None else said.targets, dtype=np.int64)
    fair = np.flatnonzero(valid)[known_class_mask(truth[valid], truth[train])]
    temperature = task_named(said.task).fit_temperature(np.asarray(said.probabilities[fair]), truth[fair])
    files = {sample.id: sample.source_id for sample in given.samples}
    known = fit_reference(
        _embeddings(said, "train"),
        held_out=_embeddings(said, "valid"),
        sources=np.array([files[int(each)] for each in said.sample_ids[_some(train)]]),
        left_out=given.network.backbone.early,
    )
    return temperature, known


def _embeddings(said: Predictions, split: Split) -> NDArray[np.float32]:
    """Those of enough labelled samples of a split."""
    return np.asarray(said.embeddings[_some(said.labelled(split))], dtype=np.float32)


def _some(chosen: NDArray[np.bool_]) -> NDArray[np.integer]:
    """The chosen rows, evenly picked where there are very many."""
    rows = np.flatnonzero(chosen)
    return rows[:: max(1, -(-len(rows) // ENOUGH_TO_KNOW))]


def _to_compare(given: ReleaseInputs, calibrated: NDArray[np.float32]) -> tuple[list[Sample], NDArray[np.float32]]:
    """A few samples, and what the delivered network was found to say of them."""
    rows = [row for row, sample in enumerate(given.samples) if given.before is None or sample.split != "valid"]
    rows = rows[:: max(1, len(rows) // PARITY_SAMPLES)][:PARITY_SAMPLES]
    return [given.samples[row] for row in rows], np.asarray(calibrated[rows])


def _write_calibrated(
    draft: Path, predictions: Predictions, temperature: float, given: ReleaseInputs
) -> tuple[NDArray[np.float32], bool]:
    """Put calibrated probabilities in their place, and give them back. Where more than one class may be present also
    the thresholds; then whether they promise what is wanted."""
    task, promised = task_named(predictions.task), False
    calibrated = np.lib.format.open_memmap(draft / "probabilities.npy", mode="r+")
    calibrated[:] = task.calibrated(predictions.probabilities, temperature)
    if predictions.targets is not None:
        valid = predictions.labelled("valid")
        files = np.array([sample.source_id for sample in given.samples])[valid]
        part = calibrated[valid], predictions.targets[valid].astype(np.int64)
        thresholds, promised = task.presence_thresholds(part, wanted=given.wrong_at_most, sources=files)
        assert thresholds is not None
        write_thresholds(draft, thresholds)
    calibrated.flush()
    return calibrated, promised


def _store_unlike(draft: Path, predictions: Predictions, known: OodReference) -> None:
    unlike = np.lib.format.open_memmap(draft / "unlike.npy", mode="r+")
    for start in range(0, len(predictions), BLOCK):
        rows = np.asarray(predictions.embeddings[start : start + BLOCK], dtype=np.float32)
        unlike[start : start + BLOCK] = unlike_scores(knn_distance(rows, bank=known.bank, scale=known.scale), known)
    unlike.flush()


def _info(
    given: ReleaseInputs,
    predictions: Predictions,
    temperature: float,
    *,
    parity_result: tuple[int, float],
    promised: bool,
) -> ModelInfo:
    """What stands in the model; thresholds and card come later."""
    kind = kind_named(given.project.kind)
    return ModelInfo(
        kind=kind.name,
        task_name=given.project.task,
        classes=given.run.class_names,
        size=given.network.backbone.spec.size if kind.input_name == "pixels" else 0,
        windowing=given.decoded.windowing,
        map_size=(predictions.maps.shape[2], predictions.maps.shape[3]),
        backbone=given.network.backbone.spec.name,
        backbone_sha256=given.network.backbone.weights.sha256,
        project=given.project.name,
        run=given.run.number,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        temperature=temperature,
        reject_below=0.0,
        wanted_error=given.wrong_at_most or 0.0,
        promised=promised,
        unlike_above=UNLIKE_ABOVE,
        parity_samples=parity_result[0],
        parity_difference=parity_result[1],
        card="",
        present_above=() if predictions.thresholds is None else tuple(float(value) for value in predictions.thresholds),
    )
