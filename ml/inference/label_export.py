"""Write the labels of a project as files that other programs, and `handlens new --labels`, can read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ml.core.disk import making_folder, replacing
from ml.core.errors import HandlensError, UnreadableError
from ml.core.messages import Message, msg, nmsg
from ml.core.outputs import make_folder, unwritable
from ml.core.types import LabelSpan
from ml.inference.detection_tables import BOM, RavenTable, TextTable, free_path, plain_name
from ml.inference.detections import Detection, FileEnd
from ml.inference.sorting import folder_names
from ml.media.audio import cut_audio
from ml.media.kinds import kind_named
from ml.project.labelled_files import LabelledFile, labelled_files
from ml.project.project import Project
from ml.project.scan.multilabel import NEGATIVE_FOLDERS
from ml.scoring.tasks import task_named

CSV, AUDACITY, RAVEN, LABEL_STUDIO, FOLDERS = "csv", "audacity", "raven", "label-studio", "folders"
FORM_SUFFIXES: Mapping[str, str] = {CSV: ".csv", AUDACITY: "", RAVEN: ".txt", LABEL_STUDIO: ".json", FOLDERS: ""}
"""The suffix of the file that each form is; "" for a folder."""
_NEGATIVE = min(NEGATIVE_FOLDERS & {"none"})

Stopped = Callable[[], bool]
_Write = Callable[[Project, Sequence[LabelledFile], Path, Stopped], Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelExport:
    """What was written, and the files whose labels this form cannot hold or whose originals are missing."""

    target: Path
    files: int
    left_out: tuple[str, ...] = ()

    def message(self) -> Message:
        """Say how many labels are where."""
        return nmsg(
            "The labels of {count} file are in {target}.",
            "The labels of {count} files are in {target}.",
            self.files,
            target=str(self.target),
        )

    def left_out_message(self) -> Message | None:
        """Say how many files are missing there; None where none is."""
        if not self.left_out:
            return None
        return nmsg(
            "{count} file was left out, for example {first}: its original is missing, or only a part of a log or a "
            "video has a label.",
            "{count} files were left out, for example {first}: the originals are missing, or only a part of a log or a "
            "video has a label.",
            len(self.left_out),
            first=self.left_out[0],
        )


def label_forms(kind: str) -> tuple[str, ...]:
    """Return the forms that the labels of samples of this kind can take."""
    if not kind_named(kind).windowed:
        return (CSV, LABEL_STUDIO, FOLDERS)
    return (CSV, AUDACITY, RAVEN, LABEL_STUDIO, FOLDERS) if kind_named(kind).audible else (CSV, AUDACITY, FOLDERS)


def form_of(target: Path, kind: str) -> str:
    """Return the form that the ending of a name asks for; a name without an ending is a folder per class.

    Raises HandlensError for other endings.
    """
    for form in label_forms(kind):
        if form != AUDACITY and FORM_SUFFIXES[form] == target.suffix.lower():
            return form
    raise HandlensError(
        msg(
            "{target} has an ending that says no form of labels. Use .csv or choose one of: {choices}.",
            target=str(target),
            choices=", ".join(label_forms(kind)),
        )
    )


def export_labels(project: Project, target: Path, form: str, *, stop: Stopped = lambda: False) -> LabelExport:
    """Write the present labels of a project to `target` in one of `label_forms`. An interrupted export leaves nothing.

    Raises HandlensError.
    """
    files = [file for file in labelled_files(project) if file.parts or file.spans is not None or _says_none(project)]
    if not files:
        raise HandlensError(msg("“{name}” has no labels yet. Label some samples first.", name=project.name))
    target = target.expanduser().absolute()
    try:
        if FORM_SUFFIXES[form]:
            with replacing(target) as draft:  # an older file is not lost to a failed export
                left_out = _WRITERS[form](project, files, draft, stop)
        else:
            left_out = _into_folder(project, files, target, form, stop)
    except OSError as error:
        raise unwritable(target, error) from error
    except UnreadableError as error:
        raise HandlensError(error.message, details=error.details) from error
    return LabelExport(target=target, files=len(files) - len(left_out), left_out=tuple(left_out))


def _says_none(project: Project) -> bool:
    return not task_named(project.task).exclusive


class _StoppedError(Exception):
    """The user has stopped the export."""


def _into_folder(
    project: Project, files: Sequence[LabelledFile], target: Path, form: str, stop: Stopped
) -> Sequence[str]:
    """Write to a new folder, which appears whole or not at all."""
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    if os.path.lexists(target):
        raise HandlensError(msg("{folder} is there already. Give the name of a new folder.", folder=str(target)))
    if target.is_relative_to(project.source_folder):
        raise HandlensError(
            msg("{folder} is inside the folder of the originals. Choose another folder.", folder=str(target))
        )
    make_folder(target)
    target.rmdir()
    try:
        with making_folder(target) as draft:
            return _WRITERS[form](project, files, draft, stop)
    except _StoppedError:
        return [file.path for file in files]


def _each(files: Iterable[LabelledFile], stop: Stopped) -> Iterator[LabelledFile]:
    for file in files:
        if stop():
            raise _StoppedError
        yield file


# -- tables ------------------------------------------------------------------------------------------------------------


def _write_csv(project: Project, files: Sequence[LabelledFile], target: Path, _stop: Stopped) -> Sequence[str]:
    """One row for each class of a file, or for each part that has one."""
    timed = project.windowing is not None or any(file.spans for file in files)
    split = any(file.split is not None for file in files)
    header = ("file", "label", *(("start", "end") if timed else ()), *(("split",) if split else ()))
    table = TextTable(target, header, delimiter=",", encoding=BOM)
    for file in files:
        last = (file.split or "",) if split else ()
        for name, *times in _rows(file, timed=timed):
            table.write(_shown(file), name, *times, *last)
    table.close(complete=True)
    return ()


def _rows(file: LabelledFile, *, timed: bool) -> list[tuple[str, *tuple[str | float, ...]]]:
    if file.spans:
        return [(span.class_name, _seconds(span.start), _seconds(span.end)) for span in file.spans]
    return [(name, *(("", "") if timed else ())) for name in file.classes or ("",)]


def _seconds(value: float) -> float:
    return round(value, 6)


def _shown(file: LabelledFile) -> str:
    """The path as a table holds it: one that a spreadsheet may take for a formula begins with the folder."""
    path = str(file.place) if file.path.startswith("+") else file.path
    return f"./{path}" if path[:1] in "=+-@" else path


def _write_raven(project: Project, files: Sequence[LabelledFile], target: Path, _stop: Stopped) -> Sequence[str]:
    windowing = project.windowing
    table = RavenTable(target, highest=windowing.rate / 2 if windowing else 0.0)
    for file in files:
        for span in file.parts:
            table.add(Detection(path=file.place, start=span.start, end=span.end, label=span.class_name, score=1.0))
        table.end_file(FileEnd(path=file.place, seconds=file.end, detections=len(file.parts)))
    table.close(complete=True)
    return ()


def _write_audacity(_project: Project, files: Sequence[LabelledFile], folder: Path, stop: Stopped) -> Sequence[str]:
    """One track for each recording, in the folders of the recordings, named as it is where that is clear."""
    stems: dict[str, int] = {}
    for file in files:
        stem = str(PurePosixPath(file.path).with_suffix("")).casefold()
        stems[stem] = stems.get(stem, 0) + 1
    for file in _each(files, stop):
        path = PurePosixPath(file.path)
        alone = stems[str(path.with_suffix("")).casefold()] == 1
        track = folder / (path.with_suffix(".txt") if alone else path.with_name(f"{path.name}.txt"))
        if not file.parts:
            continue
        track.parent.mkdir(parents=True, exist_ok=True)
        table = TextTable(track)
        for span in file.parts:
            table.write(f"{span.start:.6f}", f"{span.end:.6f}", span.class_name)
        table.close(complete=True)
    return ()


def _write_label_studio(project: Project, files: Sequence[LabelledFile], target: Path, _stop: Stopped) -> Sequence[str]:
    """Tasks with annotations. Files are named as Label Studio's local storage serves them."""
    usual = "audio" if project.windowing is not None else "image"
    tasks: list[dict[str, Any]] = []
    for number, file in enumerate(files, 1):
        data = "video" if project.windowing is None and file.end > 0 else usual
        results = [_part(span, data) for span in file.spans or ()] or [_choices(file.classes, data)]
        where = f"/data/local-files/?d={quote(_shown(file), safe='')}"
        tasks.append({"id": number, "data": {data: where}, "annotations": [{"result": results}]})
    target.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return ()


def _part(span: LabelSpan, data: str) -> dict[str, Any]:
    value = {"start": _seconds(span.start), "end": _seconds(span.end), "channel": 0, "labels": [span.class_name]}
    return {"from_name": "label", "to_name": data, "type": "labels", "value": value}


def _choices(names: Sequence[str], data: str) -> dict[str, Any]:
    return {"from_name": "choice", "to_name": data, "type": "choices", "value": {"choices": list(names)}}


# -- a folder for each class -------------------------------------------------------------------------------------------


def _copy_to_folders(project: Project, files: Sequence[LabelledFile], folder: Path, stop: Stopped) -> Sequence[str]:
    """Copies in train/CLASS, valid/CLASS and test/CLASS; in CLASS alone where nothing was split.

    What shows several classes is in the folder of each. Recordings whose parts differ are cut.
    """
    several, audible = _says_none(project), kind_named(project.kind).audible
    names = folder_names([f"\0{_NEGATIVE}", *(item.name for item in project.classes())])
    splits = {file.split for file in files}
    left_out = []
    for file in _each(files, stop):
        top = folder / (file.split or "train") if "train" in splits and len(splits - {None}) > 1 else folder
        if not file.place.is_file() or (file.spans is not None and not audible):
            left_out.append(file.path)
        elif file.spans is None:
            for name in file.classes or (f"\0{_NEGATIVE}",):
                shutil.copy2(file.place, _free(top / names[name], Path(file.path).stem, file.place.suffix))
        else:
            for begin, end, classes in _clips(file, several=several):
                stem = f"{plain_name(Path(file.path).stem)}_{begin:.2f}-{end:.2f}s"
                for name in classes or (f"\0{_NEGATIVE}",):
                    cut_audio(file.place, _free(top / names[name], stem, ".wav"), start=begin, end=end)
    return left_out


def _clips(file: LabelledFile, *, several: bool) -> Iterable[tuple[float, float, tuple[str, ...]]]:
    """Where several classes may be present, a clip is a window, so that it has all its classes; else it is a label."""
    if several:
        return file.windows
    return [(span.start, span.end, (span.class_name,)) for span in file.spans or () if span.end > span.start]


def _free(folder: Path, stem: str, suffix: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return free_path(folder, stem, suffix)


_WRITERS: Mapping[str, _Write] = {
    CSV: _write_csv,
    AUDACITY: _write_audacity,
    RAVEN: _write_raven,
    LABEL_STUDIO: _write_label_studio,
    FOLDERS: _copy_to_folders,
}
