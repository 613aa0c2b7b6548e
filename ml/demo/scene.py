"""What stands in front of the camera, and the rays that look at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ml.demo.solids import Array, Part, Rays


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Something on the belt: its parts in place and its colour, linear RGB 0…1."""

    parts: list[Part]
    colour: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is in front of the camera and how it is lit.

    `belt` is the strip's brightness and `belt_place` the dot of it (column, row) that lies at the origin. `tilt` is
    the camera's angle from straight down, `turn` about the vertical (radians); `distance` in units above the origin,
    `lens` the half width of the view as a tangent. `lamp` (3,) points to the lamp.
    """

    pieces: list[Piece]
    belt: Image.Image
    belt_colour: Array
    belt_place: tuple[float, float]
    tilt: float
    turn: float
    distance: float
    lens: float
    lamp: Array
    lamp_strength: float
    ambient: float
    softness: float


def camera_rays(scene: Scene, size: tuple[int, int], *, fine: int = 1) -> Rays:
    """One ray per `fine`-th of a pixel of a picture of `size` (width, height); t is the distance along the view."""
    width, height = size[0] * fine, size[1] * fine
    cos, sin = np.cos(scene.turn), np.sin(scene.turn)
    about = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    back = about @ np.array([0, -np.sin(scene.tilt), np.cos(scene.tilt)])
    right = about @ np.array([1.0, 0, 0])
    down = np.cross(back, right) * -1
    origin = np.array([back * scene.distance + [0, 0, 0.4], np.zeros(3), np.zeros(3)], np.float32)
    direction = np.array([-back, right, down], np.float32)
    u, v = (_middles(count, reach) for count, reach in ((width, scene.lens), (height, scene.lens * height / width)))
    return Rays(origin=origin, direction=direction, u=u[None, :], v=v[:, None])


def _middles(count: int, reach: float) -> Array:
    """The middles of `count` equal steps from -reach to reach."""
    return np.asarray(((np.arange(count) + 0.5) / count * 2 - 1) * reach, dtype=np.float32)


def window_on(rays: Rays, corners: Array) -> tuple[slice, slice]:
    """The rows and columns of the grid in which something with these corners can be seen."""
    if rays.direction[1].any():
        seen = (corners - rays.origin[0]) @ np.linalg.inv(rays.direction)
        u, v = seen[:, 1] / seen[:, 0], seen[:, 2] / seen[:, 0]
    else:
        lines = np.stack([rays.direction[0], rays.origin[1], rays.origin[2]])
        _, u, v = ((corners - rays.origin[0]) @ np.linalg.inv(lines)).T
    return _between(rays.v[:, 0], v), _between(rays.u[0], u)


def _between(steps: Array, values: Array) -> slice:
    """The stretch of the rising `steps` from the least to the greatest of `values`."""
    return slice(int(np.searchsorted(steps, values.min())), int(np.searchsorted(steps, values.max(), side="right")))
