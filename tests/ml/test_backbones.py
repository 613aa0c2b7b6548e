"""Networks of every build as backbones: where their places are, what learns, what their maps say. Random weights."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from _pytest.mark import ParameterSet
from safetensors.torch import save_file
from small import create, picture_folder

from ml.core.errors import HandlensError
from ml.core.events import BackboneChecked, Event, Finished, Note
from ml.core.jobs import BackboneJob, NeverStop, TrainJob
from ml.core.messages import english
from ml.core.types import Windowing
from ml.graphs.pretrained import Weights, bundled
from ml.networks.backbones import freeze_norms
from ml.networks.gradcam import PooledFeatures, grad_cam, infer_layout
from ml.networks.heads import Classifier, Released, build_network
from ml.networks.onnx import export_newer, export_older
from ml.networks.weights.load import load_weights
from ml.networks.weights.resolve import check_backbone, resolve_weights
from ml.pipeline.train import train
from ml.runtime.contract import OUTPUTS
from ml.runtime.model import ReleasedModel
from ml.runtime.session import open_session
from ml.training.data import features
from ml.training.finetune.loop import parameter_groups, score_samples
from ml.training.recipe import recipe_for

WINDOWING = Windowing(rate=16_000, seconds=3.5, step=3.5)


def slowly(*values: object) -> ParameterSet:
    """The same test of one more network: what differs between them rarely breaks."""
    return pytest.param(*values, marks=pytest.mark.slow)


def random_weights(name: str, folder: Path) -> Weights:
    torch.manual_seed(0)
    state = timm.create_model(name, pretrained=False).state_dict()
    path = folder / f"{name}.safetensors"
    save_file({key: value.contiguous() for key, value in state.items()}, path)
    weights = _ended(resolve_weights(name, path, NeverStop()))
    assert weights is not None
    return weights


def _ended(steps: object) -> Weights | None:
    while True:
        try:
            next(steps)  # type: ignore[call-overload]
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def network_of(weights: Weights, *, windowing: Windowing | None = None) -> Classifier:
    network = build_network(windowing=windowing, classes=3, weights=weights).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    return network


def raw(network: Classifier, count: int = 2) -> torch.Tensor:
    size = network.backbone.spec.size
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", ["test_vit", *map(slowly, ["test_resnet", "test_convnext", "test_mambaout"])])
def test_maps_add_up_to_the_logits_for_networks_of_any_build(name: str, tmp_path: Path) -> None:
    network = network_of(random_weights(name, tmp_path))
    assert network.backbone.pooled is None
    with torch.inference_mode():
        logits, given = network(network.front(raw(network)))
        answers = network.predict_from_features(given)
    assert given.shape[1:] == (network.backbone.width, *network.backbone.grid)
    assert network.backbone.stride * network.backbone.grid[0] == network.backbone.spec.size
    assert torch.allclose(answers.maps.mean((2, 3)) + network.head.bias, logits, atol=1e-4)


def test_tokens_come_back_to_their_places() -> None:
    places = torch.arange(6 * 8).float().reshape(1, 1, 6, 8)
    tokens = torch.cat([torch.full((1, 2, 1), -1.0), places.flatten(2).transpose(1, 2)], dim=1)
    layout = infer_layout(tokens, picture=(96, 128), channels=1, prefix=2)
    assert layout is not None and torch.equal(layout.apply(tokens), places)
    unsaid = infer_layout(tokens, picture=(96, 128))
    assert unsaid == layout
    last = infer_layout(places.permute(0, 2, 3, 1), picture=(96, 128))
    assert last is not None and torch.equal(last.apply(places.permute(0, 2, 3, 1)), places)
    assert infer_layout(torch.zeros(1, 256), picture=(96, 128)) is None


def test_a_sound_is_read_by_a_transformer_too(tmp_path: Path) -> None:
    network = network_of(random_weights("test_vit", tmp_path), windowing=WINDOWING)
    with torch.inference_mode():
        _, given = network(network.front(torch.randn(2, 56_000)))
    assert given.shape[2:] == (8, 14)


@pytest.mark.slow
def test_stages_hold_every_weight_that_learns_once(tmp_path: Path) -> None:
    # This network's own classifier has a hidden layer, through which our features do not pass.
    network = network_of(random_weights("mobilenetv3_small_100", tmp_path))
    stages = network.backbone.stages()
    flat = [id(parameter) for stage in stages for parameter in stage]
    assert len(flat) == len(set(flat)) == len(list(network.backbone.parameters()))
    assert [parameter.shape[1] for parameter in stages[0] if parameter.ndim == 4] == [3]
    network.train()
    network(torch.randn(2, 3, 96, 96))[0].sum().backward()
    assert all(parameter.grad is not None for stage in stages for parameter in stage)


def test_the_bundled_network_has_its_nine_stages() -> None:
    assert [len(stage) for stage in build_network(windowing=None, classes=2).backbone.stages()] == [
        3, 6, 18, 18, 27, 27, 36, 9, 3,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "frozen"), [("", 3), slowly("resnet10t", 2), slowly("test_convnext", 2), ("test_vit", 3)]
)
def test_as_large_a_share_of_every_network_stays_frozen(name: str, frozen: int, tmp_path: Path) -> None:
    weights = random_weights(name, tmp_path) if name else None
    network = build_network(windowing=None, classes=2, weights=weights)
    recipe = recipe_for(TrainJob(project=tmp_path), train=100, on_gpu=False)
    groups = parameter_groups(network, recipe)
    stages = network.backbone.stages()
    learning = [any(parameter.requires_grad for parameter in stage) for stage in stages]
    assert learning == [False] * frozen + [True] * (len(stages) - frozen)
    assert len(groups) == len(stages) - frozen + 1


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_frozen_norms_look_at_one_sample_only(name: str, tmp_path: Path) -> None:
    network = network_of(random_weights(name, tmp_path)).train()
    freeze_norms(network)
    before = {key: value.clone() for key, value in network.named_buffers()}
    pictures = torch.randn(3, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together, alone = network(pictures)[0][:1], network(pictures[:1])[0]
    assert torch.allclose(together, alone, atol=1e-4)
    assert all(torch.equal(value, before[key]) for key, value in network.named_buffers())


def test_grad_cam_where_a_network_keeps_no_places(tmp_path: Path) -> None:
    network = network_of(random_weights("pit_ti_224", tmp_path))
    pooled = network.backbone.pooled
    assert pooled is not None and pooled.place is not None
    pixels = raw(network)
    with torch.no_grad():
        pictures = network.front(pixels)
        flat = network.predict_from_features(network.backbone(pictures))
    looked = network.predict(pixels)
    # The maps still add up to the logits, vary over the picture, and differ from sample to sample.
    logits = torch.nn.functional.linear(flat.embedding, network.head.weight)
    assert torch.allclose(looked.maps.mean((2, 3)), logits, atol=1e-4)
    assert looked.maps.std((2, 3)).min() > 10 * flat.maps.std((2, 3)).max()
    # Training goes on with a copy; it sees for itself.
    copied = copy.deepcopy(network)
    assert torch.equal(copied.predict(pixels).maps, looked.maps)
    # The exported graph has the average of that; on one sample the average is the thing itself.
    network.backbone.fit_gradcam(network.head.weight, pictures[:1])
    with torch.no_grad():
        averaged = network.predict_from_features(network.backbone(pictures))
    assert torch.allclose(averaged.maps[:1], looked.maps[:1], atol=1e-3)
    assert torch.allclose(averaged.embedding, flat.embedding, atol=1e-4)


class MeanBody(torch.nn.Module):
    """The smallest network that pools with a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 5, kernel_size=8, stride=8)

    def forward_features(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.conv(pictures)  # type: ignore[no-any-return]

    def forward_head(self, grid: torch.Tensor, *, pre_logits: bool) -> torch.Tensor:
        assert pre_logits
        return grid.mean((2, 3))


def test_grad_cam_is_the_class_map_where_pooling_is_a_mean() -> None:
    torch.manual_seed(0)
    body, weight, pictures = MeanBody(), torch.randn(3, 5), torch.randn(2, 3, 64, 64)
    pooled = PooledFeatures(body, (64, 64))

    def network(given: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(pooled(body, given).mean((2, 3)), weight)

    maps = grad_cam(pooled, network, pictures, torch.tensor([[0, 1, 2], [0, 1, 2]]))
    with torch.no_grad():
        exact = torch.einsum("cd,ndhw->nchw", weight, body.conv(pictures))
    assert torch.allclose(maps, exact, atol=1e-5)


def test_weights_of_another_network_are_refused_in_a_sentence(tmp_path: Path) -> None:
    theirs = random_weights("test_resnet", tmp_path)
    wrong = Weights(name="test_vit", path=theirs.path, sha256=theirs.sha256, source="file", licence="")
    with pytest.raises(HandlensError, match=r"test_resnet.safetensors does not hold the weights of test_vit"):
        build_network(windowing=None, classes=2, weights=wrong)
    (tmp_path / "rubbish.safetensors").write_bytes(b"no weights")
    damaged = Weights(name="test_vit", path=tmp_path / "rubbish.safetensors", sha256="", source="file", licence="")
    with pytest.raises(HandlensError, match="cannot be read as a weights file"):
        load_weights(torch.nn.Linear(2, 2), damaged)


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}, "more": Path}, path)
    given = Weights(name="test_vit", path=path, sha256="", source="file", licence="")
    with pytest.raises(HandlensError, match="cannot be read as a weights file"):
        load_weights(torch.nn.Linear(2, 2), given)


def test_a_name_is_checked_with_suggestions_and_its_licence() -> None:
    def checked(name: str) -> BackboneChecked:
        last = list(check_backbone(BackboneJob(name=name)))[-1]
        assert isinstance(last, BackboneChecked)
        return last

    assert "resnet18" in checked("resnet-18").suggestions
    assert english(checked("convnext_tiny.in12k_ft_in1k").sentence).endswith("free for any use (apache-2.0).")
    assert "non-commercial use only" in english(checked("convnextv2_atto.fcmae_ft_in1k").sentence)
    assert "their own licence" in english(checked("vit_small_patch16_dinov3.lvd1689m").sentence)
    assert checked(bundled().name).here
    with pytest.raises(HandlensError, match=r"no network called resnet-18\. Similar names are"):
        _ended(resolve_weights("resnet-18", None, NeverStop()))


@pytest.mark.slow
def test_a_run_with_another_backbone_records_and_releases_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = random_weights("test_vit", tmp_path)
    create(picture_folder(tmp_path / "in", each=6), tmp_path / "p.handlens").close()
    job = TrainJob(project=tmp_path / "p.handlens", epochs=1, device="cpu", backbone="test_vit", weights=weights.path)

    def refuse(*_given: object, **_named: object) -> bytes:
        raise RuntimeError("an operator that it does not know")

    # As where the quick exporter knows a part of the network not: torch looks at the samples then.
    monkeypatch.setattr(features, "export_older", refuse)
    events: list[Event] = list(train(job, NeverStop()))
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Note) and "three times as long" in english(event.sentence) for event in events)
    folder = tmp_path / "p.handlens" / "runs" / "0001"
    assert f'sha256 = "{weights.sha256}"' in (folder / "settings.toml").read_text(encoding="utf-8")
    model = ReleasedModel.open(folder / "model.onnx")
    assert (model.info.backbone, model.info.backbone_sha256) == ("test_vit", weights.sha256)
    assert model.predict(np.zeros((1, model.info.size, model.info.size, 3), dtype=np.uint8)).maps.shape == (
        1,
        2,
        10,
        10,
    )


@pytest.mark.slow
def test_the_newer_exporter_says_the_same(tmp_path: Path) -> None:
    network = network_of(random_weights("test_resnet", tmp_path))
    from ml.networks.heads import Released

    released = Released(network).eval()
    graph = export_newer(released, raw(network), outputs=OUTPUTS, name="pixels")
    pixels = raw(network, 3)
    with torch.inference_mode():
        expected = released(pixels)
    given = open_session(graph).run(list(OUTPUTS), {"pixels": pixels.numpy()})
    assert np.abs(given[0] - expected.probabilities.numpy()).max() < 1e-4


def test_the_bundled_network_takes_the_quick_exporter() -> None:
    """The other one takes ten times as long, and features are then computed three times as slowly."""
    network = build_network(windowing=None, classes=2).eval()
    graph = export_older(
        Released(network), torch.zeros(2, 256, 256, 3, dtype=torch.uint8), outputs=OUTPUTS, name="image"
    )
    assert len(graph) > 10_000_000


@pytest.mark.slow
def test_layers_that_remember_what_they_made_of_their_weights_learn_and_answer_with_new_ones(tmp_path: Path) -> None:
    network = network_of(random_weights("levit_128s", tmp_path))
    biases = [value for name, value in network.backbone.body.named_parameters() if "attention_biases" in name]
    learning = {id(parameter) for stage in network.backbone.stages() for parameter in stage}
    assert biases and all(id(value) in learning for value in biases)
    samples: Any = range(2)
    pixels = raw(network).numpy()
    held: Any = SimpleNamespace(read=lambda rows: pixels[list(rows)])
    before = score_samples(network, held, samples, torch.device("cpu"))
    with torch.no_grad():
        for value in biases:
            value.normal_(std=4.0, generator=torch.Generator().manual_seed(2))
    assert not np.array_equal(score_samples(network, held, samples, torch.device("cpu")), before)
