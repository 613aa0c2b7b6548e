"""Test a model on a folder with class folders: the folder that a file lies in is its label."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import between, listed
from ml.core.printable import printable
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, UnreadableInput
from ml.scoring.metrics import wilson_interval

_MOST_FOLDERS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderTest:
    """How a model did on `files`. `confusions`: label, prediction ("" for none of the classes) and how often."""

    files: int
    right: int
    accepted: int
    accepted_right: int
    wrong: frozenset[Path]
    confusions: tuple[tuple[str, str, int], ...]


def class_folders(folder: Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of which a folder has sub-folders with their names, whatever their case."""
    known = {name.casefold(): name for name in classes}
    found: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _MOST_FOLDERS:
                    break
                name = known.get(entry.name.casefold())
                if name is not None and entry.is_dir(follow_symlinks=False):
                    found.append(name)
    except OSError:
        return ()
    return tuple(sorted(found))


def score_folder(folder: Path, answers: Iterable[FilePrediction | UnreadableInput], info: ModelInfo) -> FolderTest:
    """Compare the answers to files in class folders below `folder` with their folders. Other files do not count."""
    known = {name.casefold(): place for place, name in enumerate(info.classes)}
    files = right = accepted = accepted_right = 0
    wrong: list[Path] = []
    confusions: Counter[tuple[str, str]] = Counter()
    for each in answers:
        if isinstance(each, UnreadableInput) or not each.path.is_relative_to(folder):
            continue
        parts = each.path.relative_to(folder).parts
        label = known.get(parts[0].casefold()) if len(parts) > 1 else None
        if label is None:
            continue
        predicted = info.predicted(each.probabilities)
        good = label in predicted
        files, right = files + 1, right + good
        if each.decision == "accept":
            accepted, accepted_right = accepted + 1, accepted_right + good
        if not good:
            wrong.append(each.path)
            shown = max(predicted, key=lambda place: float(each.probabilities[place])) if predicted else None
            confusions[info.classes[label], "" if shown is None else info.classes[shown]] += 1
    ordered = tuple((label, shown, count) for (label, shown), count in confusions.most_common())
    return FolderTest(
        files=files,
        right=right,
        accepted=accepted,
        accepted_right=accepted_right,
        wrong=frozenset(wrong),
        confusions=ordered,
    )


def folder_test_sentence(test: FolderTest) -> Message:
    """Say how the model did."""
    return nmsg(
        "Test: {right} of {count} file is right, which means {between} for new ones. Accepted: {good} of {accepted}.",
        "Test: {right} of {count} files are right, which means {between} for new ones. Accepted: {good} of {accepted}.",
        test.files,
        right=test.right,
        between=between(wilson_interval(test.right, test.files)),
        good=test.accepted_right,
        accepted=test.accepted,
    )


def confusion_sentence(test: FolderTest) -> Message | None:
    """Name the most frequent mistakes; None where there is none."""
    if not test.confusions:
        return None
    words = [
        msg("{label} as {shown} ({count})", label=printable(label), shown=printable(shown), count=str(count))
        if shown
        else msg("{label} as none of the classes ({count})", label=printable(label), count=str(count))
        for label, shown, count in test.confusions[:3]
    ]
    return msg("Most often wrong: {mistakes}.", mistakes=listed(words))
