"""The pieces as the camera sees them: ray casting and glossy plastic under a lamp and a bright hall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.demo.lamp import lit_by_lamp
from ml.demo.scene import Piece, Scene, window_on
from ml.demo.solids import FAR, Array, Part, Rays, first_hit, normals_at

_Index = NDArray[np.intp]
FINE = 2
"""Rays per pixel along each side; edges need it, the belt does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Touched:
    """What n rays met: `points`, unit `normals` (n, 3), and `open_to_sky` (n,), low inside a hollow."""

    points: Array
    normals: Array
    open_to_sky: Array


def lay_over(picture: Array, scene: Scene, piece: Piece, camera: Rays, above: Array) -> None:
    """Draw a piece over `picture` (h, w, 3), in place.

    `camera` has `FINE` rays per pixel each way; `above` is what `lamp_view` gave.
    """
    window = window_on(camera, np.concatenate([part.body.corners for part in piece.parts]))
    top, left = (side.start // FINE for side in window)
    bottom, right = (-(-side.stop // FINE) for side in window)
    if top >= bottom or left >= right:
        return
    rays = camera.window(slice(top * FINE, bottom * FINE), slice(left * FINE, right * FINE))
    depth, owner, surfaces = _met(piece, rays)
    row, column, share = _worth_shading(owner)
    if row.size == 0:
        return
    points, view = _points(rays, row, column, depth)
    touched = _touched(points, owner[row, column], surfaces)
    light = np.ones((row.size, 4), np.float32)
    light[:, :3] = _shaded(scene, touched, view, piece.colour, above)
    layer = np.zeros((bottom - top, right - left, 4), np.float32)
    np.add.at(layer, (row // FINE, column // FINE), light * share[:, None])
    target = picture[top:bottom, left:right]
    target *= 1 - layer[..., 3:]
    target += layer[..., :3]


def _met(piece: Piece, rays: Rays) -> tuple[Array, NDArray[np.int16], list[tuple[Part, int]]]:
    """For every ray how far it goes and which surface it meets, an index into the list returned, or -1."""
    shape = (rays.v.shape[0], rays.u.shape[1])
    depth = np.full(shape, FAR, np.float32)
    owner = np.full(shape, -1, np.int16)
    surfaces: list[tuple[Part, int]] = []
    for part in piece.parts:
        rows, columns = window_on(rays, part.body.corners)
        if not depth[rows, columns].size:
            continue
        t, surface = first_hit(part, rays.window(rows, columns))
        closer = t < depth[rows, columns]
        np.copyto(depth[rows, columns], t, where=closer)
        np.copyto(owner[rows, columns], surface + np.int16(len(surfaces)), where=closer)
        surfaces += [(part, number) for number in range(len(part.cuts) + 1)]
    return depth, owner, surfaces


def _worth_shading(owner: NDArray[np.int16]) -> tuple[_Index, _Index, Array]:
    """Rows and columns of the rays to shade and the share of its pixel that each stands for.

    Rays of one pixel that meet the same surface look alike: the first of them speaks for the rest.
    """
    first = owner[::FINE, ::FINE]
    alike = np.ones(first.shape, np.float32)
    found = []
    for i, j in ((i, j) for i in range(FINE) for j in range(FINE) if i or j):
        ray = owner[i::FINE, j::FINE]
        same = ray == first
        alike += same
        row, column = np.nonzero(~same & (ray >= 0))
        found.append((row * FINE + i, column * FINE + j, np.ones(row.size, np.float32)))
    row, column = np.nonzero(first >= 0)
    found.append((row * FINE, column * FINE, alike[row, column]))
    rows, columns, shares = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return rows, columns, np.asarray(shares / FINE**2, dtype=np.float32)


def _points(rays: Rays, row: _Index, column: _Index, depth: Array) -> tuple[Array, Array]:
    """Where these rays end, and the unit directions back to the eye; both (n, 3)."""
    way = rays.direction[0] + rays.u[0, column, None] * rays.direction[1] + rays.v[row] * rays.direction[2]
    points = rays.origin[0] + depth[row, column, None] * way
    return points, -way / np.sqrt(np.einsum("ij,ij->i", way, way))[:, None]


def _touched(points: Array, owner: NDArray[np.int16], surfaces: list[tuple[Part, int]]) -> _Touched:
    """What the rays met at `points`: `owner` (n,) is each point's place in `surfaces`."""
    normals = np.empty_like(points)
    open_to_sky = np.ones(len(points), np.float32)
    order = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[order], np.arange(len(surfaces) + 1))
    for index, (part, number) in enumerate(surfaces):
        mine = order[bounds[index] : bounds[index + 1]]
        if mine.size == 0:
            continue
        if number:
            normals[mine] = -normals_at(part.cuts[number - 1], points[mine])
            open_to_sky[mine] = 0.55
        else:
            normals[mine] = normals_at(part.body, points[mine])
    return _Touched(points=points, normals=normals, open_to_sky=open_to_sky)


def _shaded(scene: Scene, plastic: _Touched, view: Array, colour: Array, above: Array) -> Array:
    """RGB (n, 3) of points on the pieces, seen from the unit directions `view` (n, 3)."""
    lit = lit_by_lamp(scene, plastic.points, plastic.normals, above)
    light = _matt(scene, plastic, lit)
    shine = _shine(scene, plastic, view, lit)
    return np.asarray(colour * light[:, None] + shine[:, None], dtype=np.float32)


def _matt(scene: Scene, plastic: _Touched, lit: Array) -> Array:
    towards = np.clip(plastic.normals @ scene.lamp, 0, None)
    sky = 0.5 + 0.5 * plastic.normals[:, 2]
    # Low down, less of the hall is seen and a little light comes back from the belt.
    hall = (0.28 + 0.72 * sky) * np.clip(0.75 + 0.25 * plastic.points[:, 2], 0.75, 1)
    ambient = scene.ambient * plastic.open_to_sky * hall
    return np.asarray(ambient + scene.lamp_strength * towards * lit, dtype=np.float32)


def _shine(scene: Scene, plastic: _Touched, view: Array, lit: Array) -> Array:
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
