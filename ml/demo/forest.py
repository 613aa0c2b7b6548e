"""Sounds of a forest: a sample project of recordings, synthesised by ourselves so that it can come along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

from ml.core.disk import replacing
from ml.demo.planted import choose_wrong
from ml.evaluation.synthesizers.noises import band, chainsaw, rain, wind
from ml.evaluation.synthesizers.voices import FRAMES, RATE, Wave, bird, frog, levelled, mosquito, wander

_SOURCES: dict[str, Callable[[np.random.Generator], Wave]] = {
    "Bird": bird,
    "Chainsaw": chainsaw,
    "Frog": frog,
    "Mosquito": mosquito,
    "Rain": rain,
    "Wind": wind,
}
NOTHING = "Nothing"
"""What the recorder hears when nobody calls: without it, the model must give noise the name of an animal."""
CLASSES = tuple(sorted((*_SOURCES, NOTHING)))


def write_forest(folder: Path, *, clips: int = 300, seed: int = 0, wrong: int = 0) -> Iterator[tuple[int, int]]:
    """Write `clips` recordings as folder/<class>/<class>-0001.wav and yield (done, total).

    Each is 3 s, mono, 16 bit, 16 kHz; `seed` is not negative. The classes take turns, so a run that is given up midway
    leaves about as many of each. `wrong` recordings are of another class. The same seed gives the same files. Raises
    OSError where the folder cannot be written.
    """
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
    heard = choose_wrong(clips, wrong=wrong, classes=len(CLASSES), seed=seed)
    yield 0, clips
    for index in range(clips):
        turn, which = divmod(index, len(CLASSES))
        wave = _recording(CLASSES[heard.get(index, which)], np.random.default_rng((seed, 4, index)))
        _save(wave, folder / CLASSES[which] / f"{CLASSES[which]}-{turn + 1:04d}.wav")
        yield index + 1, clips


def _recording(name: str, rng: np.random.Generator) -> Wave:
    """One sound at some distance over the forest around it, through a recorder at some level."""
    if name == NOTHING:
        wave = _nothing(rng)
    else:
        distance = rng.uniform(0, 1)
        sound = levelled(_from_afar(_SOURCES[name](rng), distance, rng))
        around = _surroundings(name, rng)
        clear = 10 ** ((rng.uniform(12, 20) - 17 * distance) / 20)
        wave = levelled(clear * sound + around)
    # Every class is recorded at the same range of levels, so that loudness says nothing about the class.
    wave *= 10 ** (rng.uniform(-36, -24) / 20)
    return np.asarray(0.97 * np.tanh(wave / 0.97))


def _from_afar(wave: Wave, distance: float, rng: np.random.Generator) -> Wave:
    """Distance 0…1: duller, with more of the echo from the trees."""
    wave = levelled(band(wave, 0, 7600 * (1 - 0.62 * distance)))
    seconds = rng.uniform(0.25, 0.9)
    t = np.arange(round(seconds * RATE)) / RATE
    tail = band(rng.standard_normal(len(t)) * np.exp(-6.9 * t / seconds), 300, 5000)
    echo = scipy.signal.fftconvolve(wave.astype(np.float32), tail.astype(np.float32))[:FRAMES].astype(float)
    return np.asarray(wave + (0.04 + 0.4 * distance) * rng.uniform(0.5, 1) * levelled(echo))


def _surroundings(name: str, rng: np.random.Generator) -> Wave:
    """What else the recorder hears, RMS 1: air, a breeze, insects, mains hum, and at times another class far off."""
    noise = rng.standard_normal(FRAMES)
    bed = levelled(band(noise, 0, rng.uniform(300, 1200))) * rng.uniform(0.5, 1.0)
    bed += levelled(noise) * rng.uniform(0.05, 0.5)
    bed += _insects_and_hum(rng)
    if rng.random() < 0.5:
        gust = np.exp(0.5 * wander(rng, 1.2))
        bed += rng.uniform(0.2, 0.8) * levelled(band(noise, 0, rng.uniform(120, 900)) * gust**2)
    if rng.random() < 0.45:
        other = str(rng.choice([one for one in _SOURCES if one != name]))
        bed += rng.uniform(0.15, 0.55) * levelled(band(_SOURCES[other](rng), 0, rng.uniform(2500, 5000)))
    return levelled(bed * np.exp(0.1 * wander(rng, 1)))


def _insects_and_hum(rng: np.random.Generator) -> Wave:
    """What is there at times: crickets, and the hum of the mains."""
    bed = np.zeros(FRAMES)
    if rng.random() < 0.4:
        pitch = rng.uniform(4200, 7000)
        chirp = 0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(8, 40) * np.arange(FRAMES) / RATE)
        bed += rng.uniform(0.1, 0.6) * levelled(band(rng.standard_normal(FRAMES), pitch * 0.95, pitch * 1.05) * chirp)
    if rng.random() < 0.25:
        hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(FRAMES) / RATE + k) / k for k in (1, 2, 3, 5))
        bed += rng.uniform(0.1, 0.5) * levelled(np.asarray(hum))
    return bed


def _nothing(rng: np.random.Generator) -> Wave:
    """Steady air and the hiss of the recorder, RMS 1, at times with insects, a hum or a tone of the electronics."""
    frequency = np.maximum(np.fft.rfftfreq(FRAMES), 1.0 / FRAMES)
    air = np.fft.irfft(np.fft.rfft(rng.standard_normal(FRAMES)) / frequency ** rng.uniform(0, 1.1), FRAMES)
    bed = levelled(air) + _insects_and_hum(rng)
    if rng.random() < 0.3:
        pitch = rng.uniform(0.006, 0.3) * RATE
        bed += rng.uniform(0.3, 3.0) * levelled(np.sin(2 * np.pi * pitch * np.arange(FRAMES) / RATE))
    return levelled(bed)


def _save(wave: Wave, path: Path) -> None:
    """Under a temporary name first, so that a recording is there in full or not at all."""
    # Its folder is flushed as a whole.
    with replacing(path, durable=False) as draft, draft.open("wb") as file:
        soundfile.write(file, wave, RATE, format="WAV", subtype="PCM_16")
