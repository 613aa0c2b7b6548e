"""Count the votes where several people labelled the same files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ml.core.messages import msg
from ml.core.phrases import percent
from ml.project.labelfiles.types import FileLabels, MatchedTable, Problem, Problems

Ballots = Mapping[str, Sequence[frozenset[str]]]
"""By path: the classes that each person gave."""

_SLIPS = 0.05
"""Up to this share of the ballots, two classes by one person are a change of mind: the last one counts."""


def votes_of(matched: Sequence[MatchedTable]) -> Ballots:
    """The ballots of files that several people labelled as a whole; empty where nothing says so.

    A column of people says so, or rows that come again and again: a table of several classes lists each once.
    """
    named: dict[str, dict[str, list[tuple[str, ...]]]] = defaultdict(lambda: defaultdict(list))
    anonymous: dict[str, list[frozenset[str]]] = defaultdict(list)
    repeated: set[str] = set()
    for result in matched:
        for match in result.matches:
            row = match.row
            if row.start is not None or not row.classes:
                continue
            for person, classes in row.ballots:
                named[match.path][person].append(classes)
            if row.ballots:
                continue
            if row.annotator is not None:
                named[match.path][row.annotator].append(row.classes)
            elif result.table.schema.annotator is None:
                count = result.again.get(row, 1)
                anonymous[match.path] += [frozenset(row.classes)] * count
                repeated |= {match.path} if count > 1 else set()
    if any(len(people) > 1 for people in named.values()):
        return _by_person(named)
    several = [path for path, ballots in anonymous.items() if len(ballots) > 1]
    torn = any(len(set(anonymous[path])) > 1 for path in several)
    return {path: anonymous[path] for path in several} if torn and len(repeated) > len(several) / 2 else {}


def _by_person(named: Mapping[str, Mapping[str, list[tuple[str, ...]]]]) -> Ballots:
    ballots = [rows for people in named.values() for rows in people.values()]
    minds_changed = sum(len(rows) > 1 for rows in ballots) <= _SLIPS * len(ballots)
    return {
        path: [
            frozenset(rows[-1] if minds_changed else (name for row in rows for name in row)) for rows in people.values()
        ]
        for path, people in named.items()
    }


def count_votes(by_path: Mapping[str, FileLabels], votes: Ballots, problems: Problems) -> None:
    """Give each file what most people gave it. Files without a majority get no class; both are added to `problems`."""
    several = any(len(ballot) > 1 for ballots in votes.values() for ballot in ballots)
    disagreed: list[str] = []
    agreeing = cast = judged = 0
    for path, ballots in votes.items():
        winner = _majority(ballots) if several else _most(ballots)
        by_path[path].classes = dict.fromkeys(sorted(winner))
        by_path[path].torn = not winner
        if len(ballots) < 2:
            continue
        judged += 1
        cast += len(ballots)
        agreeing += sum(ballot == winner for ballot in ballots)
        if len(set(ballots)) > 1:
            disagreed.append(path)
        if not winner:
            names = tuple(sorted({name for ballot in ballots for name in ballot}))
            example = msg("{file} ({classes})", file=path, classes=names)
            problems.add(Problem(kind="torn", example=example, path=path))
    share = msg("{share} of their answers agree with it", share=percent(agreeing / max(1, cast)))
    for path in disagreed:
        problems.add(Problem(kind="disagreed", example=share, path=path, total=judged))


def _most(ballots: Sequence[frozenset[str]]) -> frozenset[str]:
    """The class with most votes, empty where two have as many."""
    ranked = Counter(ballots).most_common(2)
    return frozenset() if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def _majority(ballots: Sequence[frozenset[str]]) -> frozenset[str]:
    """Of several classes in a file: each that more than half of the people gave."""
    often = Counter(name for ballot in ballots for name in ballot)
    return frozenset(name for name, count in often.items() if 2 * count > len(ballots))
