"""The pictures that `handlens predict --overlays` and `handlens demo` write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.core.disk import check_free_space
from ml.core.errors import HandlensError
from ml.core.messages import msg, tr
from ml.core.outputs import make_folder, unwritable
from ml.core.phrases import percent, video_time
from ml.core.types import Windowing
from ml.inference.answers import rejected_because
from ml.media.audio import load_waveform
from ml.media.logs.log import load_log
from ml.media.mel import mel_picture, settings_for
from ml.pictures.axes import drawn_here, save_png
from ml.pictures.contact_sheet import Verdict, overlay_picture, overlay_spectrogram, overlay_traces
from ml.pictures.render_sample import render_sample
from ml.runtime.contract import ModelInfo
from ml.runtime.folder import FilePrediction, WindowPrediction
from ml.scoring.tasks import task_named

LONGEST_SECONDS = 60.0
"""Of a longer recording the minute around the surest window is drawn…"""
LONGEST_WINDOWS = 12
"""…of a longer log so many windows, where they last longer."""
LONGEST_NAME = 200
"""Bytes of an input's name that its picture keeps."""
_TOUCHING = 1e-3
"""Seconds between two windows that are no pause."""


def check_folder(folder: Path) -> None:
    """Raises HandlensError where no picture could be written, before hours are spent on them."""
    if folder.is_file():
        raise HandlensError(
            msg("{path} is a file. Give a folder for the pictures; it may be a new one.", path=str(folder))
        )
    try:
        make_folder(folder)
        check_free_space(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def originals(paths: Iterable[Path], given: Sequence[Path]) -> Iterator[Path]:
    """Yield the inputs without pictures drawn by an earlier run, unless these were given by name. Raises HandlensError
    where nothing else is there."""
    named = set(given)
    found = False
    for path in paths:
        if path in named or path.suffix.lower() != ".png" or not Path(path.stem).suffix or not drawn_here(path):
            found = True
            yield path
    if not found:
        raise HandlensError(msg("All pictures here were drawn by Handlens itself. Give the folder with the originals."))


class OverlayNames:
    """What the pictures are called: below a folder that was given each stays in its own sub-folder.

    Inputs of the same name get numbers, and so does a name that a file has which Handlens did not draw.
    """

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        self._folder = folder
        self._inputs = [given for given in inputs if given.is_dir()]
        self._taken: set[str] = set()

    def name_for(self, path: Path) -> Path:
        """Where the picture of an input goes."""
        above = next((folder for folder in self._inputs if path.is_relative_to(folder)), path.parent)
        place = self._folder / path.relative_to(above)
        stem = _shortened(path.name)
        for number in count(1):
            name = place.with_name(f"{stem}.png" if number == 1 else f"{stem}-{number}.png")
            key = str(name).lower()  # one file on Windows and on a Mac
            if key not in self._taken and (drawn_here(name) or not name.exists()):
                break
        self._taken.add(key)
        return name


def _shortened(name: str) -> str:
    """A file system takes 255 bytes at the most, and what comes behind the name needs some of them."""
    ending = os.fsencode(Path(name).suffix)
    stem = os.fsencode(Path(name).stem)[: max(0, LONGEST_NAME - len(ending))]
    return (stem + ending)[:LONGEST_NAME].decode("utf-8", errors="ignore")


def write_overlay(result: FilePrediction, info: ModelInfo, target: Path) -> None:
    """Write the input of `result`, predicted with `keep_maps`, with the map of its class laid over it, to `target`.

    Where more than one class may be present: once for each that is said to be, under its own map.
    """
    classes, verdict = _captions(result, info)
    if info.windowing is None or info.input_name == "pixels":
        surest = max(
            result.windows,
            key=lambda window: float(window.probabilities[next(iter(classes), result.best)]),
            default=None,
        )
        maps = result.maps if surest is None else surest.maps
        assert maps is not None
        if surest is not None and info.windowing is None:
            verdict = replace(verdict, note=tr("shown: {time}", time=video_time(surest.start)))
        start = 0.0 if surest is None else surest.start
        picture = render_sample(info.kind, result.path, windowing=info.reading, start=start, size=(640, 640))
        save_png(overlay_picture(picture, maps, classes, verdict), target)
        return
    longest = max(LONGEST_SECONDS, LONGEST_WINDOWS * info.windowing.seconds if info.input_name == "readings" else 0.0)
    shown = _around_surest(result.windows, next(iter(classes), result.best), longest)
    start, end = shown[0].start, max(shown[-1].end, shown[-1].start + 0.1)
    if len(shown) < len(result.windows):
        verdict = replace(verdict, note=tr("shown: {start:g} to {end:g} s", start=start, end=end))
    if info.input_name == "readings":
        values = load_log(result.path, info.windowing, start=start, end=end)
        maps = stitched(shown, info.windowing)
        save_png(overlay_traces(values, maps, classes, verdict, windowing=info.windowing, start=start), target)
        return
    settings = settings_for(info.windowing)
    waveform = load_waveform(result.path, rate=round(info.windowing.rate), start=start, seconds=end - start)
    sheet = overlay_spectrogram(
        mel_picture(waveform, settings),
        stitched(shown, info.windowing),
        classes,
        verdict,
        settings=settings,
        seconds=(start, end),
    )
    save_png(sheet, target)


def _captions(result: FilePrediction, info: ModelInfo) -> tuple[dict[int, str], Verdict]:
    """The classes to draw, each with its caption, and what is written beside them."""
    order = result.probabilities.argsort()[::-1][:5]
    top = tuple((info.classes[index], float(result.probabilities[index])) for index in order)
    rejected = ""
    if result.decision == "reject":
        rejected = tr("set aside: {why}", why=rejected_because(result.unlike, result.best, info))
    if task_named(info.task).exclusive:
        return {result.best: ""}, Verdict(top=top, rejected=rejected)
    there = info.predicted(result.probabilities)
    captions = {
        index: tr("{name}: {percent}", name=info.classes[index], percent=percent(float(result.probabilities[index])))
        for index in there
    }
    names = tuple(info.classes[index] for index in there)
    return captions, Verdict(top=top, rejected=rejected, present=names)


def stitched(windows: tuple[WindowPrediction, ...], windowing: Windowing) -> NDArray[np.float32]:
    """The maps of neighbouring windows as one (classes, h, w'), the stronger where they overlap.

    A window that reaches behind the end of the recording was padded; its map is cut there.
    """
    first = windows[0].maps
    assert first is not None
    classes, height, width = first.shape
    fine = max(8, width)  # finer columns, so that a step that is no whole number of columns still lands well
    per_second = fine / windowing.seconds
    begin = windows[0].start
    total = max(1, round((windows[-1].end - begin) * per_second))
    whole = np.full((classes, height, total), -np.inf, dtype=np.float32)
    for window in windows:
        assert window.maps is not None
        columns = np.minimum((np.arange(fine) + 0.5) * width / fine, width - 1).astype(int)
        stretched = window.maps[:, :, columns]
        at = round((window.start - begin) * per_second)
        part = whole[:, :, at : at + fine]
        np.maximum(part, stretched[:, :, : part.shape[2]], out=part)
    return np.where(np.isinf(whole), 0.0, whole).astype(np.float32)


def _around_surest(
    windows: tuple[WindowPrediction, ...], class_index: int, longest: float
) -> tuple[WindowPrediction, ...]:
    """All windows of a short recording; of a long one those within `longest` seconds around the surest.

    Of a log that pauses only those of one stretch: the picture has one time axis.
    """
    place = max(range(len(windows)), key=lambda at: float(windows[at].probabilities[class_index]))
    surest, windows = windows[place], _without_pause(windows, place)
    if windows[-1].end - windows[0].start <= longest:
        return windows
    latest = max(0.0, windows[-1].end - longest)
    begin = min(max(0.0, surest.start - longest / 2), latest)
    return tuple(w for w in windows if w.start >= begin and w.end <= begin + longest) or (surest,)


def _without_pause(windows: tuple[WindowPrediction, ...], place: int) -> tuple[WindowPrediction, ...]:
    """The windows around the one at `place` between which no time is missing."""
    first, end = place, place + 1
    while first > 0 and windows[first].start <= windows[first - 1].end + _TOUCHING:
        first -= 1
    while end < len(windows) and windows[end].start <= windows[end - 1].end + _TOUCHING:
        end += 1
    return windows[first:end]
