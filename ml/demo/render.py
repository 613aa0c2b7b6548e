"""One camera picture of a few pieces on the belt: ray casting, a lamp with soft shadows, glossy plastic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from ml.demo.conveyor import DOTS_PER_UNIT
from ml.demo.solids import FAR, Array, Part, Rays, first_hit, normals_at

FINE = 2
"""Rays per pixel, along each side, on the pieces; the belt needs only one."""
_LAMP_REACH = 5.0
"""Half the side of the square of belt that the lamp's view covers, in units."""
_LAMP_DOTS = 200
_LAMP_HEIGHT = np.float32(20.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Something on the belt: its parts in place and its colour, linear RGB 0…1."""

    parts: list[Part]
    colour: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What is in front of the camera and how it is lit.

    `tilt` is the camera's angle from straight down, `turn` about the vertical (radians); `distance` in units above
    the origin, `lens` the half width of the view as a tangent. `lamp` (3,) points to the lamp.
    """

    pieces: list[Piece]
    belt: Array
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


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plastic:
    """What n rays met: `points`, unit `normals` and `colours` (n, 3), and `open_to_sky` (n,), low inside a hollow."""

    points: Array
    normals: Array
    colours: Array
    open_to_sky: Array


def render(scene: Scene, size: tuple[int, int]) -> Array:
    """The light that reaches the sensor, linear RGB (height, width, 3); `size` is (width, height)."""
    camera = _camera(scene, size, 1)
    depth_seen_by_lamp = _lamp_view(scene)
    picture = _belt(scene, camera, depth_seen_by_lamp)
    fine = _plastic(scene, _camera(scene, size, FINE), depth_seen_by_lamp)
    # Four strided views add up several times faster than one mean over two axes.
    plastic = np.zeros((size[1], size[0], 4), np.float32)
    for i in range(FINE * FINE):
        plastic += fine[i // FINE :: FINE, i % FINE :: FINE] / np.float32(FINE**2)
    return np.asarray(picture * (1 - plastic[..., 3:]) + plastic[..., :3], dtype=np.float32)


def _camera(scene: Scene, size: tuple[int, int], fine: int) -> Rays:
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


def _window(rays: Rays, corners: Array) -> tuple[slice, slice]:
    """The rows and columns of the grid in which something with these corners can be seen."""
    solve = np.linalg.inv
    if rays.direction[1].any():
        seen = (corners - rays.origin[0]) @ solve(rays.direction)
        seen = seen[:, 1:] / seen[:, :1]
    else:
        lines = np.stack([rays.direction[0], rays.origin[1], rays.origin[2]])
        seen = ((corners - rays.origin[0]) @ solve(lines))[:, 1:]
    columns, rows = (
        slice(*np.searchsorted(axis, [values.min(), values.max()]) + np.array([0, 1]))
        for axis, values in ((rays.u[0], seen[:, 0]), (rays.v[:, 0], seen[:, 1]))
    )
    return rows, columns


def _lamp_view(scene: Scene) -> Array:
    """How far above the belt, along the way to the lamp, the last thing in the way lies; 0 where nothing is."""
    side = np.linspace(-_LAMP_REACH, _LAMP_REACH, _LAMP_DOTS, dtype=np.float32)
    lamp = scene.lamp.astype(np.float32)
    zero = np.zeros(3, np.float32)
    origin = np.array([lamp * _LAMP_HEIGHT, [1, 0, 0], [0, 1, 0]], np.float32)
    rays = Rays(origin=origin, direction=np.stack([-lamp, zero, zero]), u=side[None, :], v=side[:, None])
    nearest = np.full((_LAMP_DOTS, _LAMP_DOTS), _LAMP_HEIGHT, np.float32)
    for piece in scene.pieces:
        for part in piece.parts:
            rows, columns = _window(rays, part.body.corners)
            if nearest[rows, columns].size:
                t, _ = first_hit(part, rays.window(rows, columns))
                np.minimum(nearest[rows, columns], t, out=nearest[rows, columns])
    return np.asarray(_LAMP_HEIGHT - nearest, dtype=np.float32)


def _dots(x: Array, y: Array) -> tuple[Array, Array]:
    """Belt coordinates as rows and columns of the lamp's view."""
    scale = (_LAMP_DOTS - 1) / (2 * _LAMP_REACH)
    return (y + _LAMP_REACH) * scale, (x + _LAMP_REACH) * scale


def _belt(scene: Scene, camera: Rays, above: Array) -> Array:
    up = np.array([0, 0, 1], np.float32)
    t = -camera.from_origin(up) / camera.along(up)
    x, y = (camera.from_origin(e) + t * camera.along(e) for e in np.eye(3, dtype=np.float32)[:2])
    shade = scipy.ndimage.gaussian_filter((above > 0).astype(np.float32), scene.softness * _LAMP_DOTS / 10)
    near = scipy.ndimage.gaussian_filter((above > 0).astype(np.float32), scene.softness * _LAMP_DOTS / 40)
    place = _dots(x, y)
    shadow = scipy.ndimage.map_coordinates(0.5 * (shade + near), place, order=1)
    rows = (y + scene.belt_place[1]) * DOTS_PER_UNIT
    columns = (x + scene.belt_place[0]) * DOTS_PER_UNIT
    texture = scipy.ndimage.map_coordinates(scene.belt, (rows, columns), order=1, mode="grid-wrap")
    light = scene.ambient * _open_sky(scene, x, y) + scene.lamp_strength * scene.lamp[2] * (1 - shadow)
    return np.asarray((texture * light)[..., None] * scene.belt_colour, dtype=np.float32)


def _open_sky(scene: Scene, x: Array, y: Array) -> Array:
    """How much of the ambient light reaches the belt beside the pieces: dark in the crease where they touch it."""
    sky = np.ones_like(x)
    for piece in scene.pieces:
        body = piece.parts[0].body
        flat = body.corners[:, :2]
        middle = flat.mean(axis=0)
        reach = np.sqrt(((flat - middle) ** 2).sum(axis=1).max()) * 0.75
        outside = np.hypot(x - middle[0], y - middle[1]) - reach
        sky *= 1 - 0.45 * np.exp(-np.clip(outside, 0, None) / 0.5)
    return np.asarray(sky, dtype=np.float32)


def _plastic(scene: Scene, camera: Rays, above: Array) -> Array:
    """The pieces alone, RGB times coverage and coverage, (rows, columns, 4)."""
    shape = (camera.v.shape[0], camera.u.shape[1])
    depth = np.full(shape, FAR, np.float32)
    owner = np.full(shape, -1, np.int16)
    surfaces: list[tuple[Piece, Part, int]] = []
    for piece in scene.pieces:
        for part in piece.parts:
            rows, columns = _window(camera, part.body.corners)
            if not depth[rows, columns].size:
                continue
            t, surface = first_hit(part, camera.window(rows, columns))
            closer = t < depth[rows, columns]
            np.copyto(depth[rows, columns], t, where=closer)
            np.copyto(owner[rows, columns], surface + np.int16(len(surfaces)), where=closer)
            surfaces += [(piece, part, number) for number in range(len(part.cuts) + 1)]
    picture = np.zeros((*shape, 4), np.float32)
    seen = np.flatnonzero(owner >= 0)
    if seen.size:
        row, column = np.divmod(seen, shape[1])
        way = camera.direction[0] + camera.u[0, column, None] * camera.direction[1]
        way += camera.v[row] * camera.direction[2]
        points = camera.origin[0] + depth.ravel()[seen, None] * way
        view = -way / np.sqrt(np.einsum("ij,ij->i", way, way))[:, None]
        plastic = _touched(points, owner.ravel()[seen], surfaces)
        picture.reshape(-1, 4)[seen, :3] = _shaded(scene, plastic, view, above)
        picture[..., 3].reshape(-1)[seen] = 1
    return picture


def _touched(points: Array, owner: NDArray[np.int16], surfaces: list[tuple[Piece, Part, int]]) -> _Plastic:
    """What the rays met at `points`: `owner` (n,) is each point's place in `surfaces`."""
    normals, colours = np.empty_like(points), np.empty_like(points)
    open_to_sky = np.ones(len(points), np.float32)
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(surfaces) + 1))
    for index, (piece, part, number) in enumerate(surfaces):
        mine = order[bounds[index] : bounds[index + 1]]
        if mine.size == 0:
            continue
        colours[mine] = piece.colour
        if number:
            normals[mine] = -normals_at(part.cuts[number - 1], points[mine])
            open_to_sky[mine] = 0.55
        else:
            normals[mine] = normals_at(part.body, points[mine])
    return _Plastic(points=points, normals=normals, colours=colours, open_to_sky=open_to_sky)


def _shaded(scene: Scene, plastic: _Plastic, view: Array, above: Array) -> Array:
    """RGB (n, 3) of points on the pieces, seen from the unit directions `view` (n, 3)."""
    lit = _lit(scene, plastic.points, plastic.normals, above)
    light = _matt(scene, plastic, lit)
    shine = _shine(scene, plastic, view, lit)
    return np.asarray(plastic.colours * light[:, None] + shine[:, None], dtype=np.float32)


def _lit(scene: Scene, points: Array, normals: Array, above: Array) -> Array:
    """How much of the lamp each point sees, 0…1, its own piece's shadow included."""
    along = points[:, 2] / scene.lamp[2]
    x, y = (points[:, i] + normals[:, i] * 0.03 - scene.lamp[i] * along for i in range(2))
    rows, columns = _dots(x, y)
    total = np.zeros(len(points), np.float32)
    spread = scene.softness * 5
    for a, b in ((-1, -1 / 3), (1 / 3, -1), (1, 1 / 3), (-1 / 3, 1)):
        i = np.clip((rows + a * spread + 0.5).astype(np.int32), 0, _LAMP_DOTS - 1)
        j = np.clip((columns + b * spread + 0.5).astype(np.int32), 0, _LAMP_DOTS - 1)
        total += above[i, j] < along + 0.12
    # Where the lamp only grazes, the lamp's view is too coarse to tell and would draw stripes.
    grazed = np.clip(normals @ scene.lamp * 5, 0, 1)
    return np.asarray(total / 4 * grazed, dtype=np.float32)


def _matt(scene: Scene, plastic: _Plastic, lit: Array) -> Array:
    towards = np.clip(plastic.normals @ scene.lamp, 0, None)
    sky = 0.5 + 0.5 * plastic.normals[:, 2]
    # Low down, less of the hall is seen and a little light comes back from the belt.
    hall = (0.28 + 0.72 * sky) * np.clip(0.75 + 0.25 * plastic.points[:, 2], 0.75, 1)
    ambient = scene.ambient * plastic.open_to_sky * hall
    return np.asarray(ambient + scene.lamp_strength * towards * lit, dtype=np.float32)


def _shine(scene: Scene, plastic: _Plastic, view: Array, lit: Array) -> Array:
    normals = plastic.normals
    halfway = view + scene.lamp
    halfway = halfway / np.sqrt(np.einsum("ij,ij->i", halfway, halfway))[:, None]
    facing = np.clip(np.einsum("ij,ij->i", normals, halfway), 0, 1)
    grazing = np.clip(np.einsum("ij,ij->i", normals, view), 0, 1)
    mirrored = 2 * grazing * normals[:, 2] - view[:, 2]
    fresnel = 0.04 + 0.5 * (1 - grazing) ** 5
    hall = np.clip(mirrored * 1.6 - 0.3, 0.05, 1.3)
    spot = 0.55 * facing**70 + 0.07 * facing**12
    return np.asarray(
        scene.lamp_strength * spot * lit + scene.ambient * 1.4 * fresnel * hall * plastic.open_to_sky, np.float32
    )
