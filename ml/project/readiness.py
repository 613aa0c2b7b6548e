"""How many labels are missing before the first training of a project that began without any."""

from __future__ import annotations

from collections.abc import Mapping

from ml.core.messages import Message, msg, nmsg

LEAST = 3
"""Labels of a class: one each for training, validation and test."""


def missing_labels(counts: Mapping[str, int]) -> Message | None:
    """Say how many labels are missing, by the labels of each class so far; None where training can begin."""
    best = sorted(((count, name) for name, count in counts.items() if count), reverse=True)[:2]
    short = [(LEAST - count, name) for count, name in best if count < LEAST]
    if len(best) == 2 and not short:
        return None
    if not best:
        return msg("Training needs two classes with {least} labels each. There are none yet.", least=LEAST)
    if len(best) == 1 and not short:
        return msg("Training needs {least} labels of a second class.", least=LEAST)
    missing, name = short[0]
    if len(best) == 1:
        return nmsg(
            "Training needs {count} more label of “{name}” and {least} of a second class.",
            "Training needs {count} more labels of “{name}” and {least} of a second class.",
            missing,
            name=name,
            least=LEAST,
        )
    if len(short) == 1:
        return nmsg(
            "Training needs {count} more label of “{name}”.",
            "Training needs {count} more labels of “{name}”.",
            missing,
            name=name,
        )
    return nmsg(
        "Training needs {count} more label of “{name}” and {other} of “{second}”.",
        "Training needs {count} more labels of “{name}” and {other} of “{second}”.",
        missing,
        name=name,
        other=short[1][0],
        second=short[1][1],
    )
