"""One camera picture of a few pieces on the belt."""

from __future__ import annotations

import numpy as np

from ml.demo.conveyor import lit_belt
from ml.demo.lamp import lamp_view
from ml.demo.plastic import FINE, lay_over
from ml.demo.scene import Scene, camera_rays
from ml.demo.solids import Array


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
