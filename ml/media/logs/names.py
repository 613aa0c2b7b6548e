"""Match the columns of logs: by name, or by order where a log has no names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import listed
from ml.tables.names import fold_name

_NUMBERED = re.compile(r"^column \d+( \(\d+\))?$")
"""Generated names of columns that have none in the file."""
_MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A column that is not used, and the reason as a clause: “it is empty”."""

    name: str
    reason: Message

    @property
    def why(self) -> Message:
        return msg("The column “{name}” is left out: {reason}.", name=self.name, reason=self.reason)


def nameless(columns: Sequence[str]) -> bool:
    return all(map(_NUMBERED.match, columns))


def place_of(name: str, columns: Sequence[str]) -> int | None:
    """The place of the column of that name, however it is spelt (Acc_X, acc x); None where there is none or two."""
    return places_of([name], columns)[0]


def places_of(names: Iterable[str], columns: Sequence[str]) -> list[int | None]:
    """The place of each name, in time linear in the columns: logs may have a thousand."""
    exactly = {name: place for place, name in reversed(list(enumerate(columns)))}
    alike: dict[str, int | None] = {}
    for place, column in enumerate(columns):
        spelt = fold_name(column)
        alike[spelt] = None if spelt in alike else place
    return [exactly[name] if name in exactly else alike.get(fold_name(name)) for name in names]


def fitting_columns(have: Sequence[str], wanted: Sequence[str], left_out: Sequence[LeftOut] = ()) -> tuple[int, ...]:
    """The place of each wanted column in a log: by name, or by order where one of the two has no names.

    Other columns of the log do no harm; of those `left_out` nothing can be learned. Raises UnreadableError where a
    column is missing: one of another name may hold something else.
    """
    found = places_of(wanted, have)
    places = tuple(place for place in found if place is not None)
    if len(places) == len(wanted):
        return places
    missing = [name for name, place in zip(wanted, found, strict=True) if place is None]
    for item in left_out:
        if place_of(item.name, missing) is not None:
            raise UnreadableError(
                msg(
                    "The column “{name}” cannot be used in this log, unlike in the others: {reason}. "
                    "Fix the column or leave the log out.",
                    name=item.name,
                    reason=item.reason,
                )
            )
    if nameless(have) or nameless(wanted):
        if len(have) == len(wanted):
            return tuple(range(len(wanted)))
        raise UnreadableError(
            nmsg(
                "The log has {count} column of numbers, the others have {others}. Give all logs the same columns.",
                "The log has {count} columns of numbers, the others have {others}. Give all logs the same columns.",
                len(have),
                others=len(wanted),
            )
        )
    others = [name for name, place in zip(have, places_of(have, wanted), strict=True) if place is None]
    raise UnreadableError(_without(missing, others))


def _without(missing: Sequence[str], others: Sequence[str]) -> Message:
    """Report that a log lacks the columns `missing`, and has `others` that no other log has."""
    if not others:
        return nmsg(
            "The log lacks the column {names} that the others have. Give a column the same name in all logs.",
            "The log lacks the columns {names} that the others have. Give a column the same name in all logs.",
            len(missing),
            names=quoted(missing),
        )
    return nmsg(
        "The log lacks the column {names} that the others have; it has {instead}. "
        "Give a column the same name in all logs.",
        "The log lacks the columns {names} that the others have; it has {instead}. "
        "Give a column the same name in all logs.",
        len(missing),
        names=quoted(missing),
        instead=quoted(others),
    )


def quoted(names: Sequence[str]) -> Message:
    """ "“x”, “y” and “z”"; of many names the first."""
    return listed([msg("“{name}”", name=name) for name in names], most=_MOST_NAMED)


def counted_columns(columns: int) -> Message:
    return nmsg("{count} column", "{count} columns", columns)
