"""Putting what a scan found into `project.db`, in a few statements however much it is."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ml.core.errors import HandlensError
from ml.core.messages import Message, dumps, msg
from ml.core.scan_report import FoundFile, ScanReport, SplitPlan
from ml.core.stored_reading import reading_values
from ml.core.types import Cut, FrameSampling, Origin, TaskName, Windowing
from ml.core.untrusted import text_in
from ml.project import store as tables
from ml.project.data_findings import KEY, data_findings_text
from ml.project.labelfiles.windows import labels_in_windows, pieces_of
from ml.project.labels import Given, append_imports, default_annotator, label_rows, now, read_samples
from ml.project.roots import place_of
from ml.project.store import Store
from ml.scoring.tasks import task_named

_Label = tuple[str, float | None, float | None]
"""A class, and the part of the recording it was given for, in seconds; None, None: the sample itself."""


def fill(store: Store, *, name: str, report: ScanReport, plan: SplitPlan, final: Path) -> None:
    values = {
        "name": name,
        "kind": report.kind,
        "task": report.task,
        "created_at": now(),
        "split_by": plan.split_by,
        "split_why": dumps(plan.why),
        KEY: data_findings_text(report),
        **source_meta(Path(report.folder), final),
    }
    if report.windowing is not None:
        values |= windowing_meta(report.windowing)
    if report.picture_reading is not None:
        values["reading"] = json.dumps(reading_values(report.picture_reading))
    if report.frames is not None:
        values |= frames_meta(report.frames)
    if report.unlabelled:
        values["by_hand"] = "yes"
    copies = {path for same in report.duplicates for path in same.paths} - {file.path for file in report.files}
    values["passed_over"] = fingerprint(copies)
    if report.labels is not None:
        values["label_sources"] = json.dumps(report.labels.sources)
        if report.labels.columns is not None:
            values["label_columns"] = json.dumps(report.labels.columns)
    names = list(report.class_counts)
    for each in names:
        check_class_name(each)
    with store.writing() as connection:
        connection.execute(tables.meta.insert(), [{"key": k, "value": v} for k, v in values.items()])
        if names:
            connection.execute(tables.classes.insert(), [{"index": i, "name": n} for i, n in enumerate(names)])
        indices = {n: i for i, n in enumerate(names)}
        insert_files(connection, report.files, plan, report.cut, indices, exclusive=task_named(report.task).exclusive)
        insert_unreadable(connection, report)


def fingerprint(names: Collection[str]) -> str:
    """Return one short text for many names; empty for none."""
    return hashlib.sha256("\0".join(sorted(names)).encode()).hexdigest() if names else ""


def windowing_meta(windowing: Windowing) -> dict[str, str]:
    """How it is kept; `ml.project.integrity.windowing_of` is the inverse."""
    values = {
        "window_rate": repr(windowing.rate),
        "window_seconds": repr(windowing.seconds),
        "window_step": repr(windowing.step),
    }
    if windowing.columns:
        values |= {
            "window_columns": json.dumps(windowing.columns),
            "window_clock": windowing.clock,
            "window_ranges": json.dumps(windowing.ranges),
            "window_times": "without pauses" if windowing.without_pauses else "log",
        }
    if windowing.time_expansion > 1:
        values["window_expansion"] = str(windowing.time_expansion)
    return values


def frames_meta(frames: FrameSampling) -> dict[str, str]:
    """How it is kept; `ml.project.integrity.frames_of` is the inverse."""
    return {"frame_every": repr(frames.every), "frame_most": repr(frames.most)}


def source_meta(folder: Path, project: Path) -> dict[str, str]:
    return {f"source_{key}": value for key, value in place_of(folder, project).items()}


def insert_files(
    connection: sa.Connection,
    files: Sequence[FoundFile],
    plan: SplitPlan,
    cut: Cut | None,
    class_index: dict[str, int],
    *,
    exclusive: bool = True,
    origin: Origin = "import",
) -> None:
    """Sources, their samples, and the labels their folders or tables give them, each in one statement however many.

    `exclusive`: whether each sample has one class. `origin`: who gave the labels.
    """
    next_source = tables.next_id(connection, tables.sources.c.id)
    next_sample = tables.next_id(connection, tables.samples.c.id)
    next_change = tables.next_id(connection, tables.label_changes.c.id)
    rows: dict[sa.Table, list[dict[str, Any]]] = {
        table: [] for table in (tables.sources, tables.samples, tables.label_changes, tables.labels)
    }
    at, annotator = now(), default_annotator()
    for source_id, file in enumerate(files, next_source):
        facts = ("path", "size", "mtime_ns", "digest", "ready_split", "width", "height", "duration", "rate", "channels")
        rows[tables.sources].append(
            {"id": source_id, "split": plan.splits.get(file.path)}
            | {"group_name": _group(file, plan)}
            | {fact: getattr(file, fact) for fact in facts}
        )
        for start, end, labels in _pieces(file, cut, exclusive=exclusive):
            change_id = None
            if labels is not None:
                change_id = next_change
                next_change += 1
                rows[tables.label_changes].append(
                    {"id": change_id, "sample_id": next_sample, "at": at, "annotator": annotator, "origin": origin}
                )
                rows[tables.labels] += label_rows(change_id, _by_index(labels, class_index))
            rows[tables.samples].append(
                {"id": next_sample, "source_id": source_id, "start": start, "end": end, "change_id": change_id}
            )
            next_sample += 1
    for table, values in rows.items():
        if values:
            connection.execute(table.insert(), values)


def _group(file: FoundFile, plan: SplitPlan) -> str | None:
    """What the file stays together with. The table's own group where that was followed: a file that gets its label
    later has to find it again."""
    by_table = file.group if plan.split_by in {"auto", "recording"} else None
    return by_table or plan.groups.get(file.path, file.group)


def label_untouched(
    connection: sa.Connection, files: Sequence[FoundFile], class_index: dict[str, int], *, exclusive: bool
) -> int:
    """Give the labels of `files` to those of their samples that nobody ever labelled. Returns how many got one."""
    query = (
        sa.select(tables.samples.c.id, tables.sources.c.path, tables.samples.c.start, tables.samples.c.end)
        .join(tables.sources, tables.sources.c.id == tables.samples.c.source_id)
        .where(tables.samples.c.id.not_in(sa.select(tables.label_changes.c.sample_id)))
        .order_by(tables.samples.c.id)
    )
    bare: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    for row in connection.execute(query):
        bare[row.path].append((row.id, row.start, row.end))
    given: dict[int, Sequence[Given]] = {}
    for file in files:
        samples = bare.get(file.path, ())
        found = _labels(file, [(start, end) for _sample, start, end in samples], exclusive=exclusive)
        for (sample, _start, _end), labels in zip(samples, found, strict=True):
            if labels is not None:
                given[sample] = _by_index(labels, class_index)
    append_imports(connection, given)
    return len(given)


def _pieces(
    file: FoundFile, cut: Cut | None, *, exclusive: bool
) -> Iterator[tuple[float | None, float | None, Sequence[_Label] | None]]:
    """Start and end of each sample of the file, and its labels; None: nobody said anything."""
    windows = pieces_of(file, cut)
    if not windows and not isinstance(cut, Windowing):
        yield None, None, _labels(file, [(0.0, 0.0)], exclusive=exclusive)[0]
        return
    for (start, end), labels in zip(windows, _labels(file, windows, exclusive=exclusive), strict=True):
        yield start, end, labels


def _labels(
    file: FoundFile, windows: Sequence[tuple[float, float]], *, exclusive: bool
) -> list[Sequence[_Label] | None]:
    """What each window of the file is labelled with; None: nobody said anything."""
    if not file.labelled:
        return [None] * len(windows)
    if file.spans is None:
        return [[(name, None, None) for name in file.class_names]] * len(windows)
    found = labels_in_windows(file, windows, several=not exclusive, every=True)
    return [labels or (None if exclusive else []) for labels in found]


def _by_index(labels: Sequence[_Label], class_index: Mapping[str, int]) -> list[Given]:
    return [(class_index[name], start, end) for name, start, end in labels]


def check_class_name(name: str) -> None:
    """Raise HandlensError for a name that no project or model may hold, see `ml.core.untrusted`."""
    try:
        text_in(name, "class")
    except ValueError as error:
        raise HandlensError(
            msg("The class “{name}…” has a name that is too long. Use a shorter name.", name=name[:40])
        ) from error


def class_indices(connection: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """The index of every class by its name; those of `names` that there are not yet come after the others."""
    indices: dict[str, int] = {
        row["name"]: row["index"] for row in connection.execute(sa.select(tables.classes)).mappings()
    }
    new = {name: index for index, name in enumerate(sorted({*names} - indices.keys()), len(indices))}
    for name in new:
        check_class_name(name)
    if new:
        connection.execute(tables.classes.insert(), [{"index": index, "name": name} for name, index in new.items()])
    return indices | new


def insert_unreadable(connection: sa.Connection, report: ScanReport) -> None:
    leave_out(connection, {item.path: item.reason for item in report.unreadable})


def leave_out(connection: sa.Connection, reasons: Mapping[str, Message]) -> None:
    """What lies at these paths is neither learned from nor tested with, and why."""
    if reasons:
        rows = [{"path": path, "reason": dumps(reason)} for path, reason in reasons.items()]
        connection.execute(tables.unreadable.insert().prefix_with("OR REPLACE"), rows)


def files_in_project(
    connection: sa.Connection, *, task: TaskName, from_table: bool, by_hand: bool = False
) -> tuple[FoundFile, ...]:
    """The project's sources under their present labels. `from_table`: whether these came from label files at first.

    `by_hand`: whether a person gave all of them, so that no folder names a class.
    """
    rows = connection.execute(sa.select(tables.classes)).mappings()
    names: dict[int, str] = {row["index"]: row["name"] for row in rows}
    exclusive = task_named(task).exclusive
    # In the order of the samples; a recording shows what any of its windows shows.
    shown: dict[int, dict[str, None]] = {}
    for sample in read_samples(connection, task=task):
        if sample.labelled:
            shown.setdefault(sample.source_id, {}).update(dict.fromkeys(names[index] for index in sample.labels))
    classes = {source: tuple(found) for source, found in shown.items()}
    sources = connection.execute(sa.select(tables.sources).order_by(tables.sources.c.path)).all()
    return tuple(
        FoundFile(
            path=row.path,
            size=row.size,
            mtime_ns=row.mtime_ns,
            digest=row.digest,
            class_name=next(iter(classes.get(row.id, ())), None),
            also=classes.get(row.id, ())[1:],
            group=row.group_name if from_table else None,
            from_table=from_table or by_hand,
            negative=not exclusive and row.id in classes and not classes[row.id],
            ready_split=row.ready_split,
            width=row.width,
            height=row.height,
            duration=row.duration,
            rate=row.rate,
            channels=row.channels,
        )
        for row in sources
    )
