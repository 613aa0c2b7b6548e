"""Load pictures: files to RGB arrays. The square made here is the only preprocessing of pictures."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ml.core.disk import EMPTY, disk_reason
from ml.core.errors import UnreadableError
from ml.core.messages import Message, msg
from ml.core.regular_files import check_regular
from ml.core.scan_report import PictureLook, Remark
from ml.core.types import Levels, PageChoice, PictureReading
from ml.media.decoders import DECODED_SUFFIXES, FRAMES, RAW_SUFFIXES, decode, recognised
from ml.media.look import picture_look
from ml.media.pixels import BAND_LEVELS, WINDOWED, band_count, deep_levels, deep_sample, hides_white, is_plain, to_rgb

MAX_PIXELS = 120_000_000
"""Enough for a 108-megapixel phone; a file that claims more is rejected before decoding."""

_MAX_BYTES = 950_000_000
_BYTES_PER_PIXEL = {"JPEG2000": 20, "WEBP": 17, "AVIF": 12, "progressive": 10, "F": 12, "I": 12}
"""What Pillow and its decoder hold at their worst moment; 7 (4 in Pillow, 3 in the array) for everything else."""

_READABLE = (
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .webp .avif .tif .tiff .bmp .dib .jp2 .j2k .jpf .jpx .jpc .j2c .jpg2"
    " .ppm .pgm .pbm .pnm .pfm .tga .ico .icns .pcx .sgi .rgb .bw .psd .fits .fit .qoi .dds"
)
IMAGE_SUFFIXES: frozenset[str] = frozenset(_READABLE.split()) | DECODED_SUFFIXES
"""Suffixes of pictures, including those for which a library may be missing, which is reported to the user."""

_FORMATS = (
    "JPEG", "PNG", "MPO", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "DIB", "JPEG2000", "PPM", "TGA", "ICO", "ICNS", "PCX",
    "SGI", "PSD", "FITS", "QOI", "DDS",
)  # fmt: skip
"""Formats that Pillow may decode. Not PostScript, for example, which would start another program."""

_MISNAMED = ("JPEG", "PNG")
"""Formats tried under the name of a camera raw file. Not TIFF: that would be its tiny preview."""

_ORIENTATION, _BITS_PER_SAMPLE = 0x0112, 258
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_REDUCING_GAP = 3.0
_PAGED = ("TIFF", "GIF", "WEBP", "PNG", "AVIF")
"""Formats with several pages or frames. Not MPO and ICO, whose others are the same picture again."""
_MOST_COMPARED = 64
"""Pages among which the sharpest is looked for."""
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)

logging.getLogger("PIL").addHandler(logging.NullHandler())  # keep Pillow's warnings off the user's terminal


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageFacts:
    """The size in pixels of a picture, after its EXIF orientation is applied."""

    width: int
    height: int
    look: PictureLook | None = None
    levels: Levels | None = None
    """The usual least and greatest value, where there are more than 8 bits."""
    bands: int = 0
    """How many bands there are, where these are more than three."""
    band_levels: tuple[Levels | None, ...] = ()
    """`levels` of each of these bands."""
    windowed: bool = False
    """It is shown through the window that its file names."""
    remarks: tuple[Remark, ...] = ()


def load_image(path: Path, reading: PictureReading | None = None) -> NDArray[np.uint8]:
    """The picture as (H, W, 3) RGB, the right way up, one frame only, transparent parts on a ground.

    Raises UnreadableError with the reason in one sentence.
    """
    with _opened(path, reading) as image:
        image.load()
        pixels = to_rgb(image, reading=reading)
        turn = _TURNS.get(_orientation(image))
    return pixels if turn is None else _turned(pixels, turn)


def load_squashed(path: Path, size: int, reading: PictureReading | None = None) -> NDArray[np.uint8]:
    """The whole picture as a square (size, size, 3), its aspect ignored.

    JPEGs are decoded at a reduced scale where at least twice `size` is left. The same file gives the same bytes
    every time. Raises UnreadableError.
    """
    with _opened(path, reading) as image:
        image.draft(None, (2 * size, 2 * size))
        image.load()
        turn = _TURNS.get(_orientation(image))
        square = _resized(image, (size, size), Image.Resampling.BILINEAR, reading)
    if turn is not None:
        square = square.transpose(turn)
    return np.array(square.convert("RGB"), dtype=np.uint8)


def squashed(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return an RGB picture (h, w, 3) as a square (size, size, 3), as `load_squashed` does with a file."""
    return np.array(_resized(Image.fromarray(pixels), (size, size), Image.Resampling.BILINEAR, None), dtype=np.uint8)


def image_facts(path: Path, reading: PictureReading | None = None) -> ImageFacts:
    """Read the file to its last byte and return the size. Raises UnreadableError.

    JPEGs are decoded at one eighth: every coefficient is still read, only the drawing is saved. Of `reading`, only the
    page and the bands are used.
    """
    remarks: dict[Remark, bool] = {}
    levels, bands, band_levels, windowed = None, 0, (), False
    with _opened(path, reading) as image:
        width, height = image.size
        reduced = image.draft(None, (1, 1)) is not None
        image.load()
        if not reduced:
            width, height = image.size
            _probe_colours(image)
            levels, bands = deep_levels(image), band_count(image)
            band_levels = image.info.get(BAND_LEVELS, ())
            windowed = bool(image.info.get(WINDOWED))
            remarks = {"deep": levels is not None and not windowed, "window": windowed, "bands": bands > 0}
            remarks |= {"clear": hides_white(image), "pages": _frames(image) > 1}
        look = picture_look(image, None if windowed else levels)
        if _orientation(image) >= 5:
            width, height = height, width
    present = tuple(remark for remark, holds in remarks.items() if holds)
    return ImageFacts(
        width=width,
        height=height,
        look=look,
        levels=levels,
        bands=bands,
        band_levels=band_levels,
        windowed=windowed,
        remarks=present,
    )


def sample_values(path: Path, reading: PictureReading | None = None) -> NDArray[np.float32]:
    """Return some values (n,) of a picture with more than 8 bits as they are in the file; none for other pictures.

    They are of the page and the bands of `reading`. Raises UnreadableError.
    """
    with _opened(path, reading) as image:
        image.load()
        return deep_sample(image)


def thumbnail(path: Path, *, size: int, reading: PictureReading | None = None) -> NDArray[np.uint8]:
    """The picture within size × size, its aspect kept, never enlarged: (h, w, 3). Raises UnreadableError."""
    with _opened(path, reading) as image:
        image.draft(None, (size, size))
        image.load()
        turn = _TURNS.get(_orientation(image))
        small = _within(image, size, reading)
    if turn is not None:
        small = small.transpose(turn)
    return np.array(small.convert("RGB"), dtype=np.uint8)


def thumbnail_of(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Return a decoded RGB picture within size × size, as `thumbnail` does with a file."""
    return np.array(_within(image, size, None), dtype=np.uint8)


def silence_pillow() -> None:
    """Ignore its warnings. Call it again each time: unlike catch_warnings, this is safe in a pool of threads."""
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


@contextmanager
def _opened(path: Path, reading: PictureReading | None) -> Iterator[Image.Image]:
    """The picture with its header read and its cost checked. Whatever a decoder raises becomes an UnreadableError."""
    silence_pillow()
    try:
        check_regular(path)
        with _decoded(path, reading) as image:
            yield image
    except UnreadableError:
        raise
    except Exception as error:  # decoders of untrusted bytes raise anything, from SyntaxError to MemoryError
        raise UnreadableError(_reason(path, error), details=repr(error)) from error


def _decoded(path: Path, reading: PictureReading | None) -> Image.Image:
    """Open a picture with Pillow, or where that is no use with what its contents ask for."""
    page = "first" if reading is None else reading.page
    try:
        image = Image.open(path, formats=_MISNAMED if path.suffix.lower() in RAW_SUFFIXES else _formats())
    except (UnidentifiedImageError, SyntaxError):
        otherwise = None if recognised(path) == "png" else _decoded_otherwise(path, reading, page)
        if otherwise is None:
            raise
        return otherwise
    try:
        _check_cost(image)
        if _loses_depth(image) or (reading is not None and reading.bands and band_count(image)):
            with contextlib.suppress(UnreadableError):
                otherwise = _decoded_otherwise(path, reading, page)
                if otherwise is not None:
                    image.close()
                    return otherwise
        if page != "first" and image.format in _PAGED:
            image.seek(_page(page, _frames(image), lambda number: _at(image, number)))
    except BaseException:
        image.close()
        raise
    return image


def _loses_depth(image: Image.Image) -> bool:
    """Whether Pillow would leave 8 of 16 bits of each colour, or take both for one colour."""
    if image.mode != "RGB" or image.format not in ("TIFF", "PNG"):
        return False
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, ())
    return max(bits, default=8) > 8 or any("16" in str(tile.args) for tile in getattr(image, "tile", ()))


def _decoded_otherwise(path: Path, reading: PictureReading | None, page: PageChoice) -> Image.Image | None:
    image = decode(path, reading)
    count = 1 if image is None else image.info.get(FRAMES, 1)
    if page == "first" or not isinstance(count, int) or count < 2:
        return image
    return decode(path, reading, frame=_page(page, count, lambda number: decode(path, reading, frame=number)))


def _frames(image: Image.Image) -> int:
    """How many pages or frames a picture has, but for previews of another size. It stays at its page."""
    noted = image.info.get(FRAMES)
    if isinstance(noted, int):
        return noted
    if image.format not in _PAGED:
        return 1
    count, here, size = getattr(image, "n_frames", 1), image.tell(), image.size
    if count < 2:
        return 1
    try:
        image.seek(1)
        same = image.size == size
        image.seek(here)
        image.load()
    except Exception:  # a second page that cannot be read is none
        return 1
    return count if same else 1


def _at(image: Image.Image, number: int) -> Image.Image:
    image.seek(number)
    image.load()
    return image


def _page(choice: PageChoice, count: int, page: Callable[[int], Image.Image | None]) -> int:
    """Return the number of the page that is used."""
    if choice == "middle":
        return count // 2
    step = max(1, count // _MOST_COMPARED)
    return max(range(0, count, step), key=lambda number: _sharpness(page(number)))


def _sharpness(image: Image.Image | None) -> float:
    """How much neighbouring points differ, in proportion to how bright they are; fine noise is smoothed first."""
    if image is None:
        return 0.0
    small = np.asarray(image.convert("F").reduce(2), dtype=np.float32)
    return float(np.var(np.diff(small, axis=0)) + np.var(np.diff(small, axis=1)))


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_cost(image: Image.Image) -> None:
    pixels = image.width * image.height
    kinds = (image.format, image.mode, "progressive" if image.info.get("progressive") else None)
    cost = max(_BYTES_PER_PIXEL.get(kind, 7) for kind in kinds if kind is not None)
    limit = min(MAX_PIXELS, _MAX_BYTES // cost)
    if pixels > limit:
        raise UnreadableError(_too_large(limit))


def _too_large(limit: int) -> Message:
    return msg("The picture has more than {millions} million pixels. Save a smaller copy.", millions=limit // 1_000_000)


def _reason(path: Path, error: Exception) -> Message:
    from_disk = disk_reason(error)
    if from_disk is not None:
        return from_disk
    if isinstance(error, MemoryError):
        return msg("The picture needs more memory than one picture may use. Save a smaller copy.")
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(MAX_PIXELS)
    if path.stat().st_size == 0:
        return EMPTY
    if isinstance(error, UnidentifiedImageError):
        if recognised(path) is not None:
            return msg("The picture is damaged and cannot be decoded.")
        return unsupported_format(path) or msg("This is not a picture, or its beginning is damaged.")
    if "truncated" in str(error).lower() or "not enough" in str(error).lower():
        return msg("The picture is cut off: the end of the file is missing.")
    return msg("The picture is damaged and cannot be decoded.")


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1…8. Read after decoding: Pillow turns TIFFs itself, and PNGs may carry it at the end."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken metadata does not make a picture unreadable
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(pixels: NDArray[np.uint8], turn: Image.Transpose) -> NDArray[np.uint8]:
    flips = {
        Image.Transpose.FLIP_LEFT_RIGHT: pixels[:, ::-1],
        Image.Transpose.ROTATE_180: pixels[::-1, ::-1],
        Image.Transpose.FLIP_TOP_BOTTOM: pixels[::-1],
        Image.Transpose.TRANSPOSE: pixels.swapaxes(0, 1),
        Image.Transpose.ROTATE_270: np.rot90(pixels, -1),
        Image.Transpose.TRANSVERSE: pixels[::-1, ::-1].swapaxes(0, 1),
        Image.Transpose.ROTATE_90: np.rot90(pixels, 1),
    }
    return np.ascontiguousarray(flips[turn])


def _resized(
    image: Image.Image, target: tuple[int, int], resampling: Image.Resampling, reading: PictureReading | None
) -> Image.Image:
    """Resize a decoded picture. Other colour modes become RGB in strips, to hold no second whole picture."""
    if image.mode in {"RGB", "L"} and is_plain(image):
        return image.resize(target, resampling, reducing_gap=_REDUCING_GAP)
    across, down = (
        max(1, int(length / wanted / _REDUCING_GAP)) for length, wanted in zip(image.size, target, strict=True)
    )
    coarse = Image.fromarray(to_rgb(image, reading=reading, reduce=(across, down)))
    return coarse.resize(target, resampling, box=(0, 0, image.width / across, image.height / down))


def _within(image: Image.Image, size: int, reading: PictureReading | None) -> Image.Image:
    """The picture within size × size, its aspect kept, never enlarged."""
    scale = min(1.0, size / max(image.size))
    target = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return _resized(image, target, Image.Resampling.BICUBIC, reading)


def _probe_colours(image: Image.Image) -> None:
    """Raise now, not during training, if the colours cannot be converted."""
    if not is_plain(image):
        corner = image.crop((0, 0, min(8, image.width), min(8, image.height)))
        corner.info = image.info
        to_rgb(corner)


_ENOUGH = 132
_VARIED = {"TIFF": "TIFF", "JPEG": "JPEG", "JPEG2000": "JPEG 2000"}
"""Formats with variants that Pillow does not read, and their usual names."""
_UNKNOWN_VARIANT = ("unknown pixel mode", "unknown data organization", "cannot handle", "unable to determine")
"""How Pillow's error begins where it knows the format but not the colour mode."""


def unsupported_format(path: Path) -> Message | None:
    """The reason why an intact picture cannot be read, and what to do; None where it is damaged."""
    with path.open("rb") as file:
        start = file.read(_ENOUGH)
    for form, spoken in _VARIED.items():
        if _is_unknown_variant(path, form, start):
            return msg(
                "The colours of this {format} picture are stored in a way that cannot be read. Save it as PNG.",
                format=spoken,
            )
    return None


def _is_unknown_variant(path: Path, form: str, start: bytes) -> bool:
    """Whether Pillow knows the format `form` but not this variant. It gives a reason only if asked for one format."""
    if form not in Image.OPEN:
        return False
    factory, accepts = Image.OPEN[form]
    if accepts is None or accepts(start) is not True:
        return False
    try:
        with path.open("rb") as file:
            factory(file, str(path)).close()
    except SyntaxError as error:
        return str(error).startswith(_UNKNOWN_VARIANT)
    except Exception:  # anything else that a decoder raises is damage
        return False
    return False
