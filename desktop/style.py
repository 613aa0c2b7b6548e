"""Palette, style sheet and colours of the studio, made from `resources/style/tokens.toml`.

Give a widget a role and the style sheet does the rest: `widget.setProperty("role", ROLE)` before it is shown
(`set_role` changes it later).

QLabel: "title" (20 px page title) · "headline" (the start page's first line) · "emphasis" (16 px) ·
    "emphasis_muted" · "number" (32 px) ·
    "caption" (12 px, muted) · "muted" · "good" · "warn" · "error"
QPushButton: "primary" (one on a page) · "quiet" (no frame until hovered) · "choice" (a large one that can be checked) ·
    "link" (reads as a link) · none: an ordinary button
QToolButton: "rail" (the entries of the left rail) · "fold" (opens and closes details) · "icon" (grid buttons)
QFrame/QWidget: "card" (surface with a line around it; property "selected" paints the accent) · "surface" · "rail" ·
    "drop" (drop target; property "over" while something is held over it) · "strip" (the jobs line) ·
    "line" and (QWidget) "hairline" (1 px)

Custom painting asks `current()` for the tokens and `class_colour` for the colour of a class.
"""

from __future__ import annotations

import math
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from desktop.plain_text import PlainTextStyle

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Colours of one theme; spaces and sizes in device-independent pixels."""

    theme: Theme
    page: QColor
    surface: QColor
    sunken: QColor
    line: QColor
    outline: QColor
    text: QColor
    muted: QColor
    accent: QColor
    accent_strong: QColor
    accent_soft: QColor
    on_accent: QColor
    good: QColor
    warn: QColor
    bad: QColor
    xs: int
    s: int
    m: int
    l: int  # noqa: E741 - the name of the step in tokens.toml
    xl: int
    xxl: int
    radius: int
    line_width: int
    icon: int
    icon_large: int
    caption: int
    body: int
    emphasis: int
    title: int
    number: int
    motion_ms: int


@cache
def _file() -> dict[str, Any]:
    text = (resources.files("resources") / "style" / "tokens.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def tokens(theme: Theme) -> Tokens:
    read = _file()
    colours: dict[str, Any] = {name: QColor(value) for name, value in read[theme].items()}
    sizes = {("line_width" if name == "line" else name): value for name, value in read["size"].items()}
    return Tokens(theme=theme, **colours, **read["space"], **sizes)


READABLE = 4.5
"""The least contrast of text."""

_current: list[Theme] = ["light"]


def current() -> Tokens:
    """Return the tokens of the current theme."""
    return tokens(_current[0])


def apply(app: QApplication, theme: Theme) -> None:
    """Apply the theme to the application. Widgets that paint themselves get a paletteChange event."""
    look = tokens(theme)
    _current[0] = theme
    if not app.property("handlens_style"):
        # Only once: Qt crashes when the style below a style sheet is replaced.
        app.setProperty("handlens_style", True)
        app.setStyle(PlainTextStyle())
        font = QFont(app.font())
        font.setPixelSize(look.body)
        app.setFont(font)
    app.setPalette(_palette(look))
    app.setStyleSheet(_sheet(look))


def set_role(widget: QWidget, role: str) -> None:
    """Change the role of a widget that is already shown."""
    set_property(widget, "role", role)


def set_property(widget: QWidget, name: str, value: object) -> None:
    """Set a property that the style sheet uses, and repaint the widget."""
    if widget.property(name) == value:
        return
    widget.setProperty(name, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
    widget.update()


def contrast(one: QColor, other: QColor) -> float:
    """Return the contrast ratio of WCAG 2, 1 to 21."""
    dark, light = sorted(_luminance(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: QColor) -> float:
    red, green, blue = (_linear(value) for value in (colour.redF(), colour.greenF(), colour.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


_chosen_colours: dict[int, str] = {}


def use_class_colours(colours: Mapping[int, str]) -> None:
    """Use these colours ("#rrggbb") for the classes of the open project, by index; the others keep the usual ones."""
    _chosen_colours.clear()
    _chosen_colours.update(colours)


def class_colour(index: int) -> QColor:
    """Return the colour of a class, the same in both themes. Always show the name beside it."""
    if index in _chosen_colours:
        return QColor(_chosen_colours[index])
    first: list[str] = _file()["classes"]["first"]
    if index < len(first):
        return QColor(first[index])
    # Golden-angle hues stay apart; three lightnesses separate neighbours for colour-blind people.
    step = index - len(first)
    lightness = (0.55, 0.78, 0.42)[step % 3]
    return _oklch(lightness, 0.11, 2 * math.pi * ((step * 0.381966 + 0.08) % 1.0))


def _oklch(lightness: float, chroma: float, hue: float) -> QColor:
    """Convert OKLCH to sRGB (Ottosson 2020), clipped to the gamut."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (_companded(min(max(value, 0.0), 1.0)) for value in linear)
    return QColor.fromRgbF(red, green, blue)


def _companded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _palette(look: Tokens) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette()
    for which, colour in (
        (role.Window, look.page),
        (role.WindowText, look.text),
        (role.Base, look.surface),
        (role.AlternateBase, look.sunken),
        (role.Text, look.text),
        (role.Button, look.surface),
        (role.ButtonText, look.text),
        (role.BrightText, look.bad),
        (role.Highlight, look.accent),
        (role.HighlightedText, look.on_accent),
        (role.Link, look.accent),
        (role.LinkVisited, look.accent),
        (role.ToolTipBase, look.surface),
        (role.ToolTipText, look.text),
        (role.PlaceholderText, look.muted),
        (role.Light, look.surface),
        (role.Midlight, look.line),
        (role.Mid, look.line),
        (role.Dark, look.outline),
        (role.Shadow, look.line),
        (role.Accent, look.accent),
    ):
        palette.setColor(which, colour)
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, look.muted)
    return palette


def _sheet(look: Tokens) -> str:
    text = (resources.files("resources") / "style" / "studio.qss").read_text(encoding="utf-8")
    values: dict[str, str] = {}
    for name in Tokens.__slots__:
        value = getattr(look, name)
        values[name] = value.name() if isinstance(value, QColor) else str(value)
    icons = resources.files("resources") / "icons"
    return string.Template(text).substitute(values, icons=str(icons).replace("\\", "/"))
