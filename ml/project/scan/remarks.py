"""What decoding the files showed, in sentences: each is said once for the whole folder."""

from __future__ import annotations

from ml.core.messages import Message, nmsg
from ml.core.scan_report import Remark, ScanReport
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
        if (said := _said(remark, len(found))) is not None
        for severity, sentence in [said]
    ]


def _said(remark: Remark, count: int) -> tuple[Severity, Message] | None:
    match remark:
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
            return "warn", nmsg(
                "{count} picture has several pages or frames. Only the first is used.",
                "{count} pictures have several pages or frames. Only the first of each is used.",
                count,
            )
        case "clear":
            return "info", nmsg(
                "{count} picture shows something white on a transparent ground. It is put on black.",
                "{count} pictures show something white on a transparent ground. They are put on black.",
                count,
            )
        case "deep":
            return None
