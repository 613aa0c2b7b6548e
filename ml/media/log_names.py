"""Which column of a log is which: by the names where there are any, by the order only where there are none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ml.errors import UnreadableError

_NUMBERED = re.compile(r"^column \d+( \(\d+\))?$")
"""What columns are called to which the file gives no name."""
_MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """A column that is not learned from, and the reason: "is empty"."""

    name: str
    reason: str

    @property
    def why(self) -> str:
        return f"The column “{self.name}” {self.reason}, so it is left out."


def nameless(columns: Sequence[str]) -> bool:
    return all(map(_NUMBERED.match, columns))


def place_of(name: str, columns: Sequence[str]) -> int | None:
    """Where the column of that name stands, however it is spelt (Acc_X, acc x); None where there is none or two."""
    return places_of([name], columns)[0]


def places_of(names: Iterable[str], columns: Sequence[str]) -> list[int | None]:
    """The same of many names: logs may have a thousand columns."""
    exactly = {name: place for place, name in reversed(list(enumerate(columns)))}
    alike: dict[str, int | None] = {}
    for place, column in enumerate(columns):
        spelt = spelt_alike(column)
        alike[spelt] = None if spelt in alike else place
    return [exactly[name] if name in exactly else alike.get(spelt_alike(name)) for name in names]


def spelt_alike(name: str) -> str:
    """What names of one column have in common."""
    return " ".join(name.casefold().replace("_", " ").split())


def fitting_columns(have: Sequence[str], wanted: Sequence[str], left_out: Sequence[LeftOut] = ()) -> tuple[int, ...]:
    """Where each wanted column stands among those of a log: by name, or by place where one of the two has no names.

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
                f"The column “{item.name}” {item.reason} in this log and not in the others; "
                "mend it or leave the log out."
            )
    if nameless(have) or nameless(wanted):
        if len(have) == len(wanted):
            return tuple(range(len(wanted)))
        raise UnreadableError(
            f"The log has {counted_columns(len(have))} of numbers, the others have {len(wanted)}; "
            "give all logs the same columns."
        )
    others = [name for name, place in zip(have, places_of(have, wanted), strict=True) if place is None]
    instead = f" but {quoted(others)}" if others else ""
    what = "column" if len(missing) == 1 else "columns"
    raise UnreadableError(
        f"The log has no {what} {quoted(missing)} like the others{instead}; give a column the same name in all logs."
    )


def quoted(names: Sequence[str]) -> str:
    """ "“x”, “y” and “z”"; of many names the first."""
    shown = [f"“{name}”" for name in names[:_MOST_NAMED]]
    if len(names) > _MOST_NAMED:
        shown.append(f"{len(names) - _MOST_NAMED:,} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def counted_columns(columns: int) -> str:
    return "1 column" if columns == 1 else f"{columns:,} columns"
