"""Make the folders of `../shared/cases`: situations that people described, with the right value for each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def make_case(number: str, target: Path) -> Path:
    """Make the files of a case in `target` and return it. Skips the test where the cases are absent."""
    script = CASES / f"{number}_make.py"
    if not script.is_file():
        pytest.skip("the cases are not here (../shared/cases)")
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target
