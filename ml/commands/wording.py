"""Sentences that several commands share."""

from __future__ import annotations

from ml.core.messages import Message, msg, nmsg
from ml.core.types import Windowing

_COLUMNS_SHOWN = 6


def split_parts(train: int, valid: int, test: int, *, windows: bool = False) -> tuple[Message, ...]:
    """“18 training samples”, “6 validation samples” and “6 test samples”, for a list in a sentence."""
    if windows:
        return (
            nmsg("{count} training window", "{count} training windows", train),
            nmsg("{count} validation window", "{count} validation windows", valid),
            nmsg("{count} test window", "{count} test windows", test),
        )
    return (
        nmsg("{count} training sample", "{count} training samples", train),
        nmsg("{count} validation sample", "{count} validation samples", valid),
        nmsg("{count} test sample", "{count} test samples", test),
    )


def length(windowing: Windowing, seconds: float) -> Message:
    """“5 s”; “200 rows” of logs without a known rate."""
    if windowing.clock == "none":
        return nmsg("{count} row", "{count} rows", round(seconds))
    return msg("{seconds:g} s", seconds=seconds)


def part(windowing: Windowing, start: float, end: float) -> Message:
    """“1.5–3 s” of a recording; “rows 0–512” of a log without a known rate."""
    if windowing.clock == "none":
        return msg("rows {start}–{end}", start=round(start), end=round(end))
    return msg("{start:g}–{end:g} s", start=round(start, 2), end=round(end, 2))


def window_sentence(windowing: Windowing, count: int) -> Message:
    """How recordings or logs are cut into samples, and how many these are."""
    windows = nmsg("{count} window", "{count} windows", count)
    if not windowing.columns:
        return msg(
            "Recordings are cut into windows of {seconds:g} s: {windows}.", seconds=windowing.seconds, windows=windows
        )
    shown: list[str | Message] = list(windowing.columns[:_COLUMNS_SHOWN])
    if len(windowing.columns) > _COLUMNS_SHOWN:
        shown.append(nmsg("{count} more", "{count} more", len(windowing.columns) - _COLUMNS_SHOWN))
    columns = nmsg("{count} column: {names}", "{count} columns: {names}", len(windowing.columns), names=tuple(shown))
    long = length(windowing, windowing.seconds)
    if windowing.clock == "none":
        return msg(
            "Logs are cut into windows of {length}: {windows}, {columns}.",
            length=long,
            windows=windows,
            columns=columns,
        )
    return msg(
        "Logs are cut into windows of {length} ({rows}): {windows}, {columns}.",
        length=long,
        rows=nmsg("{count} row", "{count} rows", windowing.frames),
        windows=windows,
        columns=columns,
    )
