"""How fast a fine-tuning pass is, against the same network learning from random tensors that are already in memory."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.core.events import BatchDone, Failed, Finished, Scanned
from ml.core.jobs import NeverStop, ScanJob, TrainJob
from ml.demo.projects import DemoKind, write_samples
from ml.graphs.pretrained import Weights, bundled, sha256_of
from ml.networks.backbones import freeze_norms
from ml.networks.heads import build_network
from ml.pipeline.dispatch import run
from ml.project.project import Project
from ml.project.split.plan import plan_split
from ml.training.data.augment import augment
from ml.training.finetune.loop import parameter_groups
from ml.training.run_files import read_recipe

WARM = 2
"""Steps that do not count: the first ones allocate."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks epoch", description=__doc__)
    parser.add_argument("--kind", choices=("images", "recordings"), default="images")
    parser.add_argument("--samples", type=int, default=300, help="generated samples, 60 % of them to learn from")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--backbone", default=DEFAULT_BACKBONE, help="by timm's name, e.g. convnext_tiny")
    given = parser.parse_args(arguments)
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as scratch:
        project = _project(Path(scratch), given.kind, given.samples)
        weights = _weights(Path(scratch), given.backbone)
        ours = _ours(project, given.device, weights)
        bare, side = _bare(project, given.device, weights)
    print(f"{given.kind}, {given.backbone} at {side}, {given.device}, {os.cpu_count()} cores: samples per second")
    print(f"random tensors in memory  {bare:8.1f}   1.00")
    print(f"handlens                  {ours:8.1f}   {ours / bare:4.2f}")
    return 0


def _project(scratch: Path, kind: DemoKind, count: int) -> Path:
    for _ in write_samples(scratch / "samples", kind, count=count):
        pass
    for event in run(ScanJob(folder=scratch / "samples", kind=kind), NeverStop()):
        if isinstance(event, Scanned):
            plan = plan_split(event.report)
            Project.create(scratch / "b.handlens", name="b", report=event.report, plan=plan).close()
    return scratch / "b.handlens"


def _weights(scratch: Path, backbone: str) -> Weights:
    """The bundled ones, or for another network some by chance: that is as fast, and needs no download."""
    if backbone == DEFAULT_BACKBONE:
        return bundled()
    path = scratch / "weights.safetensors"
    save_file(timm.create_model(backbone).state_dict(), path)
    return Weights(name=backbone, path=path, sha256=sha256_of(path), source="file", licence="")


def _ours(project: Path, device: str, weights: Weights) -> float:
    """Samples per second over the second pass."""
    begun = ended = 0.0
    samples = 0
    file = weights.path if weights.source == "file" else None
    job = TrainJob(project=project, epochs=2, device=device, backbone=weights.name, weights=file)
    for event in run(job, NeverStop()):
        if isinstance(event, BatchDone) and event.epoch == 2:
            if event.step == WARM:
                begun = time.monotonic()
            ended, samples = time.monotonic(), event.step - WARM
        if isinstance(event, Failed):
            raise SystemExit(event.message)
        if isinstance(event, Finished):
            return samples * read_recipe(project / "runs" / f"{event.run:04d}").batch / (ended - begun)
    raise SystemExit("the training ended without a result")


def _bare(project: Path, device: str, weights: Weights) -> tuple[float, int]:
    """The same network, the same stages learning, the same shapes: forward, backward, a step of AdamW. Samples per
    second, and the width of what it learns from in pixels."""
    recipe = read_recipe(project / "runs" / "0001")
    with Project.open(project) as opened:
        windowing, classes = opened.windowing, len(opened.classes())
    network = build_network(windowing=windowing, classes=classes, weights=weights)
    size = network.backbone.spec.size
    raw = (
        torch.zeros(recipe.batch, size, size, 3, dtype=torch.uint8)
        if windowing is None
        else torch.randn(recipe.batch, windowing.frames)
    )
    pictures = augment(
        network.front(raw),
        kind="images" if windowing is None else "recordings",
        config=recipe.augment_config,
        generator=torch.Generator().manual_seed(0),
    )
    pictures = torch.randn(pictures.shape).to(device).contiguous(memory_format=torch.channels_last)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(parameter_groups(network, recipe))
    network.train()
    freeze_norms(network)
    targets = torch.zeros(recipe.batch, dtype=torch.long, device=device)
    # As Handlens computes there.
    half = torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda" and torch.cuda.is_bf16_supported(False))
    steps, began = 10, 0.0
    for step in range(-WARM, steps):
        if step == 0:
            _wait(device)
            began = time.monotonic()
        with half:
            loss = functional.cross_entropy(network(pictures)[0], targets)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    _wait(device)
    return steps * recipe.batch / (time.monotonic() - began), pictures.shape[3]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
