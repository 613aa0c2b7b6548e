"""Recordings of ultrasound: short calls far above what people hear, and insects below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 256_000
CALLS = {"noctule": 25e3, "pipistrelle": 45e3}


def bat_folder(folder: Path, *, each: int = 6, pitches: dict[str, float] = CALLS) -> Path:
    """Half a second at 256 kHz: calls of 5 ms that fall by 5 kHz, in noise, at the pitch of each class in Hz."""
    rng = np.random.default_rng(12)
    t = np.arange(round(0.005 * RATE)) / RATE
    for name, pitch in pitches.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        call = 0.3 * np.hanning(len(t)) * np.sin(2 * np.pi * (pitch * t - 0.5e6 * t**2))
        for number in range(each):
            wave = rng.normal(0, 0.002, RATE // 2)
            for start in np.arange(rng.uniform(0, 0.05), 0.49, 0.1):
                first = round(start * RATE)
                wave[first : first + len(t)] += call[: len(wave) - first]
            soundfile.write(folder / name / f"{number:02d}.wav", wave, RATE, subtype="PCM_16")
    return folder
