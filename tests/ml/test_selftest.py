"""What the self-test after a training finds and says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small import create, picture_folder
from tiny_model import tiny_info

from ml.core.events import Finished
from ml.core.jobs import NeverStop, TrainJob
from ml.core.messages import PSEUDO, english, language
from ml.core.types import Windowing
from ml.evaluation.findings_file import read_findings, write_findings
from ml.evaluation.ood_probes import ood_images, ood_sounds
from ml.evaluation.sanity_checks import error_rate_finding, new_groups_finding, run_sanity_checks
from ml.pipeline.dispatch import run
from ml.project.predictions import Predictions
from ml.runtime.model import Outputs, ReleasedModel
from ml.scoring.thresholds import SelectiveRisk, choose_thresholds


def test_nonsense_is_what_the_model_takes() -> None:
    pictures = ood_images(56)
    assert all(rows.shape == (8, 56, 56, 3) and rows.dtype == np.uint8 for rows in pictures.values())
    assert pictures["blank"][0].max() == 0 and pictures["blank"][4].min() == 255
    sounds = ood_sounds(Windowing(rate=8000, seconds=1.0, step=1.0))
    assert all(rows.shape == (8, 8000) and np.abs(rows).max() <= 1 for rows in sounds.values())


def run_of(
    *,
    labels: NDArray[np.int64],
    said: NDArray[np.int64],
    splits: NDArray[np.uint8],
    sure: float = 0.95,
    copies: int = 0,
) -> Predictions:
    """Predictions of a run over three classes."""
    n = len(labels)
    rng = np.random.default_rng(7)
    probabilities = np.full((n, 3), (1 - sure) / 2, dtype=np.float32)
    probabilities[np.arange(n), said] = sure
    embeddings = rng.normal(0, 1, (n, 16)).astype(np.float16)
    test, train = np.flatnonzero(splits == 2), np.flatnonzero(splits == 0)
    embeddings[test[:copies]] = embeddings[train[:copies]]
    return Predictions(
        sample_ids=np.arange(n),
        labels=labels,
        splits=splits,
        probabilities=probabilities,
        embeddings=embeddings,
        maps=np.zeros((n, 3, 2, 2), dtype=np.float16),
    )


def answers(sure: float, unlike: float) -> Outputs:
    probabilities = np.full((8, 3), (1 - sure) / 2, dtype=np.float32)
    probabilities[:, 1] = sure
    return Outputs(
        probabilities=probabilities,
        maps=np.zeros((8, 3, 2, 2), dtype=np.float32),
        embedding=np.zeros((8, 4), dtype=np.float32),
        unlike=np.full(8, unlike, dtype=np.float32),
    )


def about(predictions: Predictions, *, odd: Outputs | None = None) -> dict[str, str]:
    info = replace(tiny_info(), classes=("apple", "pear", "plum"), reject_below=0.8, unlike_above=0.99)
    found = run_sanity_checks(predictions, info, {"blank": odd or answers(0.4, 0.5)})
    return {remark.about: english(remark.sentence) for remark in found}


SPLITS = (np.arange(300) % 3).astype(np.uint8)


LABELS = (np.arange(300) // 3 % 3).astype(np.int64)


def wrong_in(split: int, share: float) -> NDArray[np.int64]:
    """What it says: everything right but a share of one split."""
    rows = np.flatnonzero(split == SPLITS)
    said = LABELS.copy()
    chosen = rows[: round(share * len(rows))]
    said[chosen] = (said[chosen] + 1) % 3
    return said


def test_a_sound_run_has_only_good_to_say() -> None:
    found = about(run_of(labels=LABELS, said=LABELS, splits=SPLITS))
    assert list(found) == ["nonsense"]
    assert "was not confident about any" in found["nonsense"]


@pytest.mark.parametrize(
    ("make", "what", "words"),
    [
        (lambda: wrong_in(2, 0.4), "by heart", "100 of 100 training pictures, but only on 60 of 100"),
        (lambda: wrong_in(0, 0.4), "unequal", "more than the 60 of 100 in the training set"),
        (lambda: wrong_in(0, 0.05), "sure and wrong", "For 5 of them"),
        (lambda: np.where((LABELS == 2) & (SPLITS > 0), 0, LABELS), "collapsed", "never predicts “plum”"),
    ],
)
def test_what_is_wrong_with_a_run_is_said(make: Callable[[], NDArray[np.int64]], what: str, words: str) -> None:
    found = about(run_of(labels=LABELS, said=make(), splits=SPLITS))
    assert words in found[what]


def test_windows_of_a_few_recordings_say_little_of_a_gap() -> None:
    run = run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS)
    info = replace(tiny_info(), classes=("apple", "pear", "plum"))
    apart, together = (
        run_sanity_checks(run, info, {}, sources=sources) for sources in (np.arange(300), np.arange(300) // 100)
    )
    assert "by heart" in {remark.about for remark in apart}
    assert "by heart" not in {remark.about for remark in together}


def test_copies_across_the_split_are_noticed() -> None:
    assert "look almost the same" in about(run_of(labels=LABELS, said=LABELS, splits=SPLITS, copies=20))["copies"]


def test_a_class_of_a_few_cannot_be_judged() -> None:
    few = np.where((LABELS == 2) & (np.arange(300) > 30), 0, LABELS)
    assert "plum" in about(run_of(labels=few, said=few, splits=SPLITS))["small"]


def test_recordings_are_counted_and_not_their_windows() -> None:
    run = run_of(labels=LABELS, said=np.where((LABELS == 2) & (SPLITS > 0), 0, LABELS), splits=SPLITS)
    info = replace(tiny_info(), classes=("apple", "pear", "plum"), kind="recordings")
    found = {r.about: english(r.sentence) for r in run_sanity_checks(run, info, {}, sources=np.arange(300) // 50)}
    assert "apple (6), pear (6) and plum (6)" in found["small"]
    assert "With fewer than 10 recordings, the score of a class says little" in found["small"]
    assert "although 6 recordings in the validation and test sets show it" in found["collapsed"]
    few = {r.about: english(r.sentence) for r in run_sanity_checks(run, info, {}, sources=np.arange(300) // 100)}
    assert "apple (3), pear (3) and plum (3)" in few["small"]
    assert "collapsed" not in few


def test_a_class_without_anything_to_learn_from_is_named() -> None:
    splits = np.where((LABELS == 2) & (SPLITS == 0), 3, SPLITS).astype(np.uint8)
    found = about(run_of(labels=np.where(splits == 3, -1, LABELS), said=LABELS % 2, splits=splits))
    assert "no training pictures of “plum”: all 66 are in the validation or test set" in found["untaught"]
    assert "collapsed" not in found
    splits = np.where((LABELS > 0) & (SPLITS == 0), 3, SPLITS).astype(np.uint8)
    found = about(run_of(labels=np.where(splits == 3, -1, LABELS), said=LABELS % 1, splits=splits))
    assert "no training pictures of “pear” and “plum”: all of them are in the validation" in found["untaught"]


@pytest.mark.slow
def test_a_class_without_anything_to_learn_from_spoils_no_probability(tmp_path: Path) -> None:
    """Neither how sure the model is, nor the choice of it, hangs on what it cannot know."""
    temperatures = []
    for extra in (0, 6):
        folder = tmp_path / str(extra) / "in"
        for part, each in (("train", 12), ("valid", 8), ("test", 8)):
            picture_folder(folder / part, each=each)
        if extra:
            picture_folder(tmp_path / "more", each=extra, classes=3)
            (tmp_path / "more" / "bar").rename(folder / "valid" / "bar")
        with create(folder, tmp_path / f"{extra}.handlens") as project:
            job = TrainJob(project=project.path, preset="quick", device="cpu")
            assert isinstance(list(run(job, NeverStop()))[-1], Finished)
            model = ReleasedModel.open(project.runs.folder(1) / "model.onnx")
            temperatures.append(model.info.temperature)
            remarks = {remark.about for remark in read_findings(project.runs.folder(1))}
            assert ("untaught" in remarks) == bool(extra)
    assert temperatures[1] == pytest.approx(temperatures[0], rel=0.01)


def test_being_sure_of_nonsense_is_said_and_being_unlike_excuses() -> None:
    good = run_of(labels=LABELS, said=LABELS, splits=SPLITS)
    fooled = about(good, odd=answers(0.97, 0.5))["nonsense"]
    assert fooled.startswith(
        "The model is confident about pictures that mean nothing: it predicts “pear” for 8 of 8 blank pictures."
    )
    assert about(good, odd=answers(0.97, 0.999))["nonsense"] == (
        "Handlens tested the model with 8 pictures that mean nothing (blank pictures). The model was not confident "
        "about any of them."
    )


def test_remarks_are_kept_with_the_run(tmp_path: Path) -> None:
    found = run_sanity_checks(run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS), tiny_info(), {})
    write_findings(tmp_path, found)
    assert read_findings(tmp_path) == found
    for damaged in ("{", "[1]", '[{"about": "small"}]', '[{"about": "small", "level": "note", "template": 1}]'):
        (tmp_path / "findings.json").write_text(damaged, encoding="utf-8")
        assert read_findings(tmp_path) == ()


def test_remarks_are_kept_for_every_language(tmp_path: Path) -> None:
    found = run_sanity_checks(run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS), tiny_info(), {})
    write_findings(tmp_path, found)
    kept = json.loads((tmp_path / "findings.json").read_text(encoding="utf-8"))
    assert [entry["sentence"] for entry in kept] == [english(remark.sentence) for remark in found]
    foreign = [language(PSEUDO).render(remark.sentence) for remark in read_findings(tmp_path)]
    assert foreign and all(told.startswith("⟦") for told in foreign)


def test_remarks_of_an_earlier_version_are_finished_sentences(tmp_path: Path) -> None:
    old = [{"about": "small", "level": "note", "sentence": "Too few {plums}."}]
    (tmp_path / "findings.json").write_text(json.dumps(old), encoding="utf-8")
    (remark,) = read_findings(tmp_path)
    assert (remark.about, remark.level, english(remark.sentence)) == ("small", "note", "Too few {plums}.")


def test_every_finding_can_be_shown_in_another_language() -> None:
    """None is glued from English: rendered for the pseudo-locale, no plain word is left but names."""
    chosen = choose_thresholds(np.full((50, 2), 0.5), np.zeros(50, dtype=np.int64), wanted=0.01)
    price = SelectiveRisk(n=50, accepted=40, wrong=1)
    remarks = [error_rate_finding(replace(chosen, files=files), price, "recordings") for files in (5, 50, 500)]
    remarks += [new_groups_finding(0.9, (0.8, 1.0), worth=worth, groups=3, kind="sensors") for worth in (0.0, 0.2)]
    predictions = run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS)
    remarks += run_sanity_checks(
        predictions, replace(tiny_info(), classes=("1", "2", "3")), {"blank": answers(0.97, 0.5)}
    )
    for remark in remarks:
        told = language(PSEUDO).render(remark.sentence)
        assert told.count("⟦") == told.count("⟧") > 0
        assert not re.search(r"\b(the|of|and|in|from)\b", told), told
