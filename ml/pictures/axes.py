"""Ink and paper for the pictures that are written to disk: colours, letters, a legend, a safe save."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ml.core.disk import replacing
from ml.core.errors import HandlensError
from ml.core.messages import msg, tr
from ml.core.printable import printable
from ml.pictures.heatmap import inferno

PAGE, SURFACE, LINE, TEXT, MUTED = "#FAFAF9", "#FFFFFF", "#E4E4E0", "#1C1C1A", "#6B6B66"
ACCENT, BAD = "#0F766E", "#B91C1C"
RADIUS = 6

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pillow brings a font that knows plain letters only; these are tried for the names it cannot write.
_OTHER_FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "segoeui.ttf", "arialuni.ttf", "Arial.ttf",
    "Arial Unicode.ttf", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc", "malgun.ttf",
)  # fmt: skip
_SIGNATURE = "Software", "Handlens"
_MOST_LETTERS = 500
"""More than fit on any line; shortening a name of thousands takes seconds."""
_NO_CHARACTER = "\U0010ffff"


def font_for(text: str, size: int) -> tuple[Font, str]:
    """A font that can write `text`, and the text to give it: accents are dropped where no font here has them."""
    plain = _plain_font(size)
    if _covers(plain, text):
        return plain, text
    for name in _OTHER_FONTS:
        other = _system_font(name, size)
        if other is not None and _covers(other, text):
            return other, text
    decomposed = unicodedata.normalize("NFKD", text)
    return plain, "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size: int,
    colour: str = TEXT,
    anchor: str = "la",
    width: float | None = None,
) -> float:
    """Write a line at `at` (see Pillow's anchors), shortened with "…" to `width`; returns the width in pixels.

    Pillow refuses to measure text of two lines, and half a surrogate pair.
    """
    font, text = font_for(printable(text[:_MOST_LETTERS]), size)
    if width is not None:
        text = _shortened(font, text, width)
    draw.text(at, text, fill=colour, font=font, anchor=anchor if isinstance(font, ImageFont.FreeTypeFont) else None)
    return float(font.getlength(text))


def legend(sheet: Image.Image, at: tuple[int, int]) -> int:
    """Draw “little [colours] much” with its left upper corner at `at`; returns the width in pixels."""
    draw = ImageDraw.Draw(sheet)
    x, y = at
    left = write(draw, (x, y + 8), tr("little"), size=15, colour=MUTED, anchor="lm")
    strength = np.linspace(0.0, 1.0, 120)
    alpha = strength[:, None]
    paper = np.array([242, 242, 239], dtype=np.float64)
    colours = inferno(0.25 + 0.75 * strength) * alpha + paper * (1 - alpha)
    bar = np.repeat(colours[None].round().astype(np.uint8), 12, axis=0)
    start = x + round(left) + 8
    sheet.paste(Image.fromarray(bar), (start, y + 3))
    draw.rectangle((start - 1, y + 2, start + 120, y + 15), outline=LINE)
    right = write(draw, (start + 128, y + 8), tr("much"), size=15, colour=MUTED, anchor="lm")
    return start + 128 + round(right) - x


def save_png(image: Image.Image, path: Path) -> None:
    """Write the picture whole or not at all. Raises HandlensError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as draft:
            image.save(draft, format="PNG", pnginfo=_signed())
    except OSError as error:
        message = msg(
            "The picture {file} could not be written: {reason}. Choose a folder you may write to.",
            file=str(path),
            reason=error.strerror or str(error),
        )
        raise HandlensError(message, details=repr(error)) from error


def drawn_here(path: Path) -> bool:
    """Whether the file is a picture that `save_png` wrote: nobody's original, so it may be drawn anew."""
    try:
        with Image.open(path) as picture:
            return bool(picture.info.get(_SIGNATURE[0]) == _SIGNATURE[1])
    except (OSError, ValueError, Image.DecompressionBombError):
        return False


def _signed() -> PngInfo:
    facts = PngInfo()
    facts.add_text(*_SIGNATURE)
    return facts


@cache
def _plain_font(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _covers(font: Font, text: str) -> bool:
    blank = _shape(font, _NO_CHARACTER)
    return all(letter == " " or _shape(font, letter) != blank for letter in set(text))


def _shape(font: Font, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _shortened(font: Font, text: str, width: float) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"
