"""What the last merge wrote, as a value of the table `meta`, so that it can be taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ml.core.untrusted import LONGEST_PATH, list_in, parse_json, table_in, text_in, whole_in

KEY = "last_merge"
"""Of the table `meta`. Versions that do not know it leave it as it is."""
_MOST_ROWS = 2**62
_MOST_CLASSES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeRecord:
    """What the last merge wrote: rows `first` to `last` of the history of labels, and those of the remarks."""

    copy: str
    first: int
    last: int
    first_remark: int
    last_remark: int
    classes: tuple[int, ...]
    """The indices of the classes that came with it."""


def record_in(text: str) -> MergeRecord | None:
    """Return what `record_text` wrote; None for no merge. Raises ValueError for other values."""
    if not text:
        return None
    entry = table_in(parse_json(text), KEY)
    numbers = {
        name: whole_in(entry.get(name), f"{KEY}.{name}", 0, _MOST_ROWS)
        for name in ("first", "last", "first_remark", "last_remark")
    }
    classes = [
        whole_in(each, f"{KEY}.classes", 0, _MOST_CLASSES)
        for each in list_in(entry.get("classes"), f"{KEY}.classes", most=_MOST_CLASSES)
    ]
    return MergeRecord(
        copy=text_in(entry.get("copy"), f"{KEY}.copy", longest=LONGEST_PATH), classes=tuple(classes), **numbers
    )


def record_text(record: MergeRecord | None) -> str:
    """Return the value of the table `meta`."""
    if record is None:
        return ""
    numbers = {name: getattr(record, name) for name in ("first", "last", "first_remark", "last_remark")}
    return json.dumps({"copy": record.copy, **numbers, "classes": list(record.classes)}, ensure_ascii=False)
