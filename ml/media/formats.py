"""Recognise intact pictures in variants of formats that cannot be read, and say what to do."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from ml.core.messages import Message, msg

_ENOUGH = 132
_VARIED = {"TIFF": "TIFF", "JPEG": "JPEG", "JPEG2000": "JPEG 2000"}
"""Formats with variants that Pillow does not read, and their usual names."""
_UNKNOWN_VARIANT = ("unknown pixel mode", "unknown data organization", "cannot handle", "unable to determine")
"""How Pillow's error begins where it knows the format but not the colour mode."""


def unsupported_format(path: Path) -> Message | None:
    """The reason why an intact picture cannot be read, and what to do; None where it is damaged."""
    with path.open("rb") as file:
        start = file.read(_ENOUGH)
    for form, spoken in _VARIED.items():
        if _is_unknown_variant(path, form, start):
            return msg(
                "The colours of this {format} picture are stored in a way that cannot be read. Save it as PNG.",
                format=spoken,
            )
    return None


def _is_unknown_variant(path: Path, form: str, start: bytes) -> bool:
    """Whether Pillow knows the format `form` but not this variant. It gives a reason only if asked for one format."""
    if form not in Image.OPEN:
        return False
    factory, accepts = Image.OPEN[form]
    if accepts is None or accepts(start) is not True:
        return False
    try:
        with path.open("rb") as file:
            factory(file, str(path)).close()
    except SyntaxError as error:
        return str(error).startswith(_UNKNOWN_VARIANT)
    except Exception:  # anything else that a decoder raises is damage
        return False
    return False
