"""Shadows: the scene as the lamp sees it, once, and the question of what the lamp sees."""

from __future__ import annotations

import numpy as np

from ml.demo.scene import Scene, window_on
from ml.demo.solids import Array, Rays, first_hit

LAMP_REACH = 5.0
"""Half the side of the square of belt that the lamp's view covers, in units."""
LAMP_DOTS = 160
_HEIGHT = np.float32(20.0)


def lamp_view(scene: Scene) -> Array:
    """How far above the belt, along the way to the lamp, the last thing in the way lies; 0 where nothing is."""
    side = np.linspace(-LAMP_REACH, LAMP_REACH, LAMP_DOTS, dtype=np.float32)
    lamp = scene.lamp.astype(np.float32)
    zero = np.zeros(3, np.float32)
    origin = np.array([lamp * _HEIGHT, [1, 0, 0], [0, 1, 0]], np.float32)
    rays = Rays(origin=origin, direction=np.stack([-lamp, zero, zero]), u=side[None, :], v=side[:, None])
    nearest = np.full((LAMP_DOTS, LAMP_DOTS), _HEIGHT, np.float32)
    for piece in scene.pieces:
        for part in piece.parts:
            rows, columns = window_on(rays, part.body.corners)
            if nearest[rows, columns].size:
                t, _ = first_hit(part, rays.window(rows, columns))
                np.minimum(nearest[rows, columns], t, out=nearest[rows, columns])
    return np.asarray(_HEIGHT - nearest, dtype=np.float32)


def lit_by_lamp(scene: Scene, points: Array, normals: Array, above: Array) -> Array:
    """How much of the lamp each point sees, 0…1, its own piece's shadow included."""
    # A step off the surface, or the coarse view of the lamp would let it shadow itself in stripes.
    points = points + normals * 0.09
    along = points[:, 2] / scene.lamp[2]
    x, y = (points[:, i] - scene.lamp[i] * along for i in range(2))
    rows, columns = _dots(x, y)
    total = np.zeros(len(points), np.float32)
    spread = scene.softness * 4
    for a, b in ((-1, -1 / 3), (1 / 3, -1), (1, 1 / 3), (-1 / 3, 1)):
        i = np.clip((rows + a * spread + 0.5).astype(np.int32), 0, LAMP_DOTS - 1)
        j = np.clip((columns + b * spread + 0.5).astype(np.int32), 0, LAMP_DOTS - 1)
        total += above[i, j] < along + 0.05
    return np.asarray(total / 4, dtype=np.float32)


def _dots(x: Array, y: Array) -> tuple[Array, Array]:
    """Belt coordinates as rows and columns of the lamp's view."""
    scale = (LAMP_DOTS - 1) / (2 * LAMP_REACH)
    return (y + LAMP_REACH) * scale, (x + LAMP_REACH) * scale
