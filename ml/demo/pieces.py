"""The toy bricks themselves. One unit is the distance between two studs; a brick is 1.2 high, a plate 0.4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ml.demo.solids import Array, Part, Solid, box, cylinder, moved, sliced

BRICK = 1.2
PLATE = 0.4
WALL = 0.17
_GAP = 0.012

_Model = tuple[list[Part], list[Part]]
"""The parts one can see from above and those only seen from below."""


def _studs(places: list[tuple[float, float]], height: float) -> list[Part]:
    return [Part(body=cylinder((x, y, height), 0.3, 0.21)) for x, y in places]


def _grid(length: int, width: int) -> list[tuple[float, float]]:
    return [(i - (length - 1) / 2, j - (width - 1) / 2) for i in range(length) for j in range(width)]


def _block(length: float, width: float, height: float) -> Solid:
    x, y = length / 2 - _GAP, width / 2 - _GAP
    return box((-x, -y, 0), (x, y, height))


def _hollow(length: float, width: float, height: float) -> Solid:
    """What is missing below: it reaches under the piece so that the opening has no floor."""
    x, y = length / 2 - WALL, width / 2 - WALL
    return box((-x, -y, -1), (x, y, height - WALL))


def _tubes(length: int, width: int, height: float) -> list[Part]:
    """The tubes (two wide) or pins (one wide) one sees when a piece lies on its back."""
    inside = height - 0.1
    if width == 1:
        return [Part(body=cylinder((i - (length - 2) / 2, 0, 0.02), 0.17, inside)) for i in range(length - 1)]
    places = [(i - (length - 2) / 2, j - (width - 2) / 2) for i in range(length - 1) for j in range(width - 1)]
    return [
        Part(body=cylinder((x, y, 0.02), 0.41, inside), cuts=(cylinder((x, y, -1), 0.3, height + 0.7),))
        for x, y in places
    ]


def _studded(length: int, width: int, height: float) -> _Model:
    body = Part(body=_block(length, width, height), cuts=(_hollow(length, width, height),))
    return [body, *_studs(_grid(length, width), height)], _tubes(length, width, height)


def _arch() -> _Model:
    opening = cylinder((0, -1, -0.16), 1.0, 2.0, axis=1)
    return [Part(body=_block(4, 1, BRICK), cuts=(opening,)), *_studs(_grid(4, 1), BRICK)], []


def _corner() -> _Model:
    missing = box((_GAP, _GAP, -1), (2, 2, 2))
    # The hollow is an L too: two cuts, each along one arm.
    reach, inner = 1 - WALL, WALL
    arms = (
        box((-reach, -reach, -1), (reach, -inner, BRICK - WALL)),
        box((-reach, -reach, -1), (-inner, reach, BRICK - WALL)),
    )
    body = Part(body=_block(2, 2, BRICK), cuts=(missing, *arms))
    return [body, *_studs([(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5)], BRICK)], []


def _slope() -> _Model:
    roof = sliced(_block(2, 2, BRICK), (0, -1, 1), (0, 0, BRICK))
    inner = sliced(_hollow(2, 2, BRICK), (0, -1, 1), (0, 0, BRICK - 0.25))
    return [Part(body=roof, cuts=(inner,)), *_studs([(-0.5, 0.5), (0.5, 0.5)], BRICK)], []


def _round() -> _Model:
    body = Part(body=cylinder((0, 0, 0), 1 - _GAP, BRICK), cuts=(cylinder((0, 0, -1), 1 - WALL, BRICK + 0.8),))
    tube = Part(body=cylinder((0, 0, 0.02), 0.41, BRICK - 0.1), cuts=(cylinder((0, 0, -1), 0.3, BRICK + 0.7),))
    return [body, *_studs([(-0.45, -0.45), (0.45, -0.45), (-0.45, 0.45), (0.45, 0.45)], BRICK)], [tube]


PIECES: dict[str, Callable[[], _Model]] = {
    "Arch 1x4": _arch,
    "Brick 2x2": lambda: _studded(2, 2, BRICK),
    "Brick 2x4": lambda: _studded(4, 2, BRICK),
    "Corner 2x2": _corner,
    "Plate 1x4": lambda: _studded(4, 1, PLATE),
    "Plate 2x4": lambda: _studded(4, 2, PLATE),
    "Round 2x2": _round,
    "Slope 2x2": _slope,
}
"""How each part type is built, standing on the ground with its middle at the origin."""


def _filled(part: Part) -> Part:
    """The part without the cuts that stay inside its outline as seen from above, the arch's opening excepted."""
    low, high = part.body.corners.min(axis=0), part.body.corners.max(axis=0)
    inside = [bool((cut.corners > low)[:, :2].all() and (cut.corners < high).all()) for cut in part.cuts]
    return Part(body=part.body, cuts=tuple(cut for cut, hidden in zip(part.cuts, inside, strict=True) if not hidden))


def standing(name: str, rotation: Array, place: tuple[float, float]) -> list[Part]:
    """The piece turned by `rotation` (3, 3), set down on the belt at `place` (x, y)."""
    parts, below = PIECES[name]()
    # On its feet nobody sees inside; leaving that out halves the work.
    parts = [_filled(part) for part in parts] if rotation[2, 2] > 0.9 else parts + below
    turned = [moved(part, rotation, np.zeros(3, np.float32)) for part in parts]
    # Bounding corners overstate what a turned cylinder or slope reaches, but pieces only ever rest on flat faces.
    corners = np.concatenate([part.body.corners for part in turned])
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    shift = np.array([place[0] - middle[0], place[1] - middle[1], -corners[:, 2].min()], np.float32)
    return [moved(part, np.eye(3, dtype=np.float32), shift) for part in turned]
