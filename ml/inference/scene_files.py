"""Write the map of a scene: as a picture with its legend, as a GeoTIFF, as a table of areas."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.messages import current_language, msg, text, tr
from ml.core.outputs import make_folder, unwritable
from ml.core.phrases import percent
from ml.core.printable import printable
from ml.inference.scenes import NO_DATA, UNSURE, ClassArea, SceneMap
from ml.media.scenes import GEO_COMMAND, can_georeference
from ml.pictures.axes import LINE, PAGE, save_png, write
from ml.pictures.class_colours import UNSURE_COLOUR, Colour

PICTURE, GEOTIFF, AREAS = ".png", (".tif", ".tiff"), ".csv"
SCENE_SUFFIXES = (PICTURE, GEOTIFF[0], AREAS)
OPACITY = 0.55
_LEGEND_WIDTH, _LINE, _MARGIN = 340, 26, 20
_NO_DATA_VALUE, _UNSURE_VALUE = 65_535, 65_534
"""In a GeoTIFF."""


def write_scene(scene: SceneMap, target: Path, colours: Sequence[Colour]) -> None:
    """Write the map to a file whose ending says in which form. Raises HandlensError."""
    suffix = target.suffix.lower()
    if suffix == PICTURE:
        save_png(_sheet(scene, colours), target)
    elif suffix in GEOTIFF:
        _write_geotiff(scene, target, colours)
    elif suffix == AREAS:
        _write_areas(scene, target)
    else:
        raise HandlensError(
            msg(
                "Maps are written as {suffix} only. Give a name such as {name}.",
                suffix=SCENE_SUFFIXES,
                name=f"{target.stem or 'map'}{PICTURE}",
            )
        )


def map_rgba(scene: SceneMap, colours: Sequence[Colour]) -> NDArray[np.uint8]:
    """Return the map as (rows, columns, 4); what has no class is transparent."""
    table = np.array([*((*colour, 255) for colour in colours), (0, 0, 0, 0), (*UNSURE_COLOUR, 90)], dtype=np.uint8)
    return table[scene.index]  # NO_DATA and UNSURE count from the end


def area_words(area: ClassArea) -> str:
    """Return how large an area is: its share, and hectares where these are known."""
    share = text(percent(area.share)) if area.share >= 0.01 else tr("less than 1 %")
    if area.hectares is None:
        return share
    return tr("{share}, {hectares} ha", share=share, hectares=_hectares(area.hectares))


def area_name(area: ClassArea) -> str:
    """Return the class, or a word for what is set aside."""
    return tr("not sure") if area.index == UNSURE else printable(area.name)


def _hectares(hectares: float) -> str:
    return current_language().number(hectares, ",.0f" if hectares >= 100 else ",.2f")


def _sheet(scene: SceneMap, colours: Sequence[Colour]) -> Image.Image:
    picture = Image.fromarray(scene.picture).convert("RGBA")
    layer = Image.fromarray(map_rgba(scene, colours)).resize(
        (scene.index.shape[1] * scene.cell, scene.index.shape[0] * scene.cell)
        if max(scene.width, scene.height) <= max(picture.size)
        else _stretched(scene, picture.size),
        Image.Resampling.NEAREST,
    )
    layer = layer.crop((0, 0, *picture.size))
    layer.putalpha(layer.getchannel("A").point(lambda value: round(value * OPACITY)))
    lines = max(len(scene.areas), 1)
    sheet = Image.new("RGB", (picture.width + _LEGEND_WIDTH, max(picture.height, lines * _LINE + 2 * _MARGIN)), PAGE)
    sheet.paste(Image.alpha_composite(picture, layer).convert("RGB"), (0, 0))
    draw = ImageDraw.Draw(sheet)
    left = picture.width + _MARGIN
    for number, area in enumerate(scene.areas):
        top = _MARGIN + number * _LINE
        fill = UNSURE_COLOUR if area.index == UNSURE else colours[area.index]
        draw.rectangle((left, top, left + 14, top + 14), fill=fill, outline=LINE)
        words = f"{area_name(area)}: {area_words(area)}"
        write(draw, (left + 24, top + 7), words, size=15, anchor="lm", width=_LEGEND_WIDTH - 2 * _MARGIN - 24)
    return sheet


def _stretched(scene: SceneMap, size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of the whole map over a picture of `size`; its last cells may reach beyond the picture."""
    rows, columns = scene.index.shape
    return (
        max(1, round(columns * scene.cell / scene.width * size[0])),
        max(1, round(rows * scene.cell / scene.height * size[1])),
    )


def _write_geotiff(scene: SceneMap, target: Path, colours: Sequence[Colour]) -> None:
    """Write the indices of the classes, a value for each cell, where the scene lies."""
    if not can_georeference():
        raise HandlensError(msg("A GeoTIFF needs rasterio. Install it: {command}", command=GEO_COMMAND))
    if scene.geo is None:
        raise HandlensError(
            msg(
                "The place of {path} is unknown. Save the map as {suffix} instead.",
                path=scene.path.name,
                suffix=PICTURE,
            )
        )
    import rasterio  # an extra
    from rasterio.transform import Affine

    a, b, c, d, e, f = scene.geo.transform
    values = scene.index.astype(np.int64)
    values[scene.index == UNSURE], values[scene.index == NO_DATA] = _UNSURE_VALUE, _NO_DATA_VALUE
    profile = {
        "driver": "GTiff",
        "width": values.shape[1],
        "height": values.shape[0],
        "count": 1,
        "dtype": "uint16",
        "crs": scene.geo.crs,
        "transform": Affine(a * scene.cell, b * scene.cell, c, d * scene.cell, e * scene.cell, f),
        "nodata": _NO_DATA_VALUE,
        "compress": "deflate",
    }
    try:
        make_folder(target.parent)
        with replacing(target) as draft, rasterio.open(draft.absolute(), "w", **profile) as dataset:
            dataset.write(values.astype(np.uint16), 1)
            dataset.write_colormap(1, {place: (*colour, 255) for place, colour in enumerate(colours)})
            dataset.set_band_description(1, "class")
            dataset.update_tags(**{f"CLASS_{place}": name for place, name in enumerate(scene.classes)})
            dataset.update_tags(**{f"CLASS_{_UNSURE_VALUE}": "not sure", "SOFTWARE": "Handlens"})
    except OSError as error:
        raise unwritable(target, error) from error
    except rasterio.errors.RasterioError as error:
        raise unwritable(target, OSError(str(error))) from error


def _write_areas(scene: SceneMap, target: Path) -> None:
    try:
        make_folder(target.parent)
        with replacing(target) as draft, draft.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("class", "pixels", "share", *(("hectares",) if scene.geo is not None else ())))
            for area in scene.areas:
                hectares = () if area.hectares is None else (round(area.hectares, 4),)
                name = "(not sure)" if area.index == UNSURE else area.name
                shown = f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
                table.writerow((shown, area.pixels, round(area.share, 6), *hectares))
    except OSError as error:
        raise unwritable(target, error) from error
