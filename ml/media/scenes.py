"""Read large pictures from top to bottom, a few rows at a time, with the place on earth that they show.

rasterio (extra `geo`) reads TIFFs, and whatever is too large for Pillow. It is optional: without it, pictures are
decoded whole and have no place.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import msg
from ml.core.regular_files import check_regular
from ml.core.types import FIRST_BANDS, PictureReading
from ml.media.decoders import check_bands
from ml.media.images import load_image, silence_pillow

LARGE = 4_000
"""Pixels of the longer side: from here on a picture may be a scene."""
VERY_LARGE = 10_000
"""No camera takes such pictures, so it is one."""
GEO_COMMAND = 'pip install "handlens[geo]"'
_DRIVERS = {
    ".tif": "GTiff",
    ".tiff": "GTiff",
    ".jp2": "JP2OpenJPEG",
    ".j2k": "JP2OpenJPEG",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
}
"""Formats that GDAL may decode, by their endings. Not those that name other files or addresses."""
_READ_BY_ROWS = frozenset({".tif", ".tiff", ".jp2", ".j2k"})
_GEO_TAGS = (33550, 34264)
"""ModelPixelScale and ModelTransformation of GeoTIFF."""
_CACHE_BYTES = 64 << 20
_SAMPLED = 512
"""Pixels of the longer side, from which the range of deep pictures is taken."""
_EARTH_RADIUS = 6_371_007.2
"""Metres, of the sphere with the surface of the WGS 84 ellipsoid."""

Size = Literal["ordinary", "large", "scene"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GeoReference:
    """Where a picture lies: its coordinate reference system, and x = a·column + b·row + c, y = d·column + e·row + f.

    `metres` per unit of the system; None where it is in degrees.
    """

    crs: str
    transform: tuple[float, float, float, float, float, float]
    metres: float | None

    def pixel_hectares(self, rows: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the area of one pixel in each of these rows."""
        a, b, _c, d, e, f = self.transform
        if self.metres is not None:
            return np.full(len(rows), abs(a * e - b * d) * self.metres**2 / 1e4)
        top, bottom = np.radians(f + e * rows), np.radians(f + e * (rows + 1))
        strip = np.abs(np.sin(top) - np.sin(bottom)) * abs(np.radians(a))
        return np.asarray(strip * _EARTH_RADIUS**2 / 1e4, dtype=np.float64)


class LargePicture(Protocol):
    """A large picture. `geo` is None where its place is unknown, or where nothing here can read it."""

    width: int
    height: int
    geo: GeoReference | None

    def rows(self, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Return rows as RGB (last - first, width, 3), and which pixels have data; None: all. Raises UnreadableError.

        Fast from top to bottom only.
        """
        ...


def scene_size(path: Path) -> Size:
    """Return what a picture is by its size and its place: "scene" for georeferenced and very large ones.

    Reads the header only. A file that is no picture is "ordinary".
    """
    try:
        check_regular(path)
        silence_pillow()
        with Image.open(path) as image:
            tags: Any = getattr(image, "tag_v2", {})
            if any(tag in tags for tag in _GEO_TAGS) or max(image.size) > VERY_LARGE:
                return "scene"
            return "large" if max(image.size) > LARGE else "ordinary"
    except Image.DecompressionBombError:
        return "scene"
    except Exception:  # decoders of untrusted bytes raise anything
        return "ordinary"


def can_georeference() -> bool:
    """Return whether rasterio is installed."""
    try:
        import rasterio  # noqa: F401 - an extra
    except ImportError:
        return False
    return True


@contextlib.contextmanager
def open_scene(path: Path, reading: PictureReading | None = None) -> Iterator[LargePicture]:
    """Open a picture of any size, with the range and the bands of `reading` where it has some.

    Raises UnreadableError, and HandlensError where rasterio is needed and missing.
    """
    check_regular(path)
    if not can_georeference():
        try:
            yield _Whole(load_image(path, reading))
        except UnreadableError as error:
            if scene_size(path) != "scene":
                raise
            raise HandlensError(
                msg(
                    "{path} is too large to be read whole. To read it in parts, install rasterio: {command}",
                    path=str(path),
                    command=GEO_COMMAND,
                ),
                details=repr(error),
            ) from error
        return
    whole = None if path.suffix.lower() in _READ_BY_ROWS else _whole(path, reading)
    if whole is not None:
        yield whole
        return
    with _opened(path, reading) as scene:
        yield scene


def _whole(path: Path, reading: PictureReading | None) -> LargePicture | None:
    """Return the picture in memory, the right way up as a camera meant it; None if it is too large for that."""
    try:
        return _Whole(load_image(path, reading))
    except UnreadableError:
        if scene_size(path) != "scene" or path.suffix.lower() not in _DRIVERS:
            raise
        return None


class _Whole:
    """A picture in memory."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.height, self.width = pixels.shape[:2]
        self.geo: GeoReference | None = None
        self._pixels = pixels

    def rows(self, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        return self._pixels[first:last], None


@contextlib.contextmanager
def _opened(path: Path, reading: PictureReading | None) -> Iterator[LargePicture]:
    import rasterio  # an extra
    from rasterio.errors import NotGeoreferencedWarning

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES))
            warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
            dataset = rasterio.open(path.absolute(), driver=_DRIVERS[path.suffix.lower()])
            scene = _Raster(stack.enter_context(dataset), reading)
        except UnreadableError:
            raise
        except Exception as error:  # GDAL's errors, and what a crafted file provokes
            raise UnreadableError(msg("The picture is damaged and cannot be decoded."), details=repr(error)) from error
        yield scene


class _Raster:
    """A picture that rasterio reads by rows."""

    def __init__(self, dataset: Any, reading: PictureReading | None) -> None:
        self.width, self.height = int(dataset.width), int(dataset.height)
        self.geo = _geo_reference(dataset)
        self._dataset = dataset
        self._bands = _colour_bands(dataset, reading)
        self._palette = _palette(dataset) if len(self._bands) == 1 else None
        self._masked = any(
            "all_valid" not in {flag.name for flag in dataset.mask_flag_enums[band - 1]} for band in self._bands
        )
        deep = any(dataset.dtypes[band - 1] != "uint8" for band in self._bands)
        shared = None if reading is None or not reading.ranged else (reading.low, reading.high)
        self._range = (shared or _value_range(dataset, self._bands)) if deep else None

    def rows(self, first: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        window = ((first, last), (0, self.width))
        try:
            values = np.moveaxis(self._dataset.read(self._bands, window=window), 0, -1)
            valid = self._dataset.dataset_mask(window=window) > 0 if self._masked else None
        except Exception as error:  # as when it was opened
            raise UnreadableError(msg("The picture is damaged and cannot be decoded."), details=repr(error)) from error
        if self._range is not None:
            low, high = self._range
            scaled = (np.nan_to_num(values.astype(np.float32), nan=low, posinf=high, neginf=low) - low) / (high - low)
            values = (np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)
        if self._palette is not None:
            return self._palette[values[:, :, 0]], valid
        return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3))), valid


def _colour_bands(dataset: Any, reading: PictureReading | None) -> list[int]:
    """Return the bands of `reading` where there are more than three, else red, green and blue, or the first ones.

    Raises UnreadableError.
    """
    if reading is not None and reading.bands and dataset.count > len(FIRST_BANDS):
        check_bands(reading.bands, dataset.count)
        return list(reading.bands)
    names = [colour.name for colour in dataset.colorinterp]
    if all(name in names for name in ("red", "green", "blue")):
        return [names.index(name) + 1 for name in ("red", "green", "blue")]
    return [1, 2, 3] if dataset.count >= 3 else [1]


def _palette(dataset: Any) -> NDArray[np.uint8] | None:
    try:
        entries = dataset.colormap(1)
    except ValueError:
        return None
    table = np.zeros((256, 3), dtype=np.uint8)
    for value, colour in entries.items():
        if 0 <= value < 256:
            table[value] = colour[:3]
    return table


def _value_range(dataset: Any, bands: list[int]) -> tuple[float, float]:
    """Return where 96 % of the values of a deep picture lie, the same for all bands to keep its colours."""
    scale = min(1.0, _SAMPLED / max(dataset.width, dataset.height))
    shape = (len(bands), max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
    values = dataset.read(bands, out_shape=shape, masked=True).compressed().astype(np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = np.percentile(values, (2, 98))
    return float(low), float(high if high > low else low + 1)


def _geo_reference(dataset: Any) -> GeoReference | None:
    crs = dataset.crs
    if not crs or dataset.transform.is_identity:
        return None
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    if crs.is_projected:
        metres: float | None = float(crs.linear_units_factor[1])
    elif crs.is_geographic and b == d == 0:
        metres = None
    else:
        return None
    return GeoReference(crs=crs.to_wkt(), transform=(a, b, c, d, e, f), metres=metres)
