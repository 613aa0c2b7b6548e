"""What makes a noise in the forest, synthesised: a chainsaw, rain, wind. Each call gives one mono clip, RMS 1."""

from __future__ import annotations

import numpy as np
import scipy.signal

from ml.evaluation.synthesizers.voices import FRAMES, RATE, Wave, levelled, resonance, wander


def band(wave: Wave, low: float, high: float) -> Wave:
    """The wave between two frequencies in Hz, gently; `low` 0 or `high` 0 leaves that side open."""
    if low and high:
        sos = scipy.signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos")
    else:
        sos = scipy.signal.butter(2, low or high, "highpass" if low else "lowpass", fs=RATE, output="sos")
    return np.asarray(scipy.signal.sosfilt(sos, wave))


def chainsaw(rng: np.random.Generator) -> Wave:
    """A two-stroke engine that idles, revs and labours in the wood; one bang per turn, and the chain's hiss."""
    throttle = _throttle(rng)
    idle, full = rng.uniform(42, 60), rng.uniform(115, 215)
    firing = (idle + (full - idle) * throttle) * (1 + 0.004 * wander(rng, 12))
    turns = np.cumsum(firing) / RATE
    within = turns % 1
    # No two bangs are alike: each turn has its own strength.
    strength = rng.uniform(0.8, 1.15, int(turns[-1]) + 2)[turns.astype(int)]
    noise = rng.standard_normal(FRAMES)
    bang = strength * np.exp(-within * rng.uniform(6, 12))
    exhaust = bang - scipy.signal.lfilter([0.01], [1, -0.99], bang) + 0.09 * bang * noise
    engine = 0.5 * band(exhaust, 60, 6500)
    for hertz, width, gain in ((rng.uniform(250, 480), 160, 1.0), (rng.uniform(800, 1500), 400, 1.1),
                               (rng.uniform(2200, 3400), 900, 0.9)):  # fmt: skip
        engine += gain * resonance(exhaust, hertz, width)
    chain = band(noise, 2500, 7000) * throttle**2 * (0.6 + 0.4 * np.cos(2 * np.pi * turns * 7))
    saw = levelled(engine * (0.35 + 0.65 * throttle)) + rng.uniform(0.05, 0.25) * levelled(chain)
    return levelled(saw)


def _throttle(rng: np.random.Generator) -> Wave:
    """0 idle … 1 full, as somebody's finger moves: a few holds, quick to rise, sagging under load."""
    level = float(rng.choice([0.0, 0.6, 1.0]))
    target = np.full(FRAMES, level)
    for at in np.sort(rng.integers(0, FRAMES, int(rng.integers(2, 6)))):
        level = float(rng.uniform(0.6, 1.0)) if level < 0.4 else float(rng.choice([0.0, 0.3, 0.55]))
        target[at:] = level
    smooth = 1 / (RATE * rng.uniform(0.05, 0.18))
    risen = scipy.signal.lfilter([smooth], [1, smooth - 1], target - target[0]) + target[0]
    return np.asarray(np.clip(risen * (1 - 0.1 * np.abs(wander(rng, 3))), 0, 1.05))


def rain(rng: np.random.Generator) -> Wave:
    """Drizzle to downpour: drops by the thousand on leaves and ground, the hiss of the far ones, some fat ones near."""
    heavy = rng.uniform(0, 1)
    swell = np.exp(0.18 * wander(rng, 1.2))
    drops = np.zeros(FRAMES)
    for low, high, share in ((700, 1800, 0.35), (1600, 3600, 0.8), (3000, 6800, 1.0)):
        count = int(rng.poisson(3 * (80 * 14**heavy)))
        hits = np.zeros(FRAMES)
        np.add.at(hits, rng.integers(0, FRAMES, count), rng.lognormal(0, 0.9, count) * rng.choice([-1, 1], count))
        drops += share * levelled(resonance(hits, rng.uniform(low, high), rng.uniform(0.5, 1.0) * low))
    hiss = band(rng.standard_normal(FRAMES), rng.uniform(700, 1500), rng.uniform(6500, 7800))
    wet = levelled(drops) + rng.uniform(0.25, 0.8) * (0.5 + heavy) * levelled(hiss)
    return levelled(wet * swell + _splashes(rng, int(rng.integers(3, 22))))


def _splashes(rng: np.random.Generator, count: int) -> Wave:
    """Near drops in a puddle: a tick and the rising note of the bubble it leaves."""
    clip = np.zeros(FRAMES)
    t = np.arange(round(0.05 * RATE)) / RATE
    for start in rng.integers(0, FRAMES - len(t), count):
        pitch = rng.uniform(900, 3000)
        note = np.sin(2 * np.pi * pitch * (t + rng.uniform(1, 5) * t**2)) * np.exp(-t / rng.uniform(0.004, 0.012))
        clip[start : start + len(t)] += rng.lognormal(0.7, 0.5) * note
    return clip


def wind(rng: np.random.Generator) -> Wave:
    """Gusts: the harder it blows the higher the noise reaches; at times it whistles past an edge."""
    gust = np.exp(0.55 * wander(rng, rng.uniform(0.7, 2.0)) + 0.12 * wander(rng, 9))
    noise = rng.standard_normal(FRAMES)
    # Each reaches higher than the one before and swells more with the gust.
    leaves = rng.uniform(0.3, 1.6)
    reaches = (
        (140, 1.0, 1.0),
        (350, 0.8, 1.3),
        (800, 0.4, 1.8),
        (1900, 0.15 * leaves, 2.5),
        (4500, 0.05 * leaves, 3.2),
    )
    blown = np.zeros(FRAMES)
    for high, gain, power in reaches:
        blown += levelled(band(noise, 0, high * rng.uniform(0.8, 1.25)), gain) * gust**power
    if rng.random() < 0.55:
        blown += rng.uniform(0.05, 0.25) * _whistle(rng, gust)
    return levelled(blown)


def _whistle(rng: np.random.Generator, gust: Wave) -> Wave:
    """A narrow band of noise whose pitch follows the gust."""
    breath = band(rng.standard_normal(FRAMES), 0, rng.uniform(15, 45))
    phase = 2 * np.pi * np.cumsum(rng.uniform(380, 900) * gust**0.35) / RATE
    return np.asarray(levelled(breath * np.cos(phase) * gust**2))
