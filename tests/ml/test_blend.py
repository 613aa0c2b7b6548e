"""The delivered weights lie between the first model and the fine-tuned one, where the validation split likes them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from little import learn, network, training_data

from ml.core.jobs import NeverStop
from ml.networks.heads import Classifier
from ml.probe.objective import calibrated_nll_score, score_of
from ml.training.finetune import checkpoint
from ml.training.finetune.task import result_from_checkpoint
from ml.training.selection.interpolate import ALPHAS, choose_alpha, interpolate_weights

CPU = torch.device("cpu")


def _knowing(much: float) -> Classifier:
    """The little network with a head that tells reddish from bluish; the less `much`, the less, and wrong below 0."""
    knowing = network()
    with torch.no_grad():
        colours = knowing.backbone(
            knowing.front(torch.tensor([[[[240, 100, 100]]], [[[100, 100, 240]]]]).expand(2, 16, 16, 3))
        )
        difference = (colours[0] - colours[1]).mean((1, 2))
        knowing.head.weight.copy_(much * torch.stack([difference, -difference]) * 40)
        knowing.head.bias.zero_()
    return knowing


@pytest.mark.parametrize("improved", [True, False])
def test_the_better_end_is_taken(tmp_path: Path, improved: bool) -> None:
    good, bad = _knowing(1.0), _knowing(-1.0)
    tensors = checkpoint.network_tensors(good, "" if improved else "steady.")
    checkpoint.save(
        tmp_path / ("best" if improved else "latest.safetensors").replace("best", "best.safetensors"), tensors, {}
    )
    assert choose_alpha(bad, tmp_path, training_data(), NeverStop(), device=CPU, beats_probe=improved) == 1.0
    assert torch.equal(bad.head.weight, good.head.weight)
    checkpoint.save(tmp_path / "best.safetensors", checkpoint.network_tensors(_knowing(-4.0)), {})
    first = good.head.weight.clone()
    assert choose_alpha(good, tmp_path, training_data(), NeverStop(), device=CPU, beats_probe=True) == 0.0
    assert torch.equal(good.head.weight, first)


def test_after_a_whole_cycle_the_last_weights_are_taken_and_not_the_luckiest(tmp_path: Path) -> None:
    last, luckiest = _knowing(1.0), _knowing(0.9)
    checkpoint.save(tmp_path / "latest.safetensors", checkpoint.network_tensors(last, "steady."), {})
    checkpoint.save(tmp_path / "best.safetensors", checkpoint.network_tensors(luckiest), {})
    for whole, taken in ((True, last), (False, luckiest)):
        first = _knowing(-1.0)
        assert (
            choose_alpha(
                first, tmp_path, training_data(), NeverStop(), device=CPU, beats_probe=True, schedule_completed=whole
            )
            == 1.0
        )
        assert torch.equal(first.head.weight, taken.head.weight)


def test_a_run_that_is_stopped_as_it_is_resumed_keeps_the_best_it_had(tmp_path: Path) -> None:
    assert not result_from_checkpoint(tmp_path, training_data(), early=True).beats_probe
    learn(tmp_path)
    assert (tmp_path / "best.safetensors").is_file()
    left = result_from_checkpoint(tmp_path, training_data(), early=True)
    assert left.beats_probe and left.stopped_early and not left.schedule_completed
    assert not result_from_checkpoint(tmp_path, training_data(valid=7), early=True).beats_probe, (
        "of other samples that says nothing"
    )


def test_where_nothing_was_adjusted_the_first_model_stays(tmp_path: Path) -> None:
    assert choose_alpha(_knowing(1.0), tmp_path, training_data(), NeverStop(), device=CPU, beats_probe=False) == 0.0


def test_a_stop_does_not_wait_for_the_choice(tmp_path: Path) -> None:
    class _Hurry:
        def requested(self) -> str:
            return "stop"

    checkpoint.save(tmp_path / "best.safetensors", checkpoint.network_tensors(_knowing(-1.0)), {})
    assert choose_alpha(_knowing(1.0), tmp_path, training_data(), _Hurry(), device=CPU, beats_probe=True) == 1.0


def test_what_is_right_less_often_than_the_first_model_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = training_data().valid_labels
    rows = np.arange(len(targets))
    first = np.full((len(targets), 2), 0.01, dtype=np.float32)
    first[rows, targets] = 0.99
    first[0] = first[0, ::-1]  # one wrong, and very sure of it
    tuned = np.full((len(targets), 2), 0.02, dtype=np.float32)
    tuned[rows, targets] = 0.98
    for row in (0, 1):  # two wrong, hardly
        tuned[row] = [0.49, 0.51] if targets[row] == 0 else [0.51, 0.49]
    assert calibrated_nll_score(tuned, targets) > calibrated_nll_score(first, targets)
    answers = iter([first, *[tuned] * (len(ALPHAS) - 1)])
    monkeypatch.setattr("ml.training.selection.interpolate.score_samples", lambda *_given: next(answers))
    checkpoint.save(tmp_path / "best.safetensors", checkpoint.network_tensors(_knowing(-1.0)), {})
    assert choose_alpha(_knowing(1.0), tmp_path, training_data(), NeverStop(), device=CPU, beats_probe=True) == 0.0


@pytest.mark.parametrize(
    ("loss_at_the_end", "taken"), [(0.30, 1.0), (0.303, 1.0), (0.40, 0.6)], ids=["as low", "by chance higher", "higher"]
)
def test_where_few_samples_cannot_tell_it_goes_farther(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss_at_the_end: float, taken: float
) -> None:
    rng = np.random.default_rng(1)
    targets = np.arange(40) % 2
    rows = np.arange(40)

    def saying(loss: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        own = np.exp(-loss * rng.permutation(np.repeat([0.8, 1.2], 20)))
        told = np.repeat(1.0 - own[:, None], 2, axis=1)
        told[rows, targets] = own
        return told.astype(np.float32)

    answers = [saying(loss) for loss in (0.6, 0.45, 0.30, loss_at_the_end, loss_at_the_end)]
    queue = iter(answers)
    monkeypatch.setattr("ml.training.selection.interpolate.score_samples", lambda *_given: next(queue))
    monkeypatch.setattr("ml.probe.objective.fit_temperature", lambda *_given: 1.0)
    checkpoint.save(tmp_path / "best.safetensors", checkpoint.network_tensors(_knowing(-1.0)), {})
    given = dataclasses.replace(training_data(valid=40), valid_labels=targets)
    assert choose_alpha(_knowing(1.0), tmp_path, given, NeverStop(), device=CPU, beats_probe=True) == taken


def test_half_way_lies_in_the_middle() -> None:
    halfway = interpolate_weights(
        {"a": torch.zeros(2), "count": torch.tensor(3)}, {"a": torch.ones(2), "count": torch.tensor(5)}, 0.5
    )
    assert halfway["a"].tolist() == [0.5, 0.5]
    assert ALPHAS[0] == 0.0 and ALPHAS[-1] == 1.0


def test_too_much_confidence_is_no_fault_since_it_is_calibrated_later() -> None:
    targets = np.array([0, 0, 1, 1] * 10)
    sober = np.where(np.arange(40)[:, None] % 10 == 0, [[0.4, 0.6]], [[0.7, 0.3]]).astype(np.float32)
    sober[targets == 1] = sober[targets == 1][:, ::-1]
    bold = sober**4 / (sober**4).sum(1, keepdims=True)
    assert calibrated_nll_score(bold, targets) == pytest.approx(calibrated_nll_score(sober, targets), abs=0.02)


def test_a_lucky_pass_is_no_better_than_one_that_knows_what_it_does_not_know() -> None:
    targets = np.array([0, 1] * 20)
    right = np.eye(2)[targets]
    lucky = 0.45 + 0.1 * right  # as sure of the one that is wrong as of all others
    lucky[0] = lucky[0, ::-1]
    sound = 0.03 + 0.94 * right
    sound[:2] = 0.51 - 0.02 * right[:2]  # two are wrong, hardly
    one, other = score_of(lucky.astype(np.float32), targets), score_of(sound.astype(np.float32), targets)
    assert one.accuracy > other.accuracy
    assert one < other
