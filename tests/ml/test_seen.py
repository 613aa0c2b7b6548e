"""What the pretrained network sees, from features that are in the cache already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fabricate import image_folder, project_of

from ml.api import FeaturesJob, FeaturesReady, Looked, LookJob, NeverStop, Sample, imagenet_classes_for, seen_in
from ml.core.backbone_catalog import DEFAULT_BACKBONE
from ml.features import seen
from ml.features.decode import cache_key
from ml.features.row_cache import RowCache
from ml.graphs.imagenet import imagenet_classes, imagenet_classifier, wider_words
from ml.pipeline.dispatch import run


@pytest.mark.parametrize(
    ("query", "wanted", "unwanted"),
    [
        ("dog", {"beagle", "Airedale", "pug"}, {"dogsled", "hotdog", "tabby", "dingo"}),
        ("cat", {"tabby", "Siamese cat"}, {"Madagascar cat", "lion"}),
        ("bird", {"robin", "albatross", "peacock"}, {"grey whale", "tench"}),
        ("vehicle", {"school bus", "airliner", "tractor"}, {"car mirror"}),
        ("retriever", {"golden retriever"}, {"Irish setter"}),
        ("golden retriever", {"golden retriever"}, set()),
        ("golden", set(), {"golden retriever"}),
        ("qwertz", set(), set(imagenet_classes())),
    ],
)
def test_words_mean_classes(query: str, wanted: set[str], unwanted: set[str]) -> None:
    words = query.split()
    found = [{imagenet_classes()[each] for each in imagenet_classes_for({word}, words)} for word in words]
    common = set.intersection(*found)
    assert wanted <= common and not unwanted & common


def test_every_wider_word_means_classes_that_exist() -> None:
    assert len(wider_words()) >= 50
    assert all(classes and max(classes) < 1000 for classes in wider_words().values())
    assert {"flower", "dog", "cat", "bird", "vehicle"} <= set(wider_words())


def sample(number: int) -> Sample:
    return Sample(number, number, f"{number}.png", (0,), "train", digest=f"d{number}")


def features_of(cache: Path, samples: list[Sample], names: list[str], *, width: int = 1300) -> None:
    """Features in which the classifier sees these things."""
    weight, _bias = imagenet_classifier()
    rows = np.zeros((len(names), width), dtype=np.float32)
    for place, name in enumerate(names):
        towards = weight[imagenet_classes().index(name)]
        rows[place, : weight.shape[1]] = 40 * towards / np.linalg.norm(towards)
    table = RowCache(cache / f"embeddings-{DEFAULT_BACKBONE}-abc", {"embedding": ((width,), np.float32)})
    table.append([cache_key(each) for each in samples], embedding=rows)


def test_pictures_are_ranked_by_any_breed(tmp_path: Path) -> None:
    samples = [sample(number) for number in range(4)]
    assert seen_in(tmp_path, samples) is None, "nothing has been looked at"
    features_of(tmp_path, samples[:3], ["tabby", "beagle", "pug"])
    found = seen_in(tmp_path, samples)
    assert found is not None
    dogs = found.of(imagenet_classes_for({"dog"}, ["dog"]))
    assert dogs[1] > 0.5 and dogs[2] > 0.5 and dogs[0] < 0.1 and dogs[3] == 0


def test_a_second_search_reads_what_the_first_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [sample(number) for number in range(2)]
    features_of(tmp_path, samples, ["tabby", "beagle"])
    first = seen_in(tmp_path, samples)
    monkeypatch.setattr(seen, "imagenet_classifier", lambda: pytest.fail("computed again"))
    again = seen_in(tmp_path, samples)
    assert first is not None and again is not None
    assert np.array_equal(first.probabilities, again.probabilities)
    assert seen_in(tmp_path, [sample(7)], stopped=lambda: True) is None


def test_features_and_the_whole_network_see_the_same(tmp_path: Path) -> None:
    """The features of the Label page, through the classifier, are what the wizard's preview says."""
    project = project_of(image_folder(tmp_path / "f"), tmp_path / "p.handlens")
    *_, ready = run(FeaturesJob(project=project.path), NeverStop())
    assert isinstance(ready, FeaturesReady)
    some = project.samples()[:2]
    *_, looked = run(LookJob(pictures=tuple(tmp_path / "f" / each.path for each in some)), NeverStop())
    found = seen_in(project.path / "cache", some)
    assert isinstance(looked, Looked) and found is not None
    for row, (word, probability) in enumerate(zip(looked.words, looked.probabilities, strict=True)):
        assert float(found.of([imagenet_classes().index(word)])[row]) == pytest.approx(probability, abs=0.02)
    project.close()
