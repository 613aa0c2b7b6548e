"""Colours for the classes of a map. Always write the name beside the colour."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]

_FIRST = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#F0E442", "#8C8C86")
"""Okabe and Ito's, which colour-blind people can tell apart. The window uses the same."""
UNSURE_COLOUR: Colour = (255, 255, 255)
_GOLDEN_ANGLE = 0.381966


def class_colours(count: int) -> tuple[Colour, ...]:
    """Return the colours of so many classes."""
    return tuple(_colour(place) for place in range(count))


def _colour(place: int) -> Colour:
    if place < len(_FIRST):
        text = _FIRST[place]
        return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
    step = place - len(_FIRST)
    parts = colorsys.hls_to_rgb((step * _GOLDEN_ANGLE + 0.08) % 1.0, (0.55, 0.75, 0.4)[step % 3], 0.5)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue
