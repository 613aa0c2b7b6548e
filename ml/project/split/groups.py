"""Which files belong together, so that no split may separate them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.scan_report import FoundFile
from ml.project.scan.layout import class_depth, folders_inside

_PATTERN = "pattern:"


def base_groups(files: Sequence[FoundFile], split_by: str) -> dict[str, str]:
    """The group of each file by its path, copies of one file not yet considered. A file on its own has its path.

    The groups that a table brings, such as folds, hold unless the folder or a pattern was asked for.

    Raises HandlensError if `split_by` is unknown or its pattern cannot group these files.
    """
    if split_by in {"auto", "recording"}:
        return {file.path: file.group or file.path for file in files}
    if split_by == "folder":
        return _by_folder(files)
    if split_by.startswith(_PATTERN):
        return _by_pattern(files, split_by.removeprefix(_PATTERN))
    raise HandlensError(
        msg("“{name}” is not a way to split. Use auto, folder, recording or pattern:REGEX.", name=split_by)
    )


def joined(groups: Mapping[str, str], files: Sequence[FoundFile]) -> dict[str, str]:
    """`groups` with those that share a copy of the same file made one, named after its first member."""
    leader: dict[str, str] = {}

    def find(group: str) -> str:
        while leader.setdefault(group, group) != group:
            leader[group] = leader[leader[group]]
            group = leader[group]
        return group

    first_with: dict[str, str] = {}
    for file in files:
        mine, other = find(groups[file.path]), find(first_with.setdefault(file.digest, groups[file.path]))
        leader[max(mine, other)] = min(mine, other)
    return {path: find(group) for path, group in groups.items()}


def _by_folder(files: Sequence[FoundFile]) -> dict[str, str]:
    depth = class_depth([(file.path, file.class_name) for file in files if file.ready_split is None])
    groups = {}
    for file in files:
        if file.from_table:
            folder = file.path.rpartition("/")[0]
            groups[file.path] = f"{folder}/" if folder else file.path
            continue
        inner = folders_inside(file.path, file.class_name, ready=file.ready_split is not None, depth=depth)
        groups[file.path] = "/".join(inner) + "/" if inner else file.path
    return groups


def _by_pattern(files: Sequence[FoundFile], pattern: str) -> dict[str, str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise HandlensError(
            msg("The pattern “{pattern}” is not a regular expression: {reason}.", pattern=pattern, reason=error.msg)
        ) from error
    if compiled.groups < 1:
        raise HandlensError(
            msg(
                "The pattern “{pattern}” has no group. Put brackets around the part that names the group.",
                pattern=pattern,
            )
        )
    groups, example = {}, ""
    for file in files:
        name = PurePosixPath(file.path).name
        found = compiled.search(name)
        if found and found.group(1):
            groups[file.path] = f"{found.group(1)}:"
        else:
            example = min(example or name, name)
    if len(groups) < len(files) / 2:
        raise HandlensError(
            msg(
                "The pattern “{pattern}” fits {fitting} of {total} file names, but not “{example}”. Change it so that "
                "it fits all of them.",
                pattern=pattern,
                fitting=len(groups),
                total=len(files),
                example=example,
            )
        )
    if len(files) > 1 and len(groups) == len(files) and len(set(groups.values())) == 1:
        raise HandlensError(
            msg(
                "The pattern “{pattern}” puts every file into one group, so nothing is left for the test. Choose "
                "another pattern.",
                pattern=pattern,
            )
        )
    return {file.path: groups.get(file.path, file.path) for file in files}


def members(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """The paths of each group."""
    result: dict[str, list[str]] = defaultdict(list)
    for path in sorted(groups):
        result[groups[path]].append(path)
    return dict(result)
