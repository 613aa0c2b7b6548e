"""What decoding the files showed, in sentences: each is said once for the whole folder."""

from __future__ import annotations

from ml.core.messages import Message, nmsg
from ml.core.scan_report import Remark, ScanReport
from ml.core.types import PictureReading
from ml.project.scan.finding import Finding, Severity
from ml.project.scan.reading import BANDS_PHRASE, PAGES_PHRASE, RANGE_PHRASE


def remarks_found(report: ScanReport) -> list[Finding]:
    """Return one finding for each remark that holds for some file."""
    paths: dict[Remark, list[str]] = {}
    for file in report.files:
        for remark in file.remarks:
            paths.setdefault(remark, []).append(file.path)
    return [
        Finding(severity=severity, sentence=sentence, paths=tuple(found))
        for remark, found in paths.items()
        for severity, sentence in [
            _finding_of(remark, len(found), report.picture_reading, videos=report.frames is not None)
        ]
    ]


def _finding_of(
    remark: Remark, count: int, reading: PictureReading | None, *, videos: bool
) -> tuple[Severity, Message]:
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
        case "window":
            return "info", _window(count, reading)
        case "bands":
            return "info", _bands(count, reading)


def _pages(count: int, reading: PictureReading | None) -> tuple[Severity, Message]:
    match "first" if reading is None else reading.page:
        case "first":
            return "warn", nmsg(
                "{count} picture has several pages or frames; {only_first}. Another page can be chosen while the "
                "project is created.",
                "{count} pictures have several pages or frames; {only_first}. Another page can be chosen while the "
                "project is created.",
                count,
                only_first=PAGES_PHRASE,
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
        "{count} picture has more than 8 bits. Its values from {low:,.6g} to {high:,.6g} are used, {black_to_white}.",
        "{count} pictures have more than 8 bits. Their values from {low:,.6g} to {high:,.6g} are used, "
        "{black_to_white}.",
        count,
        low=reading.low,
        high=reading.high,
        black_to_white=RANGE_PHRASE,
    )


def _window(count: int, reading: PictureReading | None) -> Message:
    if reading is not None and reading.ranged and not reading.windows:
        return _deep(count, reading)
    return nmsg(
        "{count} picture is shown through the window of values that its file names.",
        "{count} pictures are shown through the windows of values that their files name.",
        count,
    )


def _bands(count: int, reading: PictureReading | None) -> Message:
    if reading is None or not reading.bands:
        return nmsg(
            "{count} picture has more than three bands; {first_three}, as red, green and blue.",
            "{count} pictures have more than three bands; {first_three}, as red, green and blue.",
            count,
            first_three=BANDS_PHRASE,
        )
    red, green, blue = reading.bands
    return nmsg(
        "{count} picture has more than three bands. Red is band {red}, green is band {green}, blue is band {blue}.",
        "{count} pictures have more than three bands. Red is band {red}, green is band {green}, blue is band {blue}.",
        count,
        red=red,
        green=green,
        blue=blue,
    )
