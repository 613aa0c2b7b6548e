"""Modules from outside Handlens that bring sample kinds or tasks. Jobs carry their names to other processes."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from ml.core.errors import HandlensError
from ml.core.messages import msg

_modules: dict[str, None] = {}


def note_plugin(module: str) -> None:
    """Remember that `module` has registered something; modules of Handlens itself are known everywhere."""
    if module.partition(".")[0] != "ml":
        _modules[module] = None


def plugin_modules() -> tuple[str, ...]:
    """Return the modules that have registered something in this process, in order."""
    return tuple(_modules)


def import_plugins(modules: Iterable[str]) -> None:
    """Import `modules`, which register what they bring. Raises HandlensError for one that cannot be imported."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise HandlensError(
                msg("The extension “{name}” cannot be loaded. Install it again.", name=module), details=repr(error)
            ) from error
