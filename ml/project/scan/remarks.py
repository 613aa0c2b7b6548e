"""What decoding the files showed, in sentences: each is said once for the whole folder."""

from __future__ import annotations

from ml.core.messages import Message, nmsg
from ml.core.scan_report import Remark, ScanReport
from ml.core.types import PictureReading
from ml.project.scan.finding import Finding, Severity


def remarks_found(report: ScanReport) -> list[Finding]:
    """Return one finding for each remark that holds for some file."""
    paths: dict[Remark, list[str]] = {}
    for file in report.files:
        for remark in file.remarks:
            paths.setdefault(remark, []).append(file.path)
    return [
        Finding(severity=severity, sentence=sentence, paths=tuple(found))
        for remark, found in paths.items()
        for severity, sentence in [_said(remark, len(found), report.picture_reading, videos=report.frames is not None)]
    ]


def _said(remark: Remark, count: int, reading: PictureReading | None, *, videos: bool) -> tuple[Severity, Message]:
    match remark:
        case "cut" if videos:
            return "warn", nmsg(
                "{count} video is damaged or cut off. Only what comes before the damage is used.",
                "{count} videos are damaged or cut off. Only what comes before the damage is used.",
                count,
            )
        case "cut":
            return "warn", nmsg(
                "{count} recording is damaged or cut off. Only what comes before the damage is used.",
                "{count} recordings are damaged or cut off. Only what comes before the damage is used.",
                count,
            )
        case "cancels":
            return "info", nmsg(
                "In {count} recording the channels cancel each other out. Only its loudest channel is used.",
                "In {count} recordings the channels cancel each other out. Only the loudest channel of each is used.",
                count,
            )
        case "pages":
            return _pages(count, reading)
        case "clear":
            return "info", nmsg(
                "{count} picture shows something white on a transparent ground. It is put on black.",
                "{count} pictures show something white on a transparent ground. They are put on black.",
                count,
            )
        case "deep":
            return "info", _deep(count, reading)


def _pages(count: int, reading: PictureReading | None) -> tuple[Severity, Message]:
    match "first" if reading is None else reading.page:
        case "first":
            return "warn", nmsg(
                "{count} picture has several pages or frames; only the first is used. To use another, create the "
                "project with “handlens new --pages sharpest” or “--pages middle”.",
                "{count} pictures have several pages or frames; only the first of each is used. To use others, create "
                "the project with “handlens new --pages sharpest” or “--pages middle”.",
                count,
            )
        case "middle":
            return "info", nmsg(
                "{count} picture has several pages or frames. The one in the middle is used.",
                "{count} pictures have several pages or frames. The one in the middle of each is used.",
                count,
            )
        case "sharpest":
            return "info", nmsg(
                "{count} picture has several pages or frames. The sharpest is used.",
                "{count} pictures have several pages or frames. The sharpest of each is used.",
                count,
            )


def _deep(count: int, reading: PictureReading | None) -> Message:
    if reading is None or not reading.ranged:
        return nmsg(
            "{count} picture has more than 8 bits. It is shown in the range of its own values.",
            "{count} pictures have more than 8 bits. Each is shown in the range of its own values.",
            count,
        )
    return nmsg(
        "{count} picture has more than 8 bits. Its values from {low:,.6g} to {high:,.6g} are used, from black to "
        "white.",
        "{count} pictures have more than 8 bits. Their values from {low:,.6g} to {high:,.6g} are used, from black to "
        "white.",
        count,
        low=reading.low,
        high=reading.high,
    )
