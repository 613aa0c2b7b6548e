"""The belt under the bricks: one long strip of worn rubber, made once per sample project."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from PIL import Image

from ml.demo.lamp import LAMP_DOTS, LAMP_REACH
from ml.demo.scene import Scene
from ml.demo.solids import Array, Rays

DOTS_PER_UNIT = 28
STRIP = (24 * DOTS_PER_UNIT, 72 * DOTS_PER_UNIT)
"""Rows across the belt, columns along it."""


def belt_strip(rng: np.random.Generator) -> Image.Image:
    """Brightness of the belt relative to its colour, about 1 on average, a float picture."""
    rows, columns = STRIP
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None, :]
    weave = 0.035 * np.sin(2 * np.pi * (x + 2 * y) / 7) * np.sin(2 * np.pi * (x - 2 * y) / 7)
    strip = 1 + weave + 0.03 * rng.standard_normal(STRIP, dtype=np.float32)
    strip += 0.10 * _clouds(rng, (14, 60)) + 0.05 * _clouds(rng, (3, 40))
    _scratch(strip, rng, count=600)
    _seams(strip, rng)
    _dust(strip, rng, count=2400)
    return Image.fromarray(np.clip(strip, 0.3, 2.2).astype(np.float32))


def lit_belt(scene: Scene, camera: Rays, above: Array) -> Array:
    """The belt with the shadows on it, linear RGB (h, w, 3)."""
    x, y = ((camera.from_origin(axis), camera.along(axis)) for axis in np.eye(3, dtype=np.float32)[:2])
    up = np.array([0, 0, 1], np.float32)
    t = -camera.from_origin(up) / camera.along(up)
    place = x[0] + t * x[1], y[0] + t * y[1]
    hidden = (above > 0).astype(np.float32)
    shade = sum(scipy.ndimage.gaussian_filter(hidden, scene.softness * LAMP_DOTS / n) for n in (10, 40))
    lamp_middle = (LAMP_DOTS / 2, LAMP_DOTS / 2)
    shadow = _laid_out(Image.fromarray(shade / 2), camera, lamp_middle, (LAMP_DOTS - 1) / (2 * LAMP_REACH))
    texture = _laid_out(scene.belt, camera, scene.belt_place, DOTS_PER_UNIT)
    light = scene.ambient * _open_sky(scene, *place) + scene.lamp_strength * scene.lamp[2] * (1 - shadow)
    return np.asarray((texture * light)[..., None] * scene.belt_colour, dtype=np.float32)


def _laid_out(flat: Image.Image, camera: Rays, middle: tuple[float, float], scale: float) -> Array:
    """A picture lying on the belt, `scale` dots per unit, its dot `middle` (column, row) at the origin, as seen."""
    width, height = camera.u.shape[1], camera.v.shape[0]
    # Where the ray of u and v meets the ground, x and y are quotients of expressions affine in u and v.
    (ox, oy, oz), d = camera.origin[0].tolist(), camera.direction.astype(float)
    below = d[:, 2]
    across = (ox * scale + middle[0]) * below - oz * scale * d[:, 0]
    along = (oy * scale + middle[1]) * below - oz * scale * d[:, 1]
    u, v = camera.u[0].astype(float), camera.v[:, 0].astype(float)
    step_u, step_v = u[1] - u[0], v[1] - v[0]
    first_u, first_v = u[0] - step_u / 2, v[0] - step_v / 2
    rows = [(t[1] * step_u, t[2] * step_v, t[0] + t[1] * first_u + t[2] * first_v) for t in (across, along, below)]
    terms = (np.array(rows).ravel() / rows[2][2])[:8]
    seen = flat.transform((width, height), Image.Transform.PERSPECTIVE, terms.tolist(), Image.Resampling.BILINEAR)
    return np.asarray(seen, dtype=np.float32)


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


def _clouds(rng: np.random.Generator, sigma: tuple[int, int]) -> Array:
    """Smooth noise, deviation 1; `sigma` in dots across and along. Made at a quarter of the size: it has no detail."""
    rows, columns = STRIP
    noise = rng.standard_normal((rows // 4, columns // 4), dtype=np.float32)
    noise = scipy.ndimage.gaussian_filter(noise, (sigma[0] / 4, sigma[1] / 4))
    large = Image.fromarray(noise / noise.std()).resize((columns, rows), Image.Resampling.BICUBIC)
    return np.asarray(large, dtype=np.float32)


def _scratch(strip: Array, rng: np.random.Generator, *, count: int) -> None:
    """Scratches run along the belt, as whatever drags on it does."""
    rows, columns = strip.shape
    for _ in range(count):
        length = int(rng.integers(20, 420))
        steps = np.arange(length)
        row = rng.uniform(0, rows) + rng.normal(0, 0.03) * steps
        fade = np.sin(np.pi * (steps + 0.5) / length)
        place = (row.astype(int) % rows, (int(rng.integers(columns)) + steps) % columns)
        strip[place] += rng.choice([-0.14, 0.12, 0.22]) * rng.uniform(0.3, 1) * fade


def _seams(strip: Array, rng: np.random.Generator) -> None:
    """Where the belt was joined: a dark slanting groove with a worn bright lip."""
    rows, columns = strip.shape
    for _ in range(5):
        row = np.arange(rows)
        at = (int(rng.integers(columns)) + rng.uniform(0.1, 0.4) * row).astype(int)
        for offset, change in ((-1, -0.2), (0, -0.5), (1, -0.4), (2, 0.12), (3, 0.2), (4, 0.08)):
            strip[row, (at + offset) % columns] += change


def _dust(strip: Array, rng: np.random.Generator, *, count: int) -> None:
    rows, columns = strip.shape
    specks = np.zeros_like(strip)
    place = (rng.integers(0, rows, count), rng.integers(0, columns, count))
    specks[place] = rng.choice([-1.5, 1.5, 3.0], count) * rng.uniform(0.3, 1, count)
    strip += scipy.ndimage.gaussian_filter(specks, 0.8, mode="wrap")
