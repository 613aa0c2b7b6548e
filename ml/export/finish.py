"""The end of every run: calibrate, export, compare, predict every sample, write the card."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor

from ml.errors import HandlensError
from ml.events import Event, Note, Progress, StageStarted
from ml.export.judge import Scores, judge
from ml.export.metadata import write_model
from ml.export.onnx import export_graph, parity
from ml.export.several import logits_from
from ml.insight.calibration import fit_temperature, tempered
from ml.insight.several import best_thresholds, sigmoid, strict_thresholds
from ml.insight.several import fit_temperature as fit_temperature_of_several
from ml.insight.unlike import Familiar, familiar, strangeness, unlike_scores
from ml.jobs import Stop
from ml.networks.heads import Classifier, Released
from ml.project.predictions import SPLIT_CODES, Predictions, PredictionWriter, read_predictions, write_thresholds
from ml.project.project import Project
from ml.project.remarks import write_remarks
from ml.project.samples import RunInfo, Sample
from ml.runtime.contract import INPUTS, OUTPUTS, ModelInfo
from ml.runtime.model import ReleasedModel
from ml.runtime.session import cores, open_session
from ml.training.decode import PROGRESS_SECONDS, Decoded, per_second
from ml.training.features import Features, frozen_answers
from ml.training.objective import answerable, targets_of
from ml.training.step import in_parts

BATCH = max(8, 2 * cores())
PARITY_SAMPLES = 8
ATTUNE_SAMPLES = 16
PARITY_LIMIT = 1e-3
BLOCK = 4096
ENOUGH_TO_KNOW = 10_000
"""As many samples tell what is familiar as well as more would."""
UNLIKE_ABOVE = 0.99
"""What is stranger than 99 of 100 known samples is set aside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingredients:
    """A trained network (on the CPU, uncalibrated) and what to ask it. `features`: kept grids of a frozen backbone.
    `wrong_at_most`: None where more than one class may be present and no rate was asked for."""

    project: Project
    run: RunInfo
    network: Classifier
    samples: tuple[Sample, ...]
    decoded: Decoded
    features: Features | None
    device: torch.device
    wrong_at_most: float | None

    @property
    def on_gpu(self) -> bool:
        """Where torch asks it about all samples sooner than the exported model on the processor would."""
        return self.device.type == "cuda"


def finish_run(given: Ingredients, stop: Stop) -> Generator[Event, None, Scores]:
    """Leaves `model.onnx`, `predictions/`, `findings.json` and `card.md` in the run's folder."""
    folder = given.project.runs.folder(given.run.number)
    draft = folder / "predictions.part"
    shutil.rmtree(draft, ignore_errors=True)
    yield StageStarted(stage="predict", sentence="Now it is asking the finished model about every sample.")
    name = INPUTS[given.project.kind]
    released = Released(given.network).eval()
    _attune(given)
    example = given.decoded.read([given.samples[0], given.samples[0]])
    session: InferenceSession | None = None
    if given.features is None and not given.on_gpu:
        session = open_session(export_graph(released, torch.from_numpy(example), outputs=OUTPUTS, name=name), many=True)
    predictions = yield from _predict(given, draft, session, name, stop)
    if stop.requested() == "cancel":
        return Scores()

    yield StageStarted(
        stage="export", sentence="Now it is writing the model to a file and checking that the file says the same."
    )
    sources = np.array([sample.source_id for sample in given.samples])
    temperature, known = _calibrate(given.network, predictions, sources)
    _store_unlike(draft, predictions, known)
    calibrated, promised = _write_calibrated(draft, predictions, temperature, given)
    session = None  # its memory is needed for the second one
    graph = export_graph(released, torch.from_numpy(example), outputs=OUTPUTS, name=name)
    every = max(1, len(given.samples) // PARITY_SAMPLES)
    chosen = given.samples[::every][:PARITY_SAMPLES]
    stored = np.asarray(calibrated[::every][:PARITY_SAMPLES])
    exported = open_session(graph, many=True)
    difference = parity(exported, released, given.decoded.read(chosen), name=name, stored=stored)
    if not np.isfinite(difference):
        raise HandlensError(
            "The exported model answers with what is no number; the run was kept but not released, so please report "
            "this."
        )
    if difference > PARITY_LIMIT:
        raise HandlensError(
            f"The exported model differs from the trained one by {difference:.2g} in probability, which is too much; "
            "the run was kept but not released, so please report this."
        )
    predictions = read_predictions(draft)
    info = _info(given, predictions, temperature, parity_result=(len(chosen), difference), promised=promised)
    ask = ReleasedModel(exported, info).predict
    scores, info, remarks = judge(given.project, info, predictions, given.samples, ask=ask)
    for remark in remarks:
        yield Note(sentence=remark.sentence, about=remark.about, level=remark.level)
    write_model(folder / "model.onnx", graph, info)
    write_remarks(folder, remarks)
    card = folder / "card.md.part"
    card.write_text(info.card, encoding="utf-8")
    card.replace(folder / "card.md")
    # Windows does not rename a folder whose files are still mapped.
    del predictions, calibrated, stored
    shutil.rmtree(folder / "predictions", ignore_errors=True)
    draft.rename(folder / "predictions")
    return scores


def _predict(
    given: Ingredients, draft: Path, session: InferenceSession | None, name: str, stop: Stop
) -> Generator[Event, None, Predictions]:
    writer: PredictionWriter | None = None
    several = given.project.task == "multi"
    began, told = time.monotonic(), 0.0
    looked = session is None and given.features is None
    if looked:
        given.network.to(given.device)
    for start in range(0, len(given.samples), BATCH):
        batch = given.samples[start : start + BATCH]
        if session is not None:
            probabilities, maps, embeddings, _ = session.run(list(OUTPUTS), {name: given.decoded.read(batch)})
        elif given.features is not None:
            probabilities, maps, embeddings = frozen_answers(given.network, given.features, batch)
        else:
            probabilities, maps, embeddings = _looked(given, batch)
        if not looked and given.network.backbone.pooled is not None:
            maps = given.network.look(torch.from_numpy(given.decoded.read(batch))).maps.numpy()
        if writer is None:
            writer = PredictionWriter(
                draft,
                samples=len(given.samples),
                classes=maps.shape[1],
                embedding=embeddings.shape[1],
                map_size=(maps.shape[2], maps.shape[3]),
                several=several,
            )
        more: dict[str, NDArray[np.generic]] = {}
        if several:
            # Until they are calibrated these are logits: a probability near 1 says too little to be divided later.
            probabilities = logits_from(given.network, embeddings)
            more["targets"] = targets_of(batch, task="multi", classes=maps.shape[1]).astype(np.uint8)
        writer.write(
            **more,
            sample_ids=np.array([s.id for s in batch], dtype=np.int64),
            labels=np.array([s.labels[0] if s.labels else -1 for s in batch], dtype=np.int64),
            splits=np.array([SPLIT_CODES.index(s.split or "none") for s in batch], dtype=np.uint8),
            probabilities=probabilities,
            embeddings=embeddings.astype(np.float16),
            maps=maps.astype(np.float16),
        )
        if stop.requested() == "cancel":
            break
        now, done = time.monotonic(), start + len(batch)
        if now - told > PROGRESS_SECONDS or done == len(given.samples):
            told = now
            rate = per_second(done, now - began)
            left = (len(given.samples) - done) / rate
            yield Progress(stage="predict", done=done, total=len(given.samples), per_second=rate, seconds_left=left)
    assert writer is not None
    writer.close()
    given.network.cpu()
    return read_predictions(draft)


def _looked(
    given: Ingredients, batch: Sequence[Sample]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The same from torch, on the device."""

    def ask(raw: Tensor) -> tuple[NDArray[np.float32], ...]:
        answers = given.network.look(raw.to(given.device))
        return tuple(part.float().cpu().numpy() for part in (answers.probabilities, answers.maps, answers.embedding))

    probabilities, maps, embeddings = in_parts(ask, torch.from_numpy(given.decoded.read(batch)))
    return probabilities, maps, embeddings


def _attune(given: Ingredients) -> None:
    """Where maps are not exact by themselves: average them over samples it learned from, for the exported graph."""
    network = given.network
    learned = [sample for sample in given.samples if sample.split == "train"][:ATTUNE_SAMPLES]
    with torch.no_grad():
        pictures = network.front(torch.from_numpy(given.decoded.read(learned)))
    network.backbone.attune(network.head.weight, pictures)


def _calibrate(network: Classifier, predictions: Predictions, sources: NDArray[np.integer]) -> tuple[float, Familiar]:
    """Give the network its temperature and its picture of what is familiar; returns both. `sources` (N,) name the file
    of each sample."""
    train, valid = predictions.labelled("train"), predictions.labelled("valid")
    several = predictions.targets is not None
    truth = np.asarray(predictions.targets if several else predictions.labels)
    fair = np.flatnonzero(valid)[answerable(truth[valid], truth[train])]
    said = np.asarray(predictions.probabilities[fair])
    temperature = (
        fit_temperature_of_several(said, truth[fair])
        if several
        else fit_temperature(np.log(np.maximum(said, 1e-12)), truth[fair])
    )
    learned, held_out = _some(train), _some(valid)
    known = familiar(
        np.asarray(predictions.embeddings[learned], dtype=np.float32),
        held_out=np.asarray(predictions.embeddings[held_out], dtype=np.float32),
        sources=sources[learned],
        left_out=network.backbone.early,
    )
    network.get_buffer("temperature").fill_(temperature)
    network.unlikeness.learn(known)
    return temperature, known


def _some(chosen: NDArray[np.bool_]) -> NDArray[np.integer]:
    """The chosen rows, evenly picked where there are very many."""
    rows = np.flatnonzero(chosen)
    return rows[:: max(1, -(-len(rows) // ENOUGH_TO_KNOW))]


def _write_calibrated(
    draft: Path, predictions: Predictions, temperature: float, given: Ingredients
) -> tuple[NDArray[np.float32], bool]:
    """Put calibrated probabilities in their place, and give them back. Where more than one class may be present also
    the thresholds; then whether they promise what is wanted."""
    promised = False
    calibrated = np.lib.format.open_memmap(draft / "probabilities.npy", mode="r+")
    if predictions.targets is None:
        calibrated[:] = tempered(predictions.probabilities, temperature)
    else:
        calibrated[:] = sigmoid(predictions.probabilities / temperature)
        valid = predictions.labelled("valid")
        part = calibrated[valid], predictions.targets[valid]
        if given.wrong_at_most is None:
            thresholds = best_thresholds(*part)
        else:
            files = np.array([sample.source_id for sample in given.samples])[valid]
            thresholds, promised = strict_thresholds(*part, wanted=given.wrong_at_most, sources=files)
        write_thresholds(draft, thresholds)
    calibrated.flush()
    return calibrated, promised


def _store_unlike(draft: Path, predictions: Predictions, known: Familiar) -> None:
    unlike = np.lib.format.open_memmap(draft / "unlike.npy", mode="r+")
    for start in range(0, len(predictions), BLOCK):
        rows = np.asarray(predictions.embeddings[start : start + BLOCK], dtype=np.float32)
        unlike[start : start + BLOCK] = unlike_scores(strangeness(rows, bank=known.bank, scale=known.scale), known)
    unlike.flush()


def _info(
    given: Ingredients,
    predictions: Predictions,
    temperature: float,
    *,
    parity_result: tuple[int, float],
    promised: bool,
) -> ModelInfo:
    """What stands in the model; thresholds and card come later."""
    windowing = given.decoded.windowing
    return ModelInfo(
        kind=given.project.kind,
        classes=given.run.class_names,
        size=given.network.backbone.spec.size if windowing is None else 0,
        windowing=windowing,
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
