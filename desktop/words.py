"""Moved to `desktop.i18n`; these names stay until every page imports them from there."""

from __future__ import annotations

from desktop.i18n import Kind, classes, number, originals_gone, score, things

__all__ = ["Kind", "classes", "number", "originals_gone", "score", "things"]
