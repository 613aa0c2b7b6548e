"""Read labels from JSON and JSON lines as rows of a table: records, COCO, Label Studio, or names with classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.core.errors import UnreadableError
from ml.core.messages import msg

JSON_SUFFIXES = frozenset([".json", ".jsonl", ".ndjson"])
_LARGEST = 256 << 20
_DEEPEST = 3
_BROKEN = msg("It is not valid JSON. Export it again.")

Record = dict[str, str]


def json_rows(path: Path, encoding: str) -> list[tuple[str, ...]]:
    """The names of the columns and one row for each record. Raises UnreadableError with the reason in one sentence."""
    if path.stat().st_size > _LARGEST:
        raise UnreadableError(msg("It is larger than 256 MB. Save the labels as CSV and choose that file."))
    records = list(_records(_parsed(path.read_text(encoding=encoding, errors="replace"))))
    header = tuple(dict.fromkeys(name for record in records for name in record))
    if not header:
        raise UnreadableError(msg("It holds no list of files and classes."))
    return [header, *(tuple(record.get(name, "") for name in header) for record in records)]


def _parsed(text: str) -> Any:
    try:
        return _one_or_lines(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(_BROKEN, details=repr(error)) from error


def _one_or_lines(text: str) -> Any:
    """Return the value of the whole text, or a list with the value of each line (JSON Lines)."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _records(data: Any) -> Iterator[Record]:
    if isinstance(data, list):
        for item in data:
            if isinstance(item, dict):
                yield from _label_studio(item) if _is_task(item) else [_flat(item)]
            elif isinstance(item, list) and len(item) == 2:
                yield {"file": _cell(item[0]), "label": _cell(item[1])}
    elif isinstance(data, dict):
        yield from _coco(data) if _is_coco(data) else _of_mapping(data)


def _of_mapping(data: Mapping[str, Any]) -> Iterator[Record]:
    """The longest list of records in it; else each key with its value: a file with its class, or the reverse."""
    lists = [value for value in data.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if lists:
        yield from _records(max(lists, key=len))
    elif data and all(isinstance(value, dict) for value in data.values()):
        inner = list(data.values())
        if len(inner) == 1 and all(isinstance(value, dict) for value in inner[0].values()):
            yield from _of_mapping(inner[0])
            return
        for key, value in data.items():
            record = _flat(value)
            yield record if {"filename", "file_name", "file", "image"} & record.keys() else {"file": key, **record}
    else:
        for key, value in data.items():
            if isinstance(value, list) and all(isinstance(each, str) for each in value) and "." not in key:
                yield from ({"file": name, "label": key} for name in value)
            elif isinstance(value, str | int | list):
                yield {"file": key, "label": _cell(value)}


# -- COCO --------------------------------------------------------------------------------------------------------------


def _is_coco(data: Mapping[str, Any]) -> bool:
    return all(_are_records(data.get(name)) for name in ("images", "annotations", "categories"))


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _coco(data: Mapping[str, Any]) -> Iterator[Record]:
    """One row for each picture with all classes that lie on it: boxes of one class count once."""
    names = {str(item.get("id")): _cell(item.get("name")) for item in data["categories"]}
    shown: dict[str, dict[str, None]] = {}
    for item in data["annotations"]:
        classes = shown.setdefault(str(item.get("image_id")), {})
        name = names.get(str(item.get("category_id")), "")
        if name:
            classes[name] = None
    for image in data["images"]:
        classes = shown.get(str(image.get("id")), {})
        yield {"file": _cell(image.get("file_name", "")), "labels": _cell(list(classes))}


# -- Label Studio ------------------------------------------------------------------------------------------------------


def _is_task(item: Mapping[str, Any]) -> bool:
    results = item.get("annotations", item.get("completions"))
    return isinstance(item.get("data"), dict) and _are_records(results)


def _label_studio(task: Mapping[str, Any]) -> Iterator[Record]:
    """One row for each annotation, or for each part of a recording that it labels."""
    data = _flat(task["data"])
    file = next((data[key] for key in ("image", "audio", "img", "sound", "url") if key in data), None)
    file = file if file is not None else next(iter(data.values()), "")
    annotations = task.get("annotations", task.get("completions"))
    for annotation in annotations:
        if annotation.get("was_cancelled"):
            continue
        person = annotation.get("completed_by", "")
        person = person.get("email", person.get("id", "")) if isinstance(person, dict) else person
        whole: list[str] = []
        for result in annotation.get("result") or []:
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict):
                continue
            classes = next((value[key] for key in ("choices", "labels", "taxonomy") if key in value), None)
            classes = [each[-1] if isinstance(each, list) and each else each for each in classes or []]
            if "start" in value and "end" in value:
                part = {"start": _cell(value["start"]), "end": _cell(value["end"]), "label": _cell(classes)}
                yield {"file": file, "annotator": _cell(person), **part}
            else:
                whole += [str(each) for each in classes]
        if whole:
            yield {"file": file, "annotator": _cell(person), "label": _cell(list(dict.fromkeys(whole)))}


# -- cells -------------------------------------------------------------------------------------------------------------


def _flat(item: Mapping[str, Any], depth: int = 0) -> Record:
    """The values of a record by the last part of their names; records inside it are opened."""
    record: Record = {}
    for key, value in item.items():
        if isinstance(value, dict) and set(value) == {"choices"}:
            record[str(key)] = _cell(value["choices"])
        elif isinstance(value, dict) and depth < _DEEPEST:
            for name, cell in _flat(value, depth + 1).items():
                record.setdefault(name, cell)
        elif not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(v, dict) for v in value)):
            record[str(key)] = _cell(value)
    return record


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _listed(value)
    return str(value)


def _listed(values: Sequence[Any]) -> str:
    """A list as label tables write it; of one class alone as the class."""
    cells = [_cell(value) for value in values]
    return cells[0] if len(cells) == 1 else "[" + ", ".join(f"'{cell}'" for cell in cells) + "]" if cells else ""
