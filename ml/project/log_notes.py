"""What was found in the logs of a folder, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ml.media.log_columns import Holes
from ml.media.log_names import nameless, places_of, quoted
from ml.media.sensors import LogFacts
from ml.project.samples import Clock

ROWS_A_SECOND = "how many rows make a second"
"""What the user may be asked for; where it is said, the wizard and the command line know themselves."""
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
) -> tuple[str, ...]:
    """What to know of logs of which `columns` are learned from and `clocks` are left out as such."""
    found = [_rate_note(facts, clock, rate), *_clock_notes(clocks, clock), *_left_out_notes(facts)]
    found += [*_name_notes(facts, (*columns, *clocks)), *_word_notes(facts, columns), *_gap_notes(facts, columns)]
    return (*found, *_pause_notes(facts))


def _name_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[str]:
    """Columns that only some logs have, and logs that do not say what theirs are called."""
    if nameless(columns):
        return []
    notes = []
    named = [log.columns for log in facts.values() if not nameless(log.columns)]
    spoken_of = {item.name for log in facts.values() for item in log.left_out}
    often = Counter(
        name for names in named for name, place in zip(names, places_of(names, columns), strict=True) if place is None
    )
    some = {name: count for name, count in often.most_common() if count < len(facts) and name not in spoken_of}
    mend = "give a column the same name in all logs to learn from it"
    if len(some) == 1:
        ((name, count),) = some.items()
        has = "has" if count == 1 else "have"
        notes.append(
            f"Only {count:,} of {len(facts):,} logs {has} numbers in a column “{name}”, so it is left out; {mend}."
        )
    elif some:
        notes.append(f"Not all logs have numbers in the columns {quoted(list(some))}, so they are left out; {mend}.")
    without = len(facts) - len(named)
    if without:
        do = "log does not name its columns; they" if without == 1 else "logs do not name their columns; they"
        notes.append(f"{without:,} {do} are taken in the order of the others.")
    return notes


def _word_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[str]:
    """Columns with more than a handful of cells that could not be read as numbers."""
    notes = []
    for name, everywhere in _holes(facts, columns).items():
        found = [holes for holes in everywhere if holes.words]
        words, cells = sum(holes.words for holes in found), sum(holes.cells for holes in everywhere)
        if words > _HANDFUL and words > _RARE * cells:
            where = "" if len(found) == len(facts) else f" ({len(found):,} of {len(facts):,} logs)"
            notes.append(
                f"In the column “{name}” {words:,} of {cells:,} cells are not numbers, “{found[0].example}” for "
                f"example; they are filled in from their neighbours{where}."
            )
    return notes


def _gap_notes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> list[str]:
    """Columns of which more is guessed than was measured."""
    notes = []
    for name, everywhere in _holes(facts, columns).items():
        found = [holes for holes in everywhere if holes.missing > _MOSTLY * holes.cells]
        if found:
            share = sum(holes.missing for holes in found) / sum(holes.cells for holes in found)
            where = "" if len(found) == len(facts) else f" in {len(found):,} of {len(facts):,} logs"
            notes.append(
                f"The column “{name}” is mostly gaps{where}: {100 * share:.0f} % of its cells are empty, and straight "
                "lines between the others take their place."
            )
    return notes


def _pause_notes(facts: Mapping[str, LogFacts]) -> list[str]:
    count = sum(bool(found.cuts or found.raw_cuts) for found in facts.values())
    if not count:
        return []
    logs = "All logs pause" if count == len(facts) else f"{count:,} of {len(facts):,} logs pause"
    return [
        f"{logs} for long and are cut there: no window reaches over a pause, and times within these logs are counted "
        "without the pauses."
    ]


def _holes(facts: Mapping[str, LogFacts], columns: tuple[str, ...]) -> dict[str, list[Holes]]:
    """Those of each column, of every log that has it."""
    found: dict[str, list[Holes]] = {name: [] for name in columns}
    for log in facts.values():
        for name, place in zip(columns, places_of(columns, log.columns), strict=True):
            if place is not None:
                found[name].append(log.holes[place])
    return found


def _rate_note(facts: Mapping[str, LogFacts], clock: Clock, rate: float | None) -> str:
    if clock == "none" or rate is None:
        return (
            "No column says when the rows were measured, so lengths are counted in rows; "
            f"if you know {ROWS_A_SECOND}, say so."
        )
    often = f"{rate:,.6g} rows a second" if rate >= 1 else f"one row every {1 / rate:,.4g} s"
    if clock == "asked":
        return f"The logs are taken to have {often}, as you said."
    names = Counter(found.time_column for found in facts.values() if found.time_column)
    column = names.most_common(1)[0][0] if names else "time"
    return f"By the column “{column}” the logs have {often}."


def _clock_notes(columns: tuple[str, ...], clock: Clock) -> list[str]:
    """What climbs evenly in all logs; where no column tells the time, one of them may be it."""
    advice = "; if it is the time, call it “time”" if clock == "none" else ""
    return [
        f"The column “{name}” climbs by the same steps in every log, as a clock or a counter does, so it is left out"
        f"{advice}."
        for name in columns
    ]


def _left_out_notes(facts: Mapping[str, LogFacts]) -> list[str]:
    """One sentence for each column that is left out, with how many logs it is in if not in all."""
    notes = []
    often = Counter(item for found in facts.values() for item in found.left_out)
    elsewhere = {name for found in facts.values() for name in found.columns}
    for item, count in often.most_common(_MOST_LEFT_OUT):
        some = f"{count:,} of {len(facts):,} logs"
        if count == len(facts):
            notes.append(item.why)
        elif item.name in elsewhere:
            notes.append(f"The column “{item.name}” {item.reason} in {some}, so it is left out of all.")
        else:
            notes.append(f"{item.why[:-1]} ({some}).")
    return notes
