"""Say what it costs to set uncertain answers aside."""

from __future__ import annotations

from ml.core.events import Accepting
from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import counted, counted_files, of_hundred, things
from ml.core.types import KindName


def accepting_sentence(acceptance: Accepting, kind: KindName) -> Message:
    """What it costs to keep to a wanted share of wrong answers."""
    rule = msg(
        "Answers that are not certain enough are set aside, so that at most {rate} accepted answers are wrong.",
        rate=of_hundred(acceptance.wrong_at_most),
    )
    result = nmsg(
        "In the test, {rejected} of {samples} were set aside. {count} of the {accepted} accepted answers is wrong.",
        "In the test, {rejected} of {samples} were set aside. {count} of the {accepted} accepted answers are wrong.",
        acceptance.wrong,
        rejected=acceptance.rejected,
        samples=counted(acceptance.accepted + acceptance.rejected, kind),
        accepted=acceptance.accepted,
    )
    if acceptance.promised:
        end = msg("The validation {things} guarantee this with 95 % confidence.", things=things(kind))
    else:
        # Windows of one recording are right or wrong together.
        end = msg(
            "With 95 % confidence, at most {rate} are. This is not guaranteed: a guarantee needs at least {files} for "
            "validation without a single error, or more with few errors.",
            rate=of_hundred(acceptance.error_at_most),
            files=counted_files(acceptance.needed, kind),
        )
    return msg("{rule} {result} {end}", rule=rule, result=result, end=end)
