"""Names of columns, so that they compare however they are spelt."""

from __future__ import annotations

import re
import unicodedata

_WORD_ENDS = re.compile(
    r"(?<=[a-zμ])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z]{3})(?=\d)|(?<=\d)(?=[A-Za-z]{3})|[\W_]+"
)
"""Where a word ends inside a name: TimeUS, unix_ms, since1970."""


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: “Begin Time (s)”, “begin_time_s” and “beginTimeS” have the same.

    To recognise what a column holds. To tell columns of one table apart use `fold_name`: signs can make a difference.
    """
    return _WORD_ENDS.sub(" ", unicodedata.normalize("NFKC", name)).lower().split()


def fold_name(name: str) -> str:
    """The name without upper case, underscores and extra spaces, which make no difference between columns."""
    return " ".join(name.casefold().replace("_", " ").split())
