"""Who learns, who chooses and who tests: a split that never puts the same thing on both sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ml.core.messages import Message, msg
from ml.core.phrases import files as files_of
from ml.core.scan_report import FoundFile, ScanReport, SplitPlan
from ml.core.types import Cut, Split, Windowing
from ml.project.labelfiles.windows import pieces_of
from ml.project.scan.folder import READY_SPLITS
from ml.project.scan.layout import split_of_folder
from ml.project.split.assign import Group, Shares, assign_groups
from ml.project.split.groups import base_groups, joined, members

SHARES: Shares = {"train": 0.6, "valid": 0.2, "test": 0.2}
CARVED: Shares = {"train": 0.8, "valid": 0.2}
"""How a ready-made train folder is divided where the folder brings no validation part."""

_CONFLICTING_CAP = 0.2
_ABOUT = 0.08
"""By how much the share that is learned from may differ from what is said of it."""
_ANY = "\0any"
"""Stands for a class that every file has."""
FARTHEST_FROM_LEARNING: dict[Split, int] = {"train": 0, "valid": 1, "test": 2}
"""The highest for the side that learning never sees."""


def plan_split(
    report: ScanReport,
    *,
    split_by: str = "auto",
    seed: int = 0,
    existing: Mapping[str, Split] | None = None,
) -> SplitPlan:
    """Deal the labelled files of `report` out to train, valid and test; the same input gives the same plan.

    60/20/20, class by class (files of several classes: for each of these, the rarest first), in whole groups. What
    makes a group: nothing ("auto", "recording": each file on its own), the folder below the class folder ("folder":
    the same session in two classes is one group) or the first group of a regular expression in the file name
    ("pattern:REGEX"). Copies of one file always share a split.
    Ready-made train/valid/test folders are kept as they are; where there is `train` and one other, that other is
    the test and a fifth of `train` becomes valid. They are set aside only if groups that were asked for straddle
    them. Copies with different labels go to train, so that no score hangs on them. `existing` splits (by path)
    stay; new files go where a split is short. Raises HandlensError for a `split_by` that cannot be followed.
    """
    files = sorted((file for file in report.files if file.labelled), key=lambda file: file.path)
    base = base_groups(files, split_by)
    groups = joined(base, files)
    sides = _ready_sides(files)
    asked_for = split_by not in {"auto", "recording"}
    set_aside = asked_for and any(len(held) > 1 for held in _splits_in(groups, sides).values())
    if set_aside:
        sides = {}
    known = {path: split for path, split in (existing or {}).items() if path in groups}
    groups, settled = _settle_existing(groups, base, files, known)
    for name, side in _settle_ready(groups, sides, files).items():
        settled.setdefault(name, side)
    if not sides:
        for name in _conflicting_groups(groups, files, settled):
            settled.setdefault(name, "train")
    splits = _dealt(report, files, groups, settled, sides, seed=seed)
    why = _why(report, split_by, sides, files, base=base, set_aside=set_aside, splits=splits)
    return SplitPlan(split_by=split_by, splits=splits, groups=groups, why=why)


def _dealt(
    report: ScanReport,
    files: Sequence[FoundFile],
    groups: Mapping[str, str],
    settled: Mapping[str, Split],
    sides: Mapping[str, Split],
    *,
    seed: int,
) -> dict[str, Split]:
    counted = _counted(files, groups, report.cut)
    if not sides:
        dealt = assign_groups(counted, shares=SHARES, seed=seed, settled=settled)
    else:  # only what lies in a ready-made train folder is still to be divided
        outside = {name: split for name, split in settled.items() if split == "test"}
        inside = [group for group in counted if group.name not in outside]
        dealt = outside | assign_groups(inside, shares=CARVED, seed=seed, settled=settled)
    return {path: dealt[group] for path, group in groups.items()}


def _ready_sides(files: Sequence[FoundFile]) -> dict[str, Split]:
    """The split that ready-made folders ask for, by path; empty where they bring none."""
    asked = {file.path: READY_SPLITS[file.ready_split] for file in files if file.ready_split in READY_SPLITS}
    roles = set(asked.values())
    if "train" not in roles or len(roles) < 2:
        return {}
    if roles == {"train", "valid"}:
        return {path: "test" if split == "valid" else split for path, split in asked.items()}
    return asked


def _settle_ready(
    groups: Mapping[str, str], sides: Mapping[str, Split], files: Sequence[FoundFile]
) -> dict[str, Split]:
    """Groups whose split the folder decides. Copies on two sides leave the one that learns from them."""
    if not sides:
        return {}
    brings_valid = "valid" in sides.values()
    conflicting = {groups[path] for path in _conflicting_paths(files)}
    settled: dict[str, Split] = {}
    for name, held in _splits_in(groups, sides).items():
        straddles = len(held) > 1
        side = "train" if straddles and name in conflicting else max(held, key=FARTHEST_FROM_LEARNING.__getitem__)
        if side != "train" or brings_valid or (straddles and name in conflicting):
            settled[name] = side
    return settled


def _settle_existing(
    groups: dict[str, str], base: Mapping[str, str], files: Sequence[FoundFile], known: Mapping[str, Split]
) -> tuple[dict[str, str], dict[str, Split]]:
    """Groups that already have a split.

    A new copy can tie together groups that lie in different splits. Those stay apart; the copies alone come
    together, on the side that is tested.
    """
    held = _splits_in(groups, known)
    torn = {path for path, group in groups.items() if len(held.get(group, ())) > 1}
    groups = {path: base[path] if path in torn else group for path, group in groups.items()}
    held = _splits_in(groups, known)
    groups = {path: path if len(held.get(group, ())) > 1 else group for path, group in groups.items()}
    settled = {group: next(iter(splits)) for group, splits in _splits_in(groups, known).items()}
    copies: dict[str, list[str]] = defaultdict(list)
    for file in files:
        if file.path in torn:
            copies[file.digest].append(file.path)
    for paths in copies.values():
        leader = max(sorted(paths), key=lambda path: FARTHEST_FROM_LEARNING[known[path]] if path in known else -1)
        groups.update(dict.fromkeys(paths, groups[leader]))
    return groups, settled


def _conflicting_paths(files: Iterable[FoundFile]) -> list[str]:
    """Files whose copies stand in another class."""
    labels: dict[str, set[str]] = defaultdict(set)
    listed = list(files)
    for file in listed:
        labels[file.digest].add("\0".join(file.class_names))
    return [file.path for file in listed if len(labels[file.digest]) > 1]


def _conflicting_groups(
    groups: Mapping[str, str], files: Sequence[FoundFile], settled: Mapping[str, Split]
) -> list[str]:
    """Free groups with contradicting copies, the smallest first, as long as enough is left to test with."""
    sizes = {name: len(paths) for name, paths in members(groups).items()}
    found = {groups[path] for path in _conflicting_paths(files)} - settled.keys()
    chosen, held = [], 0
    for name in sorted(found, key=lambda name: (sizes[name], name)):
        held += sizes[name]
        if held > _CONFLICTING_CAP * len(files):
            break
        chosen.append(name)
    return chosen


def _splits_in(groups: Mapping[str, str], splits: Mapping[str, Split]) -> dict[str, set[Split]]:
    """The splits that the files of each group have; groups without any are left out."""
    held: dict[str, set[Split]] = defaultdict(set)
    for path, group in groups.items():
        if path in splits:
            held[group].add(splits[path])
    return dict(held)


def _counted(files: Sequence[FoundFile], groups: Mapping[str, str], cut: Cut | None) -> list[Group]:
    windows: Counter[str] = Counter()
    if cut is not None:
        for file in files:
            windows[groups[file.path]] += len(pieces_of(file, cut)) or int(not isinstance(cut, Windowing))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for file in files:
        # Those that show none of the classes are dealt out as evenly as a class.
        counts[groups[file.path]].update(file.class_names or ("",))
    overlapping = {groups[file.path] for file in files if len(file.class_names) > 1}
    if overlapping:
        # Else one split could have its share of every class in few files of many classes.
        for file in files:
            counts[groups[file.path]][_ANY] += 1
    return [
        Group(name=name, counts=counts[name], overlapping=name in overlapping, windows=windows[name])
        for name in sorted(counts)
    ]


def _why(
    report: ScanReport,
    split_by: str,
    sides: Mapping[str, Split],
    files: Sequence[FoundFile],
    *,
    base: Mapping[str, str],
    set_aside: bool,
    splits: Mapping[str, Split],
) -> Message:
    many = files_of(report.kind)
    if not files:
        return msg("None of the {files} has a label yet, so there is nothing to split.", files=many)
    if sides:
        by_folder = all(
            file.ready_split is None or READY_SPLITS[file.ready_split] in map(split_of_folder, file.path.split("/"))
            for file in files
        )
        by_table = report.labels is not None and not by_folder
        return _why_ready(sides, files, by_table=by_table, many=many)
    grouped = any(group != path for path, group in base.items())
    why = _why_grouped(split_by, files, grouped=grouped, many=many) or _shares_told(splits, many)
    if set_aside:
        return msg(
            "{first} {second}",
            first=why,
            second=msg("The folder's own split is not used, because it would separate them."),
        )
    if report.duplicates:
        return msg("{first} {second}", first=why, second=msg("Copies of a file always stay together."))
    return why


def _why_grouped(split_by: str, files: Sequence[FoundFile], *, grouped: bool, many: Message) -> Message | None:
    """What stays together; None where every file is on its own."""
    if split_by == "folder" and grouped:
        return msg("{files:capital} from one folder stay together, so the test is honest.", files=many)
    if split_by == "folder":
        return msg("The class folders contain no folders, so each file was placed on its own.")
    if split_by in {"auto", "recording"} and any(file.group is not None for file in files):
        return msg(
            "{files:capital} that the table puts into one group stay together, so the test is honest.", files=many
        )
    if split_by.startswith("pattern:"):
        return msg("{files:capital} whose names share the same part stay together, so the test is honest.", files=many)
    return None


def _shares_told(splits: Mapping[str, Split], many: Message) -> Message:
    """The shares that were wanted, or the numbers where there are too few for these."""
    held = Counter(splits.values())
    if abs(held["train"] / len(splits) - SHARES["train"]) <= _ABOUT:
        return msg(
            "In every class 60 % of the {files} are for training, 20 % for validation and 20 % for the test.",
            files=many,
        )
    return msg(
        "There are too few {files} to split them 60, 20 and 20 %. Instead {train} of {total} are for training, {valid} "
        "for validation and {test} for the test.",
        total=len(splits),
        files=many,
        train=held["train"],
        valid=held["valid"],
        test=held["test"],
    )


def _why_ready(sides: Mapping[str, Split], files: Sequence[FoundFile], *, by_table: bool, many: Message) -> Message:
    if "valid" in sides.values():
        why = _ready_kept(many, by_table=by_table)
    else:
        others = {file.ready_split for file in files if file.ready_split and READY_SPLITS[file.ready_split] != "train"}
        why = _ready_carved(sorted(others), by_table=by_table)
    by_digest: dict[str, set[Split]] = defaultdict(set)
    for file in files:
        if file.path in sides:
            by_digest[file.digest].add(sides[file.path])
    if any(len(held) > 1 for held in by_digest.values()):
        return msg("{first} {second}", first=why, second=msg("Files that are on both sides are not used for training."))
    return why


def _ready_kept(many: Message, *, by_table: bool) -> Message:
    if by_table:
        return msg("The table splits the {files} into training, validation and test. This split is kept.", files=many)
    return msg("The folder is already split into training, validation and test. This split is kept.")


def _ready_carved(test: Sequence[str], *, by_table: bool) -> Message:
    names = tuple(msg("“{name}”", name=name) for name in test)
    if by_table:
        return msg("The table has a test of its own, {names}. A fifth of the rest is for validation.", names=names)
    return msg("The folder has a test of its own, {names}. A fifth of the rest is for validation.", names=names)
