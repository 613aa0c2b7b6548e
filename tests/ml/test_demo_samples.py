"""The generated sample projects: complete, readable, repeatable, and without a give-away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from ml.demo import bricks, forest
from ml.demo.planted import choose_wrong, mark_sample, planted_labels, wrong_labels
from ml.demo.projects import DEMO_NAMES, DemoKind, sample_count, write_samples

CLASSES: dict[DemoKind, tuple[str, ...]] = {"images": bricks.CLASSES, "recordings": forest.CLASSES}
KINDS: tuple[DemoKind, ...] = ("images", "recordings")


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_gets_its_share_and_progress_is_told(tmp_path: Path, kind: DemoKind) -> None:
    names = CLASSES[kind]
    count = 2 * len(names) + 1
    assert list(write_samples(tmp_path, kind, count=count)) == [(done, count) for done in range(count + 1)]
    found = {name: sorted(path.name for path in (tmp_path / name).iterdir()) for name in names}
    suffix = "jpg" if kind == "images" else "wav"
    expected = {name: [f"{name}-{number:04d}.{suffix}" for number in (1, 2)] for name in names}
    expected[names[0]].append(f"{names[0]}-0003.{suffix}")
    assert found == expected
    assert len(names) >= 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, kind: DemoKind) -> None:
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert list(write_samples(tmp_path / folder, kind, seed=seed, count=8))[-1] == (8, 8)
    first, again, other = (written(tmp_path / folder) for folder in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())
    assert len(set(first.values())) == 8


@pytest.mark.parametrize("kind", KINDS)
def test_giving_up_midway_leaves_only_whole_files(tmp_path: Path, kind: DemoKind) -> None:
    steps = iter(write_samples(tmp_path, kind, count=100))
    for _ in range(5):
        next(steps)
    del steps
    files = written(tmp_path)
    assert len(files) == 4
    assert {Path(name).suffix for name in files} == {".jpg" if kind == "images" else ".wav"}


def test_pictures_open_at_the_size_asked_for(tmp_path: Path) -> None:
    assert list(bricks.write_bricks(tmp_path, pictures=8, size=(160, 120)))
    for path in tmp_path.glob("*/*.jpg"):
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == ((160, 120), "RGB")
            pixels = np.asarray(picture, dtype=float)
        # Something to see: neither black, nor burnt out, nor flat.
        assert 15 < pixels.mean() < 220
        assert pixels.std() > 8


def test_recordings_are_three_seconds_mono_16_bit_and_never_clip(tmp_path: Path) -> None:
    assert list(forest.write_forest(tmp_path, clips=12))
    for path in tmp_path.glob("*/*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (16_000, 1, 48_000, "PCM_16")
        wave, _ = soundfile.read(path)
        assert 0.005 < np.abs(wave).max() < 0.98
        assert abs(wave.mean()) < 0.01


def test_colour_does_not_give_the_class_away(tmp_path: Path) -> None:
    per_class = 14
    assert list(bricks.write_bricks(tmp_path, pictures=per_class * len(bricks.CLASSES), size=(96, 72)))
    means = []
    for name in bricks.CLASSES:
        pictures = [np.asarray(Image.open(path), dtype=float) for path in sorted((tmp_path / name).iterdir())]
        assert len(pictures) == per_class
        # The piece lies in the middle; the corners show the belt.
        means.append(np.mean([picture[30:44, 40:56].mean(axis=(0, 1)) for picture in pictures], axis=0))
    assert np.abs(np.array(means) - np.mean(means, axis=0)).max() < 30


def test_loudness_does_not_give_the_class_away(tmp_path: Path) -> None:
    assert list(forest.write_forest(tmp_path, clips=8 * len(forest.CLASSES)))
    levels = []
    for name in forest.CLASSES:
        waves = [soundfile.read(path)[0] for path in sorted((tmp_path / name).iterdir())]
        levels.append(np.mean([20 * np.log10(np.sqrt(np.mean(wave**2))) for wave in waves]))
    assert np.abs(np.array(levels) - np.mean(levels)).max() < 4


def test_five_labels_of_a_sample_are_wrong_on_purpose(tmp_path: Path) -> None:
    """The other files stay as they are, so it is only the labels that are wrong."""
    count = 2 * len(forest.CLASSES)
    for folder, wrong in (("right", 0), ("wrong", 2)):
        assert list(write_samples(tmp_path / folder, "recordings", count=count, wrong=wrong))
    right, wrong_ones = written(tmp_path / "right"), written(tmp_path / "wrong")
    assert right.keys() == wrong_ones.keys()
    assert sum(right[name] != wrong_ones[name] for name in right) == 2
    assert [wrong_labels(sample_count(kind)) for kind in KINDS] == [5, 5]
    for index, shows in choose_wrong(300, wrong=5, classes=7, seed=0).items():
        assert index % 7 != shows


def test_a_project_remembers_that_it_is_a_sample(tmp_path: Path) -> None:
    assert planted_labels(tmp_path) is None
    mark_sample(tmp_path, wrong=5)
    assert planted_labels(tmp_path) == 5
    (tmp_path / "sample.json").write_text("[]", encoding="utf-8")
    assert planted_labels(tmp_path) is None


def test_both_samples_have_a_name() -> None:
    assert set(DEMO_NAMES) == set(KINDS)
