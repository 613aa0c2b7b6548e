"""Odd and broken files of the real world in class folders: the import ends, uses what it can, explains the rest."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pytest

from ml.core.errors import UnreadableError
from ml.core.events import Scanned
from ml.core.jobs import NeverStop, ScanJob
from ml.core.messages import english
from ml.core.scan_report import ScanReport
from ml.core.types import Windowing
from ml.media.audio import AUDIO_SUFFIXES, load_window
from ml.media.ffmpeg import find_ffmpeg
from ml.media.images import IMAGE_SUFFIXES, load_squashed
from ml.media.kinds import kind_named
from ml.media.probing import probe_files
from ml.project.scan.examine import examine
from ml.project.scan.scan import scan

pytestmark = pytest.mark.data

USABLE = {"ok", "short"}
"""What the list calls files that the plain library could read; "short" ones hold less than their header says."""


BY_FFMPEG = {
    "flac__subset_22_-_12_bit_per_sample.flac", "flac__uncommon_01_-_changing_samplerate.flac",
    "flac__uncommon_03_-_decreasing_number_of_channels.flac", "flac__uncommon_05_-_32bps_audio.flac",
    "flac__uncommon_10_-_file_starting_at_frame_header.flac", "mutagen__5644800-2ch-s01-silence.dsf",
    "mutagen__covr-with-name.m4a", "mutagen__empty.aac", "mutagen__empty.oggflac", "mutagen__empty.tta",
    "mutagen__ep7.m4b", "mutagen__has-tags.m4a", "mutagen__mac-396.ape", "mutagen__multiplexed.spx",
    "mutagen__silence-1.wma", "mutagen__silence-44-s.wv", "mutagen__variable-block.flac", "pydub__format_test.m4a",
    "pydub__wrong_extension.aac",
}  # fmt: skip
"""What the plain library could not read and FFmpeg can."""


BY_LIBRARIES = {
    "imagers__images_tiff_testsuite_rgb32f_color.tiff", "pillow__hopper_unknown_pixel_mode.tif",
    "pydicom__CT_small.dcm", "pydicom__MR_small_RLE.dcm", "pydicom__SC_rgb_rle.dcm", "pydicom__SC_rgb_small_odd.dcm",
    "pydicom__examples_overlay.dcm", "pydicom__examples_rgb_color.dcm",
}  # fmt: skip
"""What Pillow could not read and tifffile and pydicom can."""


def also_usable(kind: str) -> set[str]:
    if kind == "recordings":
        return BY_FFMPEG if find_ffmpeg() is not None else set()
    return BY_LIBRARIES if all(map(find_spec, ("tifffile", "imagecodecs", "pydicom", "gdcm"))) else set()


def expected(folder: Path) -> dict[str, str]:
    lines = (folder / "EXPECTED.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {fields[0]: fields[1] for fields in (line.split("\t") for line in lines)}


def scanned(tmp_path: Path, source: Path, kind: Literal["images", "recordings"]) -> tuple[ScanReport, dict[str, str]]:
    verdicts = expected(source)
    for index, name in enumerate(sorted(verdicts)):
        target = tmp_path / ("odd", "even")[index % 2] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target)
    *_, last = scan(ScanJob(folder=tmp_path, kind=kind), NeverStop())
    assert isinstance(last, Scanned), last
    return last.report, verdicts


@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_the_readable_are_used_and_the_rest_explained(
    tmp_path: Path, shared_data: Path, kind: Literal["images", "recordings"]
) -> None:
    folder, suffixes = {"images": ("odd-images", IMAGE_SUFFIXES), "recordings": ("odd-audio", AUDIO_SUFFIXES)}[kind]
    report, verdicts = scanned(tmp_path, shared_data / folder, kind)
    used = {Path(file.path).name for file in report.files}
    left_out = {Path(item.path).name: english(item.reason) for item in report.unreadable}
    assert used | left_out.keys() == verdicts.keys()
    assert all(Path(name).suffix.lower() in suffixes for name in verdicts)
    usable = {name for name, verdict in verdicts.items() if verdict in USABLE}
    assert usable <= used
    assert used - usable == also_usable(kind)
    for name, reason in left_out.items():
        assert re.fullmatch(r"[A-Z][^/\\]*[^/\\.]\.", reason), (name, reason)
        assert not re.search(r"Error|Exception|[a-z]\(|\b[a-z]+_[a-z]+\b|PIL|tmp", reason), (name, reason)


@pytest.mark.slow
def test_what_was_accepted_can_be_learned_from(tmp_path: Path, shared_data: Path) -> None:
    pictures, _ = scanned(tmp_path / "i", shared_data / "odd-images", "images")
    for file in pictures.files:
        if file.width * file.height < 4_000_000:
            assert load_squashed(tmp_path / "i" / file.path, 64).shape == (64, 64, 3)
    windowing = Windowing(rate=16000, seconds=1.0, step=1.0)
    recordings, _ = scanned(tmp_path / "r", shared_data / "odd-audio", "recordings")
    for file in recordings.files:
        assert load_window(tmp_path / "r" / file.path, windowing, start=0.0).shape == (16000,)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has used")
@pytest.mark.parametrize("folder", ["odd-images", "odd-audio"])
def test_no_file_takes_long_or_much(shared_data: Path, folder: str) -> None:
    paths = [shared_data / folder / name for name in expected(shared_data / folder)]
    check = _measured_image if folder == "odd-images" else _measured_recording
    measured = dict(probe_files(paths, check))
    assert len(measured) == len(paths)
    for path, outcome in measured.items():
        assert not isinstance(outcome, UnreadableError), path.name
        seconds, peak = outcome
        assert seconds < 10, path.name
        assert peak < 1_000_000_000, path.name


def _measured_image(path: Path) -> tuple[float, int]:
    return _measured(path, partial(examine, kind_named("images")))


def _measured_recording(path: Path) -> tuple[float, int]:
    return _measured(path, partial(examine, kind_named("recordings")))


def _measured(path: Path, examine: object) -> tuple[float, int]:
    """Seconds, and the most memory (bytes) the process has held so far."""
    began = time.monotonic()
    with contextlib.suppress(UnreadableError):
        examine(path)  # type: ignore[operator]
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    return time.monotonic() - began, peak
