"""Convex solids and where rays first meet them: enough geometry to draw toy bricks without a graphics library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
FAR = np.float32(1e6)
BEVEL = 0.07
"""Width of the rounded edges. The thin highlights they catch are what makes plastic look like plastic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solid:
    """The points inside every plane `normals @ p <= offsets` and, where there is one, inside an endless cylinder.

    `normals` (n, 3) point outwards; `offsets` (n,); `corners` (k, 3) enclose the solid and serve to find it on screen.
    The cylinder has its axis through `centre` along the unit vector `axis` and radius `radius`; radius 0 means none.
    """

    normals: Array
    offsets: Array
    corners: Array
    centre: Array
    axis: Array
    radius: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A solid with others cut out of it: a hollow, an arch."""

    body: Solid
    cuts: tuple[Solid, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Rays:
    """A grid of rays, origin + t · direction, both affine in `u` (1, w) and `v` (h, 1).

    `origin` and `direction` are (3, 3): the constant vector, its change with u, its change with v. A camera has one
    origin and many directions, a far lamp the reverse.
    """

    origin: Array
    direction: Array
    u: Array
    v: Array

    def window(self, rows: slice, columns: slice) -> Rays:
        """The rays of a part of the grid."""
        return replace(self, u=self.u[:, columns], v=self.v[rows])

    def from_origin(self, vector: Array) -> Array:
        """The component of every ray's origin along `vector`; (h, w), or (1, 1) where all are the same."""
        return _affine(self.origin @ vector, self.u, self.v)

    def along(self, vector: Array) -> Array:
        """The component of every ray's direction along `vector`, shaped likewise."""
        return _affine(self.direction @ vector, self.u, self.v)


def box(low: Sequence[float], high: Sequence[float]) -> Solid:
    """An upright block between two opposite corners."""
    x, y, z = ((low[i], high[i]) for i in range(3))
    corners = np.array([(a, b, c) for a in x for b in y for c in z], dtype=np.float32)
    normals = np.concatenate([-np.eye(3), np.eye(3)]).astype(np.float32)
    offsets = np.array([-low[0], -low[1], -low[2], *high], dtype=np.float32)
    axis = np.array([0, 0, 1], dtype=np.float32)
    return Solid(normals=normals, offsets=offsets, corners=corners, centre=np.zeros(3, np.float32), axis=axis)


def cylinder(centre: Sequence[float], radius: float, length: float, *, axis: int = 2) -> Solid:
    """A round bar that begins at `centre` and runs `length` along coordinate `axis` (0, 1, 2)."""
    low = [value - radius for value in centre]
    high = [value + radius for value in centre]
    low[axis], high[axis] = centre[axis], centre[axis] + length
    block = box(low, high)
    caps = [axis, axis + 3]
    return replace(
        block,
        normals=block.normals[caps],
        offsets=block.offsets[caps],
        centre=np.array(centre, np.float32),
        axis=np.eye(3, dtype=np.float32)[axis],
        radius=radius,
    )


def sliced(solid: Solid, normal: Sequence[float], through: Sequence[float]) -> Solid:
    """The solid without what lies beyond a plane: the slope of a roof brick."""
    unit = np.array(normal, np.float32) / np.float32(np.linalg.norm(normal))
    normals: Array = np.concatenate([solid.normals, unit[None]])
    offsets: Array = np.append(solid.offsets, unit @ np.array(through, np.float32))
    return replace(solid, normals=normals, offsets=offsets.astype(np.float32))


def moved(part: Part, rotation: Array, shift: Array) -> Part:
    """The part turned by `rotation` (3, 3) about the origin, then shifted."""

    def place(solid: Solid) -> Solid:
        normals: Array = solid.normals @ rotation.T
        pushed: Array = normals @ shift
        return replace(
            solid,
            normals=normals,
            offsets=solid.offsets + pushed,
            corners=solid.corners @ rotation.T + shift,
            centre=rotation @ solid.centre + shift,
            axis=rotation @ solid.axis,
        )

    return Part(body=place(part.body), cuts=tuple(place(cut) for cut in part.cuts))


def first_hit(part: Part, rays: Rays) -> tuple[Array, NDArray[np.int8]]:
    """Where each ray enters the part: t (h, w), `FAR` where it misses, and the surface met: 0 body, k the k-th cut."""
    enter, leave = _interval(part.body, rays)
    surface = np.zeros(enter.shape, np.int8)
    # Leaving one cut can mean standing in the next; a second round settles every shape used here.
    spans = [(number, *_interval(cut, rays)) for number, cut in enumerate(part.cuts, start=1)]
    for number, cut_enter, cut_leave in spans * min(2, len(spans)):
        inside = (cut_enter <= enter + 1e-5) & (enter < cut_leave)
        np.copyto(enter, cut_leave, where=inside)
        np.copyto(surface, np.int8(number), where=inside)
    np.copyto(enter, FAR, where=(enter >= leave) | (enter < 0))
    return enter, surface


def normals_at(solid: Solid, points: Array) -> Array:
    """Outward unit normals (n, 3) at points (n, 3) on the surface, turning over smoothly near an edge."""
    weights = np.square(np.clip(1 - (solid.offsets - points @ solid.normals.T) / BEVEL, 0, 1))
    normals = weights @ solid.normals
    if solid.radius:
        radial = points - solid.centre
        radial = radial - (radial @ solid.axis)[:, None] * solid.axis
        distance = np.sqrt(np.einsum("ij,ij->i", radial, radial)) + 1e-9
        weight = np.square(np.clip(1 - (solid.radius - distance) / BEVEL, 0, 1))
        normals = normals + radial * (weight / distance)[:, None]
    length = np.sqrt(np.einsum("ij,ij->i", normals, normals)) + 1e-9
    return np.asarray(normals / length[:, None], dtype=np.float32)


def _interval(solid: Solid, rays: Rays) -> tuple[Array, Array]:
    """The stretch of each ray inside the solid, as entering and leaving t; empty where entering > leaving."""
    shape = (rays.v.shape[0], rays.u.shape[1])
    enter = np.full(shape, -FAR, np.float32)
    leave = np.full(shape, FAR, np.float32)
    for normal, offset in zip(solid.normals, solid.offsets, strict=True):
        # A ray along the plane would divide by nothing; this tilts it by less than one could see.
        speed = rays.along(normal) + np.float32(1e-7)
        t = (offset - rays.from_origin(normal)) / speed
        if speed.max() < 0:
            np.maximum(enter, t, out=enter)
        elif speed.min() > 0:
            np.minimum(leave, t, out=leave)
        else:
            np.maximum(enter, t, out=enter, where=speed < 0)
            np.minimum(leave, t, out=leave, where=speed > 0)
    if solid.radius:
        _clip_to_cylinder(solid, rays, enter, leave)
    return enter, leave


def _clip_to_cylinder(solid: Solid, rays: Rays, enter: Array, leave: Array) -> None:
    """Narrow the stretches, in place, to the inside of the solid's cylinder."""
    first, second = _across(solid.axis)
    x, y = (rays.from_origin(e) - solid.centre @ e for e in (first, second))
    dx, dy = rays.along(first), rays.along(second)
    a = dx * dx + dy * dy + np.float32(1e-9)
    b = x * dx + y * dy
    c = x * x + y * y - np.float32(solid.radius**2)
    square = b * b - a * c
    root = np.sqrt(np.maximum(square, 0))
    np.maximum(enter, (-b - root) / a, out=enter)
    np.minimum(leave, np.where(square > 0, (root - b) / a, -FAR), out=leave)


def _across(axis: Array) -> tuple[Array, Array]:
    """Two unit vectors at right angles to a unit vector and to each other."""
    x, y, z = axis.tolist()
    first = np.array([-y, x, 0] if abs(z) < 0.7 else [0, -z, y], np.float32)
    first /= np.sqrt(first @ first)
    u, v, w = first.tolist()
    return first, np.array([y * w - z * v, z * u - x * w, x * v - y * u], np.float32)


def _affine(terms: Array, u: Array, v: Array) -> Array:
    constant, per_u, per_v = terms
    if per_u == 0 and per_v == 0:
        return np.full((1, 1), constant, np.float32)
    return np.asarray((constant + per_u * u) + per_v * v, dtype=np.float32)
