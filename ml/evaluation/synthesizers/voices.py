"""What lives in the forest, synthesised: birds, frogs, mosquitoes. Each call gives one mono clip, RMS 1."""

from __future__ import annotations

import numpy as np
import scipy.signal
from numpy.typing import NDArray

Wave = NDArray[np.float64]
RATE = 16_000
SECONDS = 3.0
FRAMES = round(RATE * SECONDS)


def levelled(wave: Wave, rms: float = 1.0) -> Wave:
    """The wave scaled to a root mean square; silence stays silence."""
    return np.asarray(wave * (rms / max(float(np.sqrt(np.mean(wave**2))), 1e-9)))


def wander(rng: np.random.Generator, per_second: float, frames: int = FRAMES) -> Wave:
    """A smooth random curve through about `per_second` independent values a second, mean 0, deviation about 1."""
    knots = rng.standard_normal(int(frames / RATE * per_second) + 4)
    # So slow a curve needs only every 16th value worked out.
    coarse = np.arange(-(-frames // 16) + 1)
    place = 1 + coarse * ((len(knots) - 4) / coarse[-1])
    index = place.astype(int)
    weight = 0.5 - 0.5 * np.cos(np.pi * (place - index))
    values = knots[index] * (1 - weight) + knots[index + 1] * weight
    return np.asarray(np.interp(np.arange(frames) / 16, coarse, values))


def resonance(wave: Wave, hertz: float, width: float) -> Wave:
    """The wave through a two-pole resonator, about unit gain at its peak."""
    b, a = scipy.signal.iirpeak(min(hertz, RATE * 0.46), max(hertz / width, 0.3), fs=RATE)
    return np.asarray(scipy.signal.lfilter(b, a, wave))


def bird(rng: np.random.Generator) -> Wave:
    """One bird that repeats its phrase, at times answered by a second one farther off."""
    song = _song(rng)
    if rng.random() < 0.35:
        song = levelled(song) + rng.uniform(0.2, 0.5) * levelled(_song(rng))
    return levelled(song)


def _song(rng: np.random.Generator) -> Wave:
    style = rng.choice(["whistle", "trill", "warble"])
    pitch = rng.uniform(2000, 5200)
    song = np.zeros(FRAMES)
    if style == "trill":
        rate, note = rng.uniform(9, 24), _syllable(rng, pitch, rng.uniform(0.03, 0.06), bend=rng.uniform(-0.5, 0.5))
        start = rng.uniform(0.0, 0.5)
        while start < SECONDS - 0.3:
            length = rng.uniform(0.5, 1.5)
            for i in range(int(length * rate)):
                _add(song, note * np.sin(np.pi * (i + 0.7) / (length * rate + 1)) ** 0.5, start + i / rate)
            start += length + rng.uniform(0.4, 1.2)
        return song
    count = int(rng.integers(2, 5)) if style == "whistle" else int(rng.integers(5, 10))
    lengths = rng.uniform(0.1, 0.32, count) if style == "whistle" else rng.uniform(0.04, 0.13, count)
    pitches = pitch * 2 ** rng.uniform(-0.45, 0.45, count)
    phrase = [_syllable(rng, p, length, bend=rng.normal(0, 0.35)) for p, length in zip(pitches, lengths, strict=True)]
    gap = rng.uniform(0.02, 0.1)
    start = rng.uniform(0.0, 0.5)
    while start < SECONDS - 0.3:
        for note in phrase:
            _add(song, note * rng.uniform(0.7, 1), start)
            start += len(note) / RATE + gap
        start += rng.uniform(0.3, 1.0)
    return song


def _syllable(rng: np.random.Generator, pitch: float, seconds: float, *, bend: float) -> Wave:
    """One note: a glide of `bend` octaves with an arch in it, soft ends and a faint second harmonic."""
    frames = round(seconds * RATE)
    along = np.linspace(0, 1, frames)
    octaves = bend * (along - 0.5) + rng.normal(0, 0.12) * np.sin(np.pi * along)
    octaves += rng.choice([0, 0, 0.03]) * np.sin(2 * np.pi * rng.uniform(25, 60) * along * seconds)
    phase = 2 * np.pi * np.cumsum(np.clip(pitch * 2**octaves, 900, 7600)) / RATE
    wave = np.sin(phase) + rng.uniform(0.02, 0.12) * np.sin(2 * phase) * (pitch < 3800)
    return np.asarray(wave * np.sin(np.pi * along) ** rng.uniform(0.5, 1.2))


def _add(clip: Wave, note: Wave, seconds: float) -> None:
    start = round(seconds * RATE)
    end = min(start + len(note), len(clip))
    if start < end:
        clip[start:end] += note[: end - start]


def frog(rng: np.random.Generator) -> Wave:
    """A pond: one near frog and up to three more, each croaking in trains of pulses through two formants."""
    pond = levelled(_croaks(rng))
    for _ in range(int(rng.integers(0, 4))):
        pond += rng.uniform(0.15, 0.6) * levelled(_croaks(rng))
    return levelled(pond)


def _croaks(rng: np.random.Generator) -> Wave:
    pulses = np.zeros(FRAMES)
    rate, length = rng.uniform(22, 75), rng.uniform(0.12, 0.5)
    pause = rng.uniform(0.12, 0.7)
    start = rng.uniform(0, 0.4)
    while start < SECONDS:
        count = max(3, int(length * rate * rng.uniform(0.85, 1.15)))
        steps = np.arange(count)
        times = start + np.cumsum(1 / (rate * (1 + 0.15 * np.sin(np.pi * steps / count)))) + rng.normal(0, 4e-4, count)
        loud = np.sin(np.pi * (steps + 0.6) / (count + 0.2)) ** 0.6 * rng.uniform(0.8, 1.1, count)
        frames = np.clip((times * RATE).astype(int), 0, FRAMES - 1)
        np.add.at(pulses, frames, loud * (frames < FRAMES - 1))
        start += length + pause * rng.uniform(0.8, 1.25)
    low = rng.uniform(450, 1300)
    croak = resonance(pulses, low, rng.uniform(120, 260))
    croak += rng.uniform(0.4, 1.0) * resonance(pulses, low * rng.uniform(1.8, 2.6), rng.uniform(180, 420))
    return croak


def mosquito(rng: np.random.Generator) -> Wave:
    """A whine that comes near, passes and leaves, once or twice."""
    t = np.arange(FRAMES) / RATE
    near = 0.06 * np.ones(FRAMES)
    glide = np.zeros(FRAMES)
    for _ in range(int(rng.integers(1, 3))):
        at, width = rng.uniform(0.2, 2.8), rng.uniform(0.25, 0.9)
        near += rng.uniform(0.5, 1.0) / (1 + ((t - at) / width) ** 2) ** 1.5
        # Doppler: higher on the way in, lower on the way out.
        glide -= rng.uniform(0.01, 0.035) * np.tanh((t - at) / (width * 0.6))
    flutter = 0.006 * np.sin(2 * np.pi * rng.uniform(6, 14) * t) + 0.012 * wander(rng, 5) + 0.004 * wander(rng, 40)
    pitch = rng.uniform(380, 720) * (1 + glide + flutter)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    fall = rng.uniform(0.9, 1.6)
    whine = np.zeros(FRAMES)
    # Far off, the air has swallowed the high harmonics: each is weaker there than the one below it.
    one, harmonic = np.exp(1j * phase) * near**0.12, near.astype(complex)
    for k in range(1, 11):
        harmonic *= one
        whine += (harmonic * (rng.uniform(0.5, 1) / k**fall * np.exp(1j * rng.uniform(0, 6.28)))).imag
    return levelled(whine * (1 + 0.12 * wander(rng, 25)))
