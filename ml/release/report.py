"""Write a report of a run: one HTML file without anything outside it, in the person's language."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Iterable, Sequence

from PIL import Image

from ml.core.messages import Message, current_language, msg, nmsg, text
from ml.core.phrases import counted_classes, counted_files, counted_samples, frame_of, percent, things
from ml.core.printable import printable
from ml.evaluation.accepting import accepting_sentence
from ml.evaluation.run_view import RunView, ShownSample
from ml.media.kinds import kind_named
from ml.pictures.contact_sheet import with_overlay
from ml.runtime.contract import ModelInfo
from ml.scoring.task import Task
from ml.scoring.tasks import task_named

_EDGE = 320
_SHOWN = 12
_LARGEST_CONFUSION = 40
"""Classes; a larger table cannot be read."""
_QUALITY = 82
_FIGURES_BESIDE = 2
_PRINTED_EDGE = 130
"""Pixels of a picture on paper, 96 to the inch."""
_PRINTED_STYLE = """
body { color: #1c1c1a; font-family: sans-serif; font-size: 10pt; }
h1 { font-size: 20pt; margin-bottom: 4px; }
h2 { font-size: 14pt; margin-top: 22px; }
.kicker, .quiet { color: #6b6b66; }
.score { font-size: 34pt; font-weight: 600; color: #0f766e; margin-top: 14px; margin-bottom: 0; }
.lead { font-size: 12pt; }
th, td { padding: 3px 8px; text-align: right; }
th { color: #6b6b66; font-weight: 400; }
.caption { margin-top: 2px; margin-bottom: 8px; }
.wrong { color: #b91c1c; }
"""
_STYLE = """
:root { color-scheme: light dark; --page: #fafaf9; --surface: #fff; --line: #e4e4e0; --text: #1c1c1a; --muted: #6b6b66;
  --accent: #0f766e; --soft: 15 118 110; --bad: #b91c1c; --wrong: 185 28 28; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --surface: #1f1f1d; --line: #34342f; --text: #ededE8;
  --muted: #a3a39b; --accent: #2dd4bf; --soft: 45 212 191; --bad: #f87171; --wrong: 248 113 113; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.55 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 32px; line-height: 1.2; margin: 0 0 8px; overflow-wrap: anywhere; }
.kicker, .quiet, figcaption span { color: var(--muted); }
.kicker { margin: 0 0 4px; }
.score { font-size: 52px; font-weight: 650; color: var(--accent); line-height: 1.1; margin: 28px 0 4px; }
.lead { font-size: 18px; max-width: 46em; margin: 0 0 28px; }
details { background: var(--surface); border: 1px solid var(--line); border-radius: 8px; margin: 14px 0; }
summary { padding: 14px 18px; font-size: 18px; font-weight: 600; cursor: pointer; }
details > div { padding: 0 18px 18px; }
details > div > :first-child { margin-top: 0; }
ul { padding-left: 20px; margin-bottom: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; }
th { font-weight: 500; color: var(--muted); vertical-align: bottom; max-width: 11em; overflow-wrap: break-word; }
th:first-child, td:first-child { text-align: left; }
tbody th { color: var(--text); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 16px; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
figure > div { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; align-items: center; background: var(--page); }
img { display: block; width: 100%; height: auto; }
figcaption { padding: 8px 12px; overflow-wrap: anywhere; }
figcaption span { display: block; font-size: 13px; }
.wrong { color: var(--bad); }
li { margin: 4px 0; }
@media print { details { break-inside: avoid-page; } }
"""


def report_html(view: RunView, info: ModelInfo, *, printed: bool = False) -> str:
    """Return the report as the text of an HTML file.

    `printed`: everything is open, light, and in the part of HTML that Qt can put on paper.
    """
    return (_PrintedReport if printed else _Report)(view, info).page()


class _Report:
    _style = _STYLE

    def __init__(self, view: RunView, info: ModelInfo) -> None:
        self._view = view
        self._info = info
        self._task: Task = task_named(info.task)
        self._kind = view.project.kind

    def page(self) -> str:
        title = msg("{project}, run {run}", project=self._view.project.name, run=str(self._view.run.number))
        sections = [
            self._section(msg("How good it is"), self._scores()),
            self._section(msg("Which classes it confuses"), self._confusion()),
            self._section(
                msg("Its worst mistakes"), self._figures(self._view.chosen("most wrong", _SHOWN), self._no_mistake())
            ),
            self._section(
                msg("What it is most certain of"),
                self._figures(self._view.chosen("surest", _SHOWN), msg("It is right about no test sample.")),
            ),
            self._section(msg("Limits"), _list(self._limits())),
            self._section(msg("The samples"), self._samples(), is_open=False),
            self._section(msg("How it was made"), _list(self._making()), is_open=False),
        ]
        tag = current_language().locale.language
        return (
            f'<!doctype html>\n<html lang="{html.escape(tag)}">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="generator" content="Handlens">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'\">\n"
            f"<title>{_text(title)}</title>\n<style>{self._style}</style>\n</head>\n<body>\n<main>\n"
            f'<p class="kicker">Handlens</p>\n<h1>{_text(self._view.project.name)}</h1>\n'
            f"<p>{_text(self._task.purpose(self._info.classes[:30], self._kind))}</p>\n"
            f"{self._headline()}{''.join(sections)}</main>\n</body>\n</html>\n"
        )

    def _headline(self) -> str:
        scores = self._view.evaluated
        files = scores.files if kind_named(self._kind).windowed else None
        words = self._task.result(scores.accuracy, scores.n, self._kind, files=files, interval=scores.interval)
        number = self._task.score_text(scores.accuracy)
        return f'<p class="score">{_text(number)}</p>\n<p class="lead">{_text(words)}</p>\n'

    def _scores(self) -> str:
        columns = (
            [msg("class"), msg("samples"), msg("found"), msg("correct when predicted")]
            if self._task.exclusive
            else [msg("class"), msg("samples"), msg("found"), msg("average precision")]
        )
        rows = []
        second = "precision" if self._task.exclusive else "average_precision"
        for name, scores in sorted(self._view.evaluated.per_class.items(), key=lambda item: item[1]["recall"]):
            if scores["n"]:
                rows.append([name, f"{scores['n']:.0f}", _share(scores, "recall"), _share(scores, second)])
        note = msg("In brackets: the range with 95 % confidence, out of 100.")
        return _table(columns, rows) + _paragraph(note)

    def _confusion(self) -> str:
        names = list(self._view.evaluated.per_class)
        if not self._task.exclusive:
            return _paragraph(
                msg("Several classes may be present at once, so the model cannot confuse one with another.")
            )
        if len(names) > _LARGEST_CONFUSION:
            return _paragraph(msg("There are too many classes for a table."))
        head = "".join(f'<th scope="col">{_text(name)}</th>' for name in names)
        lines = []
        for row, counts in enumerate(self._view.evaluated.confusion[: len(names)]):
            total = sum(counts) or 1
            cells = "".join(
                f'<td style="background: {self._shade(0.7 * share, right=row == column)}">{count or ""}</td>'
                for column, count in enumerate(counts[: len(names)])
                for share in [count / total]
            )
            lines.append(f'<tr><th scope="row">{_text(names[row])}</th>{cells}</tr>')
        return (
            _paragraph(msg("Rows: the labels. Columns: the predictions."))
            + f'<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead>'
            + f"<tbody>{''.join(lines)}</tbody></table></div>"
        )

    def _no_mistake(self) -> Message:
        return msg("There is no mistake among the test {things}.", things=things(self._kind))

    def _figures(self, items: Sequence[ShownSample], nothing: Message) -> str:
        if not items:
            return _paragraph(nothing)
        hint = msg("Left: the sample. Right: what spoke for the answer.")
        return _paragraph(hint) + self._grid(items)

    def _grid(self, items: Sequence[ShownSample]) -> str:
        return f'<div class="grid">{"".join(map(self._figure, items))}</div>'

    def _figure(self, item: ShownSample) -> str:
        tile = self._view.tile(item, _EDGE)
        label, predicted = self._view.named(item.labels), self._view.named(item.predicted)
        if item.right:
            first = f"<strong>{_text(label)}</strong>"
        else:
            caption = msg("{label}, predicted as {predicted}", label=label, predicted=predicted)
            first = f'<strong class="wrong">{_text(caption)}</strong>'
        place = printable(item.sample.path)
        if item.sample.start is not None:
            if self._view.project.windowing is None:
                place = text(frame_of(place, item.sample.start))
            else:
                place = text(msg("{path}, at {seconds:g} s", path=place, seconds=round(item.sample.start, 2)))
        sure = f"{_text(msg('{percent} sure', percent=percent(item.probability)))} · " if self._task.exclusive else ""
        shown = _text(msg("The file could not be read."))
        if tile is not None:
            size = (tile.picture.shape[1], tile.picture.shape[0])
            pictures = Image.fromarray(tile.picture), with_overlay(tile.picture, tile.maps, tile.shown, size=size)
            shown = self._pictures(pictures, _text(label))
        return self._framed(shown, first, f"{sure}{_text(place)}")

    def _pictures(self, pictures: Iterable[Image.Image], label: str) -> str:
        return "".join(f'<img src="{_data(picture)}" alt="{label}">' for picture in pictures)

    def _framed(self, shown: str, first: str, second: str) -> str:
        return f"<figure><div>{shown}</div><figcaption>{first}<span>{second}</span></figcaption></figure>"

    def _section(self, title: Message, content: str, *, is_open: bool = True) -> str:
        return f"<details{' open' if is_open else ''}><summary>{_text(title)}</summary><div>{content}</div></details>\n"

    def _shade(self, strength: float, *, right: bool) -> str:
        return f"rgb(var(--{'soft' if right else 'wrong'}) / {strength:.2f})"

    def _limits(self) -> list[Message]:
        scores = self._view.evaluated
        limits = [
            msg(
                "The score holds for {things} like these. Test it on new ones before you rely on it.",
                things=things(self._kind),
            ),
            nmsg(
                "It knows only its {count} class. It cannot name anything else.",
                "It knows only its {count} classes. It cannot name anything else.",
                len(self._info.classes),
            ),
        ]
        if scores.accepting is not None:
            limits.append(accepting_sentence(scores.accepting, self._kind))
        if scores.ece_before is not None or scores.files >= 50:
            limits.append(msg("Its probabilities are off by {error} on average.", error=percent(scores.ece)))
        return [*limits, *scores.findings]

    def _samples(self) -> str:
        project = self._view.project
        samples = [sample for sample in project.samples() if sample.labelled]
        counts = Counter((label, sample.split) for sample in samples for label in sample.labels)
        columns = [msg("class"), msg("training"), msg("validation"), msg("test")]
        rows = [
            [name, *(str(counts[index, split]) for split in ("train", "valid", "test"))]
            for index, name in enumerate(self._view.names)
        ]
        facts: list[Message] = [
            msg(
                "{samples} in {classes}.",
                samples=counted_samples(samples, self._kind),
                classes=counted_classes(len(self._view.names)),
            )
        ]
        if text(project.split_why):
            facts.append(msg("How the data was split: {why}", why=project.split_why))
        unreadable = len(project.unreadable())
        if unreadable:
            facts.append(msg("{files} could not be read.", files=counted_files(unreadable, self._kind)))
        return _list(facts) + _table(columns, rows)

    def _making(self) -> list[Message]:
        run = self._view.run
        return [
            msg(
                "Made {created_at} with the preset “{preset}”, seed {seed}.",
                created_at=run.created_at[:16].replace("T", " "),
                preset=run.preset,
                seed=str(run.seed),
            ),
            msg("It began from the pretrained network {name}.", name=self._info.backbone),
            msg("The labels are those of the day of this report."),
        ]


class _PrintedReport(_Report):
    """Qt's text has neither folding sections, nor grids, nor variables."""

    _style = _PRINTED_STYLE

    def _section(self, title: Message, content: str, *, is_open: bool = True) -> str:
        del is_open
        return f"<h2>{_text(title)}</h2>\n{content}\n"

    def _shade(self, strength: float, *, right: bool) -> str:
        colour = (15, 118, 110) if right else (185, 28, 28)
        return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in colour)

    def _grid(self, items: Sequence[ShownSample]) -> str:
        figures = [f'<td width="50%" align="left">{self._figure(item)}</td>' for item in items]
        rows = [figures[first : first + _FIGURES_BESIDE] for first in range(0, len(figures), _FIGURES_BESIDE)]
        cells = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
        return f'<table class="figures" width="100%" cellspacing="8">{cells}</table>'

    def _pictures(self, pictures: Iterable[Image.Image], label: str) -> str:
        del label
        return " ".join(f'<img src="{_data(picture)}" width="{_PRINTED_EDGE}">' for picture in pictures)

    def _framed(self, shown: str, first: str, second: str) -> str:
        return f'{shown}<p class="caption">{first}<br><span class="quiet">{second}</span></p>'


def _paragraph(words: Message) -> str:
    return f'<p class="quiet">{_text(words)}</p>'


def _list(sentences: Iterable[Message]) -> str:
    return f"<ul>{''.join(f'<li>{_text(sentence)}</li>' for sentence in sentences)}</ul>"


def _table(columns: Sequence[Message], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _share(scores: dict[str, float], key: str) -> str:
    shown = text(percent(scores[key]))
    if f"{key}_low" not in scores:
        return shown
    return f"{shown} ({scores[f'{key}_low'] * 100:.0f}–{scores[f'{key}_high'] * 100:.0f})"


def _text(words: Message | str) -> str:
    """Words, also those of strangers, as HTML that is only text."""
    return html.escape(printable(text(words)))


def _data(picture: Image.Image) -> str:
    """The picture as an address that holds all of it."""
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, format="JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"
