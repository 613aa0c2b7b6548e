"""Write a page of HTML as a PDF. Works in any thread."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMarginsF
from PySide6.QtGui import QPageLayout, QPageSize, QPdfWriter, QTextDocument

from desktop.i18n import current_language, msg
from ml.api import HandlensError, replacing

_LETTER = ("US", "CA", "MX", "PH")
"""Territories that print on Letter; the others use A4."""


def write_pdf(html: str, title: str, target: Path) -> None:
    """Write `html`, in the part of it that QTextDocument shows, to `target`. Raises HandlensError."""
    document = QTextDocument()
    document.setMetaInformation(QTextDocument.MetaInformation.DocumentTitle, title)
    document.setHtml(html)
    letter = current_language().locale.territory in _LETTER
    size = QPageSize(QPageSize.PageSizeId.Letter if letter else QPageSize.PageSizeId.A4)
    try:
        with replacing(target) as draft:
            writer = QPdfWriter(str(draft))
            writer.setCreator("Handlens")
            writer.setTitle(title)
            writer.setPageLayout(QPageLayout(size, QPageLayout.Orientation.Portrait, QMarginsF(0, 0, 0, 0)))
            document.print_(writer)
            del writer  # it writes the end of the file
            if not draft.is_file() or not draft.stat().st_size:
                raise OSError("Qt wrote no PDF")
    except OSError as error:
        raise HandlensError(
            msg("{path} could not be written. Choose another folder.", path=str(target)), details=repr(error)
        ) from error
