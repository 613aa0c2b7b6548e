"""The words for what is counted, shared by the command line, the model card and the self-test."""

from __future__ import annotations

from ml.project.samples import Kind

NOUNS: dict[Kind, tuple[str, str]] = {
    "images": ("picture", "pictures"),
    "recordings": ("sound", "sounds"),
    "sensors": ("measurement", "measurements"),
}
"""Of samples."""
FILES: dict[Kind, tuple[str, str]] = {
    "images": ("picture", "pictures"),
    "recordings": ("recording", "recordings"),
    "sensors": ("log", "logs"),
}
"""Of the files they are from."""


def counted(number: int, kind: Kind) -> str:
    """“1 picture”, “3,670 pictures”."""
    return f"{number:,} {NOUNS[kind][number != 1]}"


def counted_files(number: int, kind: Kind) -> str:
    """“1 recording”, “20 recordings”."""
    return f"{number:,} {FILES[kind][number != 1]}"


def of_hundred(fraction: float) -> str:
    """A share as a person says it: “97 of 100”, “less than 1 of 100”; never “100 of 100” for what is not quite so."""
    shown = round(fraction * 100)
    if shown == 0 and fraction > 0:
        return "less than 1 of 100"
    return f"{min(shown, 99) if fraction < 1 else shown} of 100"


def between(interval: tuple[float, float]) -> str:
    """“between 88 and 97 of 100”: a 95 % confidence interval of a share."""
    return f"between {interval[0] * 100:.0f} and {interval[1] * 100:.0f} of 100"


def listed(names: list[str], *, most: int = 5) -> str:
    """“a”, “a and b”, “a, b, c and 4 more”."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
