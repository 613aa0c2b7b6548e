"""Numbers as a person says them."""

from __future__ import annotations

from ml.project.samples import Kind, Task, Windowing
from ml.runtime.contract import ModelInfo
from ml.wording import between, counted, counted_files


def plural(number: int, singular: str, several: str | None = None) -> str:
    """“1 class”, “5 classes”."""
    return f"{number:,} {singular if number == 1 else several or singular + 's'}"


def right_on(accuracy: float, n: int, kind: Kind, files: int | None = None) -> str:
    """“right on 91 of 100 pictures it has never seen”; of windows also from how many `files` they are."""
    return f"right on {round(accuracy * n):,} of {_tested(n, kind, files)} it has never seen"


def score_sentence(
    accuracy: float, n: int, kind: Kind, interval: tuple[float, float] | None, files: int | None = None
) -> str:
    """The score with what chance leaves open, see `insight.metrics.accuracy_interval`."""
    if interval is None:
        return right_on(accuracy, n, kind, files)
    return f"{right_on(accuracy, n, kind, files)} ({between(interval)} with 95 % confidence)"


def _tested(n: int, kind: Kind, files: int | None) -> str:
    """“100 pictures”; “48 sounds of 16 recordings”."""
    if files is None or kind == "images":
        return counted(n, kind)
    return f"{counted(n, kind)} of {counted_files(files, kind)}"


def result_on(score: float, n: int, kind: Kind, task: Task, files: int | None = None) -> str:
    """What a run reached, for either task: “right on 91 of 100 pictures…” or “a score of 86 out of 100 on…”."""
    if task == "single":
        return right_on(score, n, kind, files)
    return f"a score of {score * 100:.0f} out of 100 on {_tested(n, kind, files)} it has never seen"


SCORE_MEANS = (
    "The score (mean average precision) says how well it puts those that show a class before those that do not; "
    "100 is perfect."
)


def percent(fraction: float) -> str:
    """“97 %”; never “100 %” for what is not quite so."""
    shown = round(fraction * 100)
    return f"{min(shown, 99) if fraction < 1 else shown} %"


def rejected_because(unlike: float, best: int, info: ModelInfo) -> str:
    """Why an answer, class index `best`, was set aside, in a few words."""
    if unlike > info.unlike_above:
        return "unlike anything it was shown"
    return f"less sure than the {info.threshold(best) * 100:.1f} % it takes"


def duration(seconds: float) -> str:
    """“20 s”, “6 min”, “1 h 20 min”."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def capital(sentence: str) -> str:
    """The sentence with its first letter large."""
    return sentence[:1].upper() + sentence[1:]


def length(windowing: Windowing, seconds: float) -> str:
    """“5 s”; “200 rows” of logs whose rate nobody knows."""
    return plural(round(seconds), "row") if windowing.clock == "none" else f"{seconds:g} s"


def part(windowing: Windowing, start: float, end: float) -> str:
    """“1.5–3 s” of a recording; “rows 0–512” of a log whose rate nobody knows."""
    if windowing.clock == "none":
        return f"rows {start:,.0f}–{end:,.0f}"
    return f"{round(start, 2):g}–{round(end, 2):g} s"


def window_sentence(windowing: Windowing, count: int) -> str:
    """How recordings or logs are cut into samples, and how many these are."""
    if not windowing.columns:
        return f"Recordings are read in windows of {windowing.seconds:g} s, {count:,} in all."
    names = ", ".join(windowing.columns[:6]) + (", …" if len(windowing.columns) > 6 else "")
    rows = "" if windowing.clock == "none" else f" ({plural(windowing.frames, 'row')})"
    columns = plural(len(windowing.columns), "column")
    long = length(windowing, windowing.seconds)
    return f"Logs are read in windows of {long}{rows}, {count:,} in all, {columns}: {names}."
