"""The tour under test: a process that takes pictures of the real windows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

QUIET = 900
"""Seconds without a new picture after which a tour hangs: more than its own longest wait, which ends in a sentence."""


def run_tour(
    command: Sequence[str], pictures: Path, *, env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tour to its end, as long as pictures come."""
    with subprocess.Popen(
        command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        there = 0
        while True:
            try:
                out, error = process.communicate(timeout=QUIET)
            except subprocess.TimeoutExpired:
                before, there = there, len(list(pictures.glob("*.png")))
                if there > before:
                    continue
                process.kill()
                pytest.fail(f"No picture in {QUIET} s after {there}: {process.communicate()[1]}")
            return subprocess.CompletedProcess(command, process.returncode, out, error)
