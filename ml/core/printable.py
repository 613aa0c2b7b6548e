r"""Names as plain text: control and bidirectional characters are shown as `\x1b` or `\u202e` and never obeyed."""

from __future__ import annotations

import re

# C0 and C1 controls; marks that turn the reading order (UAX 9) or end a line; halves of surrogate pairs, which stand
# for the bytes of undecodable file names and cannot be written as UTF-8.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(r"[\\<\[|]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, *, keep: str = "") -> str:
    r"""Return `text` with each such character escaped as in Python, except those in `keep`: "\n" in a paragraph."""
    return _OBEYED.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def printable_json(written: str) -> str:
    r"""Return one line of JSON with such characters inside its strings written as `\u202e`: it reads back the same."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def markdown(text: str) -> str:
    """Return `text` for a line of Markdown in which it cannot become HTML, a link, an image or a cell of a table."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text))


def _escaped(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
