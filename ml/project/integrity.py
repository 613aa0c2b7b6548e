"""Check the database of a project, which may come from a stranger or from a failing disk, before anything relies on it.

Every value of every table has its type and its range here, and here only. Each check raises ValueError, which names
the table for developers.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa

from ml.core.errors import HandlensError
from ml.core.messages import msg
from ml.core.stored_reading import reading_in
from ml.core.stored_windowing import windowing_in
from ml.core.types import PRESETS, SPLITS, FrameSampling, PictureReading, Windowing
from ml.core.untrusted import (
    LONGEST_NAME,
    LONGEST_PATH,
    LONGEST_TEXT,
    MOST_CLASSES,
    class_names_in,
    number_in,
    parse_json,
    table_in,
    text_in,
    texts_in,
    whole_in,
)
from ml.media.frames import LONGEST, MOST_ASKED, SHORTEST
from ml.media.kinds import kind_named
from ml.project.class_looks import KEY as CLASS_LOOKS
from ml.project.class_looks import looks_in
from ml.project.merge_record import KEY as LAST_MERGE
from ml.project.merge_record import record_in
from ml.project.releases import KEY as RELEASES
from ml.project.releases import releases_in
from ml.project.run_notes import DELETED, NOTES, deleted_in, notes_in
from ml.scoring.tasks import task_named

Meta = Mapping[str, str]

_HIGHEST = 1 << 62
_MOST_RUNS = 1_000_000
_FOREIGN = re.compile(r"\b(check|generated|collate|virtual)\b", re.IGNORECASE)
"""Words in the definition of a table that Handlens never writes, each of which runs code of the file's author."""
_TEXTS = (
    "SELECT path, digest, group_name FROM source",
    "SELECT path, reason FROM unreadable",
    "SELECT DISTINCT annotator, at FROM label_change",
    "SELECT created_at, message FROM run",
)
_REMARKS = ("SELECT annotator, at, note FROM remark",)


def check_schema(connection: sa.Connection) -> None:
    """Refuse triggers, views and constraints: they would run whenever Handlens reads or writes."""
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master").all()
    for kind, name, sql in rows:
        if kind not in ("table", "index"):
            raise ValueError(f"{kind} {name}")
        if sql is not None and _FOREIGN.search(str(sql)):
            raise ValueError(f"{kind} {name} has rules")


def check_rows(connection: sa.Connection, windowing: Windowing | None) -> None:
    """Refuse values of other types or ranges than Handlens writes, in one pass over each table."""
    classes = _check_classes(connection)
    there = set(connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    for table, rule in _rules(classes, windowing).items():
        if table in ("root", "remark") and table not in there:
            continue  # a project of an earlier version
        query = f'SELECT 1 FROM "{table}" WHERE ({rule}) IS NOT TRUE LIMIT 1'
        if connection.exec_driver_sql(query).first() is not None:
            raise ValueError(f"values in the table {table}")
    for query in (*_TEXTS, *(_REMARKS if "remark" in there else ())):
        # The driver decodes, and refuses bytes that are no text. Its own rows: there may be a hundred thousand.
        for _row in connection.connection.cursor().execute(query):
            pass
    for number, names in connection.exec_driver_sql("SELECT number, class_names FROM run").all():
        class_names_in(parse_json(str(names)), f"class_names of run {number}")


def _check_classes(connection: sa.Connection) -> int:
    """Return the number of classes, whose indices must be 0, 1, 2 and so on."""
    query = f'SELECT "index", name FROM class WHERE typeof(name) = \'text\' ORDER BY "index" LIMIT {MOST_CLASSES + 1}'
    rows = connection.exec_driver_sql(query).all()
    whole = connection.exec_driver_sql("SELECT count(*) FROM class").scalar_one()
    if whole != len(rows) or [row[0] for row in rows] != list(range(whole)):
        raise ValueError("the classes are not numbered")
    class_names_in([row[1] for row in rows])
    return len(rows)


def _whole(column: str, low: int, high: int) -> str:
    return f"(typeof({column}) = 'integer' AND {column} BETWEEN {low} AND {high})"


def _number(column: str, low: float, high: float) -> str:
    return f"(typeof({column}) IN ('integer', 'real') AND {column} BETWEEN {low!r} AND {high!r})"


def _text(column: str, longest: int) -> str:
    # As a blob, because the length of a text ends at the first NUL.
    return (
        f"(typeof({column}) = 'text' AND length(CAST({column} AS BLOB)) <= {longest} AND NOT instr({column}, char(0)))"
    )


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"({column} IN ({', '.join(repr(value) for value in values)}))"


def _or_null(column: str, rule: str) -> str:
    return f"({column} IS NULL OR {rule})"


def _rules(classes: int, windowing: Windowing | None) -> dict[str, str]:
    """For each table what holds of every row, in SQL."""
    seconds = (0.0, 1e12)
    span = _number("start", *seconds) + " AND " + _number('"end"', *seconds) + ' AND start <= "end"'
    nothing = '(start IS NULL AND "end" IS NULL)'
    path = 4 * LONGEST_PATH  # bytes
    rules = {
        "source": [
            _whole("id", 0, _HIGHEST),
            _text("path", path),
            _whole("size", 0, _HIGHEST),
            _whole("mtime_ns", -_HIGHEST, _HIGHEST),
            _text("digest", LONGEST_NAME),
            # The name of the folder: "val", "testing"…
            _or_null("ready_split", _text("ready_split", LONGEST_NAME)),
            _whole("width", 0, 1 << 31),
            _whole("height", 0, 1 << 31),
            _number("duration", *seconds),
            _number("rate", 0.0, 1e12),
            _whole("channels", 0, 1 << 31),
            _or_null("group_name", _text("group_name", path)),
            _or_null("split", _one_of("split", SPLITS)),
        ],
        "root": [
            _text("name", LONGEST_NAME),
            "substr(name, 1, 1) = '+' AND NOT instr(name, '/')",
            _one_of("kind", ("folder", "files", "copies")),
            _text("absolute", path),
            _text("relative", path),
        ],
        "unreadable": [_text("path", path), _text("reason", LONGEST_TEXT)],
        "sample": [
            _whole("id", 0, _HIGHEST),
            _whole("source_id", 0, _HIGHEST),
            f"({nothing} OR ({span}))" if windowing is None else f"({span})",
            _or_null("change_id", _whole("change_id", 0, _HIGHEST)),
        ],
        "label_change": [
            _whole("id", 0, _HIGHEST),
            _whole("sample_id", 0, _HIGHEST),
            _text("at", LONGEST_NAME),
            _text("annotator", LONGEST_PATH),
            _one_of("origin", ("person", "import", "confirmed", "ignored")),
            _or_null("previous_id", _whole("previous_id", 0, _HIGHEST)),
        ],
        "label": [
            _whole("change_id", 0, _HIGHEST),
            _whole("place", 0, MOST_CLASSES),
            _whole("class_index", 0, classes - 1),
            f"({nothing} OR ({span}))",
        ],
        "remark": [
            _whole("id", 0, _HIGHEST),
            _whole("sample_id", 0, _HIGHEST),
            _text("at", LONGEST_NAME),
            _text("annotator", LONGEST_PATH),
            _whole("flagged", 0, 1),
            _text("note", LONGEST_TEXT),
        ],
        "run": [
            _whole("number", 1, _MOST_RUNS),
            _one_of("state", ("running", "finished", "failed", "cancelled", "interrupted")),
            _one_of("preset", PRESETS),
            _whole("seed", -_HIGHEST, _HIGHEST),
            _text("created_at", LONGEST_NAME),
            _number("seconds", *seconds),
            *(_or_null(f"{split}_accuracy", _number(f"{split}_accuracy", 0.0, 1.0)) for split in ("valid", "test")),
            _or_null("probe_accuracy", _number("probe_accuracy", 0.0, 1.0)),
            _text("message", LONGEST_TEXT),
            _text("class_names", LONGEST_TEXT * 8),
        ],
    }
    return {table: " AND ".join(each) for table, each in rules.items()}


# -- the table of single values ----------------------------------------------------------------------------------------


def read_meta(connection: sa.Connection) -> dict[str, str]:
    """Return the checked values of the table `meta`."""
    meta: dict[str, str] = {}
    for key, value in connection.exec_driver_sql("SELECT key, value FROM meta LIMIT 1000"):
        check = _META.get(key)
        if check is None:
            continue  # of a later version
        meta[key] = text_in(value, f"meta.{key}", longest=LONGEST_TEXT, empty=True)
        check(meta[key], f"meta.{key}")
    missing = _REQUIRED - meta.keys()
    if missing:
        raise ValueError(f"meta lacks {', '.join(sorted(missing))}")
    # Unknown names are no damage, and have sentences of their own.
    if kind_named(meta["kind"]).windowed != ("window_rate" in meta):
        raise ValueError("the windows do not fit the kind")
    task_named(meta.get("task", "single"))
    windowing_of(meta)
    reading_of(meta)
    frames_of(meta)
    return meta


def windowing_of(meta: Meta) -> Windowing | None:
    """Return how recordings or logs are cut; None for images. The inverse of `ml.project.update.insert.windowing_meta`.

    Raises ValueError.
    """
    if "window_rate" not in meta:
        return None
    return windowing_in(
        {
            **{name: float(meta.get(f"window_{name}", "nan")) for name in ("rate", "seconds", "step")},
            "columns": parse_json(meta.get("window_columns", "[]")),
            "clock": meta.get("window_clock", "file"),
            "ranges": parse_json(meta.get("window_ranges", "[]")),
            "without_pauses": "window_columns" in meta and meta.get("window_times") != "log",
            "time_expansion": int(meta.get("window_expansion", "1")),
        }
    )


def frames_of(meta: Meta) -> FrameSampling | None:
    """Return which frames of videos are samples; None where there are no videos. Raises ValueError."""
    if "frame_every" not in meta:
        return None
    most = whole_in(parse_json(meta.get("frame_most", "0")), "frame_most", 1, MOST_ASKED)
    return FrameSampling(every=number_in(float(meta["frame_every"]), "frame_every", SHORTEST, LONGEST), most=most)


def reading_of(meta: Meta) -> PictureReading | None:
    """Return how pictures with more than 8 bits or several pages are read; None where each is read by itself.

    Raises ValueError.
    """
    return reading_in(table_in(parse_json(meta["reading"]), "reading")) if "reading" in meta else None


def _name(value: str, key: str) -> None:
    text_in(value, key)


def _path(value: str, key: str) -> None:
    text_in(value, key, longest=LONGEST_PATH)


def _text_of_any_length(value: str, key: str) -> None:
    text_in(value, key, longest=LONGEST_TEXT, empty=True)


def _positive(value: str, key: str) -> None:
    number_in(float(value), key, math.ulp(0.0), 1e12)


def _share(value: str, key: str) -> None:
    number_in(float(value), key, 1e-9, 1.0)


def _paths(value: str, key: str) -> None:
    texts_in(parse_json(value), key, most=100_000, longest=LONGEST_PATH)


def _releases(value: str, _name: str) -> None:
    releases_in(value)


def _class_looks(value: str, _name: str) -> None:
    looks_in(value)


def _run_notes(value: str, _name: str) -> None:
    notes_in(value)


def _last_merge(value: str, _name: str) -> None:
    record_in(value)


def _deleted_runs(value: str, _name: str) -> None:
    deleted_in(value)


_META: dict[str, Callable[[str, str], None]] = {
    "name": _name,
    "kind": _name,
    "task": _name,
    "created_at": _name,
    "split_by": _path,
    "split_why": _text_of_any_length,
    "source_absolute": _path,
    "source_relative": _path,
    "label_sources": _paths,
    "label_columns": _paths,
    "passed_over": _text_of_any_length,
    "wrong_at_most": _share,
    "reading": _text_of_any_length,
    "frame_every": _positive,
    "frame_most": _positive,
    "window_rate": _positive,
    "window_seconds": _positive,
    "window_step": _positive,
    "window_columns": _text_of_any_length,
    "window_clock": _name,
    "window_ranges": _text_of_any_length,
    "window_times": _name,
    "window_expansion": _positive,
    RELEASES: _releases,
    "by_hand": _name,
    CLASS_LOOKS: _class_looks,
    NOTES: _run_notes,
    DELETED: _deleted_runs,
    LAST_MERGE: _last_merge,
}
"""For each key a check of its value; `windowing_of` checks the values of windows once more, together."""
_REQUIRED = frozenset({"name", "kind", "split_by", "split_why", "source_absolute", "source_relative"})


# -- the folder --------------------------------------------------------------------------------------------------------


def refuse_links(project: Path) -> None:
    """Raise HandlensError where something in the project is a link, a pipe or a device.

    Handlens writes through a link to a place outside of the project, and waits forever at a pipe.
    """
    for path in _own_files(project):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # gone in between: another process works here
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or (hasattr(path, "is_junction") and path.is_junction()):
            raise HandlensError(
                msg(
                    "{file} in the project “{project}” is a link or not a plain file, so the project was not opened. "
                    "Put a real file or folder in its place.",
                    file=path.relative_to(project).as_posix(),
                    project=project.name,
                )
            )


def _own_files(project: Path) -> Iterator[Path]:
    """Everything that Handlens itself puts into a project."""
    for name in ("project.db", "project.db-wal", "project.db-shm", "project.db-journal", ".train.lock", ".studio.lock"):
        if os.path.lexists(project / name):
            yield project / name
    for name in ("runs", "cache", "backups", "added"):
        if not os.path.lexists(project / name):
            continue
        yield project / name
        if (project / name).is_symlink():
            continue
        for folder, folders, files in os.walk(project / name):
            yield from (Path(folder, each) for each in (*folders, *files))
