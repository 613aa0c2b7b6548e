"""Trainings on a graphics processor, as far as that can be tried without one: no operation mixes two devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from fabricate_several import mixed_project
from second_device import SecondDevice, SecondFabric
from small import create, log_folder, picture_folder, sound_folder

from ml.core.events import Failed, Finished
from ml.core.jobs import NeverStop, TrainJob
from ml.core.types import KindName
from ml.features import features
from ml.pipeline import torch_release
from ml.pipeline import train as training
from ml.pipeline.dispatch import run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def on_the_second_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(training, "_make_fabric", lambda _device, _crew: SecondFabric())
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    for name in ("export_graph", "parity"):
        monkeypatch.setattr(torch_release, name, _on_the_first(getattr(torch_release, name)))
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with SecondDevice():
        yield
    torch.__future__.set_overwrite_module_params_on_conversion(before)


def _on_the_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """The exporter runs on the CPU, and knows no subclasses of tensors."""

    def call(*args: Any, **options: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return function(*args, **options)

    return call


def test_a_training_of_several_classes_goes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "MAX_SAMPLES_WITH_GRIDS", 0)  # so that the network is asked again in the end
    mixed_project(tmp_path / "p.handlens").close()
    _trained(TrainJob(project=tmp_path / "p.handlens", epochs=1))


@pytest.mark.parametrize(
    ("kind", "make"), [("images", picture_folder), ("recordings", sound_folder), ("sensors", log_folder)]
)
def test_a_training_goes_through(tmp_path: Path, kind: KindName, make: Callable[[Path], Path]) -> None:
    create(make(tmp_path / "samples"), tmp_path / "p.handlens", kind=kind).close()
    _trained(TrainJob(project=tmp_path / "p.handlens", epochs=1))


def _trained(job: TrainJob) -> None:
    last = list(run(job, NeverStop()))[-1]
    assert not isinstance(last, Failed), f"{last.message}\n{last.details}"
    assert isinstance(last, Finished)
