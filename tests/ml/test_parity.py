"""What was trained is what runs: the released model against the network, from the file to the probability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from small import create, picture_folder, sound_folder

from ml.core.events import Event, Showcase
from ml.core.jobs import NeverStop, TrainJob
from ml.core.types import KindName
from ml.features.decode import Decoded
from ml.networks.heads import Released, build_network
from ml.networks.onnx import export_graph
from ml.pipeline.train import train
from ml.project.project import Project
from ml.release.metadata import write_model
from ml.runtime.contract import OUTPUTS, ModelInfo
from ml.runtime.folder import predict_files
from ml.runtime.model import ReleasedModel
from ml.training.finetune.loop import run_finetune, score_samples
from ml.training.finetune.task import FinetuneTask

SAMPLES = 50


def _project(tmp_path: Path, kind: KindName) -> Project:
    if kind == "images":
        return create(picture_folder(tmp_path / "in", each=SAMPLES // 2), tmp_path / "p.handlens")
    folder = sound_folder(tmp_path / "in", each=SAMPLES // 2)
    for number, path in enumerate(sorted(folder.rglob("*.wav"))[::5]):
        # Very quiet and too loud recordings, where 16 bits would show.
        wave, rate = soundfile.read(path)
        soundfile.write(path, wave * (1e-3 if number % 2 else 7.0), rate, subtype="FLOAT")
    return create(folder, tmp_path / "p.handlens", kind=kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_fifty_samples_get_the_same_probabilities(tmp_path: Path, kind: KindName) -> None:
    with _project(tmp_path, kind) as project:
        samples = project.samples()
        assert len(samples) == SAMPLES
        network = build_network(windowing=project.windowing, classes=2).eval()
        torch.manual_seed(3)
        torch.nn.init.normal_(network.head.weight, std=0.1)
        network.temperature.fill_(0.7)
        decoded = Decoded(project, size=224)
        assert list(decoded.decode(samples, NeverStop(), {}))
        released = Released(network)
        rows = decoded.read(samples)
        with torch.inference_mode():
            trained = released(torch.from_numpy(rows))
        name = "pixels" if kind == "images" else "waveform"
        graph = export_graph(released, torch.from_numpy(rows[:2]), outputs=OUTPUTS, name=name)
        info = ModelInfo(
            kind=kind,
            classes=("a", "b"),
            size=224,
            windowing=project.windowing,
            map_size=(trained.maps.shape[2], trained.maps.shape[3]),
            backbone="tf_efficientnet_lite0",
            project="p",
            run=1,
            created_at="2026-01-01",
            temperature=0.7,
            reject_below=0.0,
            wanted_error=0.01,
            unlike_above=1.0,
            parity_samples=0,
            parity_difference=0.0,
            card="",
        )
        write_model(tmp_path / "model.onnx", graph, info)
        files = [project.source_folder / sample.path for sample in samples]
    model = ReleasedModel.open(tmp_path / "model.onnx")
    told = np.stack([result.probabilities for result in predict_files(model, files)])
    spread = trained.probabilities.numpy().std()
    assert spread > 0.05, "the network says the same of everything, so agreement would prove nothing"
    assert np.abs(told - trained.probabilities.numpy()).max() < 1e-3


@pytest.mark.slow
def test_fine_tuning_begins_less_sure_than_the_first_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(picture_folder(tmp_path / "in", each=10, classes=3), tmp_path / "p.handlens").close()
    begun: list[float] = []

    def watched(task: FinetuneTask, *rest: object, **more: object) -> Iterator[Event]:
        told = score_samples(task.network, task.data.decoded, task.data.showcase, torch.device("cpu"))
        begun.append(float(told.max(1).mean()))
        return (yield from run_finetune(task, *rest, **more))  # type: ignore[arg-type]

    monkeypatch.setattr("ml.pipeline.stages.run_finetune", watched)
    events = train(TrainJob(project=tmp_path / "p.handlens", epochs=1, device="cpu"), NeverStop())
    first = next(event for event in events if isinstance(event, Showcase))
    while not begun:
        next(events)
    events.close()
    assert first.epoch == 0
    assert begun[0] < first.probabilities.max(1).mean() - 0.05
