"""Toy bricks on a conveyor belt: a sample project of pictures, drawn by ourselves so that it can come along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from PIL import Image

from ml.core.disk import replacing
from ml.demo.conveyor import STRIP, belt_strip, lit_belt
from ml.demo.lamp import lamp_view
from ml.demo.pieces import PIECES, standing
from ml.demo.planted import choose_wrong
from ml.demo.plastic import FINE, lay_over
from ml.demo.scene import Piece, Scene, camera_rays
from ml.demo.solids import Array

CLASSES = tuple(PIECES)

_COLOURS = (
    (178, 24, 30), (240, 190, 30), (18, 74, 160), (28, 122, 52), (232, 232, 226), (38, 38, 40), (216, 104, 22),
    (160, 164, 168), (96, 100, 106), (208, 186, 140), (150, 186, 40), (70, 150, 200), (104, 52, 120), (104, 58, 36),
)  # fmt: skip
"""Plastic colours, sRGB. Every class goes through the same ones, so that colour says nothing about the class."""
_BELTS = ((62, 66, 70), (44, 46, 50), (40, 84, 70), (86, 92, 98), (52, 70, 98), (120, 122, 120))


def write_bricks(
    folder: Path, *, pictures: int = 600, seed: int = 0, size: tuple[int, int] = (256, 192), wrong: int = 0
) -> Iterator[tuple[int, int]]:
    """Write `pictures` JPEGs of `size` (width, height) as folder/<class>/<class>-0001.jpg and yield (done, total).

    `size` is landscape or square; `seed` is not negative. The classes take turns, so a run that is given up midway
    leaves about as many of each. `wrong` pictures show another class. The same seed gives the same files. Raises
    OSError where the folder cannot be written.
    """
    belt = belt_strip(np.random.default_rng((seed, 1)))
    colours = np.random.default_rng((seed, 2)).permutation(_linear(_COLOURS))
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    shows = choose_wrong(pictures, wrong=wrong, classes=len(CLASSES), seed=seed)
    yield 0, pictures
    for index in range(pictures):
        turn, which = divmod(index, len(CLASSES))
        rng = np.random.default_rng((seed, 3, index))
        light = render(_scene(CLASSES[shows.get(index, which)], colours[turn % len(colours)], belt, rng), size)
        _save(_exposed(light, rng), folder / CLASSES[which] / f"{CLASSES[which]}-{turn + 1:04d}.jpg")
        yield index + 1, pictures


def _scene(name: str, colour: Array, belt: Image.Image, rng: np.random.Generator) -> Scene:
    pieces = [_piece(name, colour, (rng.normal(0, 0.35), rng.normal(0, 0.25)), rng)]
    if rng.random() < 0.25:
        other = CLASSES[int(rng.integers(len(CLASSES)))]
        place = (float(rng.choice([-1, 1]) * rng.uniform(3.9, 4.6)), float(rng.choice([-1, 1]) * rng.uniform(2.2, 3.0)))
        pieces.append(_piece(other, _linear(_COLOURS)[int(rng.integers(len(_COLOURS)))], place, rng))
    height, about = rng.uniform(0.6, 1.2), rng.uniform(0, 2 * np.pi)
    lamp = np.array([np.cos(height) * np.cos(about), np.cos(height) * np.sin(about), np.sin(height)], np.float32)
    return Scene(
        pieces=pieces,
        belt=belt,
        belt_colour=_linear(_BELTS)[int(rng.integers(len(_BELTS)))],
        belt_place=(rng.uniform(300, STRIP[1] - 300), STRIP[0] / 2 + rng.uniform(-30, 30)),
        tilt=rng.uniform(0.5, 0.85),
        turn=rng.normal(0, 0.06),
        distance=rng.uniform(8.6, 11.0),
        lens=0.34,
        lamp=lamp,
        lamp_strength=rng.uniform(0.6, 1.0),
        ambient=rng.uniform(0.25, 0.5),
        softness=rng.uniform(0.15, 0.5),
    )


def _piece(name: str, colour: Array, place: tuple[float, float], rng: np.random.Generator) -> Piece:
    """The piece as it fell: mostly on its feet, at times on a side or on its back."""
    fall = rng.random()
    tip = np.eye(3)
    if fall < 0.06:
        tip = np.diag([1.0, -1.0, -1.0])
    elif fall < 0.17:
        # Onto the back: the front of a slope is too thin an edge to come to rest on.
        tip = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    spin = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return Piece(parts=standing(name, (spin @ tip).astype(np.float32), place), colour=colour)


def _exposed(light: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the camera makes of the light: movement along the belt, exposure, white balance, noise, a soft shoulder."""
    height, width, _ = light.shape
    # The lens spreads a little across; along the belt the movement does so anyway.
    light[1:-1] = 0.8 * light[1:-1] + 0.1 * (light[:-2] + light[2:])
    light = scipy.ndimage.uniform_filter1d(light, max(1, round(rng.gamma(1.6, 0.9) + 0.5)), axis=1, mode="nearest")
    light *= 2 ** rng.uniform(-0.3, 0.6) * (1 + rng.normal(0, 0.035, 3)).astype(np.float32)
    y, x = np.linspace(-1, 1, height, dtype=np.float32)[:, None], np.linspace(-1, 1, width, dtype=np.float32)
    light *= (1 - np.float32(rng.uniform(0.05, 0.22)) * (x * x + y * y))[..., None]
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    noise *= np.sqrt(light * np.float32(0.0006) + np.float32(0.00001))
    light += noise * np.float32(rng.uniform(0.5, 1.8))
    return _FILM[np.clip(light * 1024, 0, len(_FILM) - 1).astype(np.uint16)]


def _film() -> NDArray[np.uint8]:
    """Grey values by 1024ths of linear light: gamma 2.2 and a soft shoulder, so that highlights do not burn out."""
    light = (np.arange(4096) + 0.5) / 1024
    light = np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.3), light)
    return np.asarray(255 * light ** (1 / 2.2) + 0.5, dtype=np.uint8)


_FILM = _film()


def _linear(colours: tuple[tuple[int, int, int], ...]) -> Array:
    return np.asarray((np.array(colours) / 255) ** 2.2, dtype=np.float32)


def _save(pixels: NDArray[np.uint8], path: Path) -> None:
    """Under a temporary name first, so that a picture is there in full or not at all."""
    with replacing(path, durable=False) as draft:  # its folder is flushed as a whole
        Image.fromarray(pixels).save(draft, format="JPEG", quality=88)


def render(scene: Scene, size: tuple[int, int]) -> Array:
    """The light that reaches the sensor, linear RGB (height, width, 3); `size` is (width, height)."""
    above = lamp_view(scene)
    picture = lit_belt(scene, camera_rays(scene, size), above)
    camera = camera_rays(scene, size, fine=FINE)
    # Pieces never touch, so the far one first and the near one over it needs no depth in common.
    eye = camera.origin[0]
    for piece in sorted(
        scene.pieces, key=lambda piece: -float(np.linalg.norm(piece.parts[0].body.corners.mean(0) - eye))
    ):
        lay_over(picture, scene, piece, camera, above)
    return picture
