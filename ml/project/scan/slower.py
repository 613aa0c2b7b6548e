"""Recordings that networks hear slower than they were recorded: what is said of it, and another choice."""

from __future__ import annotations

import dataclasses
import math

from ml.core.messages import Message, msg, nmsg
from ml.core.scan_report import ScanReport
from ml.media.windowing import HIGHEST_RATE, choose_windowing
from ml.project.labelfiles.windows import measured_spans, suited_to
from ml.project.scan.finding import Finding

TIME_EXPANSION = msg("time expansion")
"""In sentences to which an option belongs."""
HIGH_RATES = 2.0
"""Times the rate that is used: 44.1 and 48 kHz lose little, ultrasound loses all."""


def may_be_slowed(report: ScanReport) -> bool:
    """Return whether recordings hold sounds above the range that networks hear."""
    cut = report.windowing
    return cut is not None and not cut.columns and any(file.rate > HIGHEST_RATE for file in report.files)


def with_time_expansion(report: ScanReport, times: int) -> ScanReport:
    """Return the report with windows for networks that hear the recordings `times` times slower."""
    if report.windowing is None or report.windowing.columns or report.windowing.time_expansion == times:
        return report
    durations, rates = [file.duration for file in report.files], [file.rate for file in report.files]
    spans = [span for file in report.files for span in measured_spans(file)]
    return dataclasses.replace(
        report, windowing=suited_to(choose_windowing(durations, rates, time_expansion=times), spans)
    )


def band_findings(report: ScanReport) -> list[Finding]:
    """Say that recordings are heard slower, or which band of those with a very high rate is lost."""
    windowing = report.windowing
    if windowing is None or windowing.columns:
        return []
    found = []
    if windowing.time_expansion > 1:
        found.append(Finding(severity="info", sentence=_slowed(windowing.time_expansion)))
    high = [file for file in report.files if file.rate > HIGH_RATES * windowing.rate]
    if not high or windowing.rate < HIGHEST_RATE:
        return found
    highest = max(file.rate for file in high)
    sentence = nmsg(
        "{count} recording holds sounds up to {highest:g} kHz. Training uses only those up to {used:g} kHz, so calls "
        "of bats, for example, are lost. To use them, have the recordings heard {slower} times slower "
        "({time_expansion}).",
        "{count} recordings hold sounds up to {highest:g} kHz. Training uses only those up to {used:g} kHz, so calls "
        "of bats, for example, are lost. To use them, have the recordings heard {slower} times slower "
        "({time_expansion}).",
        len(high),
        highest=highest / 2000,
        used=windowing.rate / 2000,
        slower=math.ceil(highest / HIGHEST_RATE),
        time_expansion=TIME_EXPANSION,
    )
    return [*found, Finding(severity="warn", sentence=sentence, paths=tuple(file.path for file in high))]


def _slowed(times: int) -> Message:
    return msg(
        "The recordings are heard {times} times slower ({time_expansion}), so that the network hears sounds above "
        "{highest:g} kHz, too. All times stay those of the recordings.",
        times=times,
        time_expansion=TIME_EXPANSION,
        highest=HIGHEST_RATE / 2000,
    )
