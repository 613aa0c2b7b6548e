"""Whether files can be kept in a folder: what the system says of a share is not always so."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def try_to_write(folder: Path) -> None:
    """Make an empty file and take it away again. Raises OSError where that is not possible.

    Not through `tempfile`, which on Windows takes a refusal for a name that is taken and tries hundreds of thousands.
    """
    probe = folder / f".{uuid4().hex}"
    os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_RDWR))
    probe.unlink()
