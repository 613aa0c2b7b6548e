"""Decode pictures that Pillow cannot, each with a library that may be missing; every library is loaded when needed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.core.types import FIRST_BANDS, PictureReading
from ml.media.pixels import (
    BAND_LEVELS,
    BANDS,
    INVERTED,
    LEVELS,
    PLAIN_COLOURS,
    VALUES,
    WINDOWED,
    known,
    levels_of,
    many_bands,
    sample_of,
    to_bytes,
    whole_range,
)

MAX_BYTES = 950_000_000
"""What one picture may need in memory."""
_WORST = 4
"""Copies of a picture that conversion holds at its worst moment."""
FRAMES = "frames"
"""What a decoder notes in `info`: how many frames of the same size there are."""

_RAW = ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .raf .orf .rw2 .pef .srw .3fr .iiq .erf .mef .mos .x3f .rwl"
RAW_SUFFIXES: frozenset[str] = frozenset(_RAW.split())
"""Suffixes of what cameras write before they make a picture of it."""
DECODED_SUFFIXES: frozenset[str] = RAW_SUFFIXES | {".heic", ".heif", ".hif", ".dcm", ".dicom", ".jxl", ".btf"}

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MARKS = (
    ("heif", 4, (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1")),
    ("jxl", 0, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    ("dicom", 128, (b"DICM",)),
    ("raw", 4, (b"ftypcrx ",)),
    ("raw", 0, (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb")),
    ("tiff", 0, _TIFF),
    ("png", 0, (b"\x89PNG\r\n",)),
)
_ENOUGH = 132

_NOT_DECODED = msg("The picture is damaged and cannot be decoded.")


def recognised(path: Path) -> str | None:
    """Return which decoder a file is for, by what it holds; None where there is none. Raises OSError."""
    with path.open("rb") as file:
        start = file.read(_ENOUGH)
    if path.suffix.lower() in RAW_SUFFIXES and start.startswith(_TIFF):
        return "raw"
    return next((name for name, offset, marks in _MARKS if start[offset:].startswith(marks)), None)


def decode(path: Path, reading: PictureReading | None, *, frame: int = 0) -> Image.Image | None:
    """Return a decoded picture; None where no decoder is for it. Raises UnreadableError, or what a decoder raises."""
    name = recognised(path)
    return None if name is None else _DECODERS[name](path, reading, frame)


def needs(package: str, spoken: str) -> Message:
    """Say that pictures of one format need a package that is not installed."""
    return msg(
        "{format} pictures can only be read with the package {package}, which is not installed. Add it with “pip "
        "install handlens[media]”, or save the picture as JPEG or PNG.",
        format=spoken,
        package=package,
    )


def _library(name: str, spoken: str, *, package: str | None = None) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnreadableError(needs(package or name, spoken), details=repr(error)) from error


def _heif(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:  # noqa: ARG001
    _library("pi_heif", "HEIC", package="pi-heif").register_heif_opener()
    image = Image.open(path, formats=("HEIF",))
    _check(image.width * image.height * len(image.getbands()))
    image.load()
    return image


def _jxl(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:  # noqa: ARG001
    values = _library("imagecodecs", "JPEG XL").jpegxl_decode(path.read_bytes())
    return _pictured(np.asarray(values), reading)


def _raw(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:  # noqa: ARG001
    with _library("rawpy", "RAW").imread(str(path)) as raw:
        sizes = raw.sizes
        _check(sizes.raw_width * sizes.raw_height * 8)
        large = sizes.raw_width * sizes.raw_height > _HALVED
        pixels: NDArray[np.uint8] = raw.postprocess(use_camera_wb=True, output_bps=8, half_size=large)
    return Image.fromarray(pixels)


_HALVED = 24_000_000
"""Pixels from which a raw picture is developed at half its size."""


def _png(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:  # noqa: ARG001
    return _pictured(np.asarray(_library("imagecodecs", "PNG").png_decode(path.read_bytes())), reading)


def _dicom(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:
    pydicom = _library("pydicom", "DICOM")
    pixels = importlib.import_module("pydicom.pixels")
    data = pydicom.dcmread(path, defer_size=1 << 20)
    if "Rows" not in data:
        raise UnreadableError(msg("This DICOM file holds no picture."))
    count = int(data.get("NumberOfFrames") or 1)
    channels = int(data.get("SamplesPerPixel", 1))
    _check(int(data.Rows) * int(data.Columns) * channels * int(data.get("BitsAllocated", 8)) // 8)
    try:
        values = pixels.pixel_array(data, index=min(frame, count - 1))
    except (RuntimeError, NotImplementedError) as error:
        if not _installed("gdcm"):
            raise UnreadableError(needs("python-gdcm", "DICOM"), details=repr(error)) from error
        message = msg("This DICOM picture is compressed in a way that cannot be read. Export it as PNG or TIFF.")
        raise UnreadableError(message, details=repr(error)) from error
    if channels > 1:
        colours = data.PhotometricInterpretation
        if colours.startswith("YBR"):
            values = pixels.convert_color_space(values, colours, "RGB")
        image = _pictured(values, reading)
    else:
        image = _grey_dicom(pixels.apply_modality_lut(values, data), data, pixels, reading)
        image.info[INVERTED] = data.PhotometricInterpretation == "MONOCHROME1"
    image.info[FRAMES] = count
    return image


def _grey_dicom(values: NDArray[Any], data: Any, pixels: Any, reading: PictureReading | None) -> Image.Image:
    """One channel as the file's window shows it, or in the range of the project where that is to be used or there is
    no window."""
    ranged = reading is not None and reading.ranged and not reading.windows
    if ranged or ("WindowCenter" not in data and "VOILUTSequence" not in data):
        return _pictured(values, reading, keep_grey=True)
    shown = np.asarray(pixels.apply_voi_lut(values, data), dtype=np.float32)
    low, high = float(shown.min()), float(shown.max())
    if "WindowCenter" in data:
        centre, width = (_first(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
        shown = np.asarray(values, dtype=np.float32)
        low, high = centre - width / 2, centre + width / 2
    grey = to_bytes(shown, low, max(high, low + 1e-6))
    if data.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    image = Image.fromarray(grey)
    own = known(values, None)
    image.info |= {WINDOWED: True, LEVELS: levels_of(own), VALUES: sample_of(own)}
    return image


def _first(value: Any) -> float:
    """A DICOM value may be one number or several."""
    try:
        return float(value)
    except TypeError:
        return float(value[0])


def _tiff(path: Path, reading: PictureReading | None, frame: int) -> Image.Image:
    tifffile = _library("tifffile", "TIFF")
    with tifffile.TiffFile(path) as file:
        page = file.pages[min(frame, len(file.pages) - 1)]
        _check(page.size * page.dtype.itemsize)
        if page.photometric not in PLAIN_COLOURS and page.samplesperpixel > 1:
            raise UnreadableError(
                msg(
                    "The colours of this {format} picture are stored in a way that cannot be read. Save it as PNG.",
                    format="TIFF",
                )
            )
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" in str(error) and not _installed("imagecodecs"):
                raise UnreadableError(needs("imagecodecs", "TIFF"), details=repr(error)) from error
            raise
        if page.planarconfig == 2 and values.ndim == 3:
            values = np.moveaxis(values, 0, -1)
        no_data = page.nodata if "GDAL_NODATA" in page.tags else None
        bands = many_bands(page.samplesperpixel, tuple(map(int, page.extrasamples)))
        image = _pictured(values, reading, no_data=no_data, inverted=page.photometric == 0, bands=bands)
        image.info[FRAMES] = sum(each.shape == page.shape for each in file.pages)
        turned = page.tags.get(_ORIENTATION)
        if turned is not None:
            image.getexif()[_ORIENTATION] = int(turned.value)
    return image


_ORIENTATION = 274


def _pictured(
    values: NDArray[Any],
    reading: PictureReading | None,
    *,
    no_data: float | None = None,
    inverted: bool = False,
    keep_grey: bool = False,
    bands: int = 0,
) -> Image.Image:
    """Return values (h, w) or (h, w, bands) as a picture: one band as it is, of more the first three as RGB.

    `bands`: how many there are where these are more than three; then those of `reading` are used.
    """
    if bands:
        image = _pictured(_chosen_bands(values, bands, reading), reading, no_data=no_data, inverted=inverted)
        image.info[BANDS] = bands
        if LEVELS in image.info:
            each = (known(values[:, :, band], no_data) for band in range(bands))
            image.info[BAND_LEVELS] = tuple(map(levels_of, each))
        return image
    if values.ndim == 3:
        values = values[:, :, 0] if values.shape[2] < 3 else values[:, :, :3]
    if values.ndim != 2 and (values.ndim != 3 or keep_grey):
        raise UnreadableError(_NOT_DECODED)
    if values.dtype == np.uint8:
        return Image.fromarray(255 - values if inverted else np.ascontiguousarray(values))
    _check(values.size * values.dtype.itemsize)
    if values.dtype == np.bool_:
        values = values.astype(np.uint16) * 255
    deep = known(values, no_data)
    if deep.ndim == 2:
        image = Image.fromarray(deep)
        image.info[INVERTED] = inverted
        return image
    levels = levels_of(deep)
    if reading is not None and reading.ranged:
        low, high = reading.low, reading.high
    else:
        finite = deep[np.isfinite(deep)]
        least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        low, high = whole_range(least, most, fractions=values.dtype.kind == "f")
    image = Image.fromarray(to_bytes(deep, low, high))
    if levels is not None:
        image.info[LEVELS], image.info[VALUES] = levels, sample_of(deep)
    return image


def _chosen_bands(values: NDArray[Any], count: int, reading: PictureReading | None) -> NDArray[Any]:
    """Return the three bands that become red, green and blue."""
    chosen = FIRST_BANDS if reading is None or not reading.bands else reading.bands
    check_bands(chosen, count)
    return values[:, :, [band - 1 for band in chosen]]


def check_bands(chosen: Sequence[int], count: int) -> None:
    """Raise UnreadableError where a picture has not all the bands that are used."""
    if max(chosen) > count:
        raise UnreadableError(
            msg(
                "This picture has only {count} bands, but band {band} is used of the others. Leave it out, or create "
                "the project again with other bands.",
                count=count,
                band=max(chosen),
            )
        )


def _check(size: int) -> None:
    """Raise UnreadableError where a picture of so many bytes needs too much memory."""
    if size * _WORST > MAX_BYTES:
        raise UnreadableError(
            msg("The picture needs more memory than one picture may use. Save a smaller copy."),
        )


def _installed(name: str) -> bool:
    if name in sys.modules:
        return True
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


_DECODERS: dict[str, Callable[[Path, PictureReading | None, int], Image.Image]] = {
    "heif": _heif,
    "jxl": _jxl,
    "dicom": _dicom,
    "raw": _raw,
    "tiff": _tiff,
    "png": _png,
}
