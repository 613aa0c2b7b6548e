"""How long a training will take on this machine, before it starts. Torch-free, so the window can ask."""

from __future__ import annotations

import os
import tomllib

from ml.project.project import Project
from ml.project.samples import Preset

# Seconds per sample, measured on two cores of an AMD EPYC with the default backbone, times two cores.
_FORWARD = 2 * 0.012
_TRAIN = 2 * 0.062
_FIXED = 8.0
# Samples to be seen in all, and the fewest and most passes over the data that this may come to: a small set needs more
# passes, and has the time for them.
_SEEN: dict[Preset, tuple[int, int, int]] = {
    "quick": (0, 0, 0),
    "standard": (6_000, 4, 24),
    "thorough": (20_000, 12, 60),
}


def epochs_for(preset: Preset, train: int) -> int:
    """Passes over `train` samples of the training split."""
    seen, fewest, most = _SEEN[preset]
    return min(most, max(fewest, round(seen / max(1, train))))


def estimate_seconds(project: Project, preset: Preset) -> float:
    """Seconds a run with `preset` will take. Speeds measured by the newest run here come first."""
    samples = project.samples()
    train = sum(sample.split == "train" for sample in samples)
    cores = os.cpu_count() or 1
    forward, step = _FORWARD / cores, _TRAIN / cores
    for run in reversed(project.runs.all()):
        speed = _measured(project, run.number)
        if speed:
            forward = speed.get("forward_seconds", forward)
            step = speed.get("train_seconds", step)
            break
    passes = 1 if preset == "quick" else 2
    return _FIXED + len(samples) * forward * passes + epochs_for(preset, train) * train * step


def _measured(project: Project, run: int) -> dict[str, float]:
    path = project.runs.folder(run) / "settings.toml"
    if not path.is_file():
        return {}
    speed = tomllib.loads(path.read_text(encoding="utf-8")).get("speed", {})
    return {str(key): float(value) for key, value in speed.items()}
