"""Pictures for people: one prediction with what it was seen by, and a sheet of many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from ml.core.messages import current_language, text, tr, trn
from ml.core.phrases import listed, percent
from ml.core.types import Windowing
from ml.media.logs.traces import lanes, trace_picture
from ml.media.mel import PAPER, MelSettings, hz_to_mel, mel_rgb
from ml.pictures.axes import ACCENT, BAD, LINE, MUTED, PAGE, RADIUS, SURFACE, legend, write
from ml.pictures.heatmap import blend, overlay_rgba

_MARGIN, _GAP, _PAD = 32, 16, 10
_SIDE = 168
_CAPTION = 30
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000)
Captions = Mapping[int, str]
"""Classes by their index, each with what is written above its picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetTile:
    """One sample for the sheet: `picture` (H, W, 3) uint8 RGB, `maps` (classes, h, w), and names for what was said.

    The maps of all `shown` classes are laid over it together. `probability` is None where there is no single one.
    """

    picture: NDArray[np.uint8]
    maps: NDArray[np.floating]
    shown: tuple[int, ...]
    label: str
    predicted: str
    probability: float | None

    @property
    def right(self) -> bool:
        return self.label == self.predicted


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is written beside a picture: the classes with their probabilities, the most probable first.

    `rejected` says in a few words why the answer was set aside, "" where it was not. `present`: where more than one
    class may be present, the names of those that are said to be.
    """

    top: tuple[tuple[str, float], ...]
    rejected: str = ""
    note: str = ""
    present: tuple[str, ...] | None = None


def with_overlay(
    picture: NDArray[np.uint8], maps: NDArray[np.floating], classes: Sequence[int], *, size: tuple[int, int]
) -> Image.Image:
    """The picture (H, W, 3) at `size` (width, height) with the maps of these classes laid over it, all at once."""
    resized = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    if not classes:
        return resized
    # What speaks most for any of them; the others stay, so that the scale is the same for all.
    together = np.concatenate([np.asarray(maps)[list(classes)].max(axis=0, keepdims=True), maps])
    return Image.fromarray(blend(np.asarray(resized), overlay_rgba(together, 0, size=size)))


def contact_sheet(tiles: Sequence[SheetTile], *, title: str, subtitle: str, columns: int = 4) -> Image.Image:
    """A sheet of tiles, each the picture beside the same picture under its map, with label and prediction in words."""
    tallest = max((_fitted(tile.picture)[1] for tile in tiles), default=_SIDE)
    tile_width, tile_height = 2 * _SIDE + 3 * _PAD, tallest + 2 * _PAD + 54
    rows = math.ceil(len(tiles) / columns)
    width = 2 * _MARGIN + columns * tile_width + (columns - 1) * _GAP
    height = 2 * _MARGIN + 84 + rows * (tile_height + _GAP) - _GAP
    sheet = Image.new("RGB", (width, height), PAGE)
    draw = ImageDraw.Draw(sheet)
    write(draw, (_MARGIN, _MARGIN), title, size=32, width=width - 2 * _MARGIN)
    write(draw, (_MARGIN, _MARGIN + 46), subtitle, size=17, colour=MUTED, width=width - 2 * _MARGIN - 560)
    words = tr("Evidence for the answer:")
    write(draw, (width - _MARGIN - 230, _MARGIN + 56), words, size=15, colour=MUTED, anchor="rm")
    legend(sheet, (width - _MARGIN - 218, _MARGIN + 48))
    for number, tile in enumerate(tiles):
        x = _MARGIN + number % columns * (tile_width + _GAP)
        y = _MARGIN + 84 + number // columns * (tile_height + _GAP)
        _draw_tile(sheet, tile, (x, y), (tile_width, tile_height))
    return sheet


def overlay_picture(
    picture: NDArray[np.uint8], maps: NDArray[np.floating], classes: Captions, verdict: Verdict
) -> Image.Image:
    """A picture (H, W, 3) once for each class under its map, with the verdict in words beside it and a legend below."""
    scale = 640 / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    plots = _plots(classes, lambda shown: with_overlay(picture, maps, shown, size=size))
    return _stacked(plots, verdict, left=_MARGIN, below=0)


def overlay_spectrogram(
    mel: NDArray[np.floating],
    maps: NDArray[np.floating],
    classes: Captions,
    verdict: Verdict,
    *,
    settings: MelSettings,
    seconds: tuple[float, float],
) -> Image.Image:
    """A mel picture (bands, columns) of `seconds` (start, end) for each class under its map, with axes in s and kHz."""
    length = seconds[1] - seconds[0]
    size = (int(np.clip(160 * length, 560, 1200)), 320)
    plots = _plots(classes, lambda shown: with_overlay(mel_rgb(mel), maps[:, ::-1], shown, size=size))

    def axes(sheet: Image.Image, at: tuple[int, int]) -> None:
        _draw_axes(sheet, at, size, settings=settings, seconds=seconds)

    return _stacked(plots, verdict, left=_MARGIN + 56, below=44, axes=axes)


def overlay_traces(
    values: NDArray[np.floating],
    maps: NDArray[np.floating],
    classes: Captions,
    verdict: Verdict,
    *,
    windowing: Windowing,
    start: float,
) -> Image.Image:
    """A log (channels, frames) from `start` s on, its columns in lanes, for each class with its map along the time."""
    length = values.shape[1] / windowing.rate
    shown_lanes = lanes(windowing.columns)
    size = (900, int(np.clip(120 * len(shown_lanes), 240, 720)))
    picture = trace_picture(values, windowing.ranges, size=size)
    # The map colours the paper, the ink stays ink.
    paper = np.full_like(picture, PAPER.astype(np.uint8))
    plots = _plots(
        classes,
        lambda shown: ImageChops.multiply(
            with_overlay(paper, maps.mean(axis=1, keepdims=True), shown, size=size), Image.fromarray(picture)
        ),
    )

    def axes(sheet: Image.Image, at: tuple[int, int]) -> None:
        draw, (left, top) = ImageDraw.Draw(sheet), at
        draw.rectangle((left - 1, top - 1, left + size[0], top + size[1]), outline=LINE)
        for place, column in enumerate(shown_lanes):
            middle = top + size[1] * (place + 0.5) / len(shown_lanes)
            write(draw, (left - 9, middle), windowing.columns[column], size=14, colour=MUTED, anchor="rm", width=110)
        unit = tr("rows") if windowing.clock == "none" else tr("seconds")
        _draw_time(draw, (left, top + size[1]), size[0], seconds=(start, start + length), unit=unit)

    return _stacked(plots, verdict, left=_MARGIN + 120, below=44, axes=axes)


def _plots(classes: Captions, draw: Callable[[Sequence[int]], Image.Image]) -> list[tuple[str, Image.Image]]:
    """One for each class; the bare picture where there is none."""
    return [(caption, draw([index])) for index, caption in classes.items()] or [("", draw([]))]


def _stacked(
    plots: Sequence[tuple[str, Image.Image]],
    verdict: Verdict,
    *,
    left: int,
    below: int,
    axes: Callable[[Image.Image, tuple[int, int]], None] | None = None,
) -> Image.Image:
    """Plots of one size below each other, each with its caption above it and `below` pixels for what its axis says."""
    width, height = plots[0][1].size
    above = _CAPTION if any(caption for caption, _ in plots) else 0
    step = above + height + below + _GAP
    sheet = _sheet_for(width, step * len(plots) - below - _GAP, left=left, below=below)
    top = _MARGIN
    for caption, plot in plots:
        if caption:
            write(ImageDraw.Draw(sheet), (left, top), caption, size=18, width=width)
        sheet.paste(plot, (left, top + above))
        if axes is not None:
            axes(sheet, (left, top + above))
        top += step
    _draw_verdict(sheet, verdict, left + width + 32)
    legend(sheet, (left, top - _GAP + 14))
    return sheet


def _draw_tile(sheet: Image.Image, tile: SheetTile, at: tuple[int, int], size: tuple[int, int]) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = at
    edge, line = (LINE, 1) if tile.right else (BAD, 3)
    draw.rounded_rectangle((x, y, x + size[0], y + size[1]), RADIUS, fill=SURFACE, outline=edge, width=line)
    fitted, tallest = _fitted(tile.picture), size[1] - 2 * _PAD - 54
    plain = Image.fromarray(tile.picture).resize(fitted, Image.Resampling.LANCZOS)
    seen = with_overlay(tile.picture, tile.maps, tile.shown, size=fitted)
    left = (x + _PAD + (_SIDE - fitted[0]) // 2, y + _PAD + (tallest - fitted[1]) // 2)
    sheet.paste(plain, left)
    sheet.paste(seen, (left[0] + _SIDE + _PAD, left[1]))
    below, room = y + _PAD + tallest + 10, size[0] - 2 * _PAD
    if tile.right:
        write(draw, (x + _PAD, below), tile.label, size=18, width=room)
    else:
        used = write(draw, (x + _PAD, below), tile.label, size=18, width=room * 0.46)
        arrow = x + _PAD + used + 8
        _draw_arrow(draw, (arrow, below + 10))
        write(draw, (arrow + 28, below), tile.predicted, size=18, colour=BAD, width=room - used - 36)
    write(draw, (x + _PAD, below + 25), _second_line(tile), size=15, colour=MUTED if tile.right else BAD, width=room)


def _second_line(tile: SheetTile) -> str:
    if tile.probability is None:
        return tr("right") if tile.right else tr("wrong: predicted {name}", name=tile.predicted)
    sure = percent(tile.probability)
    if tile.right:
        return tr("right, {percent} sure", percent=sure)
    return tr("wrong: predicted {name}, {percent} sure", name=tile.predicted, percent=sure)


def _fitted(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of the picture on its tile."""
    scale = _SIDE / max(picture.shape[:2])
    return max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))


def _draw_arrow(draw: ImageDraw.ImageDraw, at: tuple[float, float]) -> None:
    x, y = at
    draw.line((x, y, x + 18, y), fill=BAD, width=2)
    draw.line((x + 12, y - 5, x + 18, y, x + 12, y + 5), fill=BAD, width=2)


def _sheet_for(width: int, height: int, *, left: int, below: int) -> Image.Image:
    tall = max(height + below + 44, 300)
    return Image.new("RGB", (left + width + 32 + 300 + _MARGIN, tall + 2 * _MARGIN), PAGE)


def _draw_verdict(sheet: Image.Image, verdict: Verdict, x: int) -> None:
    """The answer large, its probability in words, then the runners-up as bars."""
    draw = ImageDraw.Draw(sheet)
    name, probability = verdict.top[0]
    second = tr("{percent} sure", percent=percent(probability))
    if verdict.present is not None:
        count = len(verdict.present)
        name = text(listed(verdict.present, most=count)) if count else tr("none of the classes")
        second = trn("{count} class present", "{count} classes present", count)
    write(draw, (x, _MARGIN), name, size=30, width=300)
    write(draw, (x, _MARGIN + 42), second, size=18, colour=MUTED, width=300)
    y = _MARGIN + 80
    if verdict.rejected:
        write(draw, (x, y - 10), verdict.rejected, size=15, colour=BAD, width=300)
        y += 22
    for other, value in verdict.top:
        write(draw, (x, y), other, size=15, width=230)
        write(draw, (x + 300, y), text(percent(value)), size=15, colour=MUTED, anchor="ra")
        draw.rounded_rectangle((x, y + 20, x + 300, y + 26), 3, fill=LINE)
        if value >= 0.005:
            draw.rounded_rectangle((x, y + 20, x + max(6, round(300 * value)), y + 26), 3, fill=ACCENT)
        y += 40
    if verdict.note:
        write(draw, (x, y + 4), verdict.note, size=15, colour=MUTED, width=300)


def _draw_axes(
    sheet: Image.Image,
    at: tuple[int, int],
    size: tuple[int, int],
    *,
    settings: MelSettings,
    seconds: tuple[float, float],
) -> None:
    draw = ImageDraw.Draw(sheet)
    (x, y), (width, height) = at, size
    draw.rectangle((x - 1, y - 1, x + width, y + height), outline=LINE)
    low, high = float(hz_to_mel(settings.f_min)), float(hz_to_mel(settings.f_max))
    last = math.inf
    for hz in _TICKS_HZ:
        heard = hz / settings.time_expansion
        if not settings.f_min <= heard <= settings.f_max:
            continue
        place = y + height * (1 - (float(hz_to_mel(heard)) - low) / (high - low))
        if last - place < 22:
            continue
        last = place
        draw.line((x - 5, place, x - 1, place), fill=MUTED)
        write(draw, (x - 9, place), current_language().number(hz / 1000, "g"), size=14, colour=MUTED, anchor="rm")
    write(draw, (x - 9, y - 16), "kHz", size=14, colour=MUTED, anchor="rm")
    _draw_time(draw, (x, y + height), width, seconds=seconds, unit=tr("seconds"))


def _draw_time(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], width: int, *, seconds: tuple[float, float], unit: str
) -> None:
    (x, y), length = at, seconds[1] - seconds[0]
    step = _time_step(length, width)
    tick = math.ceil(seconds[0] / step - 1e-9) * step
    while tick <= seconds[1] + 1e-6 * length:
        place = x + width * (tick - seconds[0]) / length
        draw.line((place, y + 1, place, y + 5), fill=MUTED)
        write(draw, (place, y + 9), current_language().number(tick, "g"), size=14, colour=MUTED, anchor="ma")
        tick = float(f"{tick + step:.9g}")
    write(draw, (x + width, y + 28), unit, size=14, colour=MUTED, anchor="ra")


def _time_step(length: float, width: int) -> float:
    """The smallest round step whose labels are at least 60 pixels apart."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120):
        if 60 <= width * step / length <= 600:
            return step
    power = 10.0 ** math.floor(math.log10(60 * length / width))
    return next(factor * power for factor in (1, 2, 5, 10) if width * factor * power / length >= 59.9)
