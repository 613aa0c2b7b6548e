"""Sentences about the logs of a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ml.core.messages import Message, msg, nmsg
from ml.core.phrases import percent
from ml.core.types import Clock
from ml.media.logs.columns import MissingValues
from ml.media.logs.log import LogFacts
from ml.media.logs.names import nameless, places_of, quoted

ROWS_A_SECOND = msg("how many rows make a second")
"""What the user may enter; the wizard and the command line add where."""
_HANDFUL = 5
_RARE = 1e-3
"""Fewer cells that are no numbers, or a smaller share of a column, are not worth a sentence."""
_MOSTLY = 0.5
_MOST_LEFT_OUT = 12


def notes_on(
    facts: Mapping[str, LogFacts],
    *,
    columns: tuple[str, ...],
    clocks: tuple[str, ...],
    clock: Clock,
    rate: float | None,
) -> tuple[Message, ...]:
    """Describe logs of which `columns` are used and `clocks` are left out as clocks."""
    found = [_rate_note(facts, clock, rate), *_clock_notes(clocks, clock), *_left_out_notes(facts)]
    found += [*_name_notes(facts, (*columns, *clocks)), *_word_notes(facts, columns), *_gap_notes(facts, columns)]
    return (*found, *_pause_notes(facts))


def _name_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[Message]:
    """Columns that only some logs have, and logs without column names."""
    if nameless(columns):
        return []
    notes: list[Message] = []
    named = [log.columns for log in facts.values() if not nameless(log.columns)]
    spoken_of = {item.name for log in facts.values() for item in log.left_out}
    often = Counter(
        name for names in named for name, place in zip(names, places_of(names, columns), strict=True) if place is None
    )
    some = {name: count for name, count in often.most_common() if count < len(facts) and name not in spoken_of}
    if len(some) == 1:
        ((name, count),) = some.items()
        notes.append(
            nmsg(
                "Only {count} of {total} logs has numbers in a column “{name}”, so it is left out. To use it, give "
                "the column the same name in all logs.",
                "Only {count} of {total} logs have numbers in a column “{name}”, so it is left out. To use it, give "
                "the column the same name in all logs.",
                count,
                total=len(facts),
                name=name,
            )
        )
    elif some:
        notes.append(
            msg(
                "Not all logs have numbers in the columns {names}, so these are left out. To use a column, give it the "
                "same name in all logs.",
                names=quoted(list(some)),
            )
        )
    without = len(facts) - len(named)
    if without:
        notes.append(
            nmsg(
                "{count} log does not name its columns. They are taken in the order of the other logs.",
                "{count} logs do not name their columns. They are taken in the order of the other logs.",
                without,
            )
        )
    return notes


def _word_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[Message]:
    """Columns with more than a handful of cells that could not be read as numbers."""
    notes: list[Message] = []
    for name, everywhere in _missing(facts, columns).items():
        found = [item for item in everywhere if item.words]
        words, cells = sum(item.words for item in found), sum(item.cells for item in everywhere)
        if words > _HANDFUL and words > _RARE * cells:
            note = nmsg(
                "In the column “{name}” {count} of {cells} cells is not a number, for example “{example}”. It is "
                "filled in from its neighbours.",
                "In the column “{name}” {count} of {cells} cells are not numbers, for example “{example}”. They are "
                "filled in from their neighbours.",
                words,
                name=name,
                cells=cells,
                example=found[0].example,
            )
            notes.append(_of_logs(note, len(found), len(facts)))
    return notes


def _gap_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[Message]:
    """Columns with more interpolated than measured values."""
    notes: list[Message] = []
    for name, everywhere in _missing(facts, columns).items():
        found = [item for item in everywhere if item.empty > _MOSTLY * item.cells]
        if found:
            share = sum(item.empty for item in found) / sum(item.cells for item in found)
            note = msg(
                "The column “{name}” is mostly gaps: {share} of its cells are empty. They are filled in with straight "
                "lines between the others.",
                name=name,
                share=percent(share),
            )
            notes.append(_of_logs(note, len(found), len(facts)))
    return notes


def _pause_notes(facts: Mapping[str, LogFacts]) -> list[Message]:
    count = sum(bool(found.by_row.cuts) for found in facts.values())
    if not count:
        return []
    if count == len(facts):
        first = msg("All logs have long pauses and are cut there.")
    else:
        first = nmsg(
            "{count} of {total} logs has long pauses and is cut there.",
            "{count} of {total} logs have long pauses and are cut there.",
            count,
            total=len(facts),
        )
    second = msg("No window spans a pause. Times count from the first row of a log, pauses included.")
    return [msg("{first} {second}", first=first, second=second)]


def _of_logs(note: Message, count: int, total: int) -> Message:
    """The note, and how many logs it is about where these are not all."""
    if count == total:
        return note
    second = nmsg("This concerns {n} of {count} log.", "This concerns {n} of {count} logs.", total, n=count)
    return msg("{first} {second}", first=note, second=second)


def _missing(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> dict[str, list[MissingValues]]:
    """The missing values of each column, of every log that has it."""
    found: dict[str, list[MissingValues]] = {name: [] for name in columns}
    for log in facts.values():
        for name, place in zip(columns, places_of(columns, log.columns), strict=True):
            if place is not None:
                found[name].append(log.missing[place])
    return found


def _rate_note(facts: Mapping[str, LogFacts], clock: Clock, rate: float | None) -> Message:
    if clock == "none" or rate is None:
        return msg(
            "No column says when the rows were measured, so lengths are counted in rows. If you know {rows_a_second}, "
            "enter it.",
            rows_a_second=ROWS_A_SECOND,
        )
    often = (
        msg("{rate:,.6g} rows per second", rate=rate)
        if rate >= 1
        else msg("one row every {seconds:,.4g} s", seconds=1 / rate)
    )
    if clock == "asked":
        return msg("The rate of the logs, as you entered it: {rate}.", rate=often)
    names = Counter(found.time_column for found in facts.values() if found.time_column)
    column = names.most_common(1)[0][0] if names else "time"
    return msg("The rate of the logs, by the column “{column}”: {rate}.", column=column, rate=often)


def _clock_notes(columns: tuple[str, ...], clock: Clock) -> list[Message]:
    """Columns that increase evenly in all logs; where there is no time column, one of them may be it."""
    if clock == "none":
        return [
            msg(
                "The column “{name}” rises by the same steps in every log, like a clock or a counter, so it is left "
                "out. If it is the time, name it “time”.",
                name=name,
            )
            for name in columns
        ]
    return [
        msg(
            "The column “{name}” rises by the same steps in every log, like a clock or a counter, so it is left out.",
            name=name,
        )
        for name in columns
    ]


def _left_out_notes(facts: Mapping[str, LogFacts]) -> list[Message]:
    """One note for each column that is left out, with how many logs it concerns if not all."""
    notes: list[Message] = []
    often = Counter(item for found in facts.values() for item in found.left_out)
    elsewhere = {name for found in facts.values() for name in found.columns}
    for item, count in often.most_common(_MOST_LEFT_OUT):
        if count == len(facts) or item.name not in elsewhere:
            notes.append(_of_logs(item.why, count, len(facts)))
            continue
        second = nmsg(
            "Only {n} of {count} log is affected, but the column is left out of all.",
            "Only {n} of {count} logs are affected, but the column is left out of all.",
            len(facts),
            n=count,
        )
        notes.append(msg("{first} {second}", first=item.why, second=second))
    return notes
