"""Small videos for tests, made by the program that Handlens reads them with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ml.media.ffmpeg import find_ffmpeg

RATE = 10
"""Frames a second."""


def needed_ffmpeg() -> str:
    program = find_ffmpeg()
    if program is None:
        pytest.skip("FFmpeg is not installed (pip install handlens[media])")
    return str(program)


def write_video(target: Path, colours: dict[str, float], *, size: str = "64x48", options: tuple[str, ...] = ()) -> Path:
    """Write a video that shows each colour for so many seconds, one after the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    inputs = [
        word
        for colour, seconds in colours.items()
        for word in ("-f", "lavfi", "-i", f"color=c={colour}:s={size}:r={RATE}:d={seconds}")
    ]
    joined = ["-filter_complex", f"{''.join(f'[{n}]' for n in range(len(colours)))}concat=n={len(colours)}"]
    run_ffmpeg(*inputs, *joined, *(options or ("-pix_fmt", "yuv420p", "-g", "10")), str(target))
    return target


def run_ffmpeg(*options: str) -> None:
    subprocess.run([needed_ffmpeg(), "-v", "error", "-nostdin", "-y", *options], check=True)
