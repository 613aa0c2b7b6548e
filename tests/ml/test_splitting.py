"""The split is fair, repeatable, and never puts the same thing on both sides."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.core.errors import HandlensError
from ml.core.messages import english
from ml.core.scan_report import FoundFile, ScanReport, SplitPlan
from ml.core.types import Windowing
from ml.project.split.plan import plan_split


def found(path: str, class_name: str | None, *, digest: str = "", ready: str | None = None) -> FoundFile:
    return FoundFile(
        path=path,
        size=1,
        mtime_ns=0,
        digest=digest or path,
        class_name=class_name,
        ready_split=ready,
        width=1,
        height=1,
    )


def report_of(files: Iterable[FoundFile]) -> ScanReport:
    return ScanReport(folder="/somewhere", kind="images", files=tuple(files))


def classes(**counts: int) -> list[FoundFile]:
    return [found(f"{name}/{index:04}.jpg", name) for name, count in counts.items() for index in range(count)]


def shares(files: Iterable[FoundFile], plan: SplitPlan) -> dict[str, tuple[int, int, int]]:
    """(train, valid, test) of each class."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        if file.path in plan.splits:
            counts[file.class_name or ""][plan.splits[file.path]] += 1
    return {name: (held["train"], held["valid"], held["test"]) for name, held in counts.items()}


def test_each_class_is_divided_sixty_twenty_twenty() -> None:
    files = classes(cats=100, dogs=50, fish=10)
    plan = plan_split(report_of(files))
    assert shares(files, plan) == {"cats": (60, 20, 20), "dogs": (30, 10, 10), "fish": (6, 2, 2)}
    assert "60 %" in english(plan.why)
    assert english(plan.why).endswith(".")


def test_small_classes_stand_in_every_split_they_can() -> None:
    files = classes(one=1, two=2, three=3, four=4, five=5)
    held = shares(files, plan_split(report_of(files)))
    assert held["one"] == (1, 0, 0)
    assert held["two"][0] == 1
    assert held["three"] == (1, 1, 1)
    assert held["four"] == (2, 1, 1)
    assert held["five"] == (3, 1, 1)


def test_where_there_are_too_few_for_shares_the_numbers_are_said() -> None:
    why = english(plan_split(report_of(classes(a=3, b=3))).why)
    assert "2 of 6 are for training, 2 for validation and 2 for the test." in why
    assert "60 %" in english(plan_split(report_of(classes(a=10, b=10))).why)
    assert "60 %" in english(plan_split(report_of(classes(a=100, b=3))).why), "most of it is divided so"


@pytest.mark.parametrize("seed", range(8))
def test_of_few_recordings_the_longest_are_learned_from(seed: int) -> None:
    long = {"a/0001.jpg", "b/0001.jpg", "c/0001.jpg"}
    files = [dataclasses.replace(file, duration=60.0 if file.path in long else 5.0) for file in classes(a=3, b=4, c=3)]
    windowing = Windowing(rate=8000, seconds=5.0, step=5.0)
    plan = plan_split(dataclasses.replace(report_of(files), kind="recordings", windowing=windowing), seed=seed)
    assert {plan.splits[path] for path in long} == {"train"}
    assert shares(files, plan) == {"a": (1, 1, 1), "b": (2, 1, 1), "c": (1, 1, 1)}


def test_another_seed_gives_another_split_and_the_same_seed_the_same() -> None:
    files = classes(cats=100, dogs=100)
    first, again, other = (plan_split(report_of(files), seed=seed).splits for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_unlabelled_files_are_in_no_split() -> None:
    plan = plan_split(report_of([found("a.jpg", None), *classes(cats=5, dogs=5)]))
    assert "a.jpg" not in plan.splits
    assert "a.jpg" not in plan.groups
    nothing = plan_split(report_of([found("a.jpg", None)]))
    assert (nothing.splits, nothing.groups) == ({}, {})
    assert "label" in english(nothing.why)


def test_ready_made_parts_are_kept() -> None:
    parts = [("Train", "train"), ("Validation", "validation"), ("TEST", "test")]
    files = [
        found(f"{folder}/{name}/{index}.jpg", name, ready=ready)
        for folder, ready in parts
        for name in ("cats", "dogs")
        for index in range(4)
    ]
    plan = plan_split(report_of(files))
    wanted = {"train": "train", "validation": "valid", "test": "test"}
    assert all(plan.splits[file.path] == wanted[file.ready_split or ""] for file in files)


@pytest.mark.parametrize("other", ["val", "valid", "test", "dev"])
def test_one_other_part_is_the_test_and_validation_comes_out_of_train(other: str) -> None:
    files = [
        found(f"{part}/{name}/{index}.jpg", name, ready=part)
        for part, count in (("train", 45), (other, 20))
        for name in ("daisy", "tulips")
        for index in range(count)
    ]
    plan = plan_split(report_of(files))
    assert shares(files, plan) == {"daisy": (36, 9, 20), "tulips": (36, 9, 20)}
    assert all(plan.splits[file.path] == "test" for file in files if file.ready_split == other)
    assert other in english(plan.why)


def test_copies_on_both_sides_of_a_ready_made_split_are_not_learned_from() -> None:
    files = [found(f"train/{name}/{index}.jpg", name, ready="train") for name in ("a", "b") for index in range(10)]
    files += [found(f"test/{name}/{index}.jpg", name, ready="test") for name in ("a", "b") for index in range(5)]
    files += [
        found("train/a/copy.jpg", "a", ready="train", digest="x"),
        found("test/a/copy.jpg", "a", ready="test", digest="x"),
    ]
    files += [
        found("train/a/odd.jpg", "a", ready="train", digest="y"),
        found("test/b/odd.jpg", "b", ready="test", digest="y"),
    ]
    plan = plan_split(report_of(files))
    assert plan.splits["train/a/copy.jpg"] == plan.splits["test/a/copy.jpg"] == "test"
    assert plan.splits["train/a/odd.jpg"] == plan.splits["test/b/odd.jpg"] == "train"
    assert "both sides" in english(plan.why)


def test_copies_with_two_labels_go_to_train() -> None:
    for seed in range(10):
        files = [
            *classes(cats=20, dogs=20),
            found("cats/x.jpg", "cats", digest="x"),
            found("dogs/y.jpg", "dogs", digest="x"),
        ]
        plan = plan_split(report_of(files), seed=seed)
        assert plan.splits["cats/x.jpg"] == plan.splits["dogs/y.jpg"] == "train"


def test_folders_below_a_class_stay_together_across_classes() -> None:
    files = [
        found(f"photos/{name}/site{site}/{index}.jpg", name)
        for name in ("cats", "dogs")
        for site in range(5)
        for index in range(6)
    ]
    plan = plan_split(report_of(files), split_by="folder")
    sides = {f"site{site}": {plan.splits[f.path] for f in files if f"/site{site}/" in f.path} for site in range(5)}
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(next(iter(side)) for side in sides.values()) == {"train": 3, "valid": 1, "test": 1}
    assert "folder" in english(plan.why)


def test_without_inner_folders_each_file_is_on_its_own() -> None:
    files = classes(cats=10, dogs=10)
    plan = plan_split(report_of(files), split_by="folder")
    assert shares(files, plan) == {"cats": (6, 2, 2), "dogs": (6, 2, 2)}
    assert "no folders" in english(plan.why)


def test_a_pattern_keeps_a_speaker_on_one_side() -> None:
    speakers = ["anna", "ben", "cleo", "dirk", "ewa", "finn"]
    files = [
        found(f"{digit}/{digit}_{speaker}_{take}.wav", str(digit))
        for digit in range(4)
        for speaker in speakers
        for take in range(3)
    ]
    plan = plan_split(report_of(files), split_by=r"pattern:_([a-z]+)_")
    sides = {speaker: {plan.splits[file.path] for file in files if speaker in file.path} for speaker in speakers}
    assert all(len(side) == 1 for side in sides.values())
    assert Counter(next(iter(side)) for side in sides.values()) == {"train": 4, "valid": 1, "test": 1}


@pytest.mark.parametrize(
    ("folds", "wanted"), [(2, "train test"), (3, "train valid test"), (4, "train train valid test")]
)
def test_few_groups_reach_every_split(folds: int, wanted: str) -> None:
    files = [found(f"rain/{fold}-{index}.wav", "rain") for fold in range(folds) for index in range(3 + fold)]
    plan = plan_split(report_of(files), split_by=r"pattern:^(\d)-")
    assert Counter({plan.groups[path]: split for path, split in plan.splits.items()}.values()) == Counter(
        wanted.split()
    )


def test_a_split_is_not_filled_with_the_last_samples_of_a_class() -> None:
    files = [found(f"rain/{name}-{index}.wav", "rain") for name in "abc" for index in range(6)]
    files += [found(f"wind/d-{index}.wav", "wind") for index in range(2)]
    plan = plan_split(report_of(files), split_by=r"pattern:^(\w)-")
    assert set(plan.splits.values()) == {"train", "valid", "test"}
    assert all(split == "train" for path, split in plan.splits.items() if path.startswith("wind"))


@pytest.mark.parametrize(
    ("split_by", "word"),
    [
        ("pattern:([", "not a regular expression"),
        ("pattern:cats", "no group"),
        ("pattern:_(never)_", "fits 0 of 20"),
        (r"pattern:(\d)\d\d\d", "one group"),
        ("moon", "not a way to split"),
    ],
)
def test_a_way_to_split_that_cannot_be_followed_is_refused(split_by: str, word: str) -> None:
    with pytest.raises(HandlensError) as caught:
        plan_split(report_of(classes(cats=10, dogs=10)), split_by=split_by)
    assert word in str(caught.value)
    assert str(caught.value).endswith(".")


def test_groups_that_were_asked_for_come_before_a_ready_made_split_that_separates_them() -> None:
    files = [
        found(f"{part}/{name}/{speaker}_{part}{index}.wav", name, ready=part)
        for part in ("train", "test")
        for name in ("a", "b")
        for speaker in ("anna", "ben", "cleo")
        for index in range(3)
    ]
    plan = plan_split(report_of(files), split_by="pattern:^([a-z]+)_")
    assert_no_leak(files, plan)
    assert set(plan.splits.values()) == {"train", "valid", "test"}
    assert "not used" in english(plan.why)


FILES = st.lists(
    st.tuples(
        st.sampled_from(["cats", "dogs", "fish"]),
        st.integers(0, 4),  # the folder below the class; 0 is none
        st.integers(0, 60),  # the content: equal numbers are copies
        st.sampled_from([None, "train", "val", "test"]),
    ),
    max_size=60,
)
WAYS = st.sampled_from(["auto", "folder", "recording", r"pattern:^s(\d)"])


def made(rows: list[tuple[str, int, int, str | None]], *, ready: bool) -> list[FoundFile]:
    files = []
    for index, (name, folder, content, brought) in enumerate(rows):
        part = (brought or "train") if ready else None
        below = f"{name}/site{folder}" if folder else name
        files.append(
            found(
                f"{part + '/' if part else ''}{below}/s{content % 5}_{index}.jpg", name, digest=str(content), ready=part
            )
        )
    return files


def assert_no_leak(files: Iterable[FoundFile], plan: SplitPlan) -> None:
    by_digest, by_group = defaultdict(set), defaultdict(set)
    for file in files:
        by_digest[file.digest].add(plan.splits[file.path])
        by_group[plan.groups[file.path]].add(plan.splits[file.path])
    assert all(len(sides) == 1 for sides in by_digest.values())
    assert all(len(sides) == 1 for sides in by_group.values())


def planned(files: list[FoundFile], **options: object) -> SplitPlan | None:
    try:
        return plan_split(report_of(files), **options)  # type: ignore[arg-type]
    except HandlensError as error:
        assert "group" in str(error)  # everything in one group: refused, not split badly
        return None


@settings(max_examples=150, deadline=None)
@given(rows=FILES, split_by=WAYS, ready=st.booleans(), seed=st.integers(0, 3))
def test_nothing_is_on_both_sides_and_the_order_of_the_files_is_nothing(
    rows: list[tuple[str, int, int, str | None]], split_by: str, ready: bool, seed: int
) -> None:
    files = made(rows, ready=ready)
    plan = planned(files, split_by=split_by, seed=seed)
    if plan is None:
        return
    assert set(plan.splits) == {file.path for file in files}
    assert_no_leak(files, plan)
    shuffled = random.Random(seed).sample(files, len(files))
    assert planned(shuffled, split_by=split_by, seed=seed) == plan


@settings(max_examples=150, deadline=None)
@given(rows=FILES, more=FILES, split_by=WAYS, ready=st.booleans())
def test_a_split_is_kept_when_files_are_added(
    rows: list[tuple[str, int, int, str | None]],
    more: list[tuple[str, int, int, str | None]],
    split_by: str,
    ready: bool,
) -> None:
    files = made(rows + more, ready=ready)
    before = planned(files[: len(rows)], split_by=split_by)
    if before is None:
        return
    after = planned(files, split_by=split_by, existing=before.splits)
    if after is None:
        return
    assert {path: after.splits[path] for path in before.splits} == before.splits
    by_digest = defaultdict(set)
    for file in files:
        by_digest[file.digest].add(after.splits[file.path])
    assert all(len(sides) == 1 for sides in by_digest.values())


def test_added_files_fill_what_is_short() -> None:
    files = classes(cats=10, dogs=10)
    before = plan_split(report_of(files)).splits
    more = [*files, *classes(cats=100, dogs=100)[10:100], *classes(birds=10)]
    plan = plan_split(report_of({file.path: file for file in more}.values()), existing=before)
    held = shares({file.path: file for file in more}.values(), plan)
    assert held["cats"] == (60, 20, 20)
    assert held["birds"] == (6, 2, 2)


def test_a_large_folder_is_divided_at_once() -> None:
    files = classes(**{f"class{index}": 2000 for index in range(10)})
    plan = plan_split(report_of(files))
    assert Counter(plan.splits.values()) == {"train": 12000, "valid": 4000, "test": 4000}
