"""What happens to a training whose numbers explode, or whose memory runs out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from little import RECIPE, LittleBackbone, learn, network, training_data
from numpy.typing import NDArray
from torch import Tensor

from ml.core.errors import HandlensError
from ml.core.events import BatchDone, EpochDone, Event, Note
from ml.core.jobs import NeverStop
from ml.core.memory import is_memory_shortage
from ml.core.messages import Message, english
from ml.probe.objective import WORST
from ml.training.distributed import DistributedContext
from ml.training.finetune import checkpoint
from ml.training.finetune.loop import DIVERGED_AGAIN, RESTORED, finetune
from ml.training.finetune.step import MicroBatches, run_with_oom_split
from ml.training.finetune.task import FinetuneTask
from ml.training.selection.interpolate import choose_alpha


def _at_passes(*which: int) -> object:
    """Numbers that are none, at these passes through the network (counted from 1)."""
    count = itertools.count(1)

    def spoil(pictures: Tensor) -> Tensor:
        return pictures * float("nan") if next(count) in which else pictures

    return staticmethod(spoil)


def _notes(events: list[Event]) -> list[Message]:
    return [event.sentence for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("spoiled", [2, 5], ids=["before the first checkpoint", "after it"])
def test_numbers_that_explode_once_cost_half_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: int
) -> None:
    calm = [e.rate for e in learn(tmp_path / "calm")[0] if isinstance(e, BatchDone)]
    monkeypatch.setattr(LittleBackbone, "while_learning", _at_passes(spoiled))
    events, outcome, network = learn(tmp_path / "spoiled")
    assert _notes(events) == [RESTORED]
    assert outcome.beats_probe
    assert [e.epoch for e in events if isinstance(e, EpochDone)] == [1, 2, 3]
    assert all(torch.isfinite(tensor).all() for tensor in network.state_dict().values())
    rates = [e.rate for e in events if isinstance(e, BatchDone)]
    assert rates[-1] == pytest.approx(calm[-1] / 2)
    # The rate stays halved for whoever resumes.
    assert checkpoint.load(tmp_path / "spoiled" / "latest.safetensors")[1]["calmed"]


def test_gradients_that_explode_in_the_last_step_are_found_though_nothing_validates(tmp_path: Path) -> None:
    own, steps = network(), itertools.count(1)
    own.head.weight.register_hook(lambda gradient: gradient * float("nan") if next(steps) == 9 else gradient)
    unseen = replace(training_data(), valid=(), valid_labels=np.zeros(0, dtype=np.int64))
    fabric = Fabric(accelerator="cpu", devices=1)
    task = FinetuneTask(own, unseen, RECIPE, 1, tmp_path, WORST)
    events = list(finetune(task, fabric, DistributedContext(), NeverStop()))
    assert _notes(events) == [RESTORED]
    for name in ("best", "latest"):
        kept, _facts = checkpoint.load(tmp_path / f"{name}.safetensors")
        assert all(torch.isfinite(tensor).all() for tensor in kept.values())


def test_numbers_that_explode_again_end_it_and_keep_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LittleBackbone, "while_learning", _at_passes(5, 9))
    events, outcome, _network = learn(tmp_path, recipe=replace(RECIPE, epochs=10))
    assert [e.epoch for e in events if isinstance(e, EpochDone)] == [1, 2]
    assert _notes(events) == [RESTORED, DIVERGED_AGAIN]
    assert outcome.beats_probe
    assert not outcome.stopped_early
    best, _facts = checkpoint.load(tmp_path / "best.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in best.values())


def test_what_a_network_leaves_out_at_random_is_the_same_again_and_after_a_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LittleBackbone, "while_learning", staticmethod(torch.nn.Dropout(0.5)))

    def losses(folder: Path, *, breaks: bool) -> list[float]:
        torch.manual_seed(len(folder.name))  # every process has a generator of its own
        seen: list[Event] = []
        if breaks:
            with pytest.raises(KeyboardInterrupt):
                learn(folder, before=_broken_off_in_the_second_pass(seen))
        seen += learn(folder)[0]
        return [event.train_loss for event in seen if isinstance(event, EpochDone)]

    whole = losses(tmp_path / "whole", breaks=False)
    assert losses(tmp_path / "again and", breaks=False) == whole
    assert losses(tmp_path / "broken off", breaks=True) == whole


def _broken_off_in_the_second_pass(seen: list[Event]) -> Callable[[Event], None]:
    def watch(event: Event) -> None:
        if isinstance(event, BatchDone) and event.epoch == 2:
            raise KeyboardInterrupt
        seen.append(event)

    return watch


def test_a_full_memory_halves_the_batch_and_learns_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [e for e in learn(tmp_path / "plain")[0] if isinstance(e, EpochDone)]

    def at_most_three(pictures: Tensor) -> Tensor:
        if len(pictures) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return pictures

    monkeypatch.setattr(LittleBackbone, "while_learning", staticmethod(at_most_three))
    events, outcome, _network = learn(tmp_path / "short")
    assert [note.count for note in _notes(events)] == [4, 2]
    assert all("Memory ran short" in english(note) for note in _notes(events))
    assert outcome.beats_probe
    short = [e for e in events if isinstance(e, EpochDone)]
    assert [e.train_loss for e in short] == pytest.approx([e.train_loss for e in plain], abs=1e-5)
    assert [e.valid_loss for e in short] == pytest.approx([e.valid_loss for e in plain], abs=1e-5)


def test_a_memory_too_small_for_one_sample_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(pictures: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LittleBackbone, "while_learning", staticmethod(never))
    with pytest.raises(HandlensError, match="even with one sample at a time"):
        learn(tmp_path)


def test_every_device_has_words_of_its_own_for_a_full_memory() -> None:
    assert is_memory_shortage(RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"))
    assert is_memory_shortage(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"))
    assert not is_memory_shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert "1 sample at a time" in english(MicroBatches(2).halve(3))


def test_a_state_of_another_network_is_refused_in_a_sentence(tmp_path: Path) -> None:
    learn(tmp_path)
    tensors, facts = checkpoint.load(tmp_path / "latest.safetensors")
    wider = {name: torch.cat([value, value], -1) if "head.weight" in name else value for name, value in tensors.items()}
    checkpoint.save(tmp_path / "latest.safetensors", wider, {**facts, "epoch": 1})
    with pytest.raises(HandlensError, match="another version of Handlens"):
        learn(tmp_path)
    (tmp_path / "best.safetensors").unlink(missing_ok=True)
    with pytest.raises(HandlensError, match="another version of Handlens"):
        choose_alpha(network(), tmp_path, training_data(), NeverStop(), device=torch.device("cpu"), beats_probe=False)


def test_what_is_only_asked_is_asked_in_halves_where_memory_runs_out() -> None:
    asked: list[int] = []

    def ask(raw: torch.Tensor) -> tuple[NDArray[np.float32], ...]:
        asked.append(len(raw))
        if len(raw) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return raw.numpy() * 2, raw.numpy() + 1

    raw = torch.arange(7, dtype=torch.float32)
    doubled, one_more = run_with_oom_split(ask, raw)
    assert np.array_equal(doubled, raw * 2) and np.array_equal(one_more, raw + 1)
    assert asked[0] == 7 and max(asked[1:]) == 4
    with pytest.raises(ValueError, match="another fault"):
        run_with_oom_split(_refuses, raw)


def _refuses(_raw: torch.Tensor) -> tuple[NDArray[np.float32], ...]:
    raise ValueError("another fault")
