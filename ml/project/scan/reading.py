"""How the pictures of a project are read: their range, bands and page, as the scan proposes or a person chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ml.core.errors import HandlensError
from ml.core.jobs import ScanJob
from ml.core.messages import Message, msg
from ml.core.scan_report import FoundFile, PictureLook, ScanReport
from ml.core.types import FIRST_BANDS, Levels, PictureReading
from ml.media.kinds import FileFacts, SampleKind, kind_named
from ml.media.levels import used_levels

PAGES_PHRASE = msg("only the first page is used")
BANDS_PHRASE = msg("bands 1, 2 and 3 are used")
RANGE_PHRASE = msg("from black to white")
"""What the user may change; where, the wizard and the command line know themselves."""


def asked_reading(job: ScanJob) -> PictureReading | None:
    """Return the page and the bands that files are to be examined by; None where those at the front will do."""
    if job.reading is not None:
        return dataclasses.replace(job.reading, low=0.0, high=0.0)
    return PictureReading(page=job.page, bands=job.bands) if job.bands or job.page != "first" else None


def choose_reading(kind: SampleKind, facts: Sequence[FileFacts], job: ScanJob) -> PictureReading | None:
    """Return how pictures are read; None where each is read by itself. What a person chose holds.

    Raises HandlensError where that is no use for these pictures.
    """
    if job.reading is not None:
        return job.reading
    if job.bands and not any(each.bands for each in facts):
        raise HandlensError(msg("None of these pictures has more than three bands. Leave out the choice of bands."))
    chosen = kind.choose_reading(_with_used_levels(facts, job.bands, windows=True))
    if job.value_range is not None:
        if all(each.levels is None for each in facts):
            raise HandlensError(
                msg("None of these pictures has more than 8 bits. Leave out the range of their values.")
            )
        low, high = job.value_range
        chosen = PictureReading(low=low, high=high, windows=not any(each.windowed for each in facts))
    if job.bands or job.page != "first":
        chosen = dataclasses.replace(chosen or PictureReading(), page=job.page, bands=job.bands)
    return chosen


def _with_used_levels(facts: Sequence[FileFacts], bands: Sequence[int], *, windows: bool) -> list[FileFacts]:
    """What the range is chosen from: the bands that are used, and without `windows` what is shown through one, too."""
    return [
        dataclasses.replace(
            each,
            levels=None if each.windowed and windows else used_levels(each.levels, each.band_levels, bands),
        )
        for each in facts
    ]


def as_read(file: FoundFile, reading: PictureReading | None) -> FoundFile:
    """The file with the look that it has in the range which all pictures of the project share."""
    if reading is None or not reading.ranged or not isinstance(file.look, PictureLook):
        return file
    levels = used_levels(file.levels, file.band_levels, reading.bands)
    if levels is None or (file.windowed and reading.windows):
        return file
    scaled = [255.0 * (value - reading.low) / (reading.high - reading.low) for value in levels]
    low, high = (round(min(max(value, 0.0), 255.0)) for value in scaled)
    look = dataclasses.replace(file.look, low=low, high=high, least=low, most=high, levels=256, signature=b"")
    return dataclasses.replace(file, look=look)


def read_otherwise(report: ScanReport, reading: PictureReading | None) -> ScanReport:
    """Return the report with the range and the bands of `reading`. Another page needs another scan."""
    reading = None if reading == PictureReading() else reading
    files = tuple(as_read(file, reading) for file in report.files)
    return dataclasses.replace(report, picture_reading=reading, files=files)


def proposed_range(report: ScanReport, bands: tuple[int, ...], *, windows: bool = True) -> Levels | None:
    """Return the range that the scan would choose for these bands; None where no picture needs one.

    Without `windows`, DICOM files have it, too, instead of the window that they name.
    """
    facts = [
        FileFacts(levels=file.levels, band_levels=file.band_levels, windowed=file.windowed) for file in report.files
    ]
    chosen = kind_named(report.kind).choose_reading(_with_used_levels(facts, bands, windows=windows))
    return None if chosen is None else (chosen.low, chosen.high)


def has_windows(report: ScanReport) -> bool:
    """Return whether there are DICOM files that name a window."""
    return any(file.windowed for file in report.files)


def common_bands(report: ScanReport) -> int:
    """Return how many bands all pictures with more than three have; 0 where there are no such pictures."""
    return min((file.bands for file in report.files if file.bands), default=0)


def deep_files(report: ScanReport) -> tuple[str, ...]:
    """Return the paths of the pictures with more than 8 bits."""
    return tuple(file.path for file in report.files if file.levels is not None)


def several_pages(report: ScanReport) -> int:
    """Return how many pictures have several pages or frames."""
    return sum("pages" in file.remarks for file in report.files)


def odd_pictures(report: ScanReport) -> tuple[str, ...]:
    """Return the paths of the pictures that can be read in several ways: deep, of many bands, of several pages."""
    return tuple(file.path for file in report.files if file.levels or file.bands or "pages" in file.remarks)


def reading_sentences(reading: PictureReading) -> list[Message]:
    """Say how the pictures of a project are read, in sentences; none where nothing had to be chosen."""
    sentences = []
    if reading.ranged:
        sentences.append(
            msg(
                "Values from {low:,.6g} to {high:,.6g} go from black to white, where pictures have more than 8 bits.",
                low=reading.low,
                high=reading.high,
            )
        )
    if reading.bands and reading.bands != FIRST_BANDS:
        red, green, blue = reading.bands
        sentences.append(
            msg(
                "Red is band {red}, green is band {green}, blue is band {blue}, where pictures have more than three "
                "bands.",
                red=red,
                green=green,
                blue=blue,
            )
        )
    if reading.page == "middle":
        sentences.append(msg("Of several pages, the one in the middle is used."))
    elif reading.page == "sharpest":
        sentences.append(msg("Of several pages, the sharpest is used."))
    return sentences
