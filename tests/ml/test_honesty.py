"""Saying how sure to be: calibration error, thresholds that keep a promise, what is unlike, what a self-test finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fabricate import add_run, image_folder, project_of
from fabricate_several import add_run_of_several, mixed_project
from numpy.typing import NDArray
from small import create, picture_folder
from tiny_model import tiny_info

from ml.engine import run
from ml.events import Finished, Stopped, Suspected
from ml.insight.calibration import fit_temperature
from ml.insight.metrics import accuracy_interval, expected_calibration_error
from ml.insight.nonsense import odd_pictures, odd_sounds
from ml.insight.selftest import promise_remark, self_test
from ml.insight.sources import folds_of, known_and_new
from ml.insight.thresholds import choose_thresholds, price_of, samples_needed, trade_off, upper_bound
from ml.insight.unlike import NEIGHBOURS, familiar, strangeness, unlike_scores
from ml.jobs import NeverStop, StopRequest, SuspectJob, TrainJob
from ml.networks.heads import Unlikeness
from ml.project.predictions import Predictions
from ml.project.remarks import read_remarks, write_remarks
from ml.project.samples import Windowing
from ml.runtime.decision import decide
from ml.runtime.model import Outputs, ReleasedModel
from ml.training.label_quality import fold_of, from_the_others, suspicion

Rows = tuple[NDArray[np.float64], NDArray[np.int64]]


def honest(n: int, *, seed: int, low: float = 0.5, mostly_sure: float = 1.0) -> Rows:
    """Two classes; a probability p is right in p of the cases."""
    rng = np.random.default_rng(seed)
    top = 1.0 - (1.0 - low) * rng.uniform(size=n) ** mostly_sure
    return np.stack([top, 1 - top], axis=1), (rng.uniform(size=n) > top).astype(np.int64)


def test_a_perfect_model_on_a_small_test_set_is_hardly_called_off() -> None:
    errors = [expected_calibration_error(*honest(100, seed=seed, low=0.7)) for seed in range(40)]
    assert np.mean(errors) < 0.055
    probabilities, labels = honest(2000, seed=0)
    assert expected_calibration_error(probabilities, labels) < 0.03
    boast = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(boast, labels) > 0.08


def test_a_few_samples_that_are_all_right_do_not_make_it_boundlessly_sure() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 12)
    logits = 3.0 * np.eye(3)[labels] + rng.normal(0, 0.1, (12, 3))
    assert 0.3 < fit_temperature(logits, labels) < 1.0


def test_what_is_promised_is_kept_by_new_samples() -> None:
    kept = []
    for seed in range(60):
        chosen = choose_thresholds(*honest(600, seed=seed, mostly_sure=3.0), wanted=0.05)
        price = price_of(*honest(4000, seed=1000 + seed, mostly_sure=3.0), chosen.per_class)
        if chosen.promised:
            kept.append(price.error <= 0.05)
            assert 0 < price.accepted < price.n
    assert len(kept) > 30
    assert np.mean(kept) >= 0.9  # 95 % are promised; sixty trials can be unlucky


def test_too_few_samples_promise_nothing_and_say_how_many_it_takes() -> None:
    chosen = choose_thresholds(*honest(50, seed=1), wanted=0.01)
    assert not chosen.promised
    assert chosen.needed == samples_needed(0.01) == 299
    assert upper_bound(0, 299) <= 0.01 < upper_bound(0, 298)
    remark = promise_remark(chosen, chosen.price, "images")
    assert remark.sentence.startswith("Of what it accepts, at most 1 of 100 should be wrong. In the test it accepted ")
    assert "That is no promise" in remark.sentence and "299" in remark.sentence


def test_windows_of_a_recording_promise_no_more_than_the_recording() -> None:
    probabilities, labels = honest(600, seed=2, low=0.9)
    labels[:] = 0  # all right
    assert choose_thresholds(probabilities, labels, wanted=0.05).promised
    sources = np.arange(600) // 30
    chosen = choose_thresholds(probabilities, labels, wanted=0.05, sources=sources)
    assert not chosen.promised
    price = price_of(probabilities, labels, chosen.per_class, sources=sources)
    assert price.error_at_most == upper_bound(0, 20)
    labels[:15] = 1
    labels[30:60] = 1
    price = price_of(probabilities, labels, (0.0, 0.0), sources=sources)
    assert price.error_at_most == pytest.approx(upper_bound(1.5, 20))
    assert trade_off(probabilities, labels, sources=sources)[2][-1] == pytest.approx(price.error_at_most)


def test_what_is_hardly_more_than_a_guess_is_not_accepted_even_by_a_model_without_mistakes() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]] * 4)
    labels = np.array([0, 1, 2] * 4)
    chosen = choose_thresholds(probabilities, labels, wanted=0.05)
    assert chosen.price.accepted == chosen.price.n
    info = replace(tiny_info(), reject_below=chosen.overall, class_reject_below=chosen.per_class, unlike_above=1.0)
    assert decide(np.array([0.38, 0.37, 0.25]), 0.0, info) == "reject"
    assert decide(np.array([0.7, 0.2, 0.1]), 0.0, info) == "accept"


def test_a_stricter_aim_never_takes_a_lower_threshold() -> None:
    rng = np.random.default_rng(9)
    for _trial in range(40):
        top = rng.uniform(0.5, 1.0, 24).round(1 if rng.uniform() < 0.3 else 4)
        labels = (rng.uniform(size=24) > top).astype(np.int64)
        probabilities = np.stack([top, 1 - top], axis=1)
        chosen = [choose_thresholds(probabilities, labels, wanted=wanted) for wanted in (0.01, 0.03, 0.05, 0.1, 0.2)]
        # What is promised is stricter than an aim.
        aims = [each.overall for each in chosen if not each.promised]
        assert aims == sorted(aims, reverse=True)
        assert not ((top >= aims[0]) & (labels == 1)).any()


def test_equally_sure_ones_are_accepted_together_or_not_at_all() -> None:
    labels = np.array([1] * 12 + [0] * 38)
    probabilities = np.tile([1.0, 0.0], (50, 1))
    chosen = choose_thresholds(probabilities, labels, wanted=0.05)
    assert chosen.price.accepted == 0


def test_a_class_that_is_often_wrong_needs_to_be_surer() -> None:
    rng = np.random.default_rng(6)
    n = 900
    said = np.arange(n) % 3
    top = rng.uniform(0.6, 1.0, n)
    probabilities = np.repeat(((1 - top) / 2)[:, None], 3, axis=1)
    probabilities[np.arange(n), said] = top
    # Class 2 is mistaken one time in four below 0.9; the others never are.
    mistaken = (said == 2) & (top < 0.9) & (rng.uniform(size=n) < 0.25)
    labels = np.where(mistaken, 0, said)
    chosen = choose_thresholds(probabilities, labels, wanted=0.08)
    assert chosen.promised
    assert chosen.per_class[2] > chosen.per_class[0]
    info = replace(tiny_info(), reject_below=chosen.overall, class_reject_below=chosen.per_class, unlike_above=1.0)
    between = (chosen.per_class[0] + chosen.per_class[2]) / 2
    rest = (1 - between) / 2
    assert decide(np.array([between, rest, rest]), 0.0, info) == "accept"
    assert decide(np.array([rest, rest, between]), 0.0, info) == "reject"


def test_the_trade_off_begins_with_the_surest_and_ends_with_everything() -> None:
    probabilities, labels = honest(300, seed=8)
    rejected, error, limit = trade_off(probabilities, labels)
    assert rejected[-1] == 0.0 and rejected[0] > 0.99
    assert error[-1] == pytest.approx(float(labels.mean()))
    assert np.all(limit >= error)


def test_windows_of_a_recording_do_not_count_as_many() -> None:
    narrow, wide = accuracy_interval(0.9, 1000), accuracy_interval(0.9, 20)
    assert wide[1] - wide[0] > 4 * (narrow[1] - narrow[0])


def test_the_unlike_score_is_the_share_of_known_samples_that_are_less_strange() -> None:
    rng = np.random.default_rng(3)
    directions = rng.normal(0, 1, (3, 32)) * 4
    seen = directions[np.arange(900) % 3] + rng.normal(0, 1, (900, 32))
    known = familiar(seen[:300], held_out=seen[300:600])
    scores = unlike_scores(strangeness(seen[600:], bank=known.bank, scale=known.scale), known)
    for share in (0.25, 0.5, 0.75, 0.9, 0.99):
        assert (scores < share).mean() == pytest.approx(share, abs=0.08)
    odd = rng.normal(0, 1, (50, 32)) - directions.sum(axis=0)
    assert unlike_scores(strangeness(odd, bank=known.bank, scale=known.scale), known).min() > 0.99


@pytest.mark.parametrize("held_out", [80, 300])
def test_of_a_hundred_known_samples_about_one_is_above_the_usual_limit(held_out: int) -> None:
    rng = np.random.default_rng(4)
    above = []
    for _ in range(30):
        noise = rng.uniform(0, 2, (900, 1)) ** 0.5 * rng.normal(0, 1, (900, 32))  # a wide spread, a short tail
        seen = rng.normal(0, 1, (3, 32))[np.arange(900) % 3] + noise
        known = familiar(seen[:300], held_out=seen[300 : 300 + held_out])
        scores = unlike_scores(strangeness(seen[600:], bank=known.bank, scale=known.scale), known)
        above.append((scores > 0.99).mean())
    assert 0.005 < np.mean(above) < 0.02


def test_windows_of_one_recording_are_no_measure_of_what_is_usual() -> None:
    """With hardly any held out, samples are compared with each other: those of the same file are too much alike."""
    rng = np.random.default_rng(6)
    files = np.arange(200) // 20
    seen = rng.normal(0, 1, (10, 32))[files] + rng.normal(0, 0.05, (200, 32))
    new = rng.normal(0, 1, (50, 32))
    none = np.zeros((0, 32))
    alone, apart = (familiar(seen, held_out=none, sources=sources) for sources in (None, files))
    for known, least, most in ((alone, 0.999, 1.0), (apart, 0.3, 0.8)):
        scores = unlike_scores(strangeness(new, bank=known.bank, scale=known.scale), known)
        assert least <= np.median(scores) <= most
    one = familiar(seen[:20], held_out=none, sources=files[:20])
    assert np.isfinite(one.knots).all()


@pytest.mark.parametrize("rows", [1, NEIGHBOURS - 1, 40])
def test_the_graph_scores_as_the_arrays_do(rows: int) -> None:
    rng = np.random.default_rng(5)
    embeddings = rng.normal(1, 1, (rows, 16)).astype(np.float32)
    known = familiar(embeddings, held_out=rng.normal(1, 1, (30 if rows > 1 else 0, 16)))
    module = Unlikeness(16)
    module.learn(known)
    asked = rng.normal(0, 2, (20, 16)).astype(np.float32)
    told = module(torch.from_numpy(asked)).numpy()
    ours = unlike_scores(strangeness(asked, bank=known.bank, scale=known.scale), known)
    assert np.abs(told - ours).max() < 1e-4
    assert np.all((told >= 0) & (told <= 1))


def test_nonsense_is_what_the_model_takes() -> None:
    pictures = odd_pictures(56)
    assert all(rows.shape == (8, 56, 56, 3) and rows.dtype == np.uint8 for rows in pictures.values())
    assert pictures["blank"][0].max() == 0 and pictures["blank"][4].min() == 255
    sounds = odd_sounds(Windowing(rate=8000, seconds=1.0, step=1.0))
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
    found = self_test(predictions, info, {"blank": odd or answers(0.4, 0.5)})
    return {remark.about: remark.sentence for remark in found}


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
    assert "not sure of nonsense" in found["nonsense"]


@pytest.mark.parametrize(
    ("make", "what", "words"),
    [
        (lambda: wrong_in(2, 0.4), "by heart", "100 of 100 pictures it learned from, but on 60 of 100"),
        (lambda: wrong_in(0, 0.4), "unequal", "more than the 60 of 100 it learned from"),
        (lambda: wrong_in(0, 0.05), "sure and wrong", "for 5"),
        (lambda: np.where((LABELS == 2) & (SPLITS > 0), 0, LABELS), "collapsed", "never says “plum”"),
    ],
)
def test_what_is_wrong_with_a_run_is_said(make: Callable[[], NDArray[np.int64]], what: str, words: str) -> None:
    found = about(run_of(labels=LABELS, said=make(), splits=SPLITS))
    assert words in found[what]


def test_windows_of_a_few_recordings_say_little_of_a_gap() -> None:
    run = run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS)
    info = replace(tiny_info(), classes=("apple", "pear", "plum"))
    apart, together = (self_test(run, info, {}, sources=sources) for sources in (np.arange(300), np.arange(300) // 100))
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
    found = {r.about: r.sentence for r in self_test(run, info, {}, sources=np.arange(300) // 50)}
    assert "apple (6), pear (6) and plum (6)" in found["small"]
    assert "fewer than 10 recordings to test a class with" in found["small"]
    assert "although 6 recordings of those" in found["collapsed"]
    few = {r.about: r.sentence for r in self_test(run, info, {}, sources=np.arange(300) // 100)}
    assert "apple (3), pear (3) and plum (3)" in few["small"]
    assert "collapsed" not in few


def test_a_class_without_anything_to_learn_from_is_named() -> None:
    splits = np.where((LABELS == 2) & (SPLITS == 0), 3, SPLITS).astype(np.uint8)
    found = about(run_of(labels=np.where(splits == 3, -1, LABELS), said=LABELS % 2, splits=splits))
    assert "nothing to learn “plum” from: all 66 pictures of it were kept aside" in found["untaught"]
    assert "collapsed" not in found
    splits = np.where((LABELS > 0) & (SPLITS == 0), 3, SPLITS).astype(np.uint8)
    found = about(run_of(labels=np.where(splits == 3, -1, LABELS), said=LABELS % 1, splits=splits))
    assert "nothing to learn “pear” and “plum” from: all that shows them was kept aside" in found["untaught"]


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
            remarks = {remark.about for remark in read_remarks(project.runs.folder(1))}
            assert ("untaught" in remarks) == bool(extra)
    assert temperatures[1] == pytest.approx(temperatures[0], rel=0.01)


def test_being_sure_of_nonsense_is_said_and_being_unlike_excuses() -> None:
    good = run_of(labels=LABELS, said=LABELS, splits=SPLITS)
    fooled = about(good, odd=answers(0.97, 0.5))["nonsense"]
    assert "it calls 8 of 8 blank pictures “pear”" in fooled
    assert "not sure of nonsense" in about(good, odd=answers(0.97, 0.999))["nonsense"]


def test_remarks_are_kept_with_the_run(tmp_path: Path) -> None:
    found = self_test(run_of(labels=LABELS, said=wrong_in(2, 0.4), splits=SPLITS), tiny_info(), {})
    write_remarks(tmp_path, found)
    assert read_remarks(tmp_path) == found
    (tmp_path / "findings.json").write_text("{", encoding="utf-8")
    assert read_remarks(tmp_path) == ()


def test_knowing_the_source_is_told_from_knowing_the_class() -> None:
    rng = np.random.default_rng(9)
    speakers, classes = np.repeat(np.arange(12), 20), np.tile(np.arange(4), 60)
    # What a class looks like depends on who shows it.
    manner = rng.normal(0, 2.0, (12, 4, 24))
    shown = rng.normal(0, 0.8, (4, 24))[classes] + manner[speakers, classes] + rng.normal(0, 0.7, (240, 24))
    train = speakers < 7
    known, new = known_and_new(
        (shown[train], classes[train]), (shown[~train], classes[~train]), samples=[str(n) for n in range(100)]
    )
    assert known > new + 0.1


def test_folds_keep_groups_whole() -> None:
    groups = [f"g{number // 7}" for number in range(100)]
    folds = folds_of(groups)
    assert len(set(folds.tolist())) == 5
    for name in set(groups):
        assert len({int(folds[row]) for row in range(100) if groups[row] == name}) == 1


def out_of_fold(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], folds: NDArray[np.integer], *, classes: int
) -> NDArray[np.float64]:
    """(n, classes) probabilities of each sample from a model that learned from the other folds."""
    told = np.zeros((len(labels), classes))
    for fold in np.unique(folds):
        judged = fold_of(embeddings.astype(np.float32), labels, folds == fold)
        told[folds == fold] = from_the_others(judged, labels, classes=classes)
    return told


def test_flipped_labels_are_the_most_suspicious() -> None:
    rng = np.random.default_rng(11)
    truth = np.arange(300) % 3
    embeddings = rng.normal(0, 1, (300, 8)) + 2.5 * np.eye(8)[truth]
    flipped = rng.permutation(300)[:15]
    labels = truth.copy()
    labels[flipped] = (labels[flipped] + 1) % 3
    folds = folds_of([str(row) for row in range(300)])
    found = suspicion(labels, out_of_fold(embeddings, labels, folds, classes=3))
    top = np.argsort(-found.score)[:30]
    assert np.isin(flipped, top).mean() >= 0.8
    assert (found.suggested[flipped] == truth[flipped]).mean() >= 0.8
    assert found.flagged[flipped].mean() > 0.6
    assert found.flagged.sum() < 40


def test_where_several_may_be_present_it_finds_what_is_missing_and_what_is_not_there(tmp_path: Path) -> None:
    with mixed_project(tmp_path / "mixed.handlens", each=40) as project:
        add_run_of_several(project, telling=True)
        held = {sample.id: sample.labels for sample in project.samples()}
        two = next(sample_id for sample_id, labels in held.items() if len(labels) == 2)
        none = next(sample_id for sample_id, labels in held.items() if not labels)
        project.restore_labels([(two, held[two][:1]), (none, (2,))])
        found = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(found, Suspected) and len(found.sample_ids) == len(held)
        first = {
            sample_id: (labels, suggested)
            for sample_id, labels, suggested in zip(
                found.sample_ids[:2], found.labels[:2], found.suggested[:2], strict=True
            )
        }
        assert first == {two: (held[two][:1], held[two][1]), none: ((2,), 2)}
        assert 2 <= found.flagged <= 4


def test_a_label_of_which_there_is_no_other_sample_is_not_called_wrong() -> None:
    rng = np.random.default_rng(4)
    truth = np.array([0] * 60 + [1] * 60 + [2] * 12)
    embeddings = rng.normal(0, 1, (132, 8)) + 3.0 * np.eye(8)[truth]
    # All windows of the third class are of one recording, which lies in one fold.
    folds = np.where(truth == 2, 0, np.arange(132) % 5)
    found = suspicion(truth, out_of_fold(embeddings, truth, folds, classes=3))
    assert not found.flagged[truth == 2].any()
    assert (found.score[truth == 2] < 0.01).all()
    assert found.flagged.sum() <= 2


def test_a_label_that_was_called_right_is_not_asked_about_again(tmp_path: Path) -> None:
    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        add_run(project)
        first = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(first, Suspected) and len(first.sample_ids) == 30
        most = first.sample_ids[0]
        held = {sample.id: sample.labels for sample in project.samples()}
        project.restore_labels([(most, held[most])], origins={most: "confirmed"})
        again = list(run(SuspectJob(project=project.path), NeverStop()))[-1]
        assert isinstance(again, Suspected)
        assert (most in again.sample_ids, len(again.sample_ids), again.confirmed) == (False, 29, 1)
        history = project.history(most)
        assert [(change.origin, change.new) for change in history] == [
            ("import", held[most]),
            ("confirmed", held[most]),
        ]


def test_judging_labels_stops_when_asked(tmp_path: Path) -> None:
    class Now:
        def requested(self) -> StopRequest:
            return "cancel"

    with project_of(image_folder(tmp_path / "fruit"), tmp_path / "fruit.handlens") as project:
        add_run(project)
        assert isinstance(list(run(SuspectJob(project=project.path), Now()))[-1], Stopped)


def test_dimensions_that_are_left_out_make_nothing_strange() -> None:
    rng = np.random.default_rng(5)
    seen = rng.normal(1, 1, (80, 8)).astype(np.float32)
    known = familiar(seen[:60], held_out=seen[60:], left_out=slice(4, 8))
    odd = seen[60:].copy()
    odd[:, 4:] = 100.0
    scores = [strangeness(rows, bank=known.bank, scale=known.scale) for rows in (seen[60:], odd)]
    assert np.array_equal(*scores)
    assert np.isfinite(scores[0]).all()
