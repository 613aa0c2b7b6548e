"""Shorten names to a width so that they still differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics


def cut_apart(names: Sequence[str], font: QFont, width: int) -> dict[str, str]:
    """Shorten each name in the middle; if two would read the same, keep the place where they begin to differ."""
    return _cut(tuple(names), font.toString(), width)


@lru_cache(maxsize=64)
def _cut(names: tuple[str, ...], font: str, width: int) -> dict[str, str]:
    described = QFont()
    described.fromString(font)
    metrics = QFontMetrics(described)
    cut = {name: metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width) for name in names}
    often = Counter(cut.values())
    same = sorted(name for name in cut if often[cut[name]] > 1)
    for place, name in enumerate(same):
        beside = same[max(0, place - 1) : place] + same[place + 1 : place + 2]
        shared = max(_shared(name, other) for other in beside)
        cut[name] = _from(name, shared, metrics, width)
    return cut


def _shared(one: str, other: str) -> int:
    """Count the letters of the common beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _from(name: str, place: int, metrics: QFontMetrics, width: int) -> str:
    """Return the name from `place` on, after as much of its beginning as fits."""
    for kept in range(place - 1, 0, -1):
        shown = f"{name[:kept]}…{name[place:]}"
        if metrics.horizontalAdvance(shown) <= width:
            return shown
    return metrics.elidedText(f"…{name[place:]}", Qt.TextElideMode.ElideRight, width)
