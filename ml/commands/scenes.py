"""`handlens predict --scene`: large pictures, answered tile by tile into a map of classes with its areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ml.commands.common import fail, make_console, print_error, print_json, say
from ml.commands.usage import WrongUsageError
from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import Message, msg, nmsg, text, tr
from ml.core.printable import printable
from ml.inference.scene_files import SCENE_SUFFIXES, area_name, area_words, write_scene
from ml.inference.scenes import SMALLEST_TILE, SceneMap, map_scene
from ml.pictures.class_colours import class_colours
from ml.runtime.model import ReleasedModel

_PANEL = tr("Large pictures")

SceneOption = Annotated[
    bool,
    typer.Option(
        "--scene",
        help=tr(
            "Answer large pictures, such as GeoTIFFs, tile by tile, and say how much of each is covered by which class."
        ),
        rich_help_panel=_PANEL,
    ),
]
TileOption = Annotated[
    int | None,
    typer.Option(
        "--tile",
        min=SMALLEST_TILE,
        metavar="PIXELS",
        help=tr(
            "The width of what the model is shown at once. It should show as much as a training picture does. "
            "If not given, the size of the training pictures, or of the model's input."
        ),
        rich_help_panel=_PANEL,
    ),
]
MapOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help=tr(
            "Write the map to this file: {suffixes}. Can be repeated. Implies {option}.",
            suffixes=SCENE_SUFFIXES,
            option="--scene",
        ),
        rich_help_panel=_PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneOutputs:
    """How scenes are answered, and where their maps go."""

    tile: int | None
    maps: Sequence[Path]
    json: bool


def predict_scenes(model: ReleasedModel, paths: Sequence[Path], wanted: SceneOutputs, *, usual: int | None) -> None:
    """Answer scenes one after another. `usual`: the tile where none is wanted. Raises HandlensError."""
    if model.info.input_name != "pixels":
        raise HandlensError(msg("Only models that read pictures can answer scenes."))
    if wanted.maps and len(paths) != 1:
        raise WrongUsageError(msg("It is only for one picture at a time."), option="--map")
    unreadable = 0
    for path in paths:
        try:
            scene = map_scene(model, path, tile=wanted.tile or usual)
        except UnreadableError as error:
            print_error(f"{printable(str(path))}: {text(error.message)}")
            unreadable += 1
            continue
        for target in wanted.maps:
            write_scene(scene, target.expanduser().absolute(), class_colours(len(scene.classes)))
        _tell(scene, wanted)
    if unreadable:
        fail(
            nmsg(
                "{count} of {total} files could not be read. The reasons are above.",
                "{count} of {total} files could not be read. The reasons are above.",
                unreadable,
                total=len(paths),
            )
        )


def _tell(scene: SceneMap, wanted: SceneOutputs) -> None:
    if wanted.json:
        areas = [
            {
                "class": area.name or None,
                "pixels": area.pixels,
                "share": round(area.share, 6),
                "hectares": area.hectares,
            }
            for area in scene.areas
        ]
        size = {"width": scene.width, "height": scene.height, "tile": scene.tile}
        print_json(
            {"event": "scene", "path": str(scene.path), **size, "areas": areas, "maps": list(map(str, wanted.maps))}
        )
        return
    console = make_console()
    say(
        console,
        msg(
            "{path}: {width} × {height} pixels, in tiles of {tile} pixels.",
            path=str(scene.path),
            width=str(scene.width),
            height=str(scene.height),
            tile=str(scene.tile),
        ),
    )
    for area in scene.areas:
        say(console, _line(area_name(area), area_words(area)))
    for target in wanted.maps:
        say(console, msg("The map is in {path}.", path=str(target)))


def _line(name: str, words: str) -> Message:
    return msg("{name}: {words}", name=name, words=words)
