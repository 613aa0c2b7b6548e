"""How many of 40 planted chainsaw calls are found in hours of other sounds, how fast, and in how much memory.

A first model learns all classes of esc10 from folds 1 to 3. The calls come from folds 4 and 5, so do the sounds between
them, together with outdoor recordings: none of it was learned from. `--tune` plants folds 1 and 2 and learns from 3 to
5; defaults were chosen on that. A hit and its call overlap by at least half of the longer one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ml.core.events import Failed, Finished, Scanned
from ml.core.jobs import DEFAULT_EAR, NeverStop, ScanJob, TrainJob
from ml.media.audio import load_waveform
from ml.pipeline.dispatch import run
from ml.project.project import SUFFIX, Project
from ml.project.split.plan import plan_split
from tests.benchmarks.projects import parser_for

RATE = 44_100
CALL = "chainsaw"
CALLS = 40
LOUDER_DB = (3.0, 15.0)
"""By how much a call is louder than the sound it is planted in."""
BED_DB = (-40.0, -26.0)
BED_SECONDS = (10.0, 60.0)
FADE = RATE // 2
SHORT = 600.0
"""Seconds of the recording whose memory the long one is compared with."""

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Call:
    """A planted call: when it begins and ends, in values."""

    start: int
    sound: Sound
    louder: float

    @property
    def end(self) -> int:
        return self.start + len(self.sound)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, libraries and their loading included."""

    wall: float
    cpu: float
    megabytes: float


def main(arguments: list[str]) -> int:
    parser = parser_for("planted_calls", __doc__)
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tune", action="store_true", help="plant what defaults may be tuned on")
    parser.add_argument("--threshold", default=None, help="as of handlens predict")
    parser.add_argument("--ear", default=None, choices=("picture", "speech", "both"))
    given = parser.parse_args(arguments)
    learned, planted = ("345", "12") if given.tune else ("123", "45")
    with ExitStack() as stack:
        place = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = _model(given.data, place / f"esc10-{learned}-{given.ear or 'best'}", learned, given.ear)
        long, short = place / "long.wav", place / "short.wav"
        calls = _write(long, given.data / "recordings", planted, hours=given.hours, seed=given.seed)
        _, cost_short = _detect(model, _beginning(long, short), given.threshold)
        found, cost = _detect(model, long, given.threshold)
        long.unlink()
        _report(calls, [each for each in found if each["label"] == CALL], given.hours)
        seconds = given.hours * 3600
        cores = len(os.sched_getaffinity(0))
        print(
            f"  {seconds / cost.wall:.0f} × real time by the clock, {seconds / cost.cpu * cores:.0f} × by CPU time on "
            f"{cores} cores ({cost.cpu:.0f} CPU s)\n"
            f"  memory at most {cost.megabytes:.0f} MB, for {SHORT / 60:.0f} minutes {cost_short.megabytes:.0f} MB",
            flush=True,
        )
    return 0


def _report(calls: list[Call], found: list[dict[str, float]], hours: float) -> None:
    """Print recall and precision."""
    spans = [(call.start / RATE, call.end / RATE) for call in calls]
    pairs = [(a, b) for a, span in enumerate(spans) for b, each in enumerate(found) if _is_hit(span, each)]
    recall, precision = len({a for a, _ in pairs}) / len(spans), len({b for _, b in pairs}) / max(1, len(found))
    print(
        f"{len(spans)} calls in {hours:g} h, {len(found)} detections: recall {recall:.3f}, precision {precision:.3f}",
        flush=True,
    )


def _is_hit(span: tuple[float, float], found: dict[str, float]) -> bool:
    common = min(span[1], found["end"]) - max(span[0], found["start"])
    return common >= 0.5 * max(span[1] - span[0], found["end"] - found["start"])


# -- the model ---------------------------------------------------------------------------------------------------------


def _model(data: Path, place: Path, folds: str, ear: str | None) -> Path:
    """Return a project over these folds of esc10 with a finished run."""
    project = place.with_suffix(SUFFIX)
    if project.exists():
        return project
    for path in sorted((data / "recordings" / "esc10").glob("*/*.ogg")):
        if path.name[0] in folds:
            (place / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place / path.parent.name)
    last = list(run(ScanJob(folder=place, kind="recordings"), NeverStop()))[-1]
    assert isinstance(last, Scanned), last
    Project.create(
        project, name="esc10", report=last.report, plan=plan_split(last.report, split_by=r"pattern:^\d-(\d+)-")
    ).close()
    ended = list(run(TrainJob(project=project, preset="quick", device="cpu", ear=ear or DEFAULT_EAR), NeverStop()))[-1]
    if isinstance(ended, Failed):
        raise SystemExit(ended.message)
    assert isinstance(ended, Finished), ended
    return project


# -- the recording -----------------------------------------------------------------------------------------------------


def _write(target: Path, recordings: Path, folds: str, *, hours: float, seed: int) -> list[Call]:
    """Write the recording and return its calls."""
    rng = np.random.default_rng(seed)
    total = round(hours * 3600 * RATE)
    calls = _calls(recordings, folds, total, rng)
    left = list(calls)
    begin = 0
    held = np.zeros(0, dtype=np.float32)
    beds = _beds(recordings, folds, rng)
    with soundfile.SoundFile(target, "w", RATE, 1, "PCM_16") as sink:
        while begin < total:
            while len(held) < 120 * RATE:
                held = np.concatenate([held, next(beds)])
            upto = min(total, begin + 60 * RATE)
            while left and left[0].start < upto:
                call = left.pop(0)
                under = held[call.start - begin : call.end - begin]
                under += call.sound * (_loudness(under) / _loudness(call.sound) * 10 ** (call.louder / 20))
            sink.write(np.clip(held[: upto - begin], -1.0, 1.0))
            held, begin = held[upto - begin :], upto
    return calls


def _calls(recordings: Path, folds: str, total: int, rng: np.random.Generator) -> list[Call]:
    clips = [_trimmed(sound) for sound in _sounds(recordings / "esc10" / CALL, folds)]
    order = np.concatenate([rng.permutation(len(clips)) for _ in range(-(-CALLS // len(clips)))])[:CALLS]
    slot = total // CALLS
    calls = []
    for number, clip in enumerate(order):
        sound = clips[clip]
        start = number * slot + int(rng.integers(slot - len(sound)))
        calls.append(Call(start, sound, float(rng.uniform(*LOUDER_DB))))
    return calls


def _beds(recordings: Path, folds: str, rng: np.random.Generator) -> Iterator[Sound]:
    """Yield sounds without calls, faded into each other, each at a loudness of its own. Short ones repeat."""
    classes = sorted(path for path in (recordings / "esc10").iterdir() if path.name != CALL)
    sounds = [sound for folder in classes for sound in _sounds(folder, folds)]
    outdoors = [sound for name in ("long", "soundscape-unlabelled") for sound in _sounds(recordings / name)]
    sounds += outdoors * (len(sounds) // (3 * len(outdoors)))  # a quarter of the time
    rising = np.linspace(0.0, 1.0, FADE, dtype=np.float32)
    before = np.zeros(FADE, dtype=np.float32)
    while True:
        sound = sounds[rng.integers(len(sounds))]
        length = int(rng.uniform(*BED_SECONDS) * RATE)
        begin = int(rng.integers(len(sound)))
        bed = np.tile(sound, (begin + length + FADE) // len(sound) + 1)[begin:][: length + FADE]
        bed = np.clip(bed * (10 ** (rng.uniform(*BED_DB) / 20) / _loudness(bed)), -0.9, 0.9)
        bed[:FADE] = bed[:FADE] * rising + before * (1.0 - rising)
        before = bed[length:].copy()
        yield bed[:length]


def _sounds(folder: Path, folds: str = "") -> list[Sound]:
    return [
        load_waveform(path, rate=RATE)
        for path in sorted(folder.iterdir())
        if path.suffix in (".ogg", ".wav") and (not folds or path.name[0] in folds)
    ]


def _trimmed(sound: Sound) -> Sound:
    """Return the sound without the silence around it."""
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def _loudness(sound: Sound) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) + 1e-9


def _beginning(long: Path, short: Path) -> Path:
    sound, _ = soundfile.read(long, frames=round(SHORT * RATE), dtype="int16")
    soundfile.write(short, sound, RATE, "PCM_16")
    return short


# -- detections --------------------------------------------------------------------------------------------------------


def _detect(model: Path, recording: Path, threshold: str | None) -> tuple[list[dict[str, float]], Cost]:
    """Run the command as a user does and return what it printed and what it took."""
    command = [sys.executable, "-m", "ml.cli", "predict", str(model), str(recording), "--detections", "--json"]
    command += [] if threshold is None else ["--threshold", threshold]
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begin
        output.seek(0)
        found = [json.loads(line) for line in output]
    if process.returncode:
        raise SystemExit(f"The command failed with exit code {process.returncode}.")
    return found, Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
