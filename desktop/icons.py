"""Icons of one family (Phosphor, through QtAwesome) in the colours of the theme."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QAction, QColor, QIcon
from PySide6.QtWidgets import QAbstractButton, QApplication

from desktop import style


def icon(name: str, *, colour: str = "text") -> QIcon:
    """Return the icon `name`, such as "ph.image", in the colour of a token."""
    # QtAwesome loads fonts and tables; the first window needs none of it before its first icon.
    import qtawesome

    paint: QColor = getattr(style.current(), colour)
    made: Any = qtawesome.icon(name, color=paint.name(), color_disabled=style.current().muted.name())
    return QIcon(made)


def set_icon(owner: QAbstractButton | QAction, name: str, *, colour: str = "text") -> None:
    """Set the icon of `owner`; it follows the theme."""
    owner.setProperty("icon_name", name)
    owner.setProperty("icon_colour", colour)
    owner.setIcon(icon(name, colour=colour))


def follow_theme() -> None:
    """Repaint every icon set by `set_icon` in the colours of the current theme."""
    for widget in QApplication.allWidgets():
        owners: list[Any] = [widget] if isinstance(widget, QAbstractButton) else []
        for owner in [*owners, *widget.actions()]:
            name = owner.property("icon_name")
            if name:
                owner.setIcon(icon(str(name), colour=str(owner.property("icon_colour"))))
