"""The sentence of a multi-label model card that says from when on a class counts as present."""

from __future__ import annotations

from ml.core.messages import Message, english

TABLE = "| class |"
"""How the table begins that stands below the sentence, whatever version of Handlens wrote the card."""


def with_rule(card: str, rule: Message) -> str:
    """The card with another rule, in English."""
    lines = card.split("\n")
    table = next((number for number, line in enumerate(lines) if line.startswith(TABLE)), 0)
    if table < 2:  # no sample was left to judge by, so the card has no table
        return card
    return "\n".join([*lines[: table - 2], english(rule), *lines[table - 1 :]])
