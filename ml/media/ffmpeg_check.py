"""Say which FFmpeg is used, and whether it works: it is asked for its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ml.core.messages import Message, msg
from ml.media.ffmpeg import ENVIRONMENT, find_by_itself

_SECONDS, _TICK = 10.0, 0.1
_VERSION = re.compile(r"^ffmpeg version (\S+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class FFmpegCheck:
    """Whether an FFmpeg works, a sentence about it, and its full path; "" where none was chosen, or it fails."""

    works: bool
    sentence: Message
    program: str = ""


def check_ffmpeg(chosen: str = "", *, stopped: Callable[[], bool] = lambda: False) -> FFmpegCheck:
    """Start the program that a person chose, or where they chose none the one that is found, and say what it is.

    Ends early once `stopped()`.
    """
    check = _check_chosen(Path(chosen).expanduser(), stopped) if chosen else _check_found(stopped)
    named = os.environ.get(ENVIRONMENT) or ""
    if (chosen and not check.works) or shutil.which(named) is None:
        return check
    sentence = msg(
        "The environment variable {variable} names {path}, so that one is used.", variable=ENVIRONMENT, path=named
    )
    return replace(check, sentence=sentence)


def _check_found(stopped: Callable[[], bool]) -> FFmpegCheck:
    program = find_by_itself()
    version = None if program is None else _version(program, stopped)
    if program is None or version is None:
        sentence = msg(
            "No FFmpeg was found. Without it, M4A, videos and some other files cannot be read. Install FFmpeg, or "
            "choose it here."
        )
        return FFmpegCheck(works=False, sentence=sentence)
    found = msg("Handlens found FFmpeg {version} by itself: {path}", version=version, path=str(program))
    return FFmpegCheck(works=True, sentence=found)


def _check_chosen(chosen: Path, stopped: Callable[[], bool]) -> FFmpegCheck:
    program = shutil.which(chosen)
    if program is None:
        refused = (
            msg("This is no program that can be started. Choose the program FFmpeg itself.")
            if chosen.exists()
            else msg("There is no such file. Choose the program FFmpeg, or leave the field empty.")
        )
        return FFmpegCheck(works=False, sentence=refused)
    whole = Path(program).absolute()
    version = _version(whole, stopped)
    if version is None:
        refused = msg("This program is not FFmpeg, or it does not work. Choose another, or leave the field empty.")
        return FFmpegCheck(works=False, sentence=refused)
    sentence = msg("FFmpeg {version} works and is used.", version=version)
    return FFmpegCheck(works=True, sentence=sentence, program=str(whole))


def _version(program: Path, stopped: Callable[[], bool]) -> str | None:
    """Return what a program says its version is; None where it is no FFmpeg or does not answer."""
    try:
        process = subprocess.Popen(
            [str(program), "-hide_banner", "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        return None
    with process:
        said = b""
        for _turn in range(round(_SECONDS / _TICK)):
            try:
                said, _nothing = process.communicate(timeout=_TICK)
                break
            except subprocess.TimeoutExpired:
                if stopped():
                    break
        process.kill()
    found = _VERSION.match(said.decode("utf-8", "replace"))
    return None if found is None or process.returncode else found[1]
