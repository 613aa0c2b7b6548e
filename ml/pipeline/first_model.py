"""The preset "quick" without torch: decode, frozen features, a linear head, and the released graph."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.errors import HandlensError
from ml.core.events import Event
from ml.core.jobs import Stop, TrainJob
from ml.core.messages import msg
from ml.core.types import Sample
from ml.features.decode import Decoded
from ml.features.features import Extractor, graph_extractor
from ml.graphs.builder import GraphBuilder, Value
from ml.graphs.feature_network import FeatureNetwork
from ml.graphs.pretrained import bundled
from ml.media.kinds import kind_named
from ml.pipeline.ear_stage import choose_ear, features_of, hears
from ml.pipeline.finish import finish_run
from ml.pipeline.predict_all import Batch, Predict, write_predictions
from ml.pipeline.probe_stages import decode_stage, feature_stage, fit_best_probe, probe_done
from ml.pipeline.refit_probe import both_splits, refit_probe, should_retrain
from ml.pipeline.session import (
    finished,
    frozen_network,
    labelled_and_split,
    open_or_resume_run,
    raise_if_cancelled,
    record_end,
    release_memory,
    run_started,
    stage,
)
from ml.probe.training_data import make_showcase, normalisation_samples
from ml.probe.whitening import Head
from ml.project.predictions import Predictions
from ml.project.project import Project
from ml.release.assess import Scores
from ml.runtime.contract import OUTPUTS
from ml.runtime.session import open_session
from ml.scoring.ood import NEIGHBOURS, TAIL_FROM, OodReference
from ml.scoring.tasks import task_named
from ml.training.recipe import recipe_for, relative_probe_loss
from ml.training.resources import PROBE_COPIES, available_memory, check_disk, in_bytes_unit
from ml.training.run_context import RunContext
from ml.training.run_files import read_settings, write_history

MODEL_BYTES = 16 * 2**20
"""Of a released model, roughly."""


def trains_without_torch(job: TrainJob) -> bool:
    """Return whether `train_first_model` can do the job: the bundled network, not fine-tuned, on the processor."""
    quick = job.preset == "quick" and not job.epochs
    return quick and job.device in ("auto", "cpu") and job.weights is None and job.backbone in ("", DEFAULT_BACKBONE)


def train_first_model(job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Train a run. Raises HandlensError if that is impossible; `ml.pipeline.dispatch` makes an event of it."""
    project = Project.open(job.project)
    try:
        lock = project.lock("train")
        try:
            yield from _train_locked(project, job, stop)
        finally:
            lock.release()
    finally:
        project.close()


def _train_locked(project: Project, job: TrainJob, stop: Stop) -> Iterator[Event]:
    """Begin or resume a run, train it, and record how it ended."""
    started = time.monotonic()
    yield stage("preflight")
    _ = project.source_folder  # report a missing folder before a run begins
    samples, class_names = labelled_and_split(project)
    run, job = open_or_resume_run(project, job, class_names)
    context = RunContext(
        project=project,
        job=job,
        run=run,
        folder=project.runs.folder(run.number),
        samples=samples,
        stop=stop,
        started=started,
    )
    yield from record_end(project, run, _run_stages(context))


def _run_stages(context: RunContext) -> Iterator[Event]:
    """Train and release the first model as the model of the run."""
    yield run_started(context)
    scores = yield from first_model_stages(context, context.folder)
    yield finished(context, scores, early=context.stop.requested() == "stop")


def first_model_stages(context: RunContext, folder: Path) -> Generator[Event, None, Scores]:
    """Run one stage after the other; each adds to the context what it finds. The model is written to `folder`."""
    network = _prepare(context)
    yield from decode_stage(context)
    _normalise(context, network)
    if hears(context):
        network = yield from _use_ear(context)
    yield stage("features")
    context.features = features_of(context, network)
    yield from feature_stage(context, lambda: _extractor(network))
    yield stage("probe")
    context.probe = yield from fit_best_probe(context)
    release_memory()
    yield probe_done(context)
    first = GraphRelease(context, network, context.probe.head)
    probabilities, maps, _ = first.predict(context.data.showcase)
    if not task_named(context.project.task).exclusive:
        probabilities = task_named(context.project.task).activation(probabilities)
    yield make_showcase(context.data, probabilities, maps, epoch=0)
    write_history(context.folder, epoch=0, probe=context.probe)
    last = _refitted(context, network)
    released = (first,) if last is None else (last, first)
    scores = yield from finish_run(context, *released, folder=folder)
    raise_if_cancelled(context.stop)
    speed = {
        "forward_seconds": context.forward_seconds,
        "doubt": relative_probe_loss(context.probe.valid_loss, context.data.train_labels),
    }
    context.write_settings(speed=speed, alpha=0.0)
    return scores


def _refitted(context: RunContext, network: FeatureNetwork) -> GraphRelease | None:
    """Return the model that also learned from the validation samples; None if the project is large or has no test."""
    if context.stop.requested() or not should_retrain(context.data, context.samples):
        return None
    probe = refit_probe(context, both_splits(context.data))
    return None if probe is None else GraphRelease(context, network, probe.head)


def _use_ear(context: RunContext) -> Generator[Event, None, FeatureNetwork]:
    """Return the chosen network for recordings, after a check that disk and memory suffice."""
    network = yield from choose_ear(context)
    context.weights = network.weights
    context.write_settings()
    check_disk(_disk_needs(context, network), context.project.path)
    _check_memory(context, network)
    return network


def _prepare(context: RunContext) -> FeatureNetwork:
    """Return the frozen network, after a check that disk and memory suffice."""
    context.recipe = recipe_for(context.job, train=context.train_count, on_gpu=False)
    context.weights = bundled()
    if not (context.job.resume and read_settings(context.folder)):
        context.write_settings()
    network = context.frozen = frozen_network(context)
    context.decoded = Decoded(context.project, size=network.size)
    if not context.decoded.bytes_to_write(context.samples):
        # The names of cached features depend on the normalisation.
        _normalise(context, network)
    check_disk(_disk_needs(context, network), context.project.path)
    _check_memory(context, network)
    return network


def _normalise(context: RunContext, network: FeatureNetwork) -> None:
    """Fit the front end of logs to the training split, once."""
    if network.needs_fitting:
        network.fit(context.decoded.read(normalisation_samples(context.samples)).astype(np.float32, copy=False))


def _disk_needs(context: RunContext, network: FeatureNetwork) -> dict[str, int]:
    """Return the most bytes that the run will have on disk at a time, by their purpose."""
    samples, positions = context.samples, network.grid[0] * network.grid[1]
    features = features_of(context, network)
    each = 4 * network.width + (2 * network.width * positions if features.grids_kept else 0)
    answers = 4 * context.classes + 2 * context.classes * positions + 2 * network.width + 17
    return {
        "decoded samples": context.decoded.bytes_to_write(samples),
        "features": len(features.missing(samples)) * each,
        "predictions": len(samples) * answers,
        "released model": 2 * MODEL_BYTES,
    }


def _check_memory(context: RunContext, network: FeatureNetwork) -> None:
    """Raise HandlensError if the embeddings of the training split do not fit."""
    needed, free = PROBE_COPIES * context.train_count * network.width * 4, available_memory()
    if needed > free:
        raise HandlensError(
            msg(
                "This training needs about {needed} of memory, but only {free} are free. "
                "Close other programs, or train with fewer samples.",
                needed=in_bytes_unit(needed),
                free=in_bytes_unit(free),
            )
        )


def _extractor(network: FeatureNetwork) -> Generator[Event, None, Extractor]:
    yield from ()
    return graph_extractor(network.feature_graph())


class GraphRelease:
    """Implements `ml.pipeline.finish.Release` for the frozen network with a linear head."""

    def __init__(self, context: RunContext, network: FeatureNetwork, head: Head) -> None:
        self._context = context
        self._network = network
        self._head = head
        self._task = task_named(context.project.task)
        self._calibration: tuple[float, OodReference] | None = None
        self.backbone = network.weights.name
        self.backbone_sha256 = network.weights.sha256
        self.size = network.size
        self.inner_features = network.inner_features

    def predict_all(
        self, samples: Sequence[Sample], draft: Path, *, later: int = 0
    ) -> Generator[Event, None, Predictions]:
        """Write uncalibrated predictions to the folder `draft`."""
        predict: Predict = self.predict
        return (yield from write_predictions(self._context, predict, samples, draft, later=later))

    def predict(self, batch: Sequence[Sample]) -> Batch:
        """Return probabilities (multi-label: logits), maps and embeddings of some samples."""
        features = self._context.features
        embeddings = features.embeddings(batch)
        logits = self._head.logits(embeddings)
        probabilities = self._task.activation(logits) if self._task.exclusive else logits
        if features.grids_kept:
            (maps,) = self._maps_of_grids.run(None, {"grid": features.grids(batch)})
        else:
            (maps,) = self._maps_of_raw.run(None, {"raw": self._context.decoded.read(batch)})
        return probabilities, maps, embeddings

    def calibrate(self, temperature: float, reference: OodReference) -> None:
        """Set what the graph needs besides the weights."""
        self._calibration = temperature, reference

    def graph(self) -> bytes:
        """Return the graph to release."""
        assert self._calibration is not None
        temperature, reference = self._calibration
        return released_graph(
            self._network,
            self._head,
            temperature=temperature,
            reference=reference,
            exclusive=self._task.exclusive,
            input_name=kind_named(self._context.project.kind).input_name,
        )

    def difference(self, exported: InferenceSession, samples: Sequence[Sample], stored: NDArray[np.floating]) -> float:
        """Return the largest difference in probability between `exported` and the predictions `stored`."""
        name = kind_named(self._context.project.kind).input_name
        (answers,) = exported.run([OUTPUTS[0]], {name: self._context.decoded.read(samples)})
        return float(np.max(np.abs(answers - stored)))  # NaN if one of them is NaN

    @cached_property
    def _maps_of_grids(self) -> InferenceSession:
        """From feature grids, in half precision, to maps."""
        graph = GraphBuilder("maps")
        grid = graph.input("grid", (self._network.width, *self._network.grid), np.float16)
        self._add_maps(graph, grid.astype(np.float32))
        return open_session(graph.to_bytes())

    @cached_property
    def _maps_of_raw(self) -> InferenceSession:
        """From raw input to maps, for projects whose grids are too many to keep."""
        graph = GraphBuilder("maps")
        self._add_maps(graph, self._network.features(self._network.raw_input(graph, "raw")))
        return open_session(graph.to_bytes(), many=True)

    def _add_maps(self, graph: GraphBuilder, features: Value) -> None:
        weight = np.asarray(self._head.weight, dtype=np.float32)[:, :, None, None]
        graph.output("maps", graph.op("Conv", features, weight), (len(weight), *self._network.grid))


def released_graph(
    network: FeatureNetwork,
    head: Head,
    *,
    temperature: float,
    reference: OodReference,
    exclusive: bool,
    input_name: str,
) -> bytes:
    """Return the graph to release, see `ml.runtime.contract`.

    The maps are class activation maps (Zhou et al. 2016): features × head weights. With mean pooling their mean plus
    the bias is exactly the logit.
    """
    graph = GraphBuilder("model")
    features = network.features(network.raw_input(graph, input_name))
    classes, width = head.weight.shape
    embedding = features.mean(2, 3, keepdims=False)
    logits = (embedding @ np.ascontiguousarray(head.weight.T) + head.bias) / float(temperature)
    probabilities = graph.op("Softmax", logits, axis=1) if exclusive else graph.op("Sigmoid", logits)
    maps = graph.op("Conv", features, np.asarray(head.weight, dtype=np.float32)[:, :, None, None])
    graph.output("probabilities", probabilities, (classes,))
    graph.output("maps", maps, (classes, *network.grid))
    graph.output("embedding", embedding, (width,))
    graph.output("unlike", ood_score(embedding, reference), ())
    return graph.to_bytes()


def ood_score(embedding: Value, reference: OodReference) -> Value:
    """Return the scores (batch,) of `ml.scoring.ood` for embeddings (batch, width)."""
    graph = embedding.graph
    scaled = embedding / np.asarray(reference.scale, dtype=np.float32)
    length = (scaled * scaled).sum(1).sqrt() + 1e-9
    alike = (scaled / length) @ np.ascontiguousarray(reference.bank.T.astype(np.float32))
    neighbours = min(NEIGHBOURS, len(reference.bank))
    strange = 1.0 - graph.op("TopK", alike, graph.constant([neighbours]), axis=1, outputs=2).mean(1)
    # Piecewise linear: each interval between two knots adds its part.
    knots = np.asarray(reference.knots, dtype=np.float32)
    shares = np.asarray(reference.shares, dtype=np.float32)
    widths = knots[1:] - knots[:-1]
    steps = graph.op("Min", (strange - knots[:-1]).clip(0.0), widths)
    inside = (steps * ((shares[1:] - shares[:-1]) / widths)).sum(1, keepdims=False)
    beyond = (strange - float(knots[-1])).clip(0.0) * (-1.0 / float(reference.tail))
    tail = (1.0 - beyond.exp()) * (1.0 - TAIL_FROM)
    return inside + tail.reshape(-1)
